// Ends what a client keeps open at the moment when its token expires, or when a role of the token's owner ends. One timer serves all
// streams of a worker.
import { lapsesAt, type Principal } from "../../auth/principal.ts";
import type { Clock } from "../../base/clock.ts";
import { DeadlineTimer } from "../../base/deadline_timer.ts";

export class TokenExpiry {
  readonly #timer: DeadlineTimer;

  constructor(clock: Clock) {
    this.#timer = new DeadlineTimer(clock);
  }

  /** Calls `onExpired` once, when the token or a role of the principal ends. @returns a function that ends the watch */
  watch(principal: Pick<Principal, "expiresAt" | "grants">, onExpired: () => void): () => void {
    const endsAt = lapsesAt(principal);
    if (endsAt === null) return () => {};
    const entry = {
      deadlineAt: Infinity,
      slot: -1,
      expire: () => {
        this.#timer.forget(entry);
        onExpired();
      },
    };
    this.#timer.watch(entry);
    this.#timer.set(entry, Infinity, endsAt);
    return () => this.#timer.forget(entry);
  }

  /** Stops the timer. */
  close(): void {
    this.#timer.stop();
  }
}
