// The composition root of a worker: from Config to the object graph. The only file that wires things together.
import { createAdminApi } from "../admin/router.ts";
import { AdminEndpoint } from "../admin/endpoint.ts";
import { ANONYMOUS, Authenticator } from "../auth/authenticate.ts";
import { systemClock } from "../base/clock.ts";
import { reasonOf, type SluiceError } from "../base/errors.ts";
import { openCache } from "../cache/open.ts";
import { Catalog } from "../catalog/catalog.ts";
import { Turns } from "../catalog/turns.ts";
import { McpEndpoint, serverIdIn } from "../downstream/mcp_endpoint.ts";
import type { McpRequest } from "../downstream/mcp_exchange.ts";
import { RpcEndpoint } from "../downstream/rpc.ts";
import { DownstreamSessions } from "../downstream/session.ts";
import { Listeners } from "../downstream/listeners.ts";
import { ModernHttp } from "../downstream/modern_http.ts";
import { mayBeModern } from "../downstream/modern_request.ts";
import { ParkedCalls } from "../downstream/parked_calls.ts";
import { ResourceSubscriptions } from "../downstream/resource_subscriptions.ts";
import { SessionIds } from "../downstream/session_id.ts";
import { StreamableHttp } from "../downstream/streamable_http.ts";
import { bodyReader } from "../http/body.ts";
import { ErrorReporter, rpcErrorText } from "../http/error_response.ts";
import { ClientWatch } from "../http/client_watch.ts";
import { AccessLog } from "../http/access_log.ts";
import { Admission } from "../http/admission.ts";
import { createHandler, type Endpoint, type Handle } from "../http/handler.ts";
import { OriginGuard } from "../http/origin_guard.ts";
import { Dispatcher } from "../proxy/dispatch.ts";
import { ListCursors } from "../proxy/list_cursor.ts";
import { TaskIds } from "../proxy/task_ids.ts";
import { TaskListCursors } from "../proxy/tasks_list.ts";
import { UpstreamCaller } from "../proxy/upstream_caller.ts";
import { CacheRecords } from "../store/cache_records.ts";
import { createLeases } from "../store/leases.ts";
import { openDatabase } from "../store/open.ts";
import { createRegistry } from "../store/registry.ts";
import { createSecretBox } from "../store/secret_box.ts";
import { correlationIdOf } from "../telemetry/call_note.ts";
import { createLog, type LogSink } from "../telemetry/log.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { Upstreams } from "../upstream/upstreams.ts";
import { VERSION } from "../version.ts";
import { adminDeps } from "./admin_deps.ts";
import { createCatalogSync } from "./catalog_sync.ts";
import { ListAnnouncements } from "./list_announcements.ts";
import { LiveCatalog } from "./live_catalog.ts";
import { MetricsEndpoint } from "./metrics_endpoint.ts";
import type { Answers, AppQuestion, ToWorker } from "./messages.ts";
import { NameConflicts } from "./name_conflicts.ts";
import { createOutbound } from "./outbound.ts";
import { POOL_PATH, PoolEndpoint } from "./pool_endpoint.ts";
import { checkReadiness } from "./readiness.ts";
import type { SupervisorLink } from "./supervisor_link.ts";
import { createSessionPool, identityHasher } from "./upstream_sessions.ts";
import { Retirement } from "./retirement.ts";
import { SessionForward } from "./session_forward.ts";
import { verifierOf } from "./token_verifier.ts";
import { createSingletons, type Singletons } from "./singletons.ts";

export interface App {
  readonly handle: Handle;
  /** A fault of Deno.serve itself, e.g. a client that broke off: the answer that nobody may read. */
  readonly onServerError: (error: unknown) => Response;
  connect(worker: number, port: MessagePort): void;
  disconnect(worker: number): void;
  disconnectFormer(worker: number): void;
  /** The client of a request under way has left. */
  clientGone(request: Request): void;
  answer(question: AppQuestion): Promise<Answers[AppQuestion["type"]]>;
  /** Leave what is done once in the cluster to another worker. */
  resign(): Promise<void>;
  /** End the streams that would hold up a shutdown for ever. */
  endStreams(): void;
  close(): Promise<void>;
}

