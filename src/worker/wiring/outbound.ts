// Outbound connections of a worker: the HTTP client with its egress check, stdio processes, and the credentials for each upstream.
import { systemClock } from "../../base/clock.ts";
import { readAuthorities } from "../../base/authorities.ts";
import { EgressGuard } from "../../base/egress/egress_guard.ts";
import { mcpConfigSource } from "../../client_config/entry_source.ts";
import type { Config } from "../../config/schema.ts";
import type { Connections } from "../../store/upstream_tokens/connections.ts";
import type { EndedTokens } from "../../store/upstream_tokens/ended_tokens.ts";
import type { UpstreamTokens } from "../../store/upstream_tokens/upstream_tokens.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import {
  authorizedUrl,
  awsKeysIn,
  buildAuthHeaders,
  buildEnvironment,
  credentialsOwner,
  oauthIn,
  readCredentials,
  writeCredentials,
} from "../../upstream/credentials.ts";
import { signedOver } from "../../upstream/identity/aws_signature.ts";
import { CertifiedClients } from "../../upstream/identity/certified_clients.ts";
import { SecretCommand } from "../../upstream/identity/secret_command.ts";
import { CurrentSecrets, Secrets } from "../../upstream/identity/named_secrets.ts";
import { referencedHandshakes, referencedLogin } from "../../upstream/referenced_login.ts";
import {
  credentialsVersion,
  type LoginUse,
  UpstreamLogins,
} from "../../upstream/authorization/upstream_logins.ts";
import type { OAuthCredentials } from "../../upstream/authorization/oauth_credentials.ts";
import type { SendToServer } from "../../upstream/authorization/login_exchange.ts";
import { TokenRevocations } from "../../upstream/authorization/token_revocations.ts";
import { type ConnectTarget, LoginFlow } from "../../upstream/authorization/login/login_flow.ts";
import { Proxies } from "../../upstream/dial/proxies.ts";
import { isAuthorityAsServer } from "../../upstream/dial/tls.ts";
import { isRelayInForce } from "../../upstream/dial/socks_relay.ts";
import type { PoolStats } from "../../upstream/http_client/connection_pool.ts";
import type { Http1Client } from "../../upstream/http_client/http1_client.ts";
import type { HttpClient, HttpRequest } from "../../upstream/http_client/http_client.ts";
import { FetchClient } from "../../upstream/http_client/fetch_client.ts";
import { createHttp1Client } from "../../upstream/http_client/configured_client.ts";
import { StreamPlaces } from "../../upstream/http_client/stream_places.ts";
import { readLaunch } from "../../upstream/stdio/launch.ts";
import { stdioAccount } from "../../upstream/stdio/account.ts";
import { checkLaunch } from "../../upstream/stdio/policy.ts";
import { StdioProcesses } from "../../upstream/stdio/processes.ts";
import { Transports, type TransportTarget } from "../../upstream/transports.ts";
import { boundedExchange } from "./sign_in/bounded_exchange.ts";
import { VERSION } from "../../version.ts";

export interface Outbound {
  /** Checks the address of each connection. */
  readonly client: HttpClient;
  readonly transports: Transports;
  readonly logins: UpstreamLogins;
  /** Clients with a certificate of the gateway's. */
  readonly certified: CertifiedClients;
  /** Of references in credentials. */
  readonly secrets: Secrets;
  /** null: people do not log in to upstreams. */
  readonly loginFlow: LoginFlow | null;
  /** null: the database keeps no tokens for upstreams. */
  readonly revocations: TokenRevocations | null;
  /** The upstream as people log in to it; null: it wants no logins of people. @throws {SluiceError} SECRET_UNREADABLE */
  readonly connectTargetOf: (row: GatewayRow) => Promise<ConnectTarget | null>;
  /** The connections of our own HTTP client. */
  readonly connections: () => PoolStats;
  /** The running processes by the upstream's name. */
  readonly processes: () => ReadonlyMap<string, number>;
  /**
   * Checks that the gateway may connect to this address or start this command. A command of the operator's own file (`isOwn`) needs
   * no STDIO_ENABLED.
   * @throws {SluiceError} EGRESS_DENIED, COMMAND_DENIED
   */
  readonly check: (url: URL, isOwn?: boolean) => Promise<void>;
  /** The name and version that the gateway sends to upstreams. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** @throws {SluiceError} SECRET_UNREADABLE */
  readonly targetOf: (row: GatewayRow, use?: LoginUse) => Promise<TransportTarget>;
  close(): Promise<void>;
}

/** The size of a response's status line and headers. */
const MAX_HEAD_BYTES = 64 * 1024;

