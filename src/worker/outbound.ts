// The way out of a worker: the HTTP client with its egress check, and what is sent to each upstream.
import { EgressGuard } from "../base/egress_guard.ts";
import type { Config } from "../config/schema.ts";
import type { SecretBox } from "../store/secret_box.ts";
import type { GatewayRow } from "../store/store.ts";
import { authorizedUrl, buildAuthHeaders, credentialsOwner } from "../upstream/credentials.ts";
import type { HttpClient } from "../upstream/http_client.ts";
import { FetchClient } from "../upstream/fetch_client.ts";
import type { PoolStats } from "../upstream/http1/connection_pool.ts";
import { Http1Client } from "../upstream/http1/http1_client.ts";
import { HttpTransport, type UpstreamTarget } from "../upstream/http_transport.ts";
import { VERSION } from "../version.ts";

export interface Outbound {
  readonly client: HttpClient;
  /** Of our own HTTP/1.1 client; null where `fetch` keeps its connections to itself. */
  readonly connections: (() => PoolStats) | null;
  readonly guard: EgressGuard;
  /** How we call ourselves to upstreams. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** @throws {SluiceError} SECRET_UNREADABLE */
  readonly targetOf: (row: GatewayRow) => Promise<UpstreamTarget>;
  readonly transportTo: (target: UpstreamTarget) => HttpTransport;
}

/** What an answer's status line and headers may hold. */
const MAX_HEAD_BYTES = 64 * 1024;

export function createOutbound(config: Config, secretBox: SecretBox): Outbound {
  const guard = new EgressGuard(config);
  const client = createClient(config, guard);
  return {
    client,
    connections: client instanceof Http1Client ? () => client.stats : null,
    guard,
    clientInfo: { name: "sluice", version: VERSION },
    targetOf: async ({ id, name, url, authType, authSecret, caCertificate }) => {
      const secret = authSecret === null ? null : await secretBox.open(authSecret, credentialsOwner(id));
      const auth = buildAuthHeaders(authType, secret);
      return {
        upstream: name,
        url: authorizedUrl(url, auth),
        headers: auth.headers,
        caCertificate: caCertificate ?? undefined,
      };
    },
    transportTo: (target) => new HttpTransport(client, target, config.maxUpstreamResponseBytes),
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
  return new Http1Client({
    maxConnections: config.httpClientMaxConnections,
    maxKeepaliveConnections: config.httpClientMaxKeepaliveConnections,
    keepaliveExpiryMs: config.httpClientKeepaliveExpiryMs,
    connectTimeoutMs: config.httpClientConnectTimeoutMs,
    readTimeoutMs: config.httpClientReadTimeoutMs,
    writeTimeoutMs: config.httpClientWriteTimeoutMs,
    poolTimeoutMs: config.httpClientPoolTimeoutMs,
    maxHeadBytes: MAX_HEAD_BYTES,
    checkAddress: (hostname, ip) => guard.checkAddress(hostname, ip),
  });
}
