// Decides whether and when a dead worker is replaced: at once at first, then with growing delays, and no more in a crash loop.
import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";

const BACKOFF = { baseMs: 100, maxMs: 10_000 };

/** So many deaths in one slot within the window are a crash loop: the program ends, so that its service manager notices. */
const MAX_DEATHS = 10;
const WINDOW_MS = 60_000;

export type Respawn =
  | { readonly kind: "after"; readonly delayMs: number }
  | { readonly kind: "never" }
  | { readonly kind: "crash_loop" };

/** The policy of one slot. */
export class RespawnPolicy {
  readonly #clock: Clock;
  readonly #enabled: boolean;
  /** The times of its deaths, the latest last. */
  #deaths: number[] = [];

  /** @param enabled RESPAWN_FAILED */
  constructor(clock: Clock, enabled: boolean) {
    this.#clock = clock;
    this.#enabled = enabled;
  }

  /** Records a death. @returns what to do */
  died(): Respawn {
    if (!this.#enabled) return { kind: "never" };
    const now = this.#clock.now();
    this.#deaths = [...this.#deaths.filter((at) => at > now - WINDOW_MS), now];
    if (this.#deaths.length >= MAX_DEATHS) return { kind: "crash_loop" };
    return { kind: "after", delayMs: backoffMs(this.#deaths.length - 1, BACKOFF) };
  }
}
