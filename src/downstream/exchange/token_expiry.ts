// Ends what a client keeps open at the moment when its token expires. One timer serves all streams of a worker.
import type { Principal } from "../../auth/principal.ts";
import type { Clock } from "../../base/clock.ts";
import { DeadlineTimer } from "../../base/deadline_timer.ts";

export class TokenExpiry {
  readonly #timer: DeadlineTimer;

  constructor(clock: Clock) {
    this.#timer = new DeadlineTimer(clock);
  }

  /** Calls `onExpired` once, when the principal's token expires. @returns a function that ends the watch */
  watch({ expiresAt }: Pick<Principal, "expiresAt">, onExpired: () => void): () => void {
    if (expiresAt === null) return () => {};
    const entry = {
      deadlineAt: Infinity,
      slot: -1,
      expire: () => {
        this.#timer.forget(entry);
        onExpired();
      },
    };
    this.#timer.watch(entry);
    this.#timer.set(entry, Infinity, expiresAt);
    return () => this.#timer.forget(entry);
  }

  /** Stops the timer. */
  close(): void {
    this.#timer.stop();
  }
}
