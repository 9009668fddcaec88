// How often an address may ask the authorization server, which everybody may ask.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Cache } from "../../cache/cache.ts";

export interface RequestLimitsDeps {
  readonly counters: Pick<Cache, "add">;
  readonly clock: Clock;
  /** OAUTH_REQUESTS_PER_MINUTE */
  readonly requestsPerMinute: number;
  /** OAUTH_REGISTRATIONS_PER_HOUR */
  readonly registrationsPerHour: number;
  readonly onLimited: (kind: LimitedKind) => void;
}

export type LimitedKind = "request" | "registration";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export class RequestLimits {
  constructor(private readonly deps: RequestLimitsDeps) {}

  /** Counts a request. @param address of the client. @throws {SluiceError} RATE_LIMITED */
  async require(kind: LimitedKind, address: string): Promise<void> {
    const { counters, clock, requestsPerMinute, registrationsPerHour, onLimited } = this.deps;
    const [limit, windowMs] = kind === "request"
      ? [requestsPerMinute, MINUTE_MS]
      : [registrationsPerHour, HOUR_MS];
    const window = Math.floor(clock.now() / windowMs);
    const key = `oauth:${kind}:${address}:${window}`;
    // Without the counters, the other bounds still hold.
    const [sum = 0] = await counters.add([{ key, by: 1 }], 2 * windowMs).catch(() => []);
    if (sum <= limit) return;
    onLimited(kind);
    throw new SluiceError("OAUTH_LIMITED", {
      limit,
      period: kind === "request"
        ? "a minute (OAUTH_REQUESTS_PER_MINUTE)"
        : "an hour (OAUTH_REGISTRATIONS_PER_HOUR)",
      waitS: Math.ceil(((window + 1) * windowMs - clock.now()) / 1000),
    });
  }
}
