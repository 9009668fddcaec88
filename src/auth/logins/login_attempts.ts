// How often somebody may try to log in (LOGIN_ATTEMPTS_PER_MINUTE).
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Cache } from "../../cache/cache.ts";

export interface LoginAttemptsDeps {
  readonly counters: Pick<Cache, "add">;
  readonly clock: Clock;
  /** LOGIN_ATTEMPTS_PER_MINUTE */
  readonly perMinute: number;
  readonly onLimited: () => void;
}

/** How many attempts a window has. */
export interface AttemptLimit {
  readonly limit: number;
  readonly windowMs: number;
  /** The settings that say so. */
  readonly settings: string;
}

const MINUTE_MS = 60_000;

export class LoginAttempts {
  readonly #perMinute: AttemptLimit;

  constructor(private readonly deps: LoginAttemptsDeps) {
    this.#perMinute = {
      limit: deps.perMinute,
      windowMs: MINUTE_MS,
      settings: "LOGIN_ATTEMPTS_PER_MINUTE",
    };
  }

  /** Counts an attempt. @param of whose it is: `address:…`, `account:…`. @throws {SluiceError} RATE_LIMITED */
  async require(of: readonly string[], { limit, windowMs, settings } = this.#perMinute): Promise<void> {
    const { counters, clock, onLimited } = this.deps;
    const window = Math.floor(clock.now() / windowMs);
    const increments = of.map((each) => ({ key: `login:${each}:${window}`, by: 1 }));
    // Without the counters, the locks of accounts still hold.
    const sums = await counters.add(increments, 2 * windowMs).catch(() => []);
    if (sums.every((sum) => sum <= limit)) return;
    onLimited();
    const waitS = Math.ceil(((window + 1) * windowMs - clock.now()) / 1000);
    const minutes = windowMs / MINUTE_MS;
    const within = minutes === 1 ? "a minute" : `${minutes} minutes`;
    throw new SluiceError("RATE_LIMITED", { limit, window: within, settings, waitS });
  }
}
