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

const MINUTE_MS = 60_000;

export class LoginAttempts {
  constructor(private readonly deps: LoginAttemptsDeps) {}

  /** Counts an attempt. @param of whose it is: `address:…`, `account:…`. @throws {SluiceError} RATE_LIMITED */
  async require(of: readonly string[]): Promise<void> {
    const { counters, clock, perMinute, onLimited } = this.deps;
    const minute = Math.floor(clock.now() / MINUTE_MS);
    const increments = of.map((each) => ({ key: `login:${each}:${minute}`, by: 1 }));
    // Without the counters, the locks of accounts still hold.
    const sums = await counters.add(increments, 2 * MINUTE_MS).catch(() => []);
    if (sums.every((sum) => sum <= perMinute)) return;
    onLimited();
    const waitS = Math.ceil(((minute + 1) * MINUTE_MS - clock.now()) / 1000);
    throw new SluiceError("RATE_LIMITED", { limit: perMinute, settings: "LOGIN_ATTEMPTS_PER_MINUTE", waitS });
  }
}
