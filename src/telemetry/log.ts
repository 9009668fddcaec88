// The structured log: one line for each event on standard output, written in the background, without secrets.

export const LOG_LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

export type LogLevel = typeof LOG_LEVELS[number];

export type LogFormat = "json" | "text";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log with fields that are added to every line. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes the lines; the default is standard output. */
  readonly sink?: LogSink;
  readonly now?: () => Date;
}

/** What lines tell: an event, requests (the access log), or records of the audit trail, which only its readers may see. */
export type LineKind = "event" | "request" | "audit";

/** Takes one or more whole lines, each with its newline. Never waits. */
export interface LogSink {
  /** @param kind default: event */
  write(lines: string, kind?: LineKind): void;
}

/** Standard output, or a stand-in for it. */
export interface LineSink extends LogSink {
  /** Resolves when everything is written, or when the reader has not read for a while. */
  flush(): Promise<void>;
}

export function createLog({ level, format, sink = stdoutSink(), now = () => new Date() }: LogOptions): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const make = (standing: LogFields): Log => {
    const at = (name: LogLevel) =>
      LOG_LEVELS.indexOf(name) < threshold ? () => {} : (event: string, fields: LogFields = {}) =>
        sink.write(
          lineOf(format, {
            time: now().toISOString(),
            level: name,
            event,
            ...redact({ ...standing, ...fields }),
          }),
        );
    return {
      debug: at("DEBUG"),
      info: at("INFO"),
      warning: at("WARNING"),
      error: at("ERROR"),
      with: (fields) => make({ ...standing, ...fields }),
    };
  };
  return make({});
}

/** Writes to standard output without waiting: lines queue during a write, and go out together. A process has one. */
export function stdoutSink(
  out: { write(bytes: Uint8Array): Promise<number> } = Deno.stdout,
  maxWaitingChars = MAX_WAITING_CHARS,
): LineSink {
  const encoder = new TextEncoder();
  let waiting: string[] = [];
  let waitingChars = 0;
  let lost = 0;
  let writing: Promise<void> | null = null;
  const tellLost = () => {
    if (lost === 0) return;
    const line = `${JSON.stringify({ level: "WARNING", event: "log lines lost", lost })}\n`;
    lost = 0;
    waiting.push(line);
    waitingChars += line.length;
  };
  const drain = async () => {
    while (waiting.length > 0) {
      const bytes = encoder.encode(waiting.join(""));
      waiting = [];
      waitingChars = 0;
      for (let sent = 0; sent < bytes.length;) sent += await out.write(bytes.subarray(sent));
      tellLost();
    }
    writing = null;
  };
  return {
    write(lines) {
      if (waitingChars + lines.length > maxWaitingChars) {
        lost += lines.split("\n").length - 1;
        return;
      }
      tellLost();
      waiting.push(lines);
      waitingChars += lines.length;
      writing ??= drain().catch(() => {
        // Nobody reads our output any more. The gateway serves on.
        writing = null;
      });
    },
    flush: async () => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, FLUSH_MS));
      await Promise.race([writing, late]);
      clearTimeout(timer);
    },
  };
}

/** The limit of what waits for a reader that has stopped reading. Further lines are lost, and counted. */
const MAX_WAITING_CHARS = 4 * 1024 * 1024;

/** How long the end of the process waits for the reader. */
const FLUSH_MS = 2_000;

const SECRET_KEY = /authorization|cookie|password|secret|token$|api[-_]?key|credential/i;

/** Deeper values are left out, which also ends cycles. */
const MAX_DEPTH = 6;

/**
 * Masks values under names that mean a secret, at every depth and in [name, value] pairs. Errors become their messages. Userinfo
 * and queries of URLs are masked in every text: they may hold an upstream's key, and errors of `fetch` contain the URL.
 */
export function redact(fields: LogFields): Record<string, unknown> {
  return redactObject(fields, 0);
}

function redactObject(fields: LogFields, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, redactValue(key, value, depth)]),
  );
}

function redactValue(key: string, value: unknown, depth: number): unknown {
  if (SECRET_KEY.test(key) && value !== null && value !== undefined) return "***";
  if (typeof value === "string") return maskUrls(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return maskUrls(describeError(value, depth));
  if (value instanceof URL) return maskUrls(value.href);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString();
  if (depth === MAX_DEPTH) return "…";
  if (!Array.isArray(value)) return redactObject(value as LogFields, depth + 1);
  const [name, ...rest] = value;
  if (rest.length === 1 && typeof name === "string" && SECRET_KEY.test(name)) return [name, "***"];
  return value.map((item) => redactValue("", item, depth + 1));
}

function maskUrls(text: string): string {
  if (!text.includes("://")) return text;
  return text.replace(
    /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)([^\s/?#"'<>()]*@)?([^\s?#"'<>()]*)(\?[^\s#"'<>()]*)?/gi,
    (_, scheme: string, userinfo: string | undefined, rest: string, query: string | undefined) =>
      `${scheme}${userinfo === undefined ? "" : "***@"}${rest}${query === undefined ? "" : "?***"}`,
  );
}

function describeError(error: Error, depth: number): string {
  const words = error.stack ?? `${error.name}: ${error.message}`;
  if (error.cause === undefined || depth >= MAX_DEPTH) return words;
  const { cause } = error;
  return `${words} <- ${cause instanceof Error ? describeError(cause, depth + 1) : String(cause)}`;
}

/** A line as it is written. The fields are not redacted: a caller with unknown fields calls `redact()` first. */
export function lineOf(format: LogFormat, fields: Record<string, unknown>): string {
  return format === "json" ? renderJson(fields) : renderText(fields);
}

function renderJson(line: Record<string, unknown>): string {
  return jsonOf(line) + "\n";
}

function renderText({ time, level, event, ...fields }: Record<string, unknown>): string {
  const rest = Object.entries(fields).filter(([, value]) => value !== undefined).map(([key, value]) =>
    ` ${key}=${typeof value === "string" && isPlain(value) ? value : jsonOf(value)}`
  );
  return `${time} ${level} ${event}${rest.join("")}\n`;
}

/**
 * Text of clients and upstreams must not control an operator's terminal, nor make a line look like another: control characters, line
 * and paragraph separators, and format characters, which are invisible or turn the direction of writing.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
const EVERY_UNPRINTABLE = new RegExp(UNPRINTABLE, "gu");

/** Anything beside the printable characters of ASCII: most lines have nothing of the kind, and cost no more than this look. */
const UNUSUAL = /[^ -~]/;

/** Can the text stand without quotes? One that begins like JSON would be read as JSON. */
function isPlain(text: string): boolean {
  if (text.startsWith("{") || text.startsWith("[")) return false;
  return !/[^!#-~]/.test(text) || !/[\s"]/.test(text) && !UNPRINTABLE.test(text);
}

/** JSON text, with escapes also for what JSON lets through. */
function jsonOf(value: unknown): string {
  return printable(JSON.stringify(value));
}

/** The text with escapes in place of what could control a terminal, or is invisible. */
export function printable(text: string): string {
  if (!UNUSUAL.test(text)) return text;
  return text.replace(
    EVERY_UNPRINTABLE,
    (character) =>
      character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  );
}
