// The gateway without a listener: catalog, upstreams, dispatcher, sessionless requests, and sessions on duplex channels. A worker
// adds HTTP, `sluice stdio` adds its standard input and output.
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import { systemClock } from "../../base/clock.ts";
import { Emitter } from "../../base/emitter.ts";
import { type ErrorCode, ERRORS, reasonOf, type SluiceError } from "../../base/errors.ts";
import type { Cache } from "../../cache/cache.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import { Holds } from "../../catalog/holds.ts";
import type { CatalogSync } from "../../catalog/catalog_sync.ts";
import { LiveCatalog } from "../../catalog/live_catalog.ts";
import type { Config } from "../../config/schema.ts";
import { DuplexSessions } from "../../downstream/duplex/duplex_sessions.ts";
import type { OwnListsDeps } from "../../downstream/client/own_lists.ts";
import { UniformLists } from "../../downstream/client/uniform_lists.ts";
import { createNaming } from "../../catalog/snapshot/tool_name.ts";
import { ListAnnouncer } from "../../downstream/client/list_announcer.ts";
import type { Owned, Serve } from "../../downstream/exchange/mcp_exchange.ts";
import { TokenExpiry } from "../../downstream/exchange/token_expiry.ts";
import { Listeners } from "../../downstream/sessionless/listeners.ts";
import { SessionlessRequests } from "../../downstream/sessionless/requests.ts";
import { PendingCalls } from "../../downstream/sessionless/pending_calls.ts";
import { type SessionClaims, SessionIds, type WorkerPlace } from "../../downstream/session/session_id.ts";
import { UpstreamStates } from "../../downstream/sessionless/upstream_states.ts";
import { UpstreamSubscriptions } from "../../downstream/sessionless/upstream_subscriptions.ts";
import type { AccessLog } from "../../http/access_log.ts";
import type { Quotas } from "../../auth/quotas/quotas.ts";
import { Callers } from "../../auth/callers.ts";
import { NO_TOKEN_CHANGES } from "../../auth/token_changes.ts";
import type { TokenGate } from "../../auth/api_tokens/token_gate.ts";
import { People } from "../../auth/people.ts";
import { Admission } from "../../http/limits/admission.ts";
import type { RateLimiter } from "../../http/limits/rate_limit.ts";
import { ErrorReporter, rpcErrorText } from "../../http/error_response.ts";
import { LoginQuestions } from "../../proxy/call/login_question.ts";
import { CallMeter } from "../../proxy/call/call_meter.ts";
import type { CallAudit } from "../../proxy/call/call_audit.ts";
import { Dispatcher } from "../../proxy/dispatch.ts";
import { ListCursors } from "../../proxy/call/list_cursor.ts";
import { ResourceLinks } from "../../proxy/resources/resource_links.ts";
import { TaskIds } from "../../proxy/tasks/task_ids.ts";
import { TaskListCursors } from "../../proxy/methods/tasks_list.ts";
import { UpstreamCaller } from "../../proxy/methods/upstream_caller.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import type { Log } from "../../telemetry/log.ts";
import type { ExecutionMeter } from "../../telemetry/executions.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Tracer } from "../../telemetry/traces/tracer.ts";
import { ALL_HERE, type CallOwners } from "../../upstream/bound/forwarded_call.ts";
import { CallerSessions } from "../../upstream/bound/caller_sessions.ts";
import { ObservedHealth } from "../../upstream/health/observed_health.ts";
import { Upstreams } from "../../upstream/upstreams.ts";
import { VERSION } from "../../version.ts";
import { createDiscover, type Discover } from "./discovery.ts";
import { createCatalogSync } from "./upstream_refresh.ts";
import type { Store } from "./open_store.ts";
import { createOutbound, type Outbound } from "./outbound.ts";
import { createSessionPool, identityHasher } from "./upstream_sharing.ts";

export interface GatewayParts {
  readonly config: Config;
  readonly secrets: GatewaySecrets;
  readonly log: Log;
  readonly metrics: Metrics;
  /** null: the database gets no executions. */
  readonly executions: ExecutionMeter | null;
  readonly accessLog: AccessLog;
  /** null: OTEL_ENABLE_OBSERVABILITY=false. */
  readonly tracer: Tracer | null;
  /** null: RATE_LIMITING_ENABLED=false. */
  readonly rateLimiter: RateLimiter | null;
  /** null: `sluice stdio`, which serves one user. */
  readonly quotas: Quotas | null;
  /** null: this process takes no tokens. */
  readonly tokenGate: TokenGate | null;
  /** null: nothing is recorded. */
  readonly callAudit: CallAudit | null;
  readonly store: Store;
  readonly memory: ClientMemory;
  /** Shared by the workers, if this process does not serve alone. */
  readonly records: Cache;
  /** null: this process serves alone. */
  readonly peers: GatewayPeers | null;
}

