// Work of callers on something that all of them share, a few pieces at a time for each caller: its other pieces wait, and those of
// other callers do not.

/** Whose work it is: issuer and subject of a token. Callers without a token count as one. */
export interface TurnOwner {
  readonly issuer: string | null;
  readonly subject: string;
}

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

export class CallerTurns {
  readonly #atOnce: number;
  /** Callers with work under way. */
  readonly #callers = new Map<string, Turns>();

  /** @param atOnce pieces of work that one caller may have under way */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Does the work when it is the caller's turn. Pieces of one caller begin in the order of the calls. */
  async run<T>({ issuer, subject }: TurnOwner, work: () => Promise<T>): Promise<T> {
    const key = `${issuer ?? ""}\n${subject}`;
    let turns = this.#callers.get(key);
    if (turns === undefined) this.#callers.set(key, turns = { running: 0, waiting: [] });
    const { waiting } = turns;
    if (turns.running < this.#atOnce) turns.running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // In a later turn of the event loop: work that never waits, as with SQLite, would hold the loop until the last piece is done.
      if (next !== undefined) setTimeout(next, 0);
      else if (--turns.running === 0) this.#callers.delete(key);
    }
  }
}
