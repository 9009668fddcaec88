// Gauges of a worker: each value is read when the metrics are requested.
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { DuplexSessions } from "../../downstream/duplex/duplex_sessions.ts";
import type { PendingCalls } from "../../downstream/sessionless/pending_calls.ts";
import type { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import type { Admission } from "../../http/admission.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Conflicts } from "../../catalog/conflicts.ts";
import type { LiveCatalog } from "../../catalog/live_catalog.ts";
import type { Outbound } from "./outbound.ts";

export interface GaugedParts {
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
  const { catalog, conflicts } = parts;
  const gauge = (name: string, help: string, read: () => number) => metrics.gauge(name, help, read);
  gauge("sluice_requests_limit", "Requests that may be under way", () => admission.requestLimit);
  gauge("sluice_requests_in_flight", "Requests under way", () => admission.requestsInFlight);
  gauge("sluice_streams_limit", "Answers that may stay open", () => admission.streamLimit);
  gauge(
    "sluice_streams_open",
    "What stays open: event streams, WebSockets, and subscriptions/listen on one connection",
    () => admission.streamCount,
  );
  gauge("sluice_outbound_connections_open", "Outbound connections, idle ones too", () => connections().open);
  gauge("sluice_outbound_connections_idle", "Outbound connections without a call", () => connections().idle);
  gauge(
    "sluice_outbound_calls_waiting",
    "Calls that wait for an outbound connection",
    () => connections().waiting,
  );
  gauge("sluice_downstream_sessions", "Open downstream sessions", () => sessions.size);
  gauge("sluice_downstream_channels", "Open sessions on legacy SSE and WebSocket", () => duplex.size);
  gauge("sluice_downstream_streams", "Open GET streams", () => sessions.streamCount);
  gauge(
    "sluice_pending_calls",
    "Calls that wait for what their client was asked for",
    () => pendingCalls.size,
  );
  gauge(
    "sluice_client_memory_bytes",
    "What is kept for clients, as MAX_CLIENT_MEMORY_MB counts it",
    () => memory.chars,
  );
  if (redis !== null) {
    const help = "Workers whose connection to Redis works";
    gauge("sluice_redis_workers_connected", help, () => Number(redis.isUp));
  }
  if (conflicts !== null) {
    const names = "Tools and prompts that lost their name to another one of their endpoint";
    gauge("sluice_name_conflicts", names, () => conflicts.names);
    const uris =
      "Resources and templates whose URIs another upstream answers for, at each endpoint that has both";
    gauge("sluice_uri_conflicts", uris, () => conflicts.uris);
    gauge(
      "sluice_upstreams_unreachable",
      "Upstreams that the health checks do not reach",
      () => catalog.now.gateways.filter(({ enabled, reachable }) => enabled && !reachable).length,
    );
  }
}
