// The event loop of a thread, shared out between callers where a text is large: to decode, parse and copy 8 MB takes tens of
// milliseconds, and several such texts that arrive together would hold up every small call for as long as all of them take.

/** Smaller texts need no turn: they take less than a millisecond. Bytes. */
export const LARGE_BYTES = 256 * 1024;

interface Loop {
  now(): number;
  /** Runs in a later turn of the event loop, after `ms` at the earliest. */
  later(run: () => void, ms: number): void;
}

const systemLoop: Loop = {
  now: () => performance.now(),
  later: (run, ms) => void setTimeout(run, ms),
};

/**
 * One large piece of work at a time, of one caller after the other. After each, the event loop is left to small calls for as long as
 * the piece took.
 */
export class LoopTurns {
  readonly #loop: Loop;
  /** Pieces that wait, by caller. The caller whose turn is next comes first. */
  readonly #waiting = new Map<unknown, (() => void)[]>();
  #isTaken = false;

  constructor(loop: Loop = systemLoop) {
    this.#loop = loop;
  }

  /**
   * Resolves when a piece may begin. It lasts until the next turn of the event loop.
   * @param caller is compared by identity
   */
  async next(caller: unknown): Promise<void> {
    if (this.#isTaken) {
      await new Promise<void>((resolve) => {
        const own = this.#waiting.get(caller);
        if (own === undefined) this.#waiting.set(caller, [resolve]);
        else own.push(resolve);
      });
    }
    this.#isTaken = true;
    const start = this.#loop.now();
    this.#loop.later(() => this.#loop.later(() => this.#pass(), this.#loop.now() - start), 0);
  }

  #pass(): void {
    for (const [caller, own] of this.#waiting) {
      const begin = own.shift()!;
      this.#waiting.delete(caller);
      if (own.length > 0) this.#waiting.set(caller, own);
      return begin();
    }
    this.#isTaken = false;
  }
}

/** The turns of this thread. */
export const loopTurns = new LoopTurns();
