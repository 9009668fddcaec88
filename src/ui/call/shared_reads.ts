// Reads of the REST API that are the same for every caller, as pages make them: the settings and the log are large, and come from the
// supervisor. Pages that are made within a second share one.
import { BoundedMap } from "../../base/bounded_map.ts";

const SHARED_MS = 1_000;
/** The overview has three, and pages of the log may each have another. Each may have a thousand lines. */
const MOST_READS = 5;

interface SharedRead {
  readonly at: number;
  readonly answer: Promise<unknown>;
}

export class SharedReads {
  readonly #latest = new BoundedMap<string, SharedRead>({ maxEntries: MOST_READS });
  readonly #now: () => number;

  /** @param now a monotonic clock, ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The answer of the last second, else of `read`. A failure is told to those who waited for it. */
  async read(path: string, read: () => Promise<unknown>): Promise<unknown> {
    const at = this.#now();
    const latest = this.#latest.get(path);
    if (latest !== undefined && at - latest.at < SHARED_MS) return await latest.answer;
    const answer = read();
    const entry = { at, answer };
    this.#latest.set(path, entry);
    try {
      return await answer;
    } catch (error) {
      if (this.#latest.get(path) === entry) this.#latest.delete(path);
      throw error;
    }
  }
}
