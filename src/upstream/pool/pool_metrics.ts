// The session pool's metrics: merges the snapshots of several workers, and builds the JSON of GET /admin/mcp-pool/metrics.
import type { BreakerState } from "../resilience/circuit_breaker.ts";
import type { PoolCounters } from "./pool_entry.ts";

/**
 * One key of the pool. It holds no secret: the URL is shortened, and the identity is "anonymous" or the start of a keyed
 * hash.
 */
export interface PoolRow {
  readonly upstream: string;
  readonly upstream_id: string;
  readonly url: string;
  readonly identity: string;
  readonly transport: string;
  /** Idle sessions. */
  readonly available: number;
  /** Leased sessions. */
  readonly active: number;
  /** Callers that wait for a session. */
  readonly waiting: number;
  readonly max: number;
}

export interface BreakerRow {
  readonly url: string;
  readonly state: BreakerState;
  /** Consecutive failures to open a session. */
  readonly failures: number;
  /** When an open circuit lets a probe through, seconds since the epoch. */
  readonly open_until: number | null;
}

/** The pool of one worker, or of several merged. Plain data for `postMessage`. */
export interface PoolSnapshot extends Readonly<PoolCounters> {
  readonly circuit_breaker_trips: number;
  readonly active_sessions: number;
  readonly idle_sessions: number;
  /** Sessions whose health is being checked. */
  readonly validating: number;
  /** Sessions being opened. */
  readonly creating: number;
  /** Callers that wait for a session. */
  readonly waiting: number;
  /** Keys, counted once per worker. */
  readonly pool_key_count: number;
  readonly max_total_keys: number;
  readonly max_total_sessions: number;
  readonly pools: readonly PoolRow[];
  /** Keys that are counted but not listed. */
  readonly pools_omitted: number;
  readonly circuit_breakers: readonly BreakerRow[];
}

/** How requests found the worker that owns their session, under ContextForge's names. */
export interface AffinityCounts {
  readonly local_hits: number;
  readonly redis_hits: number;
  readonly misses: number;
  readonly hit_rate: number;
  readonly forwarded_requests: number;
  readonly forwarded_failures: number;
  readonly forwarded_timeouts: number;
}

const NO_AFFINITY: AffinityCounts = {
  local_hits: 0,
  redis_hits: 0,
  misses: 0,
  hit_rate: 0,
  forwarded_requests: 0,
  forwarded_failures: 0,
  forwarded_timeouts: 0,
};

const WORST_FIRST: readonly BreakerState[] = ["open", "half_open", "closed"];

/**
 * Merges the workers' snapshots. Numbers are added, including caps, since each worker has its own. For a breaker, the worst
 * worker's state, failures and end count. An empty list gives zeros.
 */
export function mergeSnapshots(snapshots: readonly PoolSnapshot[]): PoolSnapshot {
  const sum = (name: NumberName) => snapshots.reduce((total, snapshot) => total + snapshot[name], 0);
  return {
    total_sessions_created: sum("total_sessions_created"),
    total_sessions_reused: sum("total_sessions_reused"),
    pool_hits: sum("pool_hits"),
    pool_misses: sum("pool_misses"),
    evictions: sum("evictions"),
    health_check_failures: sum("health_check_failures"),
    creation_failures: sum("creation_failures"),
    pool_keys_evicted: sum("pool_keys_evicted"),
    sessions_reaped: sum("sessions_reaped"),
    anonymous_identity_count: sum("anonymous_identity_count"),
    acquire_timeouts: sum("acquire_timeouts"),
    circuit_breaker_trips: sum("circuit_breaker_trips"),
    active_sessions: sum("active_sessions"),
    idle_sessions: sum("idle_sessions"),
    validating: sum("validating"),
    creating: sum("creating"),
    waiting: sum("waiting"),
    pool_key_count: sum("pool_key_count"),
    max_total_keys: sum("max_total_keys"),
    max_total_sessions: sum("max_total_sessions"),
    pools_omitted: sum("pools_omitted"),
    pools: merge(snapshots.flatMap(({ pools }) => pools), rowName, (a, b) => ({
      ...a,
      available: a.available + b.available,
      active: a.active + b.active,
      waiting: a.waiting + b.waiting,
      max: a.max + b.max,
    })),
    circuit_breakers: mergeBreakers(snapshots.flatMap(({ circuit_breakers }) => circuit_breakers)),
  };
}

/**
 * The JSON of GET /admin/mcp-pool/metrics, under ContextForge's names and those of its tuning guide. Null: the pool is
 * disabled.
 */
export function poolMetricsJson(
  snapshot: PoolSnapshot | null,
  affinity: AffinityCounts = NO_AFFINITY,
): Record<string, unknown> {
  if (snapshot === null) return { enabled: false, message: "MCP session pool is disabled" };
  const { pools, circuit_breakers, ...numbers } = snapshot;
  const leases = numbers.pool_hits + numbers.pool_misses;
  // Different URLs may become equal when shortened.
  const breakers = mergeBreakers(circuit_breakers);
  return {
    enabled: true,
    ...numbers,
    hits: numbers.pool_hits,
    misses: numbers.pool_misses,
    hit_rate: leases === 0 ? 0 : numbers.pool_hits / leases,
    total_active_sessions: numbers.active_sessions,
    circuit_breaker_states: table(breakers, ({ url }) => url, ({ state }) => state),
    session_affinity: affinity,
    pools: table(pools, rowName, ({ upstream, available, active, waiting, max }) => ({
      upstream,
      available,
      active,
      waiting,
      max,
    })),
    circuit_breakers: table(
      breakers,
      ({ url }) => url,
      ({ state, failures, open_until }) => ({ state, failures, open_until }),
    ),
  };
}

/**
 * Removes possible secrets from an address: userinfo, query and command arguments. Of unknown schemes only the scheme is
 * kept.
 */
export function showUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return "(not a URL)";
  // The command and the upstream's name (transports.ts).
  if (parsed.protocol === "stdio:") return parsed.protocol + parsed.pathname + parsed.hash;
  return /^(https?|wss?):$/.test(parsed.protocol) ? parsed.origin + parsed.pathname : parsed.protocol;
}

type NumberName = {
  [K in keyof PoolSnapshot]: PoolSnapshot[K] extends number ? K : never;
}[keyof PoolSnapshot];

/** ContextForge's name of a pool: URL, identity, transport, upstream. */
function rowName({ url, identity, transport, upstream_id }: PoolRow): string {
  return `${url}|${identity}|${transport}|${upstream_id}`;
}

function mergeBreakers(rows: readonly BreakerRow[]): BreakerRow[] {
  return merge(rows, ({ url }) => url, (a, b) => ({
    url: a.url,
    state: WORST_FIRST.find((state) => state === a.state || state === b.state)!,
    failures: Math.max(a.failures, b.failures),
    open_until: a.open_until === null || b.open_until === null
      ? a.open_until ?? b.open_until
      : Math.max(a.open_until, b.open_until),
  }));
}

function merge<T>(rows: readonly T[], nameOf: (row: T) => string, add: (a: T, b: T) => T): T[] {
  const byName = new Map<string, T>();
  for (const row of rows) {
    const name = nameOf(row);
    const known = byName.get(name);
    byName.set(name, known === undefined ? row : add(known, row));
  }
  return [...byName.values()];
}

/** Builds an object by name. Entries are own members, so that a URL cannot collide with a member of Object.prototype. */
function table<T>(
  rows: readonly T[],
  nameOf: (row: T) => string,
  show: (row: T) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(rows.map((row) => [nameOf(row), show(row)]));
}
