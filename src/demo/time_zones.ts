// Time-zone arithmetic of the demo tools, by Temporal.

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const TIME_OF_DAY = /^\d{1,2}:\d{2}(:\d{2})?$/;
const DATE_AND_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}/;

/** The moment `epochMs` as clocks in `timezone` show it. @throws {RangeError} unknown zone; the message is for the caller */
export function timeIn(timezone: string, epochMs = Date.now()) {
  return describe(zoned(epochMs, timezone, "timezone"));
}

/**
 * Converts `time` between zones. A time of day means today in the source zone. An ISO 8601 date and time with an offset or Z
 * is that moment, without one it is local to the source zone. A local time that daylight saving skips moves forward by the gap;
 * a repeated one means the first.
 * @throws {RangeError} unreadable time, unknown zone; the message is for the caller
 */
export function convertTime(time: string, sourceZone: string, targetZone: string, nowMs = Date.now()) {
  const source = readTime(time.trim(), zoned(nowMs, sourceZone, "source_timezone"));
  const target = zoned(source.epochMilliseconds, targetZone, "target_timezone");
  const hours = Math.round((target.offsetNanoseconds - source.offsetNanoseconds) / 36e9) / 100;
  const difference = hours.toFixed(Number.isInteger(hours * 10) ? 1 : 2);
  return {
    source: describe(source),
    target: describe(target),
    time_difference: `${hours < 0 ? "" : "+"}${difference}h`,
  };
}

function readTime(text: string, now: Temporal.ZonedDateTime): Temporal.ZonedDateTime {
  try {
    if (TIME_OF_DAY.test(text)) return now.withPlainTime(text.padStart(text.length < 6 ? 5 : 8, "0"));
    if (DATE_AND_TIME.test(text)) {
      return /([Zz]|[+-]\d{2}(:?\d{2})?)$/.test(text.slice(11))
        ? Temporal.Instant.from(text).toZonedDateTimeISO(now.timeZoneId)
        : Temporal.PlainDateTime.from(text).toZonedDateTime(now.timeZoneId);
    }
  } catch {
    // A form that only looks like one of these.
  }
  throw new RangeError(`Cannot read time "${text}": expected HH:MM (24 hours) or an ISO 8601 date and time`);
}

function zoned(epochMs: number, timezone: string, argument: string): Temporal.ZonedDateTime {
  try {
    return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timezone);
  } catch {
    throw new RangeError(
      `Unknown ${argument} "${timezone}": expected an IANA name such as "Europe/Berlin", or "UTC"`,
    );
  }
}

function describe(time: Temporal.ZonedDateTime) {
  // Temporal knows offsets only. Daylight saving has the larger of the two offsets of a year.
  const [january, july] = [1, 7].map((month) => time.with({ month, day: 1 }).offsetNanoseconds);
  return {
    timezone: time.timeZoneId,
    datetime: time.toString({ smallestUnit: "second", timeZoneName: "never" }),
    day_of_week: DAYS[time.dayOfWeek - 1],
    is_dst: january !== july && time.offsetNanoseconds === Math.max(january!, july!),
  };
}
