// Structured log: one line for each event on standard output, written in the background, never a secret in it.

export const LOG_LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

export type LogLevel = typeof LOG_LEVELS[number];

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log with fields that every line carries. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "json" | "text";
  /** Where lines go; the default is standard output. */
  readonly sink?: LineSink;
  readonly now?: () => Date;
}

/** Takes whole lines, each with its newline. */
export interface LineSink {
  write(line: string): void;
  /** Resolves when everything that was written is out. */
  flush(): Promise<void>;
}

export function createLog({ level, format, sink = stdoutSink(), now = () => new Date() }: LogOptions): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const render = format === "json" ? renderJson : renderText;
  const make = (standing: LogFields): Log => {
    const at = (name: LogLevel) =>
      LOG_LEVELS.indexOf(name) < threshold ? () => {} : (event: string, fields: LogFields = {}) =>
        sink.write(
          render({ time: now().toISOString(), level: name, event, ...redact({ ...standing, ...fields }) }),
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

/** Standard output without waiting for it: lines queue while a write is under way and go out together. */
export function stdoutSink(): LineSink {
  const encoder = new TextEncoder();
  let waiting: string[] = [];
  let writing: Promise<void> | null = null;
  const drain = async () => {
    while (waiting.length > 0) {
      const bytes = encoder.encode(waiting.join(""));
      waiting = [];
      for (let sent = 0; sent < bytes.length;) sent += await Deno.stdout.write(bytes.subarray(sent));
    }
    writing = null;
  };
  return {
    write(line) {
      waiting.push(line);
      writing ??= drain().catch(() => {
        // Nobody reads our output any more; serving goes on.
        writing = null;
      });
    },
    flush: () => writing ?? Promise.resolve(),
  };
}

const SECRET_KEY = /authorization|cookie|password|secret|token$|api[-_]?key|credential/i;

/** Values under names that mean a secret are masked, at every depth; errors become their words. */
export function redact(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, redactValue(key, value)]));
}

function redactValue(key: string, value: unknown): unknown {
  if (SECRET_KEY.test(key) && value !== null && value !== undefined) return "***";
  if (value instanceof Error) return describeError(value);
  if (Array.isArray(value)) return value.map((item) => redactValue("", item));
  if (typeof value === "object" && value !== null) return redact(value as LogFields);
  return value;
}

function describeError(error: Error): string {
  const cause = error.cause === undefined
    ? ""
    : ` <- ${error.cause instanceof Error ? describeError(error.cause) : String(error.cause)}`;
  return `${error.stack ?? `${error.name}: ${error.message}`}${cause}`;
}

function renderJson(line: Record<string, unknown>): string {
  return JSON.stringify(line) + "\n";
}

function renderText({ time, level, event, ...fields }: Record<string, unknown>): string {
  const rest = Object.entries(fields).map(([key, value]) =>
    ` ${key}=${typeof value === "string" && !/[\s"]/.test(value) ? value : JSON.stringify(value)}`
  );
  return `${time} ${level} ${event}${rest.join("")}\n`;
}
