// Writes a session's record after changes. A client that changes its session at every request must not make the gateway write the
// whole record each time: a write has a pause after it, longer for a larger record, and the changes during the pause share the next
// write.
import { type Clock, sleep } from "../../base/clock.ts";

/** The highest rate of writing the record of one session, characters per ms. A usual record needs no noticeable pause. */
const CHARS_PER_MS = 1_000;

export class RecordWrites {
  readonly #clock: Clock;
  readonly #write: () => Promise<number>;
  /** Settles when the last write and its pause are over. */
  #ready: Promise<void> = Promise.resolve();
  /** The write that has not begun. */
  #next: Promise<void> | null = null;

  /** @param write writes the record as it is then. Resolves with the record's characters */
  constructor(clock: Clock, write: () => Promise<number>) {
    this.#clock = clock;
    this.#write = write;
  }

  /** Resolves when the present state is written. Rejects if it could not be written. */
  changed(): Promise<void> {
    return this.#next ??= this.#ready.then(() => {
      this.#next = null;
      const written = this.#write();
      this.#ready = written.then((chars) => this.#pause(chars / CHARS_PER_MS), () => {});
      return written.then(() => {});
    });
  }

  #pause(ms: number): Promise<void> | void {
    if (ms >= 1) return sleep(this.#clock, ms);
  }
}