/** The other workers and replicas, as the worker of this gateway reaches them. */
export interface GatewayPeers {
  readonly place: WorkerPlace;
  /** The registry has changed: every worker reads it again, this one included. */
  catalogChanged(): Promise<void>;
  /** The way to the worker, of this replica or another, that owns what the claims name; null: this worker. */
  wayTo(claims: SessionClaims, owned: Owned): Serve | null;
  /** The workers that keep the upstream sessions of callers. */
  readonly callOwners: CallOwners;
  /** The way to the predecessor of this worker; null: there is none. */
  predecessor(): Serve | null;
}

export interface Gateway {
  readonly store: Store;
  readonly outbound: Outbound;
  readonly pool: ReturnType<typeof createSessionPool>["pool"];
  readonly upstreams: Upstreams;
  readonly callerSessions: CallerSessions;
  readonly catalog: LiveCatalog;
  readonly sync: CatalogSync;
  readonly holds: Holds;
  readonly discover: Discover;
  readonly listAnnouncer: ListAnnouncer;
  /** For sessions over streamable HTTP. */
  readonly ownLists: OwnListsDeps;
  readonly dispatcher: Dispatcher;
  /** The number of calls under way by the id of the upstream. */
  callsByUpstream(): ReadonlyMap<string, number>;
  readonly taskIds: TaskIds;
  readonly admission: Admission;
  readonly callers: Callers;
  readonly errors: ErrorReporter;
  /** Counts requests that were refused unread. */
  readonly countRefused: (code: ErrorCode) => void;
  /** Sessions on SSE of 2024-11-05, WebSocket and stdio. */
  readonly duplex: DuplexSessions;
  readonly ids: SessionIds;
  readonly pendingCalls: PendingCalls;
  readonly expiry: TokenExpiry;
  readonly listeners: Listeners;
  readonly sessionlessRequests: SessionlessRequests;
  /** Reads the registry again if it has changed. @throws {SluiceError} STORE_UNAVAILABLE */
  refreshCatalog(): Promise<void>;
  /** Closes everything but the store. */
  close(): Promise<void>;
}

/** The place of a process that serves alone. It stands in ids, and nobody reads it there. */
const ALONE: WorkerPlace = { replica: { now: 0 }, worker: 0 };

