// Refreshes upstreams at intervals: all of them (AUTO_REFRESH_SERVERS), and those that cannot tell of a change. The leader of the
// cluster runs it.
import { type Clock, sleep } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";
import { STATELESS_REVISION } from "../mcp/revisions.ts";
import type { GatewayRow } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";
import { isEmpty, listFilter } from "../upstream/session/list_filter.ts";

export interface AutoRefreshDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** For gateways without `refresh_interval_seconds`; GATEWAY_AUTO_REFRESH_INTERVAL. Infinity: AUTO_REFRESH_SERVERS is off. */
  readonly intervalMs: number;
  /** For gateways that cannot tell of a change; SILENT_UPSTREAM_REFRESH_INTERVAL. Infinity: never. */
  readonly silentIntervalMs: number;
  readonly gateways: () => Promise<readonly GatewayRow[]>;
  /** Refreshes a gateway; logs the failure before it rejects. */
  readonly refresh: (gatewayId: string) => Promise<unknown>;
}

/** Pause between checks, ms. Intervals are at least 60 s. */
const LOOK_MS = 5_000;

/** An upstream's `ttlMs` lengthens its interval up to this time, ms. */
const MAX_TTL_MS = 60 * 60_000;

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
  #isDue(row: GatewayRow): boolean {
    const { id, lastRefreshAt } = row;
    const everyMs = this.#intervalOf(row);
    if (everyMs === Infinity) return false;
    const refreshedAt = lastRefreshAt === null ? -Infinity : Date.parse(lastRefreshAt);
    const lastAt = Math.max(refreshedAt, this.#triedAt.get(id) ?? -Infinity);
    return this.#deps.clock.now() - lastAt >= everyMs;
  }

  #intervalOf(row: GatewayRow): number {
    const { intervalMs, silentIntervalMs } = this.#deps;
    const { refreshIntervalSeconds, listTtlMs } = row;
    const ownMs = intervalMs === Infinity || refreshIntervalSeconds === null
      ? intervalMs
      : refreshIntervalSeconds * 1_000;
    if (!isSilent(row)) return ownMs;
    return Math.min(ownMs, Math.max(silentIntervalMs, Math.min(listTtlMs ?? 0, MAX_TTL_MS)));
  }
}

/**
 * Whether the upstream cannot tell that its lists have changed: it keeps no session that a notification would arrive in, and does not
 * offer `subscriptions/listen` for lists (2026-07-28, subscriptions). A process is asked by its own calls.
 */
function isSilent({ transport, stateful, protocolVersion, capabilities }: GatewayRow): boolean {
  if (transport === "STDIO" || stateful !== false) return false;
  return protocolVersion !== STATELESS_REVISION || isEmpty(listFilter(capabilities));
}
