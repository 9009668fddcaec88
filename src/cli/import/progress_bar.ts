// A bar on standard error that fills while rows are written. Without a terminal nothing is shown.

const WIDTH = 30;
/** A terminal that is drawn more often than this only takes time. */
const EVERY_MS = 50;

export interface ProgressBarOptions {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  readonly now?: () => number;
}

export class ProgressBar {
  readonly #options: ProgressBarOptions;
  #drawnAt = -Infinity;
  #isDrawn = false;

  constructor(options: ProgressBarOptions) {
    this.#options = options;
  }

  /** @param what the work, in a word or two */
  show(what: string, done: number, total: number): void {
    const { write, isTerminal, now = () => performance.now() } = this.#options;
    const time = now();
    if (!isTerminal || (done < total && time - this.#drawnAt < EVERY_MS)) return;
    this.#drawnAt = time;
    this.#isDrawn = true;
    const filled = total === 0 ? WIDTH : Math.floor(WIDTH * done / total);
    write(`\r\x1b[K${what}  [${"#".repeat(filled)}${" ".repeat(WIDTH - filled)}]  ${done} of ${total}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#isDrawn) this.#options.write("\r\x1b[K");
    this.#isDrawn = false;
  }
}
