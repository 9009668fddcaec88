// The object graph that every way in shares: database, catalog, upstreams, dispatcher, requests of 2026-07-28, and the sessions of
// duplex channels. A worker puts HTTP around it, `sluice stdio` its own standard input and output.
import { systemClock } from "../../base/clock.ts";
import { type ErrorCode, ERRORS, reasonOf, type SluiceError } from "../../base/errors.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { CatalogSync } from "../../catalog/catalog_sync.ts";
import type { Config } from "../../config/schema.ts";
import type { SessionlessCallsDeps } from "../../downstream/duplex/sessionless_calls.ts";
import { DuplexSessions } from "../../downstream/duplex/duplex_sessions.ts";
import { announceListChanges, type UpstreamChange } from "../../downstream/client/list_changes.ts";
import { Listeners } from "../../downstream/sessionless/listeners.ts";
import { SessionlessRequests } from "../../downstream/sessionless/requests.ts";
import { ParkedCalls } from "../../downstream/sessionless/pending_calls.ts";
import { SessionIds } from "../../downstream/session/session_id.ts";
import { UpstreamStates } from "../../downstream/sessionless/upstream_states.ts";
import { UpstreamSubscriptions } from "../../downstream/sessionless/upstream_subscriptions.ts";
import type { AccessLog } from "../../http/access_log.ts";
import { Admission } from "../../http/admission.ts";
import type { RateLimiter } from "../../http/rate_limit.ts";
import { ErrorReporter, rpcErrorText } from "../../http/error_response.ts";
import { Dispatcher } from "../../proxy/dispatch.ts";
import { ListCursors } from "../../proxy/call/list_cursor.ts";
import { TaskIds } from "../../proxy/tasks/task_ids.ts";
import { TaskListCursors } from "../../proxy/methods/tasks_list.ts";
import { UpstreamCaller } from "../../proxy/methods/upstream_caller.ts";
import { openDatabase } from "../../store/open_database.ts";
import { createRegistry, type Registry } from "../../store/registry/registry.ts";
import { createSecretBox, type SecretBox } from "../../store/secret_box.ts";
import type { Secrets } from "../../store/secrets.ts";
import type { Database } from "../../store/sql/sql.ts";
import type { CatalogRows } from "../../store/registry/rows.ts";
import { correlationIdOf } from "../../telemetry/call_note.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { Upstreams } from "../../upstream/upstreams.ts";
import { VERSION } from "../../version.ts";
import { createCatalogSync } from "./upstream_refresh.ts";
import { ListAnnouncements } from "./list_announcements.ts";
import { LiveCatalog } from "../../catalog/live_catalog.ts";
import { createOutbound, type Outbound } from "./outbound.ts";
import { createSessionPool, identityHasher } from "./upstream_sharing.ts";

export interface GatewayParts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Log;
  readonly metrics: Metrics;
  /** null: DISABLE_ACCESS_LOG. */
  readonly accessLog: AccessLog | null;
  /** null: nobody is limited. */
  readonly rateLimiter: RateLimiter | null;
  /** The registry has been written: let everybody read it who serves from it. */
  readonly catalogChanged: () => Promise<void>;
  /** Let everybody tell their clients of a change that no catalog shows. */
  readonly announce: (change: UpstreamChange) => Promise<unknown>;
  /** Where this process stands among others that have parked calls; null: it is alone. */
  readonly place: GatewayPlace | null;
  /** A snapshot of the registry has been read, and will be the catalog. */
  readonly onSnapshot?: (rows: CatalogRows, snapshot: Catalog) => void;
  /** Clients on duplex channels, and those that listen, have been told. */
  readonly onChange?: (before: Catalog, after: Catalog) => void;
}

export interface GatewayPlace extends Pick<SessionlessCallsDeps, "parkedElsewhere"> {
  readonly replica: () => number;
  readonly worker: number;
}

const ALONE: GatewayPlace = { replica: () => 0, worker: 0, parkedElsewhere: () => null };

