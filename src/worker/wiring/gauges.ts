// Gauges of a worker: each value is read when the metrics are requested.
import v8 from "node:v8";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { DuplexSessions } from "../../downstream/duplex/duplex_sessions.ts";
import type { PendingCalls } from "../../downstream/sessionless/pending_calls.ts";
import type { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import type { Admission } from "../../http/limits/admission.ts";
import type { GaugeName } from "../../telemetry/metric_table.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Conflicts } from "../../catalog/conflicts.ts";
import type { LiveCatalog } from "../../catalog/live_catalog.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { Config } from "../../config/schema.ts";
import type { CallerSessions } from "../../upstream/bound/caller_sessions.ts";
import type { PoolSnapshot } from "../../upstream/pool/pool_metrics.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import type { Outbound } from "./outbound.ts";

const MIB = 1024 * 1024;

export interface GaugedParts {
  readonly config: Pick<
    Config,
    "metricsMaxNames" | "workerMaxHeapMb" | "httpClientMaxConnections" | "mcpSessionPoolMaxTotalSessions"
  >;
  /** The index of this worker. */
  readonly worker: number;
  readonly upstreams: Pick<Upstreams, "usable">;
  readonly pool: { snapshot(): PoolSnapshot; byUpstream(): ReadonlyMap<string, number> };
  readonly callerSessions: Pick<CallerSessions, "bounds">;
  readonly admission: Admission;
  readonly outbound: Pick<Outbound, "connections">;
  readonly sessions: DownstreamSessions;
  readonly duplex: DuplexSessions;
  readonly pendingCalls: PendingCalls;
  readonly memory: Pick<ClientMemory, "chars">;
  /** null: Redis is not used. */
  readonly redis: { readonly isUp: boolean } | null;
  readonly catalog: LiveCatalog;
  /** null: another worker reports what all workers would report alike. */
  readonly conflicts: Pick<Conflicts, "names" | "uris"> | null;
}

export function registerGauges(metrics: Metrics, parts: GaugedParts): void {
  const { admission, outbound: { connections }, sessions, duplex, pendingCalls, memory, redis } = parts;
  const { catalog, conflicts, config, worker, upstreams, pool } = parts;
  const gauge = (name: GaugeName, read: () => number) => metrics.gauge(name, read);
  gauge("sluice_requests_limit", () => admission.requestLimit);
  gauge("sluice_requests_in_flight", () => admission.requestsInFlight);
  gauge("sluice_streams_limit", () => admission.streamLimit);
  gauge("sluice_streams_open", () => admission.streamCount);
  gauge("sluice_outbound_connections_open", () => connections().open);
  gauge("sluice_outbound_connections_idle", () => connections().idle);
  gauge("sluice_outbound_calls_waiting", () => connections().waiting);
  gauge("sluice_outbound_connections_limit", () => config.httpClientMaxConnections);
  gauge("sluice_pool_calls_waiting", () => pool.snapshot().waiting);
  gauge("sluice_pool_sessions_limit", () => config.mcpSessionPoolMaxTotalSessions);
  metrics.gaugeBy("sluice_upstream_sessions", () => sessionsByUpstream(parts));
  metrics.gaugeBy("sluice_pool_sessions", () => sessionsByState(pool.snapshot()));
  metrics.gaugeBy("sluice_upstream_breaker_open", () =>
    new Map(
      upstreams.usable().slice(0, config.metricsMaxNames).map(({ name, isDown }) => [name, Number(isDown)]),
    ));
  metrics.gaugeBy(
    "sluice_worker_heap_bytes",
    () => new Map([[String(worker), v8.getHeapStatistics().used_heap_size]]),
  );
  if (config.workerMaxHeapMb > 0) {
    metrics.gaugeBy(
      "sluice_worker_heap_limit_bytes",
      () => new Map([[String(worker), config.workerMaxHeapMb * MIB]]),
    );
  }
  gauge("sluice_downstream_sessions", () => sessions.size);
  gauge("sluice_downstream_channels", () => duplex.size);
  gauge("sluice_downstream_streams", () => sessions.streamCount);
  gauge("sluice_pending_calls", () => pendingCalls.size);
  gauge("sluice_client_memory_bytes", () => memory.chars);
  if (redis !== null) gauge("sluice_redis_workers_connected", () => Number(redis.isUp));
  if (conflicts !== null) {
    gauge("sluice_name_conflicts", () => conflicts.names);
    gauge("sluice_uri_conflicts", () => conflicts.uris);
    metrics.gaugeBy("sluice_upstream_changes_waiting", () => waitingChanges(catalog.now));
    metrics.gaugeBy("sluice_upstream_up", () => upByName(catalog.now, config.metricsMaxNames));
    gauge(
      "sluice_upstreams_unreachable",
      () => catalog.now.gateways.filter(({ enabled, reachable }) => enabled && !reachable).length,
    );
  }
}

/** By the upstream's name: of all upstreams that can be used, up to the limit of names. */
function sessionsByUpstream(
  { upstreams, pool, sessions, duplex, callerSessions, config }: GaugedParts,
): Map<string, number> {
  const counts = new Map(pool.byUpstream());
  for (const bound of [...sessions.bounds(), ...duplex.bounds(), ...callerSessions.bounds()]) {
    for (const id of bound.upstreamIds()) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const shown = upstreams.usable().slice(0, config.metricsMaxNames);
  return new Map(shown.map(({ id, name }) => [name, counts.get(id) ?? 0]));
}

function sessionsByState(pool: PoolSnapshot): Map<string, number> {
  return new Map([
    ["active", pool.active_sessions],
    ["idle", pool.idle_sessions],
    ["validating", pool.validating],
    ["creating", pool.creating],
  ]);
}

/** The enabled upstreams by name. Those above the limit have no series, because a sum of them would say nothing. */
function upByName({ gateways }: Catalog, maxNames: number): Map<string, number> {
  const enabled = gateways.filter(({ enabled }) => enabled).slice(0, maxNames);
  return new Map(enabled.map(({ name, reachable }) => [name, Number(reachable)]));
}

/** By the upstream's name. */
function waitingChanges(catalog: Catalog): Map<string, number> {
  return new Map(
    [...catalog.approvals.values()].map(({ gatewayId, pending }) => [
      catalog.gateway(gatewayId)?.name ?? "",
      pending,
    ]),
  );
}
