// The way out of a worker: the HTTP client with its egress check, and what is sent to each upstream.
import { systemClock } from "../../base/clock.ts";
import { EgressGuard } from "../../base/egress_guard.ts";
import type { Config } from "../../config/schema.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import {
  authorizedUrl,
  buildAuthHeaders,
  buildEnvironment,
  credentialsOwner,
} from "../../upstream/credentials.ts";
import type { HttpClient } from "../../upstream/http_client/http_client.ts";
import { FetchClient } from "../../upstream/http_client/fetch_client.ts";
import type { PoolStats } from "../../upstream/http_client/connection_pool.ts";
import { Http1Client } from "../../upstream/http_client/http1_client.ts";
import { createHttp1Client } from "../../upstream/http_client/configured_client.ts";
import { readLaunch } from "../../upstream/stdio/launch.ts";
import { checkLaunch } from "../../upstream/stdio/policy.ts";
import { StdioProcesses } from "../../upstream/stdio/processes.ts";
import { Transports, type TransportTarget } from "../../upstream/transports.ts";
import { VERSION } from "../../version.ts";

export interface Outbound {
  readonly transports: Transports;
  /** Of our own HTTP/1.1 client; null where `fetch` keeps its connections to itself. */
  readonly connections: (() => PoolStats) | null;
  /** May an upstream be there: connected to, or started? @throws {SluiceError} EGRESS_DENIED, COMMAND_DENIED */
  readonly check: (url: URL) => Promise<void>;
  /** How we call ourselves to upstreams. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** @throws {SluiceError} SECRET_UNREADABLE */
  readonly targetOf: (row: GatewayRow) => Promise<TransportTarget>;
  close(): Promise<void>;
}

/** What an answer's status line and headers may hold. */
const MAX_HEAD_BYTES = 64 * 1024;

export function createOutbound(
  config: Config,
  { secretBox, log, metrics }: {
    readonly secretBox: SecretBox;
    readonly log: Log;
    readonly metrics: Metrics;
  },
): Outbound {
  const guard = new EgressGuard(config);
  const client = createClient(config, guard);
  const processes = new StdioProcesses({
    ...config,
    maxLineBytes: config.maxUpstreamResponseBytes,
    clock: systemClock,
    log,
    environment: (name) => Deno.env.get(name),
    onStarted: metrics.counter(
      "sluice_stdio_processes_started_total",
      "Processes started for stdio upstreams",
    ),
  });
  const transports = new Transports({
    client,
    processes,
    maxResponseBytes: config.maxUpstreamResponseBytes,
    connectTimeoutMs: config.httpClientConnectTimeoutMs,
    stdioIdleMs: config.stdioIdleTimeoutMs === 0 ? Infinity : config.stdioIdleTimeoutMs,
    sharedIdleMs: config.mcpSessionPoolIdleEvictionMs,
    openTimeoutMs: config.mcpSessionPoolCreateTimeoutMs,
    checkAddress: (host, ip) => guard.checkAddress(host, ip),
    clock: systemClock,
    log,
    countStray: metrics.counter(
      "sluice_upstream_stray_messages_total",
      "What came from upstreams that was no message, or belonged to no call",
      ["transport"],
    ),
  });
  metrics.gauge("sluice_stdio_processes", "Running processes of stdio upstreams", () => processes.size);
  metrics.gauge(
    "sluice_upstream_connections",
    "Open connections over stdio, SSE and WebSocket: sessions, and what calls without one share",
    () => transports.connectionCount,
  );
  return {
    transports,
    connections: client instanceof Http1Client ? () => client.stats : null,
    check: async (url) => {
      if (url.protocol === "stdio:") checkLaunch(readLaunch(url), config);
      else await guard.checkUrl(url);
    },
    clientInfo: { name: "sluice", version: VERSION },
    targetOf: async ({ id, name, url, transport, authType, authSecret, caCertificate }) => {
      const secret = authSecret === null ? null : await secretBox.open(authSecret, credentialsOwner(id));
      const auth = buildAuthHeaders(authType, secret);
      return {
        transport,
        upstream: name,
        url: authorizedUrl(url, auth),
        headers: auth.headers,
        caCertificate: caCertificate ?? undefined,
        env: buildEnvironment(secret),
      };
    },
    close: async () => {
      await transports.close();
      client.close();
    },
  };
}

/** Our own HTTP/1.1 client; `fetch` where HTTP/2 is wanted or the way leads through a proxy, which ours does not speak. */
function createClient(config: Config, guard: EgressGuard): HttpClient {
  const { httpClientHttp2Enabled, httpProxy, httpsProxy } = config;
  if (httpClientHttp2Enabled || httpProxy !== null || httpsProxy !== null) {
    return new FetchClient({
      maxKeepaliveConnections: config.httpClientMaxKeepaliveConnections,
      keepaliveExpiryMs: config.httpClientKeepaliveExpiryMs,
      readTimeoutMs: config.httpClientReadTimeoutMs,
      http2: httpClientHttp2Enabled,
      checkUrl: async (url) => void await guard.checkUrl(url),
    });
  }
  return createHttp1Client(config, {
    maxHeadBytes: MAX_HEAD_BYTES,
    checkAddress: (hostname, ip) => guard.checkAddress(hostname, ip),
  });
}