export function createOutbound(
  config: Config,
  { tokens, endedTokens, connections, secretBox, log, metrics }: {
    /** null: tokens for upstreams are in memory alone. */
    readonly tokens: UpstreamTokens | null;
    /** Those that wait for their revocation; null: none do. */
    readonly endedTokens: EndedTokens | null;
    /** null: people do not log in to upstreams. */
    readonly connections: Connections | null;
    readonly secretBox: SecretBox;
    readonly log: Log;
    readonly metrics: Metrics;
  },
): Outbound {
  const guard = new EgressGuard(config);
  const { proxySslCaCerts } = config;
  const proxyAuthorities = proxySslCaCerts === null
    ? undefined
    : readAuthorities("PROXY_SSL_CA_CERTS", proxySslCaCerts);
  const proxies = new Proxies(config, proxyAuthorities);
  const streamPlaces = new StreamPlaces(
    config.maxStreamsPerCaller,
    metrics.counter("sluice_upstream_streams_refused_total"),
  );
  const wait = metrics.summary("sluice_outbound_wait_seconds")();
  const http1 = createHttp1Client(config, {
    maxHeadBytes: MAX_HEAD_BYTES,
    checkAddress: (hostname, ip) => guard.checkAddress(hostname, ip),
    ...{ proxies, streamPlaces },
    onWaited: (ms) => wait.observe(ms / 1_000, performance.now()),
  });
  const offersHttp2 = config.httpClientHttp2Enabled && !proxies.hasTlsProxy &&
    isRelayInForce((name) => Deno.env.get(name));
  const client = offersHttp2 ? withHttp2(http1, config, { guard, streamPlaces }) : http1;
  const certified = new CertifiedClients({
    ...fetchOptions(config, { guard, streamPlaces }),
    http2: config.httpClientHttp2Enabled,
    clock: systemClock,
    variable: (name) => Deno.env.get(name),
    proxies,
  });
  const secrets = configuredSecrets(config, metrics);
  const ownSource = config.mcpConfig === null ? null : mcpConfigSource(config.mcpConfig);
  const processes = new StdioProcesses({
    ...config,
    maxLineBytes: config.maxUpstreamResponseBytes,
    clock: systemClock,
    log,
    environment: (name) => Deno.env.get(name),
    account: stdioAccount(config),
    onStarted: metrics.counter("sluice_stdio_processes_started_total"),
  });
  const transports = new Transports({
    client,
    agentHeaders: [
      ["user-agent", `sluice/${VERSION}`],
      ["accept-encoding", config.httpClientAcceptEncoding],
    ],
    processes,
    maxResponseBytes: config.maxUpstreamResponseBytes,
    stdioIdleMs: config.stdioIdleTimeoutMs === 0 ? Infinity : config.stdioIdleTimeoutMs,
    sharedIdleMs: config.mcpSessionPoolIdleEvictionMs,
    openTimeoutMs: config.mcpSessionPoolCreateTimeoutMs,
    stdioStartTimeoutMs: config.stdioStartTimeoutMs,
    connect: (url, request) => http1.connect(url, request),
    clock: systemClock,
    log,
    countStray: metrics.counter("sluice_upstream_stray_messages_total"),
  });
  metrics.gauge("sluice_upstream_streams", () => streamPlaces.open);
  metrics.gauge("sluice_stdio_processes", () => processes.size);
  metrics.gaugeBy("sluice_upstream_processes", () => processes.byUpstream());
  metrics.gauge("sluice_upstream_connections", () => transports.connectionCount);
  const check: Outbound["check"] = async (url, isOwn) => {
    if (url.protocol === "stdio:") checkLaunch(readLaunch(url), config, isOwn);
    else await guard.checkUrl(url, proxies.resolveNameOf(url) ? null : undefined);
  };
  const timeoutMs = config.upstreamOauthTimeoutMs;
  const exchange = {
    outbound: { client, check },
    clock: systemClock,
    timeoutMs,
    setting: "UPSTREAM_OAUTH_TIMEOUT",
  };
  const send: SendToServer = (request) => boundedExchange(request, exchange);
  const count = metrics.counter("sluice_upstream_token_requests_total");
  const common = { secretBox, log, clock: systemClock, send, count };
  const countLogin = metrics.counter("sluice_upstream_logins_total");
  const countRenewal = metrics.counter("sluice_upstream_login_renewals_total");
  const issuers = new Set(config.jwtIssuers.map(({ issuer }) => issuer));
  const logins = new UpstreamLogins({
    ...common,
    countRenewal,
    timeoutMs,
    records: tokens,
    connections,
    issuers,
  });
  const secretOf = async ({ id, authSecret }: Pick<GatewayRow, "id" | "authSecret">) =>
    authSecret === null ? null : await secretBox.open(authSecret, credentialsOwner(id));
  const loginTarget = ({ name, url, caCertificate }: GatewayRow) => ({
    upstream: name,
    url: new URL(url),
    caCertificate: caCertificate ?? undefined,
  });
  const readOf = (secret: string | null, credentials: OAuthCredentials, name: string) =>
    secret !== null && readCredentials(secret).references === true
      ? () => secrets.resolved(credentials, name)
      : undefined;
  const revocations = endedTokens === null ? null : new TokenRevocations({
    ...{ records: endedTokens, secretBox, send, log, clock: systemClock },
    credentialsOf: async ({ gatewayId, authSecret, upstream }) => {
      const secret = await secretOf({ id: gatewayId, authSecret });
      const credentials = oauthIn(secret);
      return credentials === null ? null : await readOf(secret, credentials, upstream)?.() ?? credentials;
    },
    count: metrics.counter("sluice_upstream_token_revocations_total"),
  });
  return {
    client,
    transports,
    logins,
    revocations,
    certified,
    secrets,
    loginFlow: connections === null ? null : new LoginFlow({ ...common, countLogin, connections }),
    connectTargetOf: async (row) => {
      const { id, url, authSecret, transport } = row;
      const secret = await secretOf(row);
      const credentials = oauthIn(secret);
      if (credentials?.grant !== "authorization_code") return null;
      const version = await credentialsVersion(authSecret!, url);
      const own = { gatewayId: id, version, transport };
      return { ...loginTarget(row), credentials, read: readOf(secret, credentials, row.name), ...own };
    },
    connections: () => http1.stats,
    processes: () => processes.byUpstream(),
    check,
    clientInfo: { name: "sluice", version: VERSION },
    targetOf: async (row, use) => {
      const { id, name, url, transport, authType, authSecret, caCertificate, source: from } = row;
      const secret = await secretOf(row);
      const auth = buildAuthHeaders(authType, secret);
      const credentials = oauthIn(secret);
      const written = secret === null ? null : readCredentials(secret);
      const source = written?.references === true ? new CurrentSecrets(secrets, written, name) : null;
      const loggedIn = credentials === null ? undefined : logins.of(
        id,
        await credentialsVersion(authSecret!, url),
        { ...loginTarget(row), credentials, read: readOf(secret, credentials, name) },
        use,
      );
      return {
        transport,
        upstream: name,
        url: authorizedUrl(url, auth),
        headers: auth.headers,
        caCertificate: caCertificate ?? undefined,
        authorization: source === null
          ? signedOver(awsKeysIn(written), url, certified.over(written?.certificate ?? null, loggedIn))
          : referencedLogin(written!, source, {
            origin: new URL(url).origin,
            ...{ certified, login: loggedIn },
          }),
        handshakes: source === null ? undefined : referencedHandshakes(url, source),
        env: buildEnvironment(secret),
        readEnv: source === null
          ? undefined
          : async () => buildEnvironment(writeCredentials(await secrets.resolved(written!, name))),
        isOwn: ownSource !== null && from === ownSource,
      };
    },
    close: async () => {
      await logins.close();
      await transports.close();
      certified.close();
      client.close();
    },
  };
}

