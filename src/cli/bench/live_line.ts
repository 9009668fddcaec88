// One line on standard error that tells how the load goes. Without a terminal nothing is shown.
import type { Point } from "./measurement.ts";
import { count } from "./report/report_text.ts";

export interface LiveLineOptions {
  readonly write: (text: string) => void;
  /** The width of the terminal; null: there is none. */
  readonly columns: number | null;
}

export class LiveLine {
  readonly #options: LiveLineOptions;
  #isDrawn = false;

  constructor(options: LiveLineOptions) {
    this.#options = options;
  }

  opening(done: number, total: number): void {
    this.#draw(`connecting: ${count(done)} of ${count(total)} users`);
  }

  warming(): void {
    this.#draw("warming up");
  }

  running({ at, rate, errors, p50, p99 }: Point, inFlight: number, totalMs: number): void {
    const ms = (value: number | null) => value === null ? "-" : `${count(value, value < 10 ? 2 : 1)} ms`;
    this.#draw(
      `${count(at)} of ${count(totalMs / 1_000)} s  ${count(rate)}/s  p50 ${ms(p50)}  p99 ${
        ms(p99)
      }  errors ${count(errors)}/s  ` +
        `in flight ${count(inFlight)}`,
    );
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isDrawn) this.#options.write("\r\x1b[K");
    this.#isDrawn = false;
  }

  #draw(text: string): void {
    const { write, columns } = this.#options;
    if (columns === null) return;
    this.#isDrawn = true;
    write(`\r\x1b[K${text.slice(0, columns - 1)}`);
  }
}
