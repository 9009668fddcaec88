// The composition root of a worker: HTTP around what gateway.ts has wired, with sessions that any worker can be asked for.
import { createAdminApi } from "../admin/router.ts";
import { AdminEndpoint } from "../admin/endpoint.ts";
import { ANONYMOUS, Authenticator } from "../auth/authenticate.ts";
import { sleep, systemClock } from "../base/clock.ts";
import { openCache } from "../cache/open.ts";
import { Turns } from "../catalog/turns.ts";
import { LegacySse } from "../downstream/legacy_sse.ts";
import { announceListChanges } from "../downstream/list_changes.ts";
import { McpEndpoint, serverIdIn } from "../downstream/mcp_endpoint.ts";
import type { Serve } from "../downstream/mcp_exchange.ts";
import { RpcEndpoint } from "../downstream/rpc.ts";
import { DownstreamSessions } from "../downstream/session.ts";
import { ModernHttp } from "../downstream/modern_http.ts";
import { mayBeModern } from "../downstream/modern_claims.ts";
import type { McpReply } from "../downstream/mcp_exchange.ts";
import { ownStateIn } from "../downstream/parked_calls.ts";
import { serverAt } from "../downstream/scope.ts";
import type { SessionClaims } from "../downstream/session_id.ts";
import { StreamableHttp } from "../downstream/streamable_http.ts";
import { WebSocketEndpoint } from "../downstream/websocket.ts";
import { bodyReader } from "../http/body.ts";
import { ClientWatch } from "../http/client_watch.ts";
import { AccessLog } from "../http/access_log.ts";
import { createHandler, type Endpoint, type Handle } from "../http/handler.ts";
import { OriginGuard } from "../http/origin_guard.ts";
import { CacheRecords } from "../store/cache_records.ts";
import { createLeases } from "../store/leases.ts";
import { createLog, type LogSink } from "../telemetry/log.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { adminDeps } from "./admin_deps.ts";
import { createGateway } from "./gateway.ts";
import { registerGauges } from "./gauges.ts";
import { MetricsEndpoint } from "./metrics_endpoint.ts";
import type { Answers, AppQuestion, ToWorker } from "./messages.ts";
import { NameConflicts } from "./name_conflicts.ts";
import { POOL_PATH, PoolEndpoint } from "./pool_endpoint.ts";
import { checkReadiness } from "./readiness.ts";
import type { SupervisorLink } from "./supervisor_link.ts";
import { Replicas } from "./replicas.ts";
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
  /** The remote ports of connections that have become WebSockets. */
  webSocketPorts(): number[];
  /**
   * Resolves when nothing is under way that no connection to this worker shows: what other workers were asked for, and calls
   * whose client was asked for something by a reply; or when the grace period is over.
   */
  whenIdle(): Promise<void>;
  /** End the streams that would hold up a shutdown for ever. Resolves when calls on channels of their own are answered. */
  endStreams(): Promise<void>;
  close(): Promise<void>;
}