/** HTTP/2 over TLS alone. Plain HTTP stays with our own client and its limits. */
function withHttp2(
  http1: Http1Client,
  config: Config,
  { guard, streamPlaces }: { readonly guard: EgressGuard; readonly streamPlaces: StreamPlaces },
): HttpClient {
  const http2 = new FetchClient(fetchOptions(config, { guard, streamPlaces }));
  /** URLs of servers whose certificate `fetch` refuses because it is marked as an authority. */
  const withPinnedServer = new WeakSet<URL>();
  const sendPinnable = async (request: HttpRequest) => {
    try {
      return await http2.send(request);
    } catch (error) {
      if (!isAuthorityAsServer(error)) throw error;
    }
    // The request has not been sent.
    const response = await http1.send(request);
    withPinnedServer.add(request.url);
    return response;
  };
  return {
    send: (request) => {
      const { url, caCertificate } = request;
      if (url.protocol !== "https:" || withPinnedServer.has(url)) return http1.send(request);
      return caCertificate === undefined ? http2.send(request) : sendPinnable(request);
    },
    close: () => {
      http2.close();
      http1.close();
    },
  };
}

function fetchOptions(
  config: Config,
  { guard, streamPlaces }: { readonly guard: EgressGuard; readonly streamPlaces: StreamPlaces },
) {
  return {
    maxKeepaliveConnections: config.httpClientMaxKeepaliveConnections,
    keepaliveExpiryMs: config.httpClientKeepaliveExpiryMs,
    readTimeoutMs: config.httpClientReadTimeoutMs,
    connectTimeoutMs: config.httpClientConnectTimeoutMs,
    checkAddress: (hostname: string, ip: string) => guard.checkAddress(hostname, ip),
    streamPlaces,
  };
}

function configuredSecrets(config: Config, metrics: Metrics): Secrets {
  const { secretsDirectory: directory, secretCommand: program } = config;
  const command = program === null ? null : new SecretCommand({
    program,
    timeoutMs: config.secretCommandTimeoutMs,
    ttlMs: config.secretCommandTtlMs,
    environment: foreignVariables,
    clock: systemClock,
  });
  const onFailure = metrics.counter("sluice_secret_reads_failed_total");
  return new Secrets({ directory, command, clock: systemClock, onFailure });
}

/** The gateway's environment without its settings, which hold secrets, and without what makes a program load other code. */
async function foreignVariables(): Promise<Readonly<Record<string, string>>> {
  // Loaded on use: the table of settings and what checks their values are much for each worker.
  const { SETTINGS } = await import("../../config/schema.ts");
  const settings = new Set(SETTINGS.map(({ name }): string => name));
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !settings.has(name) && !name.startsWith("LD_")),
  );
}
