// The composition root of a worker: HTTP around what gateway.ts has wired, with sessions that any worker can be asked for.
import { sleep, systemClock } from "../../base/clock.ts";
import { openCache } from "../../cache/open_cache.ts";
import { CoalescingQueue } from "../../catalog/coalescing_queue.ts";
import { announceListChanges } from "../../downstream/client/list_changes.ts";
import { SessionlessHttp } from "../../downstream/http/sessionless_http.ts";
import { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import { StreamableHttp } from "../../downstream/http/session_http.ts";
import { AccessLog } from "../../http/access_log.ts";
import { ClientWatch } from "../../http/client_watch.ts";
import type { Handle } from "../../http/handler.ts";
import { CacheRecords } from "../../store/cache_records.ts";
import { createLeases } from "../../store/leases.ts";
import { createLog, type LogSink } from "../../telemetry/log.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { answerQuestion } from "./worker_commands.ts";
import { Conflicts } from "../../catalog/conflicts.ts";
import { createEndpoints } from "./endpoints.ts";
import { createGateway } from "./gateway.ts";
import { registerGauges } from "./gauges.ts";
import type { Answers, AppQuestion, ToWorker } from "../protocol/messages.ts";
import { OwnRequests } from "../handover/local_requests.ts";
import { createRateLimits } from "../../http/shared_rate_limits.ts";
import { Replicas } from "../../cluster/replicas.ts";
import { Retirement } from "../handover/retirement.ts";
import { SessionForward } from "../handover/session_forward.ts";
import { createSingletons, type Singletons } from "../../cluster/leader_jobs.ts";
import { Succession } from "../handover/succession.ts";
import type { SupervisorLink } from "../protocol/supervisor_link.ts";
import { Upkeep } from "./maintenance.ts";

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

  const rateLimits = createRateLimits({
    ...{ config, clock, log, metrics },
    readWorkers: (names) => link.askAll({ type: "rate_counts", names }),
  });
  const rateLimiter = rateLimits?.limiter ?? null;
  // All workers have the same catalog: one tells of it.
  const conflicts = worker === 0 ? new Conflicts(log) : null;
  let unreachable = 0;
  let singletons: Singletons | null = null;
  const gateway = await createGateway({
    config,
    secrets,
    log,
    metrics,
    accessLog,
    rateLimiter,
    catalogChanged: () => catalogChanged(),
    announce: (change) => link.askAll({ type: "announce", change }),
    place: {
      replica: () => replicas.number,
      worker,
      parkedElsewhere: (claims) => replicas.elsewhere(claims, "parked_call") ?? own.parkedBefore(claims),
    },
    onSnapshot: (rows, snapshot) => {
      unreachable = rows.gateways.filter(({ enabled, reachable }) => enabled && !reachable).length;
      conflicts?.update(snapshot);
      singletons?.upstreamsChanged();
    },
    onChange: (before, after) => {
      announceListChanges(sessions, before, after);
      upkeep.endRevokedStreams();
    },
  });
  const { database, registry, outbound, upstreams, dispatcher, catalog, sync, duplex } = gateway;
  const { admission, listAnnouncements, taskIds, ids, parked, listeners } = gateway;
  const { cache, publisher, sweptBy, redis, close: closeCache } = await openCache(config, {
    records: new CacheRecords(database),
    clock,
    log,
    name: `sluice-worker-${worker}`,
  });
  rateLimits?.shareOver(cache);
  const sweepCache = () => cache.sweep().catch((error) => log.error("cache sweep failed", { error }));
  // Changes that come while the workers read share the next reading.
  const readings = new CoalescingQueue<null, unknown>({
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
    rateLimiter,
    upstreams,
    onStray: (session, text) => {
      if (succession.predecessor() !== null) void link.askAll({ type: "client_said", session, text });
    },
  });
  const sessionlessHttp = new SessionlessHttp({
    requests: gateway.sessionlessRequests,
    dispatcher,
    maxJsonDepth: config.validationMaxJsonDepth,
  });
  const clients = new ClientWatch();
  const forward: SessionForward = new SessionForward((request, signal) => own.serve(request, signal));
  const succession = new Succession(worker, start.isSuccessor, forward);
  const own = new OwnRequests({
    ...{ ids, clock, parked, succession, streamableHttp, sessionlessHttp },
    legacySse: () => legacySse,
    replicas: () => replicas,
  });
  const replicas: Replicas = await Replicas.join({
    ...{ config, clock, log, metrics, clients },
    ...{ secret: secrets.authEncryptionSecret, seed: start.replicaSeed, records: cache, serveOwn: own.serve },
    wayToWorker: (named) => {
      // A process that was restarted with fewer workers still knows the sessions of the others.
      const owner = named % workerCount;
      if (owner === worker) return succession.successor();
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
  const { handle, legacySse, webSocket } = createEndpoints({
    ...{ worker, config, secrets, clock, metrics, accessLog, link, gateway, clients },
    ...{ streamableHttp, own, replicas, succession, catalogChanged, redis, rateLimiter },
  });

  registerGauges(metrics, { admission, outbound, sessions, duplex, parked, redis, conflicts });
  const upkeep = new Upkeep({
    ...{ config, log, sessions, duplex, listeners, legacySse },
    revokedTokens: () => catalog.now.revokedTokens,
    sweepCache: sweptBy === "each" ? sweepCache : null,
  });
  // One worker of each replica stands for it.
  singletons = worker !== 0 ? null : createSingletons({
    ...{ config, clock, log, metrics, registry, outbound, sync, catalogChanged },
    leases: createLeases(database),
    sweep: async () => {
      if (sweptBy === "one") await sweepCache();
      await registry.revokedTokens.sweep().catch((error) => log.error("revoked tokens not swept", { error }));
    },
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
    answer: (question) =>
      answerQuestion(question, {
        ...{ worker, gateway, metrics, sessions, replicas, succession, singletons, rateLimits },
      }),
    resign: async () => await singletons?.resign(),
    webSocketPorts: () => webSocket.peerPorts(),
    whenIdle: async () => {
      const until = clock.now() + config.gracefulTimeoutMs;
      // Without a successor, or when that one ends as well, nobody takes the clients in who come back.
      const isBusy = () => forward.isServing || succession.hasSuccessor && parked.size > 0;
      while (isBusy() && clock.now() < until) await sleep(clock, LOOK_MS);
    },
    endStreams: async () => {
      sessions.endStreams();
      listeners.end();
      await duplex.drain();
    },
    close: async () => {
      await singletons?.resign();
      upkeep.close();
      retirement.close();
      rateLimits?.close();
      clients.close();
      await sessions.close();
      // Whose successor has the sessions ends alone.
      await replicas.close({ processEnds: !succession.isOver });
      await closeCache();
      await gateway.close();
      accessLog?.close();
    },
  };
}
