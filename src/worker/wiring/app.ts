// Room `wiring`: makes the parts of a worker from its settings and connects them. `main.ts` uses `createApp`, `sluice stdio` uses
// `createGateway`. Only what chooses or connects parts belongs here; their work belongs to their own rooms.
//
// This file is the composition root of a worker: a list of declarations, each of which uses only earlier ones. Parts that report
// changes are declared early and take listeners, which are added at the end.
import { SOON_MS } from "../../admin/connections/connection_state.ts";
import { operatorOf } from "../../auth/principal.ts";
import { CallerTurns } from "../../base/sharing/caller_turns.ts";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { TrustedProxies } from "../../base/egress/trusted_proxies.ts";
import { sleep, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { openCache } from "../../cache/open_cache.ts";
import { CoalescingQueue } from "../../catalog/coalescing_queue.ts";
import { Conflicts } from "../../catalog/conflicts.ts";
import { Cluster } from "../../cluster/cluster.ts";
import { createLeaderJobs } from "../../cluster/leader_jobs.ts";
import { registrationOf } from "../../cluster/registration.ts";
import { ReplicaNumber } from "../../cluster/replica_number.ts";
import { ReplicaSignatures } from "../../cluster/request_signature.ts";
import { SessionlessHttp } from "../../downstream/http/sessionless_http.ts";
import { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import { StreamableHttp } from "../../downstream/http/session_http.ts";
import { AccessLog } from "../../http/access_log.ts";
import { ClientWatch } from "../../http/client_watch.ts";
import type { Handle } from "../../http/handler.ts";
import { createRateLimits } from "../../http/limits/shared_rate_limits.ts";
import { CacheRecords } from "../../store/cache_records.ts";
import { createLeases } from "../../store/leases.ts";
import { CORRELATION_HEADER, correlationIdFrom } from "../../telemetry/call_note.ts";
import { createLog, type LogSink } from "../../telemetry/log.ts";
import { measureLoopDelay } from "../../telemetry/loop_delay.ts";
import { SharedNumbers } from "../../telemetry/shared_numbers.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { LocalServer } from "../handover/local_server.ts";
import { Retirement } from "../handover/retirement.ts";
import { Succession } from "../handover/succession.ts";
import { UpstreamCalls } from "../handover/upstream_calls.ts";
import { WorkerPorts } from "../handover/worker_ports.ts";
import type { AppCommand, CommandResults, ToWorker } from "../protocol/messages.ts";
import type { SupervisorLink } from "../protocol/supervisor_link.ts";
import { apiTokenParts } from "./parts/api_token_parts.ts";
import { createEndpoints } from "./endpoints.ts";
import { executionParts } from "./parts/execution_parts.ts";
import { createAuditExports } from "./parts/audit_exports.ts";
import { createAudit } from "./parts/audit_parts.ts";
import { createQuotas } from "./parts/quota_parts.ts";
import { storeSweep } from "./parts/store_sweep.ts";
import { createTraces } from "./parts/trace_parts.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { registerGauges } from "./gauges.ts";
import { Maintenance } from "./maintenance.ts";
import { openStore } from "./open_store.ts";
import { runCommand } from "./worker_commands.ts";

export interface App {
  readonly handle: Handle;
  /** The response to a fault of Deno.serve itself, e.g. a client that broke off. Perhaps nobody reads it. */
  readonly onServerError: (error: unknown) => Response;
  /** The worker cannot accept connections for a moment. */
  readonly onAcceptFailed: (error: unknown) => void;
  /** The other workers of this process. */
  readonly ports: Pick<WorkerPorts, "connect" | "disconnect" | "disconnectFormer">;
  /** The client of a request under way has left. */
  clientGone(request: Request): void;
  run(command: AppCommand): Promise<CommandResults[AppCommand["type"]]>;
  /** Leaves the leader's jobs to another worker. */
  resign(): Promise<void>;
  /** The remote ports of connections that have become WebSockets. */
  webSocketPorts(): number[];
  /**
   * Resolves when no work is left that no connection to this worker shows: requests forwarded from other workers, and pending calls.
   * Resolves at the end of the grace period at the latest.
   */
  whenIdle(): Promise<void>;
  /** Ends the streams, which would delay a shutdown for ever. Resolves when the calls on duplex channels are answered. */
  endStreams(): Promise<void>;
  close(): Promise<void>;
}

/** How often a worker that ends checks whether it is idle. */
const LOOK_MS = 50;

/** Callers that share a worker's database connections: each of them uses this part at most. */
const CALLERS_AT_ONCE = 3;

/** @throws {SluiceError} STORE_CANNOT_OPEN, STORE_UNAVAILABLE, SETTINGS_INVALID */
export async function createApp(
  start: Extract<ToWorker, { type: "start" }>,
  link: SupervisorLink,
): Promise<App> {
  const { config, secrets, worker, workerCount, isSuccessor } = start;
  const clock = systemClock;

  // Logs and metrics.
  const counters = new SharedNumbers(start.counters);
  const sink: LogSink = { write: (lines, kind) => link.writeLog(lines, kind) };
  const log = createLog({ level: config.logLevel, format: config.logFormat, sink }).with({ worker });
  const metrics = new Metrics(config.metricsMaxNames, counters);
  const recordsCalls = config.auditTrailEnabled;
  const trustedProxies = new TrustedProxies(config.trustedProxyNetworks);
  const traces = await createTraces(config, { worker, clock, log, metrics });
  const tracer = traces?.tracer ?? null;
  const accessLog = new AccessLog({
    ...{ worker, sink, format: config.logFormat, writes: !config.disableAccessLog },
    originOf: recordsCalls ? (headers, client) => trustedProxies.clientOf(headers, client) : null,
  });

  // The store and the cache, which outlive the worker, and changes of the registry.
  const store = await openStore(config, secrets, log);
  const { database, registry } = store;
  const { cache, publisher, sweptBy, redis, close: closeCache } = await openCache(config, {
    records: new CacheRecords(database),
    clock,
    log,
    name: `sluice-worker-${worker}`,
  });
  const turns = new CallerTurns(
    Math.max(1, Math.floor((config.dbPoolSize + config.dbMaxOverflow) / CALLERS_AT_ONCE)),
  );
  const memory = ClientMemory.ofMebibytes(
    config.maxClientMemoryMb,
    metrics.counter("sluice_client_memory_refusals_total"),
  );
  const sweepCache = () => cache.sweep().catch((error) => log.error("cache sweep failed", { error }));
  // Changes that arrive during a reading share the next one.
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
  const rateLimits = createRateLimits({
    ...{ config, clock, log, metrics },
    readWorkers: (names) => link.askAll({ type: "rate_counts", names }),
  });
  rateLimits?.shareOver(cache);
  const rateLimiter = rateLimits?.limiter ?? null;
  const audit = createAudit(config, { database, log, metrics });
  const quotas = createQuotas(start, { clock, log, metrics, shared: redis?.quotaCounters ?? null });
  const apiTokens = apiTokenParts({ registry, clock, log, metrics });
  const tokenGate = apiTokens.gate;

  const executions = executionParts(config, {
    ...{ worker, registry, counters, link, clock, log, metrics },
  });

  // The owner of what a request names: this worker, another worker of the process, another replica.
  const replica = new ReplicaNumber(start.replicaSeed);
  const place = { replica, worker };
  const signatures = new ReplicaSignatures(secrets.authEncryptionSecret);
  const registration = registrationOf(config, { records: cache, signatures, clock, log, replica });
  const local = new LocalServer({ clock, registration, tracer });
  const ports = new WorkerPorts(local.serve, memory);
  const succession = new Succession({ worker, workerCount, isSuccessor, ports });
  const clients = new ClientWatch();
  const cluster = registration === null ? null : await Cluster.open({
    ...{ config, clock, log, metrics, clients, signatures, replica, registration, local },
    workers: succession,
    records: cache,
    readElsewhere: async (number) =>
      (await link.askAll({ type: "replica_record", replica: number })).find((record) => record !== null) ??
        null,
  });
  const wayTo = cluster?.wayTo ?? ((claims) => succession.wayTo(claims.worker));

  // The parts that serve requests.
  const upstreamCalls: UpstreamCalls = new UpstreamCalls({
    wayHere: succession.wayTo,
    wayTo: cluster?.wayToCallers ?? succession.wayTo,
    predecessor: succession.predecessor,
    callers: () => gateway.callers,
    upstreams: () => gateway.upstreams,
    tracer,
    refresh: async () => await gateway.catalog.refresh(await registry.readCatalogVersion()),
  });
  const gateway: Gateway = await createGateway({
    ...{ config, secrets, log, metrics, accessLog, tracer, rateLimiter, tokenGate, quotas, store, memory },
    records: cache,
    executions: executions?.meter ?? null,
    callAudit: audit.callAudit,
    peers: { place, catalogChanged, wayTo, callOwners: upstreamCalls, predecessor: succession.predecessor },
  });
  const { outbound, upstreams, dispatcher, catalog, sync, duplex } = gateway;
  const {
    admission,
    callers,
    listAnnouncer,
    taskIds,
    ids,
    pendingCalls,
    expiry,
    listeners,
    sessionlessRequests,
  } = gateway;
  const sessions = new DownstreamSessions({
    ...{ ids, records: cache, clock, place, taskIds, expiry, memory, turns, callers },
    lists: gateway.ownLists,
    idleMs: config.sessionTtlMs,
    clientRequestTimeoutMs: config.mcpClientRequestTimeoutMs,
    resumeWindowMs: config.streamResumeWindowMs,
    limits: { perCaller: config.maxSessionsPerCaller, perWorker: config.maxSessions },
  });
  const maxJsonDepth = config.validationMaxJsonDepth;
  const streamableHttp = new StreamableHttp({
    ...{ dispatcher, sessions, maxJsonDepth, rateLimiter, tokenGate, upstreams, memory },
    batchPlaces: { admission, callers, memory },
    catalog: () => catalog.now,
    onStray: (session, text) => {
      if (succession.predecessor() !== null) void link.askAll({ type: "client_said", session, text });
    },
    predecessor: succession.predecessor,
  });
  const sessionlessHttp = new SessionlessHttp({
    ...{ requests: sessionlessRequests, pendingCalls, dispatcher, maxJsonDepth },
    limits: { callers, memory },
  });
  const { handle, legacySse, webSocket, restDeps } = createEndpoints({
    ...{ place, config, secrets, clock, log, metrics, accessLog, link, gateway, clients, cluster },
    ...{ wayTo, memory, turns, records: cache },
    ...{ streamableHttp, sessionlessHttp, succession, catalogChanged, redis, rateLimiter, quotas, audit },
    ...{ apiTokens, tracer, trustedProxies },
    executions: executions?.writer ?? null,
  });
  local.register(
    "session",
    succession.whileOwning((request, signal) => {
      const { sessionId } = request;
      const claims = sessionId === null ? null : ids.open(sessionId, clock.now());
      return streamableHttp.serve(request, claims, signal);
    }),
  );
  local.register("released_session", (request) => {
    const claims = ids.open(request.sessionId!, clock.now());
    if (claims === null) throw new SluiceError("SESSION_NOT_FOUND");
    return Promise.resolve(streamableHttp.resume(request, claims));
  });
  const serveUpstreamCall = succession.whileOwning(upstreamCalls.serve);
  local.register(
    "upstream_call",
    // An answer belongs to a call that has begun, also in a worker that has a successor.
    (request, signal) =>
      (request.upstreamAnswer === undefined ? serveUpstreamCall : upstreamCalls.serve)(request, signal),
  );
  local.register("pending_call", sessionlessHttp.serve);
  local.register("sse_stream", (message) => legacySse.receive(message));

  // Work by the clock. One worker of each replica applies for the leader's jobs, and reports what all workers would report alike.
  const maintenance = new Maintenance({
    ...{ config, log, catalog, sessions, duplex, listeners, legacySse },
    sweepCache: sweptBy === "each" ? sweepCache : null,
  });
  const conflicts = worker === 0 ? new Conflicts(log) : null;
  const { auditRecords } = restDeps;
  const sweepStore = storeSweep(config, { registry, auditRecords, executions, clock, log });
  const leaderJobs = worker !== 0 ? null : createLeaderJobs({
    ...{ config, clock, log, metrics, registry, outbound, sync, catalogChanged },
    leases: createLeases(database),
    sweep: async () => {
      if (sweptBy === "one") await sweepCache();
      await sweepStore();
    },
    countLogins: () => registry.connections.countByState(clock.now(), SOON_MS),
    upstreams: () => upstreams.usable(),
    revokeTokens: async () => await outbound.revocations?.run(),
    exportAudit: createAuditExports(config, {
      ...{ database, outbound, clock, log, metrics, auditRecords },
      print: (lines) => link.writeLog(lines, "audit"),
    }),
    onListChanged: (gatewayId) => sync.listChanged(gatewayId),
  });
  const countAcceptFailure = metrics.counter("sluice_accept_failures_total");
  const countShed = metrics.counter("sluice_callers_shed_total");
  const retirement = new Retirement(config, {
    link,
    shed: (maxChars) => {
      for (const shed of memory.shed(maxChars)) {
        log.warning("a caller's sessions and streams ended, memory is short", { ...shed });
        countShed();
      }
    },
  });
  registerGauges(metrics, {
    ...{ admission, outbound, sessions, duplex, pendingCalls, memory, redis, catalog, conflicts },
    ...{ config, worker, upstreams, pool: gateway.pool, callerSessions: gateway.callerSessions },
  });
  const endLoopDelay = measureLoopDelay(metrics.histogram("sluice_event_loop_delay_seconds")(String(worker)));

  // Listeners, then the start.
  conflicts?.update(catalog.now);
  listAnnouncer.add(sessions);
  catalog.onChange((before, after) => {
    sessions.review(after, upstreams);
    maintenance.endLapsedStreams();
    if (!after.offersAs(before)) conflicts?.update(after);
    leaderJobs?.registryChanged();
  });
  replica.onLost(() => void sessions.close().catch((error) => log.error("sessions not closed", { error })));
  redis?.onBack(() => {
    cluster?.recordsAreBack();
    void sessions.persist().catch((error) => log.error("sessions not kept", { error }));
  });
  await registration?.start();
  leaderJobs?.start();

  return {
    handle: (request, info) => {
      retirement.served();
      return handle(request, info);
    },
    onServerError: (error) => {
      const correlationId = correlationIdFrom(null);
      log.debug("connection failed", { error, correlationId });
      return new Response(null, { status: 500, headers: { [CORRELATION_HEADER]: correlationId } });
    },
    onAcceptFailed: (error) => {
      log.warning("cannot accept connections, listening again soon", { reason: reasonOf(error) });
      countAcceptFailure();
    },
    ports,
    clientGone: (request) => clients.gone(request),
    run: (command) =>
      runCommand(command, {
        ...{ worker, gateway, metrics, sessions, cluster, succession, leaderJobs, rateLimits },
        applyConfigFile: async (content) => {
          // Loaded on use, with an npm package.
          const { applyConfigFile } = await import("../../admin/imports/config_file_sync.ts");
          const deps = { ...restDeps, checkEgress: (url: URL) => outbound.check(url, true) };
          const changes = await applyConfigFile(deps, operatorOf(config.platformAdminEmail), content);
          await audit.fileApplied(content.source, changes);
          return changes;
        },
      }),
    resign: async () => await leaderJobs?.resign(),
    webSocketPorts: () => webSocket.peerPorts(),
    whenIdle: async () => {
      const until = clock.now() + config.gracefulTimeoutMs;
      // A client comes back to a pending call, or polls, through the successor alone: without one there is nothing to wait for.
      const isBusy = () =>
        ports.isServing || succession.hasSuccessor && (pendingCalls.size > 0 || sessions.awaitsPoll);
      while (isBusy() && clock.now() < until) await sleep(clock, LOOK_MS);
    },
    endStreams: async () => {
      sessions.endStreams();
      listeners.end();
      for (const stream of restDeps.logLines.streams) stream.end();
      await duplex.drain();
    },
    close: async () => {
      await leaderJobs?.resign();
      maintenance.close();
      endLoopDelay();
      retirement.close();
      rateLimits?.close();
      clients.close();
      await sessions.close();
      // With a successor the process goes on, and keeps its record.
      await (succession.isOver ? registration?.stop() : registration?.leave());
      cluster?.close();
      await closeCache();
      await gateway.close();
      await traces?.close();
      await restDeps.auditTrail?.close();
      await apiTokens.counters.close();
      await executions?.writer.close();
      await database.close();
      accessLog.close();
    },
  };
}