export interface Gateway {
  readonly database: Database;
  readonly registry: Registry;
  readonly secretBox: SecretBox;
  readonly outbound: Outbound;
  readonly pool: ReturnType<typeof createSessionPool>["pool"];
  readonly upstreams: Upstreams;
  readonly catalog: LiveCatalog;
  readonly sync: CatalogSync;
  readonly listAnnouncements: ListAnnouncements;
  readonly dispatcher: Dispatcher;
  readonly taskIds: TaskIds;
  readonly admission: Admission;
  readonly errors: ErrorReporter;
  /** Counts requests that were refused unread. */
  readonly countRefused: (code: ErrorCode) => void;
  /** Clients on legacy SSE, WebSocket, stdio. */
  readonly duplex: DuplexSessions;
  readonly ids: SessionIds;
  readonly parked: ParkedCalls;
  readonly listeners: Listeners;
  readonly sessionlessRequests: SessionlessRequests;
  /** Tell clients on duplex channels, and those that listen, of a change that no catalog shows. */
  tellClients(change: UpstreamChange): void;
  close(): Promise<void>;
}

/** @throws {SluiceError} STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function createGateway(parts: GatewayParts): Promise<Gateway> {
  const { config, secrets, log, metrics, accessLog, catalogChanged, announce } = parts;
  const { replica, worker, parkedElsewhere } = parts.place ?? ALONE;
  const clock = systemClock;
  const countError = metrics.counter(
    "sluice_errors_total",
    "Failures by code of the error table and by whose fault",
    ["code", "source"],
  );
  const countUnread = metrics.counter(
    "sluice_requests_refused_total",
    "Requests refused unread, at BACKPRESSURE (OVERLOADED), MAX_STREAMS (TOO_MANY_STREAMS), or on a channel that is full or ends",
    ["code"],
  );
  const countRefused = (code: ErrorCode) => {
    countUnread(code);
    countError(code, ERRORS[code].source);
  };
  const errors = new ErrorReporter(log, countError);

  const database = await openDatabase(config.databaseUrl, {
    settings: config,
    warn: (warning) => log.warning("database", { warning }),
  });
  const registry = createRegistry(database);
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

  const catalog = await LiveCatalog.open({
    read: async () => {
      const rows = await registry.readCatalog();
      await upstreams.update(rows.gateways);
      const snapshot = new Catalog(rows);
      parts.onSnapshot?.(rows, snapshot);
      return snapshot;
    },
    onChange: (before, after) => {
      announceChange(before, after);
      parts.onChange?.(before, after);
    },
    onFailure: (error) => log.error("catalog not read, the one before serves on", { error }),
  });
  const sync = createCatalogSync({ config, clock, log, metrics, registry, outbound, catalogChanged });
  const listAnnouncements = new ListAnnouncements({
    refresh: (gatewayId) => sync.listChanged(gatewayId),
    announce,
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

  const admission = new Admission({ requests: config.backpressure, streams: config.maxStreams });
  const ids = new SessionIds(secrets.authEncryptionSecret);
  const timeoutMs = config.mcpClientRequestTimeoutMs;
  const parked = new ParkedCalls({ ids, clock, replica, worker, timeoutMs, limit: config.maxStreams });
  const listeners = new Listeners();
  const sessionlessRequests = new SessionlessRequests({
    dispatcher,
    catalog: () => catalog.now,
    parked,
    states: new UpstreamStates({ secret: secrets.authEncryptionSecret, clock, timeoutMs }),
    listeners,
    subscriptions: new UpstreamSubscriptions(upstreams, taskIds),
    streamsAreFull: () => admission.streamsAreFull,
  });
  const duplex = new DuplexSessions({
    dispatcher,
    catalog: () => catalog.now,
    upstreams,
    admission,
    errors,
    rateLimiter: parts.rateLimiter,
    countRefused,
    accessLog,
    clock,
    maxJsonDepth: config.validationMaxJsonDepth,
    clientRequestTimeoutMs: timeoutMs,
    sessionless: { requests: sessionlessRequests, parked, parkedElsewhere },
  });
  const announceChange = (before: Catalog, after: Catalog, said?: readonly UpstreamChange[]) => {
    announceListChanges(duplex, before, after, said);
    listeners.announce(before, after, said);
  };

  return {
    database,
    registry,
    secretBox,
    outbound,
    pool,
    upstreams,
    catalog,
    sync,
    listAnnouncements,
    dispatcher,
    taskIds,
    admission,
    errors,
    countRefused,
    duplex,
    ids,
    parked,
    listeners,
    sessionlessRequests,
    tellClients: (change) => announceChange(catalog.now, catalog.now, [change]),
    close: async () => {
      sync.close();
      parked.close();
      await duplex.close();
      await pool.close();
      await outbound.close();
      await database.close();
    },
  };
}
