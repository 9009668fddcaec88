// Routing table of a worker: path to endpoint, and the edge in front of all endpoints.
import { DOCUMENT_PATHS, DocumentsEndpoint } from "../../admin/documents_endpoint.ts";
import { failureAudit } from "../../admin/audited_failures.ts";
import { AdminEndpoint } from "../../admin/endpoint.ts";
import type { AdminDeps } from "../../admin/rest/deps.ts";
import { createAdminApi } from "../../admin/router.ts";
import { ANONYMOUS, Authenticator } from "../../auth/authenticate.ts";
import type { Quotas } from "../../auth/quotas/quotas.ts";
import { peerAddress, type TrustedProxies } from "../../base/egress/trusted_proxies.ts";
import type { Cache } from "../../cache/cache.ts";
import type { ApiTokenParts } from "./parts/api_token_parts.ts";
import { accountParts } from "./account_parts.ts";
import type { CallerTurns } from "../../base/sharing/caller_turns.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { LiveCatalog } from "../../catalog/live_catalog.ts";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import { LegacySse } from "../../downstream/duplex/legacy_sse.ts";
import { PublicPrefix } from "../../downstream/duplex/public_prefix.ts";
import { McpEndpoint, serverIdIn } from "../../downstream/http/mcp_endpoint.ts";
import { RpcEndpoint } from "../../downstream/http/rpc_endpoint.ts";
import { serverAt } from "../../downstream/exchange/visible_scope.ts";
import type { StreamableHttp } from "../../downstream/http/session_http.ts";
import type { SessionlessHttp } from "../../downstream/http/sessionless_http.ts";
import type { Owned, Serve } from "../../downstream/exchange/mcp_exchange.ts";
import type { SessionClaims, WorkerPlace } from "../../downstream/session/session_id.ts";
import { LiveFigures } from "../../ui/call/live_figures.ts";
import { SharedReads } from "../../ui/call/shared_reads.ts";
import { UiEndpoint } from "../../ui/ui_endpoint.ts";
import { WebSocketEndpoint } from "../../downstream/duplex/websocket.ts";
import type { AccessLog } from "../../http/access_log.ts";
import { bodyReader } from "../../http/body.ts";
import type { ClientWatch } from "../../http/client_watch.ts";
import { Cors } from "../../http/cors.ts";
import { createHandler, type Endpoint, type Handle, type ServedInfo } from "../../http/handler.ts";
import { isPassable } from "../../upstream/client/passthrough.ts";
import { OriginGuard } from "../../http/origin_guard.ts";
import { MAX_REFUSED_BYTES, REFUSED_BODY_MS, SessionRefusals } from "../../http/refusal.ts";
import type { RateLimiter } from "../../http/limits/rate_limit.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import type { Log } from "../../telemetry/log.ts";
import { AnswerMeter } from "../../telemetry/answer_meter.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Tracer } from "../../telemetry/traces/tracer.ts";
import { adminDeps } from "./admin_deps.ts";
import type { AuditParts } from "./parts/audit_parts.ts";
import type { ExecutionWriter } from "../../store/executions/execution_writer.ts";
import type { Gateway } from "./gateway.ts";
import { MetricsEndpoint } from "../../admin/metrics/metrics_endpoint.ts";
import { scraperOf } from "../../admin/metrics/metrics_token.ts";
import { POOL_PATH, PoolEndpoint } from "../../admin/pool_endpoint.ts";
import { connectionAudit, consentAudit } from "./sign_in/consent_audit.ts";
import { signInParts } from "./sign_in/sign_in_parts.ts";
import { checkReadiness, untilStarted } from "../../admin/readiness.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { createResponseCaches } from "./registry_reads.ts";
import type { Succession } from "../handover/succession.ts";
import type { SupervisorLink } from "../protocol/supervisor_link.ts";

