// Asks every upstream again what it offers, each in its own interval (AUTO_REFRESH_SERVERS); one worker of the cluster does it.
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
  /** Its failures are in the log when it rejects. */
  readonly refresh: (gatewayId: string) => Promise<unknown>;
}

/** How often to look who is due, ms: an interval is at least 60 s. */
const LOOK_MS = 5_000;

export class AutoRefresh {
  readonly #deps: AutoRefreshDeps;
  /** By gateway id: one that fails is due again after its interval, too. */
  #triedAt = new Map<string, number>();

  constructor(deps: AutoRefreshDeps) {
    this.#deps = deps;
  }

  /** Until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      await this.#look(signal).catch((error) => log.warning("no auto-refresh", { reason: reasonOf(error) }));
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
      // One that is unreachable is refreshed when it is back.
      if (!row.enabled || !row.reachable || !this.#isDue(row)) continue;
      triedAt.set(row.id, clock.now());
      refresh(row.id).catch(() => {});
    }
    this.#triedAt = triedAt;
  }

  /** `lastRefreshAt` is by the clock of whoever refreshed it: where the replicas' clocks differ, an interval differs as much. */
  #isDue({ id, lastRefreshAt, refreshIntervalSeconds }: GatewayRow): boolean {
    const { clock, intervalMs } = this.#deps;
    const everyMs = refreshIntervalSeconds === null ? intervalMs : refreshIntervalSeconds * 1_000;
    const refreshedAt = lastRefreshAt === null ? -Infinity : Date.parse(lastRefreshAt);
    const lastAt = Math.max(refreshedAt, this.#triedAt.get(id) ?? -Infinity);
    return clock.now() - lastAt >= everyMs;
  }
}
