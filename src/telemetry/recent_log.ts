// The latest lines of the log, in memory, for people who look. Keeping costs one reference per chunk of lines; lines are read and
// searched only when somebody asks.
import { type LineFields, readLine } from "./log_line.ts";
import { type LineKind, LOG_LEVELS, type LogLevel, type LogSink, printable } from "./log.ts";

/** Which lines. All conditions that are given must hold. */
export interface LogQuery {
  /** The subject of the token. */
  readonly caller?: string;
  /** The tool or prompt as the client named it, or the URI of the resource. */
  readonly tool?: string;
  readonly upstream?: string;
  readonly correlationId?: string;
  /** This level and those above it. */
  readonly level?: LogLevel;
  /** A text anywhere in the line, in upper or lower case. */
  readonly text?: string;
  /** Only calls with an error code, and lines from WARNING. */
  readonly failed?: boolean;
  /** ms since the epoch. */
  readonly since?: number;
  /** Only lines after the one of this id. */
  readonly after?: string;
  /** The newest so many. */
  readonly limit: number;
}

export interface LogRecord {
  /** Names the place of the line in the log of this process. */
  readonly id: string;
  readonly fields: LineFields;
}

export interface FoundLines {
  /** The newest first. */
  readonly records: readonly LogRecord[];
  /** There are older ones that fit. */
  readonly isCut: boolean;
  /** The id of the last line of the log, whether or not it fits. */
  readonly latest: string;
  /** When the oldest kept line was written, as its text; null: no line is kept. */
  readonly oldest: string | null;
}

/** V8 keeps a character in at most this many bytes. */
const BYTES_PER_CHAR = 2;

/** A sink beside the real one. Lines of requests have half of the room, so that they do not push out what else happens. */
export class RecentLog implements LogSink {
  readonly #events: Ring;
  readonly #requests: Ring;
  /** Distinguishes the ids of this process from those of another one. */
  readonly #process = crypto.randomUUID().slice(0, 8);
  /** The characters that were written before the next line. */
  #position = 0;

  constructor(maxBytes: number) {
    const maxChars = Math.floor(maxBytes / BYTES_PER_CHAR / 2);
    this.#events = new Ring(maxChars);
    this.#requests = new Ring(maxChars);
  }

  /** The most that the kept lines take. */
  get bytes(): number {
    return (this.#events.chars + this.#requests.chars) * BYTES_PER_CHAR;
  }

  write(lines: string, kind: LineKind = "event"): void {
    if (kind === "audit") return;
    (kind === "request" ? this.#requests : this.#events).add(this.#position, lines);
    this.#position += lines.length;
  }

  find(query: LogQuery): FoundLines {
    const after = this.#placeOf(query.after);
    const fits = conditionsOf(query);
    const records: LogRecord[] = [];
    let isCut = false;
    for (const { at, line } of this.#newestFirst(isAboveInfo(query))) {
      if (at <= after) break;
      const fields = fits(line);
      if (fields === "too old") break;
      if (fields === null) continue;
      if (records.length === query.limit) {
        isCut = true;
        break;
      }
      records.push({ id: this.#idOf(at), fields });
    }
    return { records, isCut, latest: this.#idOf(this.#position - 1), oldest: this.#oldest() };
  }

  *#newestFirst(eventsOnly: boolean): Iterable<{ readonly at: number; readonly line: string }> {
    const chunks = [...this.#events.chunks, ...eventsOnly ? [] : this.#requests.chunks];
    for (const [start, lines] of chunks.sort(([a], [b]) => b - a)) {
      for (let end = lines.length - 1; end > 0;) {
        const begin = lines.lastIndexOf("\n", end - 1) + 1;
        // The place of a line is that of its last character, which is after every id before it.
        yield { at: start + end, line: lines.slice(begin, end) };
        end = begin - 1;
      }
    }
  }

  #oldest(): string | null {
    const firsts = [this.#events, this.#requests].flatMap(({ chunks }) => {
      const [first] = chunks.values();
      return first === undefined ? [] : [first.slice(0, first.indexOf("\n"))];
    });
    const times = firsts.map((line) => readLine(line)?.time).filter((time) => typeof time === "string");
    return times.toSorted()[0] ?? null;
  }

  #idOf(at: number): string {
    return `${this.#process}-${at}`;
  }

  /** An id of another process, which has restarted since, stands before all lines. */
  #placeOf(id: string | undefined): number {
    const [process, at] = id?.split("-") ?? [];
    return process === this.#process ? Number(at) : -1;
  }
}

/** Chunks of lines by their places, the oldest first. */
class Ring {
  readonly chunks = new Map<number, string>();
  chars = 0;

  constructor(private readonly maxChars: number) {}

  add(at: number, lines: string): void {
    if (lines.length > this.maxChars) return;
    this.chunks.set(at, lines);
    this.chars += lines.length;
    while (this.chars > this.maxChars) {
      const [oldest] = this.chunks.entries();
      this.chunks.delete(oldest![0]);
      this.chars -= oldest![1].length;
    }
  }
}

/** Lines of requests have the level INFO. */
function isAboveInfo({ level }: LogQuery): boolean {
  return level !== undefined && LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf("INFO");
}

/** Lines are in the order of time, but for the moments that a worker keeps them. */
const DISORDER_MS = 5_000;

/** A text as a line may have it: as it is, or with the escapes of JSON. */
function spellings(text: string): readonly string[] {
  return [text, printable(JSON.stringify(text).slice(1, -1))];
}

function holds(line: string, spellings: readonly string[]): boolean {
  return spellings.some((each) => line.includes(each));
}

/** Reads a line that may fit; null: it does not fit. Most lines are refused by their text, unread. */
function conditionsOf(query: LogQuery): (line: string) => LineFields | null | "too old" {
  const { caller, tool, upstream, correlationId, level, text, failed, since } = query;
  const equal = Object.entries({ caller, tool, upstream, correlationId }).filter(([, value]) =>
    value !== undefined
  );
  const needles = equal.map(([, value]) => spellings(value!));
  const wanted = text === undefined ? null : spellings(text.toLowerCase());
  const lowest = level === undefined ? 0 : LOG_LEVELS.indexOf(level);
  const rankOf = (fields: LineFields) => LOG_LEVELS.indexOf(fields.level as LogLevel);
  return (line) => {
    if (!needles.every((needle) => holds(line, needle))) return null;
    if (wanted !== null && !holds(line.toLowerCase(), wanted)) return null;
    const fields = readLine(line);
    if (fields === null) return null;
    if (since !== undefined) {
      const time = Date.parse(String(fields.time));
      if (time < since - DISORDER_MS) return "too old";
      if (time < since) return null;
    }
    if (equal.some(([name, value]) => String(fields[name]) !== value)) return null;
    if (rankOf(fields) < lowest) return null;
    if (failed && fields.code === undefined && rankOf(fields) < LOG_LEVELS.indexOf("WARNING")) return null;
    return fields;
  };
}