export interface EndpointsDeps {
  readonly place: WorkerPlace;
  readonly config: Config;
  readonly secrets: GatewaySecrets;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly accessLog: AccessLog;
  readonly trustedProxies: TrustedProxies;
  /** null: OTEL_ENABLE_OBSERVABILITY=false. */
  readonly tracer: Tracer | null;
  readonly link: SupervisorLink;
  readonly gateway: Gateway;
  readonly memory: ClientMemory;
  /** Shared by the workers. */
  readonly records: Cache;
  readonly turns: CallerTurns;
  readonly clients: ClientWatch;
  readonly streamableHttp: StreamableHttp;
  readonly sessionlessHttp: SessionlessHttp;
  /** null: the process has no other replicas. */
  readonly cluster: Cluster | null;
  /** The way to the worker, of this replica or another, that owns what the claims name; null: this worker. */
  readonly wayTo: (claims: SessionClaims, owned: Owned) => Serve | null;
  readonly succession: Succession;
  readonly catalogChanged: () => Promise<void>;
  /** null: RATE_LIMITING_ENABLED=false. */
  readonly rateLimiter: RateLimiter | null;
  readonly quotas: Quotas;
  readonly apiTokens: ApiTokenParts;
  /** null: executions are not recorded. */
  readonly executions: ExecutionWriter | null;
  readonly audit: AuditParts;
  /** null: Redis is not used. */
  readonly redis: { ping(): Promise<void> } | null;
}

export interface Endpoints {
  readonly restDeps: AdminDeps;
  readonly handle: Handle;
  readonly legacySse: LegacySse;
  readonly webSocket: WebSocketEndpoint;
}

/** ContextForge has its JSON at each of these. */
const EXECUTION_PATHS: ReadonlySet<string> = new Set(["/metrics", "/v1/metrics", "/admin/metrics"]);

