// Time-zone arithmetic of the demo's tools: Temporal knows the zones' rules, this file knows how people write a time.

/** One moment as seen in one zone, in the shape of the reference MCP time server. */
export interface ZonedTime {
  readonly timezone: string;
  /** ISO 8601 with the zone's offset, whole seconds. */
  readonly datetime: string;
  readonly day_of_week: string;
  readonly is_dst: boolean;
}

/** The answer of `convert_time`. */
export interface Conversion {
  readonly source: ZonedTime;
  readonly target: ZonedTime;
  /** Target's offset minus the source's, in hours: "-1.0h", "+3.5h", "+5.75h". */
  readonly time_difference: string;
}

/** A zone or a time that cannot be read; the message is for whoever called the tool. */
export class TimeInputError extends Error {
  override readonly name = "TimeInputError";
}

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const TIME_OF_DAY = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const HAS_OFFSET = /[Tt ].*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$/;
const HAS_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}/;
const MAX_REMEMBERED = 1_000;
const MINUTE_MS = 60_000;
const NS_PER_HOUR = 3_600_000_000_000;

/** Tells and converts times. Remembers its answers, so that as a load-test upstream it costs next to nothing. */
export class ZoneClock {
  readonly #answers = new Map<string, Conversion>();
  /** Which minute since the epoch the answers belong to: in every zone the day changes at the end of one. */
  #minute = 0;

  /** `epochMs` as seen in `timezone`. @throws {TimeInputError} unknown zone */
  timeIn(timezone: string, epochMs: number): ZonedTime {
    return describe(zoned(timezone, "timezone", epochMs));
  }

  /**
   * `time` in `sourceTimezone`, seen in `targetTimezone`. `time` is "HH:MM[:SS]" on the day that `nowMs` is in the
   * source zone, an ISO 8601 date and time as clocks there show it, or one with an offset or Z. A wall time that daylight
   * saving skips is moved forward by the gap; of one that it repeats the first is meant.
   * @throws {TimeInputError} unknown zone, unreadable time
   */
  convert(time: string, sourceTimezone: string, targetTimezone: string, nowMs: number): Conversion {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute || this.#answers.size >= MAX_REMEMBERED) {
      this.#answers.clear();
      this.#minute = minute;
    }
    const key = `${time}\n${sourceTimezone}\n${targetTimezone}`;
    const known = this.#answers.get(key);
    if (known) return known;
    const source = readTime(time, zoned(sourceTimezone, "source_timezone", nowMs));
    const target = zoned(targetTimezone, "target_timezone", source.epochMilliseconds);
    const answer = {
      source: describe(source),
      target: describe(target),
      time_difference: hours((target.offsetNanoseconds - source.offsetNanoseconds) / NS_PER_HOUR),
    };
    this.#answers.set(key, answer);
    return answer;
  }
}

function readTime(text: string, now: Temporal.ZonedDateTime): Temporal.ZonedDateTime {
  const trimmed = text.trim();
  try {
    const ofDay = TIME_OF_DAY.exec(trimmed);
    if (ofDay) {
      const [hour, minute, second] = [ofDay[1], ofDay[2], ofDay[3] ?? 0].map(Number);
      return now.withPlainTime(Temporal.PlainTime.from({ hour, minute, second }, { overflow: "reject" }));
    }
    if (HAS_TIME.test(trimmed)) {
      return HAS_OFFSET.test(trimmed)
        ? Temporal.Instant.from(trimmed).toZonedDateTimeISO(now.timeZoneId)
        : Temporal.PlainDateTime.from(trimmed).toZonedDateTime(now.timeZoneId);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new TimeInputError(
    `Cannot read time "${clip(text)}": expected HH:MM (24 hours) or an ISO 8601 date and time`,
  );
}

function zoned(timezone: string, argument: string, epochMs: number): Temporal.ZonedDateTime {
  try {
    return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timezone);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TimeInputError(
      `Unknown ${argument} "${clip(timezone)}": expected an IANA name such as "Europe/Berlin", or "UTC"`,
    );
  }
}

function describe(time: Temporal.ZonedDateTime): ZonedTime {
  return {
    timezone: time.timeZoneId,
    datetime: time.toString({ smallestUnit: "second", timeZoneName: "never" }),
    day_of_week: DAYS[time.dayOfWeek - 1],
    is_dst: isDaylightSaving(time),
  };
}

// Temporal tells offsets, not their names: daylight saving is the larger of the two offsets of a year.
function isDaylightSaving(time: Temporal.ZonedDateTime): boolean {
  const january = time.with({ month: 1, day: 1 }).offsetNanoseconds;
  const july = time.with({ month: 7, day: 1 }).offsetNanoseconds;
  return january !== july && time.offsetNanoseconds === Math.max(january, july);
}

function hours(difference: number): string {
  const rounded = Math.round(difference * 100) / 100;
  const digits = Number.isInteger(rounded * 10) ? 1 : 2;
  return `${rounded < 0 ? "" : "+"}${rounded.toFixed(digits)}h`;
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
