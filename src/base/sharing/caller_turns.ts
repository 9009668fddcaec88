// Work of callers on something that all of them share, a few pieces at a time for each caller: its other pieces wait, and those of
// other callers do not.
import { type CallerIdentity, callerKey } from "./caller_identity.ts";

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
  /** When what was written so far is within the rate, ms of performance.now(). */
  paidAt: number;
}

/** The highest rate at which one caller's records are written, characters per ms. Usual records need no noticeable pause. */
const CHARS_PER_MS = 1_000;

export class CallerTurns {
  readonly #atOnce: number;
  /** Callers with work under way. */
  readonly #callers = new Map<string, Turns>();

  /** @param atOnce pieces of work that one caller may have under way */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /**
   * Does the work when it is the caller's turn. Pieces of one caller begin in the order of the calls.
   * @param chars written by the work: its place stays taken for as long as they take at the rate of one caller
   */
  async run<T>(caller: CallerIdentity, work: () => Promise<T>, chars = 0): Promise<T> {
    const key = callerKey(caller);
    let turns = this.#callers.get(key);
    if (turns === undefined) this.#callers.set(key, turns = { running: 0, waiting: [], paidAt: 0 });
    const { waiting } = turns;
    if (turns.running < this.#atOnce) turns.running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#pass(key, turns, chars);
    }
  }

  /** The place goes to the caller's next piece. */
  #pass(key: string, turns: Turns, chars: number): void {
    const now = performance.now();
    turns.paidAt = Math.max(now, turns.paidAt) + chars / CHARS_PER_MS;
    const pass = () => {
      const next = turns.waiting.shift();
      if (next !== undefined) next();
      else if (--turns.running === 0) this.#callers.delete(key);
    };
    const restMs = Math.floor(turns.paidAt - now);
    // In a later turn of the event loop: work that never waits, as with SQLite, would hold the loop until the last piece is done.
    if (restMs > 0 || turns.waiting.length > 0) setTimeout(pass, restMs);
    else pass();
  }
}