export function createEndpoints(deps: EndpointsDeps): Endpoints {
  const { place, config, secrets, clock, log, metrics, accessLog, link, gateway, clients, cluster } = deps;
  const { wayTo, memory, turns } = deps;
  const { streamableHttp, sessionlessHttp, succession, catalogChanged, redis, rateLimiter, quotas, audit } =
    deps;
  const { apiTokens, tracer, executions, trustedProxies } = deps;
  const tokenGate = apiTokens.gate;
  const hasStarted = untilStarted(async () => (await link.askAll({ type: "start_up" }))[0] ?? null);
  const { catalog, dispatcher, outbound, discover, upstreams, sync, holds, store: { registry, secretBox } } =
    gateway;
  const { admission, callers, errors, duplex, ids, pendingCalls, countRefused } = gateway;
  const maxJsonDepth = config.validationMaxJsonDepth;
  const { maxBodyBytes: maxBytes, httpBodyTimeoutMs: timeoutMs } = config;
  const readBody = bodyReader({ maxBytes, timeoutMs }, clock, memory);
  const mcp = new McpEndpoint({
    memory,
    ...{ ids, clock, clients, readBody, pendingCalls, maxJsonDepth, errors, elsewhere: wayTo },
    prefersJson: config.jsonResponseEnabled,
    serveInSession: (request, claims, signal) => streamableHttp.serve(request, claims, signal),
    serveSessionless: sessionlessHttp.serve,
  });
  const publicPrefix = new PublicPrefix({ rootPath: config.appRootPath, trustedProxies });
  const clientOf = (headers: Headers, info: ServedInfo) =>
    trustedProxies.clientOf(headers, peerAddress(info));
  const legacySse = new LegacySse({
    ...{ ids, clock, place, readBody, elsewhere: wayTo, rateLimiter, tokenGate, memory },
    sessions: duplex,
    catalog: () => catalog.now,
    predecessor: succession.predecessor,
    publicPrefix,
  });
  const webSocket = new WebSocketEndpoint({
    sessions: duplex,
    memory,
    catalog: () => catalog.now,
    maxMessageBytes: config.maxBodyBytes,
    pingIntervalMs: config.sseKeepaliveIntervalMs,
  });
  const rpc = new RpcEndpoint({
    memory,
    ...{ dispatcher, clients, readBody, maxJsonDepth, errors, rateLimiter, tokenGate },
    batchPlaces: { admission, callers, memory },
    catalog: () => catalog.now,
  });
  const { auditTrail } = audit;
  const { tokens, attempts, ...logins } = accountParts(config, {
    ...{ secrets, registry, records: deps.records, clock, log, metrics },
    people: () => catalog.now.people,
  });
  const readForm = bodyReader(
    { maxBytes, timeoutMs, mediaType: "application/x-www-form-urlencoded" },
    clock,
    memory,
  );
  const { verify, sso, oauth, connecting, base, resources, ...signIn } = signInParts(config, {
    ...{ secrets, outbound, clock, log, metrics, catalog, sync, catalogChanged },
    ...{ apiTokens, tokens, attempts, auditTrail, trustedProxies, publicPrefix, clientOf, readForm },
    store: gateway.store,
    records: deps.records,
  });
  const readAllMetrics = () => link.askAll({ type: "metrics" });
  const restDeps = adminDeps({
    ...{
      config,
      log,
      registry,
      secretBox,
      outbound,
      upstreams,
      sync,
      holds,
      discover,
      catalogChanged,
      quotas,
    },
    waitingChanges: () => [...catalog.now.approvals.values()].reduce((sum, { pending }) => sum + pending, 0),
    countDecision: metrics.counter("sluice_upstream_changes_decided_total"),
    ready: () =>
      checkReadiness({
        start: hasStarted,
        database: () => registry.readCatalogVersion(),
        ...(redis === null ? {} : { redis: () => redis.ping() }),
      }),
    executions: executions === null ? null : () => executions.current(),
    settings: async () => (await link.askAll({ type: "settings" }))[0]!,
    checkup: async () => (await link.askAll({ type: "checkup" }))[0]!,
    examine: async () => (await link.askAll({ type: "examine" }))[0]!,
    logLines: {
      find: async (query) => (await link.askAll({ type: "find_lines", query }))[0]!,
      streams: new Set(),
    },
    upstreamLoads: () => link.askAll({ type: "upstream_load" }),
    accounts: { ...logins, sso, connecting, endGrants: oauth.endGrants, people: () => catalog.now.people },
    audit,
    startedAt: new Date(),
  });
  const caches = createResponseCaches(config, { registry, catalog, clock, metrics });
  const adminApi = createAdminApi(restDeps);
  const admin = new AdminEndpoint(adminApi, {
    ...{ readBody, maxJsonDepth, turns, clientOf },
    cache: caches.reads,
  });
  const { metricsToken } = config;
  const metricsEndpoint = new MetricsEndpoint({
    readAll: readAllMetrics,
    ...(executions === null ? {} : { executions: () => executions.current() }),
  });
  const prometheus = new MetricsEndpoint({
    readAll: readAllMetrics,
    ...(metricsToken === null ? {} : { scraperOf: scraperOf(metricsToken) }),
  });
  const pool = new PoolEndpoint({
    enabled: config.mcpSessionPoolEnabled,
    snapshots: async () => (await link.askAll({ type: "report" })).map(({ pool }) => pool),
    ...{ auditTrail, clientOf },
    drain: (upstreamId) => link.askAll({ type: "drain_pool", upstreamId }),
  });
  const documents = new DocumentsEndpoint(publicPrefix);
  const auditFailure = auditTrail === null
    ? null
    : failureAudit(auditTrail, ({ request, info }) => clientOf(request.headers, info));
  const ui = new UiEndpoint({
    api: adminApi,
    ...{ rpc, turns, trustedProxies, clientOf, auditFailure },
    cache: caches.pages,
    rest: (path) => admin.route(path),
    live: new LiveFigures(
      () => link.askAll({ type: "metrics" }),
      async () => (await link.askAll({ type: "workers" }))[0]!,
    ),
    shared: new SharedReads(),
    readForm,
    oauth: oauth.server,
    auditConsent: consentAudit(auditTrail, clientOf),
    connecting,
    auditConnection: connectionAudit(auditTrail, clientOf),
    clientMetadataIsStable: config.gatewayPublicUrl !== null,
    baseOf: (request, from) => base.of(request, from),
    providers: sso?.providers ?? [],
    hasUsers: () => catalog.now.people.hasUsers,
    sendsPasswordMail: logins.passwordMails !== null,
    authenticate: (authorization) => authenticator.authenticate(authorization),
    prefixOf: (headers, from) => publicPrefix.of(headers, from),
  });
  const route = (path: string): Endpoint | null => {
    if (path === "/rpc") return rpc;
    if (path === "/mcp" || serverIdIn(path) !== null) return mcp;
    if (path === "/ws" || serverAt(path, "ws") !== null) return webSocket;
    if (path === "/sse" || serverAt(path, "sse") !== null) return legacySse.streams;
    if (path === "/message" || serverAt(path, "message") !== null) return legacySse.messages;
    if (EXECUTION_PATHS.has(path)) return metricsEndpoint;
    if (path === "/metrics/prometheus") return prometheus;
    if (path.startsWith(POOL_PATH)) return pool;
    if (DOCUMENT_PATHS.has(path)) return documents;
    return signIn.route(path) ?? cluster?.route(path) ?? ui.route(path) ?? admin.route(path);
  };

  const authenticator = new Authenticator({
    authRequired: config.authRequired,
    verify,
    clock,
    revoked: () => catalog.now.revokedTokens,
    people: () => catalog.now.people,
    tokenChanges: () => catalog.now.tokenChanges,
  });
  const originGuard = new OriginGuard({
    allowedOrigins: config.allowedOrigins,
    allowedHosts: config.allowedHosts,
    listensOn: config.host,
  });
  const handle = createHandler({
    ...{
      resources,
      admission,
      callers,
      accessLog,
      identifiesAll: config.correlationIdResponseHeader,
      countRefused,
      route,
      errors,
      rateLimiter,
      quotas,
      originGuard,
    },
    ...{ tokenGate, tracer },
    clientAddress: ({ headers }, info) => trustedProxies.addressOf(headers, peerAddress(info)),
    rootPath: config.appRootPath,
    authenticate: (authorization) => authenticator.authenticate(authorization),
    anonymous: ANONYMOUS,
    cors: !config.corsEnabled ? null : new Cors({
      allows: (origin) => originGuard.allows(origin),
      passes: passedHeaders(config, catalog),
    }),
    auditFailure,
    sessionRefusals: new SessionRefusals(
      bodyReader({ maxBytes: MAX_REFUSED_BYTES, timeoutMs: REFUSED_BODY_MS }, clock),
      (sessionId) => ids.open(sessionId, clock.now())?.binding ?? null,
    ),
    answers: new AnswerMeter(metrics),
  });
  return { handle, legacySse, webSocket, restDeps };
}

/** Whether a request header (lower case) is passed to some upstream, by the catalog of now. */
function passedHeaders(config: Config, catalog: LiveCatalog): (name: string) => boolean {
  const { enableHeaderPassthrough, defaultPassthroughHeaders, enableSensitiveHeaderPassthrough } = config;
  if (!enableHeaderPassthrough) return () => false;
  const namesIn = ({ gateways }: Catalog) =>
    new Set(
      gateways.flatMap(({ passthroughHeaders }) => passthroughHeaders ?? defaultPassthroughHeaders)
        .map((name) => name.toLowerCase())
        .filter((name) => isPassable(name, enableSensitiveHeaderPassthrough)),
    );
  let names = namesIn(catalog.now);
  catalog.onChange((_before, after) => void (names = namesIn(after)));
  return (name) => names.has(name);
}
