// Whether, and when, a worker that died is replaced: at once at first, then more slowly, and not for ever.
import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";

const BACKOFF = { baseMs: 100, maxMs: 10_000 };

/** So many deaths of one worker within the window are a crash loop: the program ends, for whoever started it to see. */
const MAX_DEATHS = 10;
const WINDOW_MS = 60_000;

export type Respawn =
  | { readonly kind: "after"; readonly delayMs: number }
  | { readonly kind: "never" }
  | { readonly kind: "crash_loop" };

/** Of one worker's slot. */
export class RespawnPolicy {
  readonly #clock: Clock;
  readonly #enabled: boolean;
  /** When it died, the latest last. */
  #deaths: number[] = [];

  /** @param enabled RESPAWN_FAILED */
  constructor(clock: Clock, enabled: boolean) {
    this.#clock = clock;
    this.#enabled = enabled;
  }

  /** The worker died; what now? */
  died(): Respawn {
    if (!this.#enabled) return { kind: "never" };
    const now = this.#clock.now();
    this.#deaths = [...this.#deaths.filter((at) => at > now - WINDOW_MS), now];
    if (this.#deaths.length >= MAX_DEATHS) return { kind: "crash_loop" };
    return { kind: "after", delayMs: backoffMs(this.#deaths.length - 1, BACKOFF) };
  }
}
