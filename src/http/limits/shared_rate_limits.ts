// Rate limits shared by all workers. Each worker decides alone; several times a second the workers exchange their counts.
import { createHash } from "node:crypto";
import { type Clock, repeat } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { Cache } from "../../cache/cache.ts";
import type { Config } from "../../config/schema.ts";
import { type Count, type CountName, MINUTE_MS, type OwnCounts, RateLimiter } from "./rate_limit.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";

export interface RateLimitParts {
  readonly config: RateLimitSettings;
  readonly clock: Clock;
  readonly log: Pick<Log, "warning" | "info">;
  readonly metrics: Metrics;
  /** What each worker of this process has let in of these counts; null from a worker that limits nobody. */
  readonly readWorkers: (names: readonly CountName[]) => Promise<readonly (OwnCounts | null)[]>;
}

export type RateLimitSettings = Pick<
  Config,
  | "cacheType"
  | "rateLimitingEnabled"
  | "rateLimitHighRpm"
  | "rateLimitHighBurst"
  | "rateLimitMediumRpm"
  | "rateLimitMediumBurst"
  | "rateLimitLowRpm"
  | "rateLimitLowBurst"
>;

/** Exchanges counts with the other workers. @returns their sums, in the order of the counts */
type Share = (counts: readonly Count[]) => Promise<readonly number[]>;

/** Time between two exchanges, ms: after this the others see a burst. */
export const SHARE_EVERY_MS = 250;

/** Counts per step of an exchange, so that other commands of the connection do not wait long. */
const COUNTS_AT_ONCE = 1_000;

/** How long a count is kept, ms: until the following minute is over, and a minute more for clocks that differ. */
const KEEP_MS = 3 * MINUTE_MS;

export class RateLimits {
  readonly limiter: RateLimiter;
  readonly #parts: RateLimitParts;
  readonly #id: string = crypto.randomUUID();
  #stop = () => {};
  #isAlone = false;

  constructor(parts: RateLimitParts) {
    const { config, clock, metrics } = parts;
    this.#parts = parts;
    this.limiter = new RateLimiter({
      limits: {
        high: { rpm: config.rateLimitHighRpm, burst: config.rateLimitHighBurst },
        medium: { rpm: config.rateLimitMediumRpm, burst: config.rateLimitMediumBurst },
        low: { rpm: config.rateLimitLowRpm, burst: config.rateLimitLowBurst },
      },
      clock,
      countLimited: metrics.counter("sluice_rate_limited_total"),
    });
    metrics.gauge("sluice_rate_limit_callers", () => this.limiter.size);
  }

  /** Starts the exchange: through the cache where replicas share it, else among the workers of the process. */
  shareOver(cache: Pick<Cache, "add">): void {
    const { config: { cacheType }, clock, readWorkers } = this.#parts;
    const share = cacheType === "redis" || cacheType === "database"
      ? throughCache(cache)
      : throughWorkers(readWorkers, this.#id);
    this.#stop = repeat(clock, SHARE_EVERY_MS, () => this.#exchange(share));
  }

  ownOf(names: readonly CountName[]): OwnCounts {
    return { by: this.#id, counts: names.map((name) => this.limiter.ownOf(name)) };
  }

  close(): void {
    this.#stop();
  }

  /**
   * If the exchange fails, the worker goes on with the known counts and tells the others later. Counts that arrived although the
   * response was lost then count twice.
   */
  async #exchange(share: Share): Promise<void> {
    const { limiter } = this;
    limiter.sweep();
    const news = limiter.takeNews();
    for (let from = 0; from < news.length; from += COUNTS_AT_ONCE) {
      const counts = news.slice(from, from + COUNTS_AT_ONCE);
      try {
        const others = await share(counts);
        counts.forEach((count, i) => limiter.learn(count, others[i]!));
        this.#isShared(true);
      } catch (error) {
        limiter.keepNews(news.slice(from));
        return this.#isShared(false, reasonOf(error));
      }
    }
  }

  #isShared(isShared: boolean, reason?: string): void {
    if (isShared !== this.#isAlone) return;
    this.#isAlone = !isShared;
    const { log } = this.#parts;
    if (isShared) log.info("rate limits are shared with the other workers again");
    else log.warning("rate limits are not shared: each worker counts alone", { reason });
  }
}

/** null: RATE_LIMITING_ENABLED=false. */
export function createRateLimits(parts: RateLimitParts): RateLimits | null {
  return parts.config.rateLimitingEnabled ? new RateLimits(parts) : null;
}

function throughCache(cache: Pick<Cache, "add">): Share {
  return async (counts) => {
    const increments = counts.map((count) => ({ key: keyOf(count), by: count.own - count.told }));
    const totals = await cache.add(increments, KEEP_MS);
    return counts.map((count, i) => {
      count.told += increments[i]!.by;
      return totals[i]! - count.told;
    });
  };
}

function throughWorkers(readWorkers: RateLimitParts["readWorkers"], ownId: string): Share {
  return async (counts) => {
    const names = counts.map(({ tier, caller, minute }) => ({ tier, caller, minute }));
    const answers = await readWorkers(names);
    const others = answers.filter((answer) => answer !== null && answer.by !== ownId);
    return counts.map((_, i) => others.reduce((sum, answer) => sum + answer!.counts[i]!, 0));
  };
}

/** Hashed: a caller's name may be long, hold any character, and is private. */
function keyOf({ tier, caller, minute }: CountName): string {
  const name = createHash("sha256").update(caller).digest("hex").slice(0, 32);
  return `rate:${tier}:${name}:${minute}`;
}
