// Refreshes every upstream at its own interval (AUTO_REFRESH_SERVERS). The leader of the cluster runs it.
import { type Clock, sleep } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";
import type { GatewayRow } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";

export interface AutoRefreshDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** For gateways without `refresh_interval_seconds`; GATEWAY_AUTO_REFRESH_INTERVAL. */
  readonly intervalMs: number;
  readonly gateways: () => Promise<readonly GatewayRow[]>;
  /** Refreshes a gateway; logs the failure before it rejects. */
  readonly refresh: (gatewayId: string) => Promise<unknown>;
}

/** Pause between checks, ms. Intervals are at least 60 s. */
const LOOK_MS = 5_000;

export class AutoRefresh {
  readonly #deps: AutoRefreshDeps;
  /** Times of the last tries by gateway id. A failed refresh is also repeated after the interval. */
  #triedAt = new Map<string, number>();

  constructor(deps: AutoRefreshDeps) {
    this.#deps = deps;
  }

  /** Runs until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      await this.#look(signal).catch((error) =>
        log.warning("auto-refresh failed", { reason: reasonOf(error) })
      );
      await sleep(clock, LOOK_MS, signal).catch(() => {});
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, gateways, refresh } = this.#deps;
    const rows = await gateways();
    if (signal.aborted) return;
    const triedAt = new Map<string, number>();
    for (const row of rows) {
      const before = this.#triedAt.get(row.id);
      if (before !== undefined) triedAt.set(row.id, before);
      // An unreachable upstream is refreshed when it is back.
      if (!row.enabled || !row.reachable || !this.#isDue(row)) continue;
      triedAt.set(row.id, clock.now());
      refresh(row.id).catch(() => {});
    }
    this.#triedAt = triedAt;
  }

  /** `lastRefreshAt` comes from the clock of the refreshing replica. A clock difference changes one interval by as much. */
  #isDue({ id, lastRefreshAt, refreshIntervalSeconds }: GatewayRow): boolean {
    const { clock, intervalMs } = this.#deps;
    const everyMs = refreshIntervalSeconds === null ? intervalMs : refreshIntervalSeconds * 1_000;
    const refreshedAt = lastRefreshAt === null ? -Infinity : Date.parse(lastRefreshAt);
    const lastAt = Math.max(refreshedAt, this.#triedAt.get(id) ?? -Infinity);
    return clock.now() - lastAt >= everyMs;
  }
}
