// Logs a child process's standard error line by line, up to a rate limit.
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import { LineReader } from "./line_reader.ts";

const MAX_LINE_BYTES = 4_096;

/** Limits the log of a process that writes without end. */
const MAX_LINES_PER_WINDOW = 100;
const WINDOW_MS = 10_000;

export class StderrLog {
  readonly #log: Pick<Log, "info" | "warning">;
  readonly #clock: Clock;
  readonly #lines: LineReader;
  #windowEndsAt = 0;
  #lineCount = 0;
  #lost = 0;

  /** @param log has the upstream's name and the process id as fields */
  constructor(log: Pick<Log, "info" | "warning">, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#lines = new LineReader(MAX_LINE_BYTES, {
      onLine: (line) => this.#write(line),
      onTooLong: () => this.#write(`(a line of more than ${MAX_LINE_BYTES} bytes)`),
    });
  }

  push(chunk: Uint8Array): void {
    this.#lines.push(chunk);
  }

  end(): void {
    this.#lines.end();
    this.#tellLost();
  }

  #write(line: string): void {
    const now = this.#clock.now();
    if (now >= this.#windowEndsAt) {
      this.#tellLost();
      this.#windowEndsAt = now + WINDOW_MS;
      this.#lineCount = 0;
    }
    if (this.#lineCount++ < MAX_LINES_PER_WINDOW) this.#log.info("upstream stderr", { line });
    else this.#lost++;
  }

  #tellLost(): void {
    if (this.#lost > 0) this.#log.warning("upstream stderr lines dropped", { lines: this.#lost });
    this.#lost = 0;
  }
}
