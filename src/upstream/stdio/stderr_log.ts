// Logs a child process's standard error line by line, up to a rate limit, and keeps its last lines: most programs name the cause of
// their end there.
import type { Clock } from "../../base/clock.ts";
import { printable } from "../transport/printable.ts";
import type { Log } from "../../telemetry/log.ts";
import { type Line, LineReader } from "./line_reader.ts";

const MAX_LINE_BYTES = 4_096;

/** Limits the log of a process that writes without end. */
const MAX_LINES_PER_WINDOW = 100;
const WINDOW_MS = 10_000;

/** The last lines that are kept, and their characters together. */
const MAX_LAST_LINES = 10;
const MAX_LAST_CHARACTERS = 2_000;

export class StderrLog {
  readonly #log: Pick<Log, "info" | "warning">;
  readonly #clock: Clock;
  readonly #lines: LineReader;
  readonly #decoder = new TextDecoder();
  /** The newest last. */
  readonly #last: string[] = [];
  #windowEndsAt = 0;
  #lineCount = 0;
  #lost = 0;

  /** @param log has the upstream's name and the process id as fields */
  constructor(log: Pick<Log, "info" | "warning">, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#lines = new LineReader({ maxBytes: MAX_LINE_BYTES });
  }

  /** The last lines in one, without characters that a terminal or a page would obey. */
  get lastWords(): string {
    const words = this.#last.map(printable).filter((line) => line !== "").join(" | ");
    return words.length > MAX_LAST_CHARACTERS ? `…${words.slice(-MAX_LAST_CHARACTERS)}` : words;
  }

  push(chunk: Uint8Array): void {
    for (const line of this.#lines.push(chunk)) this.#write(line);
  }

  end(): void {
    for (const line of this.#lines.end()) this.#write(line);
    this.#tellLost();
  }

  #write(given: Line): void {
    const line = given instanceof Uint8Array
      ? this.#decoder.decode(given)
      : `(a line of more than ${MAX_LINE_BYTES} bytes)`;
    const now = this.#clock.now();
    if (now >= this.#windowEndsAt) {
      this.#tellLost();
      this.#windowEndsAt = now + WINDOW_MS;
      this.#lineCount = 0;
    }
    if (this.#lineCount++ < MAX_LINES_PER_WINDOW) this.#log.info("upstream stderr", { line });
    else this.#lost++;
    this.#last.push(line);
    if (this.#last.length > MAX_LAST_LINES) this.#last.shift();
  }

  /** The last of the lines over the limit are logged, when the window or the process has ended. */
  #tellLost(): void {
    if (this.#lost === 0) return;
    const late = this.#last.slice(-Math.min(this.#lost, MAX_LAST_LINES));
    if (this.#lost > late.length) {
      this.#log.warning("upstream stderr lines dropped", { lines: this.#lost - late.length });
    }
    for (const line of late) this.#log.info("upstream stderr", { line });
    this.#lost = 0;
  }
}