const SWEEP_INTERVAL_MS = 30_000;
/** How often a worker that ends looks whether it still has to wait. */
const LOOK_MS = 50;

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
  const accessLog = config.disableAccessLog
    ? null
    : new AccessLog({ worker, format: config.logFormat, sink });

  // All workers have the same catalog: one tells of it.
  const nameConflicts = worker === 0 ? new NameConflicts(log) : null;
  let unreachable = 0;
  let singletons: Singletons | null = null;
  const gateway = await createGateway({
    config,
    secrets,
    log,
    metrics,
    accessLog,
    catalogChanged: () => catalogChanged(),
    announce: (change) => link.askAll({ type: "announce", change }),
    place: {
      replica: () => replicas.number,
      worker,
      parkedElsewhere: (claims) => replicas.elsewhere(claims, "parked_call") ?? parkedBefore(claims),
    },
    onSnapshot: (rows, snapshot) => {
      unreachable = rows.gateways.filter(({ enabled, reachable }) => enabled && !reachable).length;
      nameConflicts?.update(snapshot);
      singletons?.upstreamsChanged();
    },
    onChange: (before, after) => {
      announceListChanges(sessions, before, after);
      endRevokedStreams();
    },
  });
  const { database, registry, outbound, pool, upstreams, dispatcher, catalog, sync, duplex } = gateway;
  const { admission, errors, listAnnouncements, taskIds, ids, parked, listeners } = gateway;
  const { cache, publisher, sweptBy, redis, close: closeCache } = await openCache(config, {
    records: new CacheRecords(database),
    clock,
    log,
    name: `sluice-worker-${worker}`,
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

  const sessions = new DownstreamSessions({
    ids,
    records: cache,
    clock,
    replica: () => replicas.number,
    worker,
    idleMs: config.sessionTtlMs,
    clientRequestTimeoutMs: config.mcpClientRequestTimeoutMs,
    resumeWindowMs: config.streamResumeWindowMs,
    taskIds,
  });
  const streamableHttp = new StreamableHttp({
    dispatcher,
    sessions,
    catalog: () => catalog.now,
    maxJsonDepth: config.validationMaxJsonDepth,
    upstreams,
    onStray: (session, text) => {
      if (hasPredecessor()) void link.askAll({ type: "client_said", session, text });
    },
  });
  const modernHttp = new ModernHttp({
    requests: gateway.modernRequests,
    dispatcher,
    maxJsonDepth: config.validationMaxJsonDepth,
  });
  const endRevokedStreams = () => {
    const { revokedTokens } = catalog.now;
    if (revokedTokens.size === 0) return;
    sessions.endStreamsOf(revokedTokens);
    listeners.endOf(revokedTokens);
    duplex.sweep();
  };
  /** A successor has the sessions: it is asked for them now. */
  let handedOver = false;
  /** Resolves when this worker has the sessions of the one whose place it takes: before, it would not know them. */
  const takenOver = Promise.withResolvers<void>();
  if (!start.isSuccessor) takenOver.resolve();
  /** Does the worker live whose place this one has taken? It ends what it has begun. Under our own number we know it. */
  const hasPredecessor = () => !handedOver && forward.knows(worker);
  /** The way to a call under our number that this worker has not got: to its predecessor, if there is one. */
  const parkedBefore = (claims: SessionClaims): Serve | null =>
    parked.has(claims) || !hasPredecessor()
      ? null
      : (request, signal) => forward.forward(worker, request, signal);
  const serveModern: (...asked: Parameters<Serve>) => Promise<McpReply | null> = (request, signal) => {
    const claims = parked.claimsOf(ownStateIn(request.body));
    const before = claims === null ? null : parkedBefore(claims);
    return before === null ? modernHttp.serve(request, signal) : before(request, signal);
  };
  const serveOwn: Serve = async (request, signal) => {
    await replicas.admit(request);
    if (request.isForSse) return await legacySse.receive(request);
    const reply = mayBeModern(request) ? await serveModern(request, signal) : null;
    if (reply !== null) return reply;
    await takenOver.promise;
    // It was sent before its sender heard of the successor.
    if (handedOver) return await forward.forward(worker, request, signal);
    const claims = request.sessionId === null ? null : ids.open(request.sessionId, clock.now());
    return await streamableHttp.serve(request, claims, signal);
  };
  const forward = new SessionForward(serveOwn);
  const readBody = bodyReader({ maxBytes: config.maxBodyBytes, timeoutMs: config.httpBodyTimeoutMs }, clock);
  const clients = new ClientWatch();
  const replicas: Replicas = await Replicas.join({
    ...{ config, clock, log, metrics, clients },
    ...{ secret: secrets.authEncryptionSecret, seed: start.replicaSeed, records: cache, serveOwn },
    wayToWorker: (named) => {
      // A process that was restarted with fewer workers still knows the sessions of the others.
      const owner = named % workerCount;
      if (owner === worker && !handedOver) return null;
      return (request, signal) => forward.forward(owner, request, signal);
    },
    readElsewhere: async (replica) =>
      (await link.askAll({ type: "replica_record", replica })).find((record) => record !== null) ?? null,
    onLost: () => void sessions.close().catch((error) => log.error("sessions not closed", { error })),
  });
  if (redis !== null) {
    redis.onBack = () => {
      replicas.recordsAreBack();
      void sessions.persist().catch((error) => log.error("sessions not kept", { error }));
    };
  }
  const mcp = new McpEndpoint({
    ids,
    clock,
    clients,
    readBody,
    serveLegacy: (request, claims, signal) => streamableHttp.serve(request, claims, signal),
    serveModern,
    parked,
    elsewhere: replicas.elsewhere,
  });
  const legacySse = new LegacySse({
    ids,
    clock,
    replica: () => replicas.number,
    worker,
    sessions: duplex,
    catalog: () => catalog.now,
    readBody,
    elsewhere: replicas.elsewhere,
    forward: (owner, request, signal) => forward.forward(owner, request, signal),
    // Under our own number we know our predecessor; who has handed over knows its successor.
    predecessor: () => handedOver ? null : worker,
  });
  const webSocket = new WebSocketEndpoint({
    sessions: duplex,
    catalog: () => catalog.now,
    maxMessageBytes: config.maxBodyBytes,
    pingIntervalMs: config.sseKeepaliveIntervalMs,
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
      secretBox: gateway.secretBox,
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
  const handle = createHandler({
    admission,
    accessLog,
    countRefused: gateway.countRefused,
    route: (path): Endpoint | null => {
      if (path === "/rpc") return rpc;
      if (path === "/mcp" || serverIdIn(path) !== null) return mcp;
      if (path === "/ws" || serverAt(path, "ws") !== null) return webSocket;
      if (path === "/sse" || serverAt(path, "sse") !== null) return legacySse.streams;
      if (path === "/message" || serverAt(path, "message") !== null) return legacySse.messages;
      if (path === "/metrics" || path === "/metrics/prometheus") return metricsEndpoint;
      if (path.startsWith(POOL_PATH)) return poolEndpoint;
      return replicas.route(path) ?? admin.route(path);
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

  registerGauges(metrics, { admission, outbound, sessions, duplex, parked, redis, nameConflicts });

  const timers = [
    setInterval(() => {
      sessions.sweep().catch((error) => log.error("sweep failed", { error }));
      duplex.sweep();
    }, SWEEP_INTERVAL_MS),
    setInterval(() => {
      // What was let in before its token was revoked may have opened its stream after it.
      endRevokedStreams();
      sessions.keepStreamsAlive();
      listeners.keepAlive();
      legacySse.keepStreamsAlive();
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
          announceListChanges(sessions, catalog.now, catalog.now, [question.change]);
          gateway.tellClients(question.change);
          return null;
        case "client_said":
          return sessions.hear(question.session, question.text, upstreams);
        case "catalog_version":
          return await registry.readCatalogVersion().catch(() => null);
        case "replica_record":
          return replicas.recordOf(question.replica);
        case "report":
          return { worker, metrics: metrics.snapshot(), pool: pool.snapshot() };
        case "hand_over":
          handedOver = true;
          void singletons?.resign();
          return await Promise.all(
            sessions.release().map(async (session) => {
              // First: what was still being opened belongs to the state.
              const transfers = await upstreams.transfer(session.bound);
              const { id, name, owner, state } = session;
              return { session: { id, name, owner, state }, upstreams: transfers };
            }),
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
        case "end_channels":
          await duplex.drainOpen();
          return null;
        case "drain_pool":
          return pool.drain(({ upstreamId }) =>
            question.upstreamId === null || upstreamId === question.upstreamId
          );
      }
    },
    resign: async () => await singletons?.resign(),
    webSocketPorts: () => webSocket.peerPorts(),
    whenIdle: async () => {
      const until = clock.now() + config.gracefulTimeoutMs;
      // Without a successor, or when that one ends as well, nobody takes the clients in who come back.
      const isBusy = () => forward.isServing || handedOver && forward.knows(worker) && parked.size > 0;
      while (isBusy() && clock.now() < until) await sleep(clock, LOOK_MS);
    },
    endStreams: async () => {
      sessions.endStreams();
      listeners.end();
      await duplex.drain();
    },
    close: async () => {
      await singletons?.resign();
      for (const timer of timers) clearInterval(timer);
      retirement.close();
      clients.close();
      await sessions.close();
      await closeCache();
      await gateway.close();
      accessLog?.close();
    },
  };
}