/** @throws {SluiceError} STORE_UNAVAILABLE */
export async function createGateway(parts: GatewayParts): Promise<Gateway> {
  const { config, secrets, log, metrics, accessLog, rateLimiter, tokenGate, quotas, store, memory } = parts;
  const { records, peers, tracer } = parts;
  const { registry, secretBox } = store;
  const clock = systemClock;
  const countError = metrics.counter("sluice_errors_total");
  const countUnread = metrics.counter("sluice_requests_refused_total");
  const countRefused = (code: ErrorCode) => {
    countUnread(code);
    countError(code, ERRORS[code].source);
  };
  const errors = new ErrorReporter(log, countError);

  // Upstreams and what they offer.
  const { upstreamTokens: tokens, endedTokens, connections } = registry;
  const outbound = createOutbound(config, {
    ...{ tokens, endedTokens, connections, secretBox, log, metrics },
  });
  const nameOf = (id: string) => catalog.now.gateway(id)?.name;
  const { pool, breakers } = createSessionPool(config, { clock, log, metrics, nameOf });
  const callerSessions = new CallerSessions({
    clock,
    idleMs: config.sessionTtlMs,
    perCaller: config.maxSessionsPerCaller,
    perWorker: config.maxSessions,
    unrefTimer: Deno.unrefTimer,
  });
  metrics.gauge("sluice_caller_sessions", () => callerSessions.size);
  const listChanges = new Emitter<[upstreamId: string, method: string]>();
  const countLost = metrics.counter("sluice_upstream_sessions_lost_total");
  const refusals = new Emitter<[upstreamId: string]>();
  const processes = new Emitter<[upstreamId: string, failure: unknown]>();
  const upstreams = new Upstreams({
    transports: outbound.transports,
    shared: {
      clientInfo: outbound.clientInfo,
      createTimeoutMs: config.mcpSessionPoolCreateTimeoutMs,
      stdioStartTimeoutMs: config.stdioStartTimeoutMs,
      pool,
      poolEnabled: config.mcpSessionPoolEnabled,
      callers: callerSessions,
      owners: peers?.callOwners ?? ALL_HERE,
      breakers,
      identities: identityHasher(config, secrets),
      onListChanged: listChanges.emit,
      onSessionLost: (upstream) => {
        countLost();
        log.info("upstream has lost a session, a new one is in its place", { upstream });
      },
      onRevisionRefused: refusals.emit,
      onProcess: processes.emit,
    },
    passthrough: {
      enabled: config.enableHeaderPassthrough,
      defaultNames: config.defaultPassthroughHeaders,
      sensitive: config.enableSensitiveHeaderPassthrough,
      overwrite: config.enableOverwriteBaseHeaders,
      isTraced: tracer !== null,
    },
    targetOf: outbound.targetOf,
    onShared: ({ name }) => {
      // All workers of a process would say the same.
      if ((peers?.place.worker ?? 0) === 0) {
        log.warning("upstream is shared: all callers meet the same state", { upstream: name });
      }
    },
    onUnusable: ({ name }, error: SluiceError) =>
      log.error("upstream cannot be used", { upstream: name, reason: reasonOf(error) }),
  });
  let applyUpstreams = () => {};
  const catalog = await LiveCatalog.open({
    read: async (former) => {
      const changes = former === null ? null : await registry.readChanges(former.known);
      const rows = former !== null && changes !== null
        ? { ...changes, former }
        : await registry.readCatalog(former?.known.versions);
      const people = rows.people === null ? former?.people : new People(rows.people, {
        platformAdminEmail: config.platformAdminEmail,
        requireUser: config.requireUserInDb,
        now: () => clock.now(),
      }, former?.people ?? null);
      const read = new Catalog(rows, {
        ...{ naming: config.mcpNaming, revisions: config.mcpRevisions, people },
        tokenChanges: (former?.tokenChanges ?? NO_TOKEN_CHANGES).with(rows),
      });
      applyUpstreams = read.gateways === former?.gateways ? () => {} : await upstreams.prepare(read.gateways);
      return read;
    },
    onFailure: (error) => log.error("catalog cannot be read, its former snapshot serves on", { error }),
  });
  applyUpstreams();
  const refreshCatalog = async () => void await catalog.refresh(await registry.readCatalogVersion());

  // Requests of clients.
  const taskIds = new TaskIds(secrets.authEncryptionSecret);
  const links = new ResourceLinks(records);
  const callers = new Callers(
    { calls: config.maxCallsPerCaller, streams: config.maxStreamsPerCaller },
    memory,
  );
  const meter = new CallMeter(metrics, config.metricsMaxNames, parts.executions);
  const caller = new UpstreamCaller(upstreams, {
    toolTimeoutMs: config.toolTimeoutMs,
    requestTimeoutMs: config.mcpSessionPoolTransportTimeoutMs,
    taskIds,
    links,
    callers,
    quotas,
    meter,
    loginQuestions: new LoginQuestions({
      ...{ clock, timeoutMs: config.mcpClientRequestTimeoutMs, publicUrl: config.gatewayPublicUrl },
      isSecure: config.ssl,
      connections: (user) => connections.listOf(user),
      recheck: () => outbound.logins.recheck(),
    }),
  });
  const dispatcher = new Dispatcher(caller, {
    identity: { name: "sluice", version: VERSION },
    paging: { cursors: new ListCursors(secrets.authEncryptionSecret), pageSize: config.mcpListPageSize },
    taskCursors: new TaskListCursors(secrets.authEncryptionSecret),
    toErrorObject: (thrown, call) => rpcErrorText(errors.report(thrown, call)),
    audit: parts.callAudit,
    meter,
  });
  const admission = new Admission({ requests: config.backpressure, streams: config.maxStreams });
  const ids = new SessionIds(secrets.authEncryptionSecret);
  const timeoutMs = config.mcpClientRequestTimeoutMs;
  const pendingCalls = new PendingCalls({
    ...{ ids, clock, timeoutMs, callers, memory, limit: config.maxStreams },
    place: peers?.place ?? ALONE,
    predecessor: () => peers?.predecessor() ?? null,
  });
  const expiry = new TokenExpiry(clock);
  const listeners = new Listeners(expiry, memory);
  const sessionlessRequests = new SessionlessRequests({
    dispatcher,
    catalog: () => catalog.now,
    pendingCalls,
    states: new UpstreamStates({ secret: secrets.authEncryptionSecret, clock, timeoutMs }),
    listeners,
    subscriptions: new UpstreamSubscriptions(upstreams, taskIds, links),
    streamsAreFull: () => admission.streamsAreFull,
  });
  const naming = createNaming({
    separator: config.gatewayToolNameSeparator,
    maxLength: config.gatewayToolNameMaxLength,
  });
  const catalogChanged = peers?.catalogChanged ?? refreshCatalog;
  const countHeld = metrics.counter("sluice_upstream_changes_held_total");
  const holds = new Holds({ registry, log, catalogChanged, count: countHeld });
  const uniformLists = new UniformLists();
  const ownLists: OwnListsDeps = {
    ...{ clock, upstreams, naming, callers, memory, holds },
    catalog: () => catalog.now,
    uniform: uniformLists,
    limits: { maxEntries: config.maxUpstreamListEntries, maxBytes: config.maxUpstreamListBytes },
    timeoutMs: config.mcpSessionPoolTransportTimeoutMs,
    countRead: metrics.counter("sluice_session_list_reads_total"),
  };
  const duplex = new DuplexSessions({
    lists: ownLists,
    dispatcher,
    catalog: () => catalog.now,
    upstreams,
    admission,
    callers,
    memory,
    errors,
    rateLimiter,
    tokenGate,
    countRefused,
    ...{ accessLog, tracer },
    clock,
    expiry,
    maxJsonDepth: config.validationMaxJsonDepth,
    clientRequestTimeoutMs: timeoutMs,
    sessionless: {
      requests: sessionlessRequests,
      pendingCalls,
      pendingElsewhere: (claims) => peers?.wayTo(claims, "pending_call") ?? pendingCalls.keptBefore(claims),
    },
  });

  // Changes: of the registry, and of an upstream's lists. What a new catalog does not allow ends before anything else happens, calls
  // first, so that they fail with the reason.
  quotas?.use(catalog.now.quotas);
  catalog.onChange((_before, after) => {
    quotas?.use(after.quotas);
    caller.review(after);
    outbound.logins.recheck();
    applyUpstreams();
    duplex.review(after);
    listeners.review(after);
    uniformLists.keep(after.gateways);
  });
  const listAnnouncer = new ListAnnouncer(clock);
  listAnnouncer.add(duplex);
  listAnnouncer.add(listeners);
  catalog.onChange((before, after) => listAnnouncer.changed(before, after));
  const discover = createDiscover(config, metrics, outbound);
  const sync = createCatalogSync({
    naming,
    clock,
    log,
    metrics,
    registry,
    outbound,
    discover,
    catalogChanged,
    holds,
  });
  refusals.add((gatewayId) => void sync.refresh(gatewayId).catch(() => {}));
  listChanges.add((gatewayId) => sync.listChanged(gatewayId));
  const observed = new ObservedHealth({
    ...{ clock, log, unhealthyThreshold: config.unhealthyThreshold },
    gateway: (id) => catalog.now.gateway(id),
    save: (row, health) => registry.saveHealth(row, health),
    onTurn: () => void catalogChanged().catch((error) => log.error("catalog not read again", { error })),
  });
  processes.add((upstreamId, failure) => observed.saw(upstreamId, failure));

  return {
    store,
    outbound,
    pool,
    upstreams,
    callerSessions,
    catalog,
    sync,
    holds,
    discover,
    listAnnouncer,
    ownLists,
    dispatcher,
    callsByUpstream: () => caller.callsByUpstream(),
    taskIds,
    admission,
    callers,
    errors,
    countRefused,
    duplex,
    ids,
    pendingCalls,
    expiry,
    listeners,
    sessionlessRequests,
    refreshCatalog,
    close: async () => {
      sync.close();
      listAnnouncer.close();
      pendingCalls.close();
      expiry.close();
      await duplex.close();
      await callerSessions.close();
      await pool.close();
      await outbound.close();
    },
  };
}
