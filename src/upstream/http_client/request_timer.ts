// One timer for every deadline of the client: armed for the earliest, it costs a request nothing but a comparison.

import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";

export function upstreamTimeout(
  upstream: string,
  phase: string,
  { ms, setting }: { ms: number; setting: string },
): SluiceError {
  return new SluiceError("UPSTREAM_TIMEOUT", { upstream, phase, timeoutMs: ms, setting });
}

export interface Expiring {
  /** Wall clock, ms; Infinity while nothing is due. Set by `Deadlines.set` only. */
  deadlineAt: number;
  /** Its deadline has passed; the deadline is Infinity again. */
  expire(): void;
}

/** What a timer can hold; longer deadlines take several naps. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Deadlines move later far more often than they pass, so the timer is not moved with them: it wakes, looks, and sleeps on. */
export class Deadlines {
  readonly #clock: Clock;
  #watched = new Set<Expiring>();
  #timer: number | undefined;
  #wakeAt = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(entry: Expiring): void {
    this.#watched.add(entry);
  }

  forget(entry: Expiring): void {
    entry.deadlineAt = Infinity;
    this.#watched.delete(entry);
    if (this.#watched.size === 0) this.#sleepUntil(Infinity);
  }

  /** `entry` (which is being watched) expires in `ms` or at `latestAt`, whichever is first, unless this is called again. */
  set(entry: Expiring, ms: number, latestAt = Infinity): void {
    const at = ms === Infinity ? latestAt : Math.min(this.#clock.now() + ms, latestAt);
    entry.deadlineAt = at;
    if (at < this.#wakeAt) this.#sleepUntil(at);
  }

  /** Has `at` passed? */
  isPast(at: number): boolean {
    return at <= this.#clock.now();
  }

  #wake(): void {
    this.#timer = undefined;
    this.#wakeAt = Infinity;
    const now = this.#clock.now();
    let earliest = Infinity;
    for (const entry of [...this.#watched]) {
      if (entry.deadlineAt <= now) {
        entry.deadlineAt = Infinity;
        entry.expire();
      } else if (entry.deadlineAt < earliest) earliest = entry.deadlineAt;
    }
    if (this.#watched.size > 0 && earliest < this.#wakeAt) this.#sleepUntil(earliest);
  }

  #sleepUntil(at: number): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wakeAt = at;
    if (at === Infinity) return;
    const ms = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(at - this.#clock.now())));
    this.#timer = this.#clock.setTimeout(() => this.#wake(), ms);
  }
}
