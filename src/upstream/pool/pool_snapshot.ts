// Reads the pool metrics of one worker from its lists.
import type { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import { type PoolRow, type PoolSnapshot, showUrl } from "./pool_metrics.ts";
import { ANONYMOUS_IDENTITY } from "./session_key.ts";
import type { PoolCounters, PoolLists, PoolSession } from "./pool_entry.ts";

/** All sessions with a slot, those that are being opened included. */
export function sessionsByUpstream<S extends PoolSession, L>(lists: PoolLists<S, L>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { key: { upstreamId }, entries } of lists.all()) {
    counts.set(upstreamId, (counts.get(upstreamId) ?? 0) + entries.size);
  }
  return counts;
}

/** Limit of keys that are listed individually. The sums count all keys. */
const MAX_ROWS = 1_000;

export function snapshotOf<S extends PoolSession, L>(
  lists: PoolLists<S, L>,
  counters: PoolCounters,
  breakers: CircuitBreakers,
  limits: { readonly maxPerKey: number; readonly maxTotalKeys: number; readonly maxTotalSessions: number },
): PoolSnapshot {
  const sums = { active_sessions: 0, idle_sessions: 0, validating: 0, creating: 0, waiting: 0 };
  const pools: PoolRow[] = [];
  let keys = 0;
  for (const group of lists.all()) {
    keys++;
    sums.active_sessions += group.leased;
    sums.idle_sessions += group.idle.length;
    sums.validating += group.validating;
    sums.creating += group.creating;
    sums.waiting += group.callers.length;
    if (pools.length === MAX_ROWS) continue;
    const { upstream, upstreamId, url, identity, transport } = group.key;
    pools.push({
      upstream,
      upstream_id: upstreamId,
      url: showUrl(url),
      identity: identity === ANONYMOUS_IDENTITY ? identity : identity.slice(0, 8),
      transport,
      available: group.idle.length,
      active: group.leased,
      waiting: group.callers.length,
      max: limits.maxPerKey,
    });
  }
  return {
    ...counters,
    ...sums,
    pool_key_count: keys,
    circuit_breaker_trips: breakers.trips,
    max_total_keys: limits.maxTotalKeys,
    max_total_sessions: limits.maxTotalSessions,
    pools,
    pools_omitted: keys - pools.length,
    circuit_breakers: [...breakers.entries()].map(([url, breaker]) => ({
      url: showUrl(url),
      state: breaker.state,
      failures: breaker.failures,
      open_until: breaker.openUntilMs === null ? null : breaker.openUntilMs / 1_000,
    })),
  };
}
