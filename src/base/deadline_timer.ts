// One timer for any number of deadlines, armed for the earliest of them. Setting a deadline costs no more than a comparison.
import { type Clock, MAX_TIMER_MS } from "./clock.ts";

export interface Expiring {
  /** Wall clock, ms; Infinity if there is no deadline. Only `DeadlineTimer` writes it. */
  deadlineAt: number;
  /** The place among the entries of the timer; -1: not watched. Only `DeadlineTimer` writes it. */
  slot: number;
  /** Called when the deadline has passed. `deadlineAt` is Infinity again by then. */
  expire(): void;
}

/**
 * A deadline is moved or removed far more often than it passes. Therefore the timer does not follow each change. It fires at the
 * time that it was armed for, checks all entries, and is armed again for the earliest deadline.
 */
export class DeadlineTimer {
  readonly #clock: Clock;
  // An array, because most entries come and go with a call: see LinkedList.
  readonly #watched: Expiring[] = [];
  #timer: number | undefined;
  #firesAt = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(entry: Expiring): void {
    if (entry.slot < 0) entry.slot = this.#watched.push(entry) - 1;
  }

  forget(entry: Expiring): void {
    entry.deadlineAt = Infinity;
    if (entry.slot < 0) return;
    // The last entry takes the place.
    const last = this.#watched.pop()!;
    if (last !== entry) this.#watched[last.slot = entry.slot] = last;
    entry.slot = -1;
  }

  /** Sets the deadline of a watched entry to `ms` from now or to `latestAt`, whichever is earlier. Infinity removes it. */
  set(entry: Expiring, ms: number, latestAt = Infinity): void {
    const at = ms === Infinity ? latestAt : Math.min(this.#clock.now() + ms, latestAt);
    entry.deadlineAt = at;
    if (at < this.#firesAt) this.#arm(at);
  }

  isPast(at: number): boolean {
    return at <= this.#clock.now();
  }

  /** Disarms the timer until a deadline is set again. Without `stop` the timer fires once more after the last entry has gone. */
  stop(): void {
    this.#arm(Infinity);
  }

  #fire(): void {
    this.#timer = undefined;
    this.#firesAt = Infinity;
    const now = this.#clock.now();
    let earliest = Infinity;
    for (const entry of [...this.#watched]) {
      if (entry.deadlineAt <= now) {
        entry.deadlineAt = Infinity;
        entry.expire();
      } else if (entry.deadlineAt < earliest) earliest = entry.deadlineAt;
    }
    if (earliest < this.#firesAt) this.#arm(earliest);
  }

  #arm(at: number): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#firesAt = at;
    if (at === Infinity) return;
    const ms = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(at - this.#clock.now())));
    this.#timer = this.#clock.setTimeout(() => this.#fire(), ms);
  }
}
