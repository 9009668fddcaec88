// Progress of an import on standard error: in a terminal one line for each server, elsewhere one line for each change.

export interface ProgressOptions {
  readonly write: (text: string) => void;
  /** The width of the terminal; null: it is none. */
  readonly columns: number | null;
  readonly isDryRun: boolean;
}

const WORDS: Readonly<Record<string, string>> = {
  waiting: "waiting",
  installing: "starting (it may be installed first)",
  starting: "starting",
  listing: "listing its tools",
  taken: "registered",
  changed: "changed",
  unchanged: "unchanged",
  left_out: "left out",
  failed: "failed",
};

/** Nothing is changed. */
const DRY_WORDS: Readonly<Record<string, string>> = { ...WORDS, taken: "to register", changed: "to change" };

export class Progress {
  readonly #options: ProgressOptions;
  /** The present word of each server, in the order of the file. */
  readonly #states: Map<string, string>;
  readonly #width: number;
  #isDrawn = false;

  constructor(names: readonly string[], options: ProgressOptions) {
    this.#options = options;
    this.#states = new Map(names.map((name) => [name, "waiting"]));
    this.#width = Math.min(30, Math.max(0, ...names.map(({ length }) => length)));
  }

  show(name: string, state: string): void {
    if (!this.#states.has(name)) return;
    this.#states.set(name, state);
    if (this.#options.columns === null) this.#options.write(`${this.#line(name, state)}\n`);
    else this.#draw(this.#options.columns);
  }

  /** Takes the lines away: the report says the same. */
  end(): void {
    if (this.#isDrawn) this.#options.write(`\x1b[${this.#states.size}A\x1b[J`);
    this.#isDrawn = false;
  }

  #draw(columns: number): void {
    const up = this.#isDrawn ? `\x1b[${this.#states.size}A` : "";
    const lines = [...this.#states].map(([name, state]) =>
      `\r\x1b[K${this.#line(name, state).slice(0, columns - 1)}\n`
    );
    this.#options.write(up + lines.join(""));
    this.#isDrawn = true;
  }

  #line(name: string, state: string): string {
    const words = this.#options.isDryRun ? DRY_WORDS : WORDS;
    return `  ${name.padEnd(this.#width)}  ${words[state] ?? state}`;
  }
}