const SWEEP_INTERVAL_MS = 30_000;

/** One process, no cluster yet: every session id names this replica. */
const REPLICA = 0;

/** @throws {SluiceError} STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function createApp(
  start: Extract<ToWorker, { type: "start" }>,
  link: SupervisorLink,
): Promise<App> {
  const { config, secrets, worker, workerCount } = start;
  const clock = systemClock;
  const sink: LogSink = { write: (lines) => link.writeLog(lines) };
  const log = createLog({ level: config.logLevel, format: config.logFormat, sink }).with({ worker });
  const metrics = new Metrics();
  const countError = metrics.counter(
    "sluice_errors_total",
    "Failures by code of the error table and by whose fault",
    ["code", "source"],
  );
  const errors = new ErrorReporter(log, countError);

  const database = await openDatabase(config.databaseUrl, {
    settings: config,
    warn: (warning) => log.warning("database", { warning }),
  });
  const registry = createRegistry(database);
  const { cache, publisher, sweptBy, redis, close: closeCache } = await openCache(config, {
    records: new CacheRecords(database),
    clock,
    log,
    name: `sluice-worker-${worker}`,
  });
  const secretBox = await createSecretBox(secrets.authEncryptionSecret);

  const outbound = createOutbound(config, { secretBox, log, metrics });
  const { pool, breakers } = createSessionPool(config, clock);
  const upstreams = new Upstreams({
    transports: outbound.transports,
    shared: {
      clientInfo: outbound.clientInfo,
      createTimeoutMs: config.mcpSessionPoolCreateTimeoutMs,
      pool,
      poolEnabled: config.mcpSessionPoolEnabled,
      breakers,
      identities: identityHasher(config, secrets),
      onListChanged: (upstreamId, method) => void listAnnouncements.listChanged(upstreamId, method),
    },
    passthrough: {
      enabled: config.enableHeaderPassthrough,
      defaultNames: config.defaultPassthroughHeaders,
      sensitive: config.enableSensitiveHeaderPassthrough,
      overwrite: config.enableOverwriteBaseHeaders,
    },
    targetOf: outbound.targetOf,
    onUnusable: ({ name }, error: SluiceError) =>
      log.error("upstream cannot be used", { upstream: name, reason: reasonOf(error) }),
  });

  // All workers have the same catalog: one tells of it.
  const nameConflicts = worker === 0 ? new NameConflicts(log) : null;
  let unreachable = 0;
  let singletons: Singletons | null = null;
  const catalog = await LiveCatalog.open({
    read: async () => {
      const rows = await registry.readCatalog();
      await upstreams.update(rows.gateways);
      unreachable = rows.gateways.filter(({ enabled, reachable }) => enabled && !reachable).length;
      const snapshot = new Catalog(rows);
      nameConflicts?.update(snapshot);
      singletons?.upstreamsChanged();
      return snapshot;
    },
    onChange: (before, after) => {
      streamableHttp.announce(before, after);
      listeners.announce(before, after);
      endRevokedStreams();
    },
    onFailure: (error) => log.error("catalog not read, the one before serves on", { error }),
  });
  // Changes that come while the workers read share the next reading.
  const readings = new Turns<null, unknown>({
    clock,
    maxAtOnce: 1,
    run: async () => {
      const version = await registry.readCatalogVersion();
      publisher.publish({ type: "catalog_changed" });
      await link.askAll({ type: "read_catalog", version });
    },
    merge: () => null,
  });
  const catalogChanged = async () => void await readings.ask("catalog", null);
  const sync = createCatalogSync({ config, clock, log, metrics, registry, outbound, catalogChanged });
  const listAnnouncements = new ListAnnouncements({
    refresh: (gatewayId) => sync.listChanged(gatewayId),
    announce: (change) => link.askAll({ type: "announce", change }),
  });

  const taskIds = new TaskIds(secrets.authEncryptionSecret);
  const dispatcher = new Dispatcher(
    new UpstreamCaller(upstreams, {
      toolTimeoutMs: config.toolTimeoutMs ?? config.mcpSessionPoolTransportTimeoutMs,
      toolTimeoutSetting: config.toolTimeoutMs === null
        ? "MCP_SESSION_POOL_TRANSPORT_TIMEOUT; TOOL_TIMEOUT or the tool's timeout_ms allow more"
        : "TOOL_TIMEOUT",
      requestTimeoutMs: config.mcpSessionPoolTransportTimeoutMs,
      taskIds,
    }),
    {
      identity: { name: "sluice", version: VERSION },
      paging: { cursors: new ListCursors(secrets.authEncryptionSecret), pageSize: config.mcpListPageSize },
      taskCursors: new TaskListCursors(secrets.authEncryptionSecret),
      toErrorObject: (thrown, { note, received }) =>
        rpcErrorText(errors.report(thrown, note?.correlationId ?? correlationIdOf(received))),
    },
  );

  const ids = new SessionIds(secrets.authEncryptionSecret);
  const sessions = new DownstreamSessions({
    ids,
    records: cache,
    clock,
    replica: REPLICA,
    worker,
    idleMs: config.sessionTtlMs,
    clientRequestTimeoutMs: config.mcpClientRequestTimeoutMs,
    resumeWindowMs: config.streamResumeWindowMs,
    taskIds,
  });
  if (redis !== null) {
    redis.onBack = () => void sessions.persist().catch((error) => log.error("sessions not kept", { error }));
  }
  const streamableHttp = new StreamableHttp({
    dispatcher,
    sessions,
    catalog: () => catalog.now,
    maxJsonDepth: config.validationMaxJsonDepth,
    upstreams,
  });
  const parked = new ParkedCalls({
    ids,
    clock,
    replica: REPLICA,
    worker,
    timeoutMs: config.mcpClientRequestTimeoutMs,
  });
  const listeners = new Listeners();
  const modernHttp = new ModernHttp({
    dispatcher,
    catalog: () => catalog.now,
    maxJsonDepth: config.validationMaxJsonDepth,
    parked,
    listeners,
    subscriptions: new ResourceSubscriptions(upstreams),
    streamsAreFull: () => admission.streamsAreFull,
  });
  const endRevokedStreams = () => {
    const { revokedTokens } = catalog.now;
    if (revokedTokens.size === 0) return;
    sessions.endStreamsOf(revokedTokens);
    listeners.endOf(revokedTokens);
  };
  /** A successor has the sessions: it is asked for them now. */
  let handedOver = false;
  /** Resolves when this worker has the sessions of the one whose place it takes: before, it would not know them. */
  const takenOver = Promise.withResolvers<void>();
  if (!start.isSuccessor) takenOver.resolve();
  const forward: SessionForward = new SessionForward(async (request: McpRequest, signal) => {
    const reply = mayBeModern(request) ? await modernHttp.serve(request, signal) : null;
    if (reply !== null) return reply;
    await takenOver.promise;
    // It was sent before its sender heard of the successor.
    if (handedOver) return await forward.forward(worker, request, signal);
    const claims = request.sessionId === null ? null : ids.open(request.sessionId, clock.now());
    return await streamableHttp.serve(request, claims, signal);
  });

  const readBody = bodyReader({ maxBytes: config.maxBodyBytes, timeoutMs: config.httpBodyTimeoutMs }, clock);
  const clients = new ClientWatch();
  const mcp = new McpEndpoint({
    ids,
    clock,
    clients,
    readBody,
    serveLegacy: (request, claims, signal) => streamableHttp.serve(request, claims, signal),
    serveModern: (request, signal) => modernHttp.serve(request, signal),
    parked,
    // A process that was restarted with fewer workers still knows the sessions of the others.
    ownerOf: ({ worker: named }) => {
      const owner = named % workerCount;
      return owner === worker && !handedOver ? null : owner;
    },
    forward: (owner, request, signal) => forward.forward(owner, request, signal),
  });
  const rpc = new RpcEndpoint({
    dispatcher,
    clients,
    catalog: () => catalog.now,
    readBody,
    maxJsonDepth: config.validationMaxJsonDepth,
    errors,
  });
  const admin = new AdminEndpoint(
    createAdminApi(adminDeps({
      config,
      registry,
      secretBox,
      outbound,
      upstreams,
      sync,
      catalogChanged,
      ready: () =>
        checkReadiness({
          database: () => registry.readCatalogVersion(),
          ...(redis === null ? {} : { redis: () => redis.ping() }),
        }),
      startedAt: new Date(),
    })),
    { readBody, maxJsonDepth: config.validationMaxJsonDepth },
  );
  const metricsEndpoint = new MetricsEndpoint(link);
  const poolEndpoint = new PoolEndpoint(link, config.mcpSessionPoolEnabled);

  const authenticator = new Authenticator({
    authRequired: config.authRequired,
    verify: verifierOf(config, secrets),
    clock,
    revoked: () => catalog.now.revokedTokens,
  });
  const admission = new Admission({ requests: config.backpressure, streams: config.maxStreams });
  const countRefused = metrics.counter(
    "sluice_requests_refused_total",
    "Requests refused unread, at BACKPRESSURE (OVERLOADED) or MAX_STREAMS (TOO_MANY_STREAMS)",
    ["code"],
  );
  const accessLog = config.disableAccessLog
    ? null
    : new AccessLog({ worker, format: config.logFormat, sink });
  const handle = createHandler({
    admission,
    accessLog,
    countRefused: (code) => {
      countRefused(code);
      countError(code, "internal");
    },
    route: (path): Endpoint | null => {
      if (path === "/rpc") return rpc;
      if (path === "/mcp" || serverIdIn(path) !== null) return mcp;
      if (path === "/metrics" || path === "/metrics/prometheus") return metricsEndpoint;
      if (path.startsWith(POOL_PATH)) return poolEndpoint;
      return admin.route(path);
    },
    authenticate: (headers) => authenticator.authenticate(headers),
    anonymous: ANONYMOUS,
    originGuard: new OriginGuard({
      allowedOrigins: config.allowedOrigins,
      allowedHosts: config.allowedHosts,
      listensOn: config.host,
    }),
    errors,
    countAnswer: metrics.counter("sluice_http_answers_total", "Answers by endpoint and HTTP status", [
      "endpoint",
      "status",
    ]),
  });

  metrics.gauge("sluice_requests_limit", "Requests that may be under way", () => admission.requestLimit);
  metrics.gauge("sluice_requests_in_flight", "Requests under way", () => admission.requestsInFlight);
  metrics.gauge("sluice_streams_limit", "Answers that may stay open", () => admission.streamLimit);
  metrics.gauge("sluice_streams_open", "Answers that stay open: event streams", () => admission.streamCount);
  if (outbound.connections !== null) {
    const { connections } = outbound;
    const gauge = (name: string, help: string, read: (stats: ReturnType<typeof connections>) => number) =>
      metrics.gauge(name, help, () => read(connections()));
    gauge("sluice_outbound_connections_open", "Outbound connections, idle ones too", ({ open }) => open);
    gauge("sluice_outbound_connections_idle", "Outbound connections without a call", ({ idle }) => idle);
    gauge(
      "sluice_outbound_calls_waiting",
      "Calls that wait for an outbound connection",
      ({ waiting }) => waiting,
    );
  }
  metrics.gauge("sluice_downstream_sessions", "Open downstream sessions", () => sessions.size);
  metrics.gauge("sluice_downstream_streams", "Open GET streams", () => sessions.streamCount);
  if (redis !== null) {
    const help = "Workers whose connection to Redis works";
    metrics.gauge("sluice_redis_workers_connected", help, () => Number(redis.isUp));
  }

  if (nameConflicts !== null) {
    const help = "Tools and prompts of virtual servers that lost their name to another";
    metrics.gauge("sluice_name_conflicts", help, () => nameConflicts.size);
  }

  const timers = [
    setInterval(
      () => sessions.sweep().catch((error) => log.error("sweep failed", { error })),
      SWEEP_INTERVAL_MS,
    ),
    setInterval(() => {
      // What was let in before its token was revoked may have opened its stream after it.
      endRevokedStreams();
      sessions.keepStreamsAlive();
      listeners.keepAlive();
    }, config.sseKeepaliveIntervalMs),
  ];
  const sweepCache = () => cache.sweep().catch((error) => log.error("cache sweep failed", { error }));
  if (sweptBy === "each") timers.push(setInterval(sweepCache, SWEEP_INTERVAL_MS));
  // One worker of each replica stands for it.
  singletons = worker !== 0 ? null : createSingletons({
    config,
    clock,
    log,
    metrics,
    leases: createLeases(database),
    registry,
    sweep: async () => {
      if (sweptBy === "one") await sweepCache();
      await registry.revokedTokens.sweep().catch((error) => log.error("revoked tokens not swept", { error }));
    },
    outbound,
    sync,
    catalogChanged,
    upstreams: () => upstreams.usable(),
    onListChanged: (gatewayId, method) => void listAnnouncements.listChanged(gatewayId, method),
  });
  if (singletons !== null) {
    metrics.gauge(
      "sluice_upstreams_unreachable",
      "Upstreams that the health checks do not reach",
      () => unreachable,
    );
    singletons.start();
  }

  const retirement = new Retirement(config, link);
  return {
    handle: (request, info) => {
      retirement.served();
      return handle(request, info);
    },
    onServerError: (error) => {
      log.debug("connection failed", { error });
      return new Response(null, { status: 500 });
    },
    connect: (peer, port) => forward.connect(peer, port),
    disconnect: (peer) => forward.disconnect(peer),
    disconnectFormer: (peer) => forward.disconnectFormer(peer),
    clientGone: (request) => clients.gone(request),
    answer: async (question) => {
      switch (question.type) {
        case "read_catalog":
          return await catalog.refresh(question.version);
        case "announce":
          streamableHttp.announce(catalog.now, catalog.now, [question.change]);
          listeners.announce(catalog.now, catalog.now, [question.change]);
          return null;
        case "catalog_version":
          return await registry.readCatalogVersion().catch(() => null);
        case "report":
          return { worker, metrics: metrics.snapshot(), pool: pool.snapshot() };
        case "hand_over":
          handedOver = true;
          void singletons?.resign();
          return await Promise.all(
            sessions.release().map(async ({ id, name, owner, state, bound }) => ({
              session: { id, name, owner, state },
              upstreams: await upstreams.transfer(bound),
            })),
          );
        case "take_over":
          try {
            for (const { session, upstreams: transfers } of question.sessions) {
              upstreams.adopt(sessions.adopt(session).bound, transfers);
            }
          } finally {
            takenOver.resolve();
          }
          return null;
        case "drain_pool":
          return pool.drain(({ upstreamId }) =>
            question.upstreamId === null || upstreamId === question.upstreamId
          );
      }
    },
    resign: async () => await singletons?.resign(),
    endStreams: () => {
      sessions.endStreams();
      listeners.end();
    },
    close: async () => {
      await singletons?.resign();
      sync.close();
      for (const timer of timers) clearInterval(timer);
      retirement.close();
      clients.close();
      parked.close();
      await sessions.close();
      await pool.close();
      await outbound.close();
      await closeCache();
      await database.close();
      accessLog?.close();
    },
  };
}
