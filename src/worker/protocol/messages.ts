// Room `protocol`: the messages between the supervisor and its workers, over node:worker_threads. They are plain data. Both sides and
// every part of a worker may import this room; it holds types only.
import type { UpstreamLoad } from "../../admin/rest/deps.ts";
import type { ConfigFileChanges, ConfigFileContent } from "../../admin/imports/config_file_sync.ts";
import type { Config } from "../../config/schema.ts";
import type { RunningSettings } from "../../config/settings_report.ts";
import type { ExecutionBatch } from "../../store/executions/execution_rows.ts";
import type { ErrorCode, ErrorParams } from "../../base/errors.ts";
import type { CountName, OwnCounts } from "../../http/limits/rate_limit.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import type { SessionIdentity } from "../../downstream/session/downstream_sessions.ts";
import type { Checkup } from "../../telemetry/checkup.ts";
import type { LineKind } from "../../telemetry/log.ts";
import type { FoundLines, LogQuery } from "../../telemetry/recent_log.ts";
import type { MetricsSnapshot } from "../../telemetry/metric_values.ts";
import type { WorkerStatus } from "../../telemetry/worker_status.ts";
import type { CallerKey } from "../../upstream/bound/caller_sessions.ts";
import type { BoundTransfer } from "../../upstream/upstreams.ts";
import type { PoolSnapshot } from "../../upstream/pool/pool_metrics.ts";

/** One worker's state as operators see it, merged over all workers. */
export interface WorkerReport {
  readonly worker: number;
  readonly metrics: MetricsSnapshot;
  readonly pool: PoolSnapshot;
}

/** A command for a worker. `CommandResults` has the type of each result. */
export type WorkerCommand = AppCommand | ListenCommand;

/** A command for the supervisor itself. Its one result is the supervisor's. */
export type SupervisorCommand =
  /** The metrics of all workers, ended ones included, and its own. */
  | { readonly type: "metrics" }
  /** The kept lines of the log that fit. */
  | { readonly type: "find_lines"; readonly query: LogQuery }
  /** The living workers. */
  | { readonly type: "workers" }
  /** The settings in effect, without secrets. */
  | { readonly type: "settings" }
  /** What the doctor has found. */
  | { readonly type: "checkup" }
  /** Examine this replica now. The result is what was found before. */
  | { readonly type: "examine" }
  /** Give the reason why the gateway has not started, though its workers serve. */
  | { readonly type: "start_up" }
  /** Give what was executed and is not in the database. The same again, until it is written. */
  | { readonly type: "execution_batch" }
  /** The database has this batch. */
  | { readonly type: "executions_written"; readonly sequence: number };

/** Commands whose result the command line makes. */
export type ReportCommand = "settings" | "checkup" | "examine" | "start_up";

/** Commands that the application of a worker runs. */
export type AppCommand =
  /** Read the catalog, unless the worker has this version of it. */
  | { readonly type: "read_catalog"; readonly version: string }
  /** Read the version of the catalog in the store. */
  | { readonly type: "catalog_version" }
  /** Give the record of another replica as last read. Asked while the store of the records is away. */
  | { readonly type: "replica_record"; readonly replica: number }
  /** Take a client's message that concerns something under way in the worker that had its session before. */
  | { readonly type: "client_said"; readonly session: string; readonly text: string }
  | { readonly type: "report" }
  /** Count the processes of stdio upstreams, and the calls under way. */
  | { readonly type: "upstream_load" }
  /** Count the requests that the worker has admitted for these callers. */
  | { readonly type: "rate_counts"; readonly names: readonly CountName[] }
  /** Give the sessions away, and forward requests for them: a successor is ready. */
  | { readonly type: "hand_over" }
  | { readonly type: "take_over"; readonly handover: Handover }
  /** End the open WebSockets and SSE sessions when their calls are answered. The result comes after that. */
  | { readonly type: "end_channels" }
  /** Make the registry follow the configuration file of MCP_CONFIG. */
  | { readonly type: "apply_config_file"; readonly content: ConfigFileContent }
  /** Close the pooled sessions of one upstream; null: of all. */
  | { readonly type: "drain_pool"; readonly upstreamId: string | null }
  /** Read the secrets of references anew: SIGHUP. */
  | { readonly type: "renew_secrets" };

/** Commands about the connections of a worker. */
export type ListenCommand =
  /** Ask clients to close their connections: the worker is about to end. */
  | { readonly type: "retire" }
  /** List the connections that have a request under way. */
  | { readonly type: "busy_peers" }
  /** Cancel the requests of these clients, who have closed their connections. As peerName() writes them. */
  | { readonly type: "clients_gone"; readonly peers: readonly string[] }
  /** Read CERT_FILE and KEY_FILE again. */
  | { readonly type: "reload_certificate" }
  /** Close the listeners with earlier certificates. */
  | { readonly type: "close_retired" };

/** Everything that a worker leaves to its successor. */
export interface Handover {
  readonly sessions: readonly SessionHandover[];
  /** The upstream sessions of callers without a downstream session. */
  readonly callers: readonly CallerHandover[];
}

export interface CallerHandover {
  readonly key: CallerKey;
  readonly upstreams: readonly BoundTransfer[];
  /** Ids of upstreams whose processes or sockets for the caller end with the worker. */
  readonly workerLocal: readonly string[];
}

/** A downstream session on its way to another worker. */
export interface SessionHandover {
  readonly session: SessionIdentity;
  readonly upstreams: readonly BoundTransfer[];
}

export interface CommandResults {
  readonly execution_batch: ExecutionBatch | null;
  readonly executions_written: null;
  readonly metrics: MetricsSnapshot;
  readonly find_lines: FoundLines;
  readonly settings: RunningSettings;
  readonly checkup: Checkup;
  readonly examine: Checkup;
  /** null: the gateway has started. */
  readonly start_up: string | null;
  readonly workers: readonly WorkerStatus[];
  readonly hand_over: Handover;
  readonly take_over: null;
  readonly retire: null;
  /** The version that the worker has now; an older one if it could not read the store. */
  readonly read_catalog: string;
  /** null: the store cannot be read now. */
  readonly catalog_version: string | null;
  readonly replica_record: string | null;
  readonly client_said: null;
  readonly report: WorkerReport;
  readonly upstream_load: UpstreamLoad;
  /** null: the worker limits no rates. */
  readonly rate_counts: OwnCounts | null;
  readonly apply_config_file: ConfigFileChanges;
  readonly end_channels: null;
  readonly renew_secrets: null;
  readonly drain_pool: { readonly closed: number; readonly pending: number };
  /** Remote ports. */
  readonly busy_peers: readonly number[];
  readonly clients_gone: null;
  /** Why the old certificate stays in use; null: the new one is in use. */
  readonly reload_certificate: string | null;
  readonly close_retired: null;
}

export type ToWorker =
  | {
    readonly type: "start";
    readonly worker: number;
    /** A living worker has this number: it will hand its sessions over, and `take_over` brings them. */
    readonly isSuccessor: boolean;
    readonly workerCount: number;
    /** The same for all workers of the process: its replica numbers follow from it. */
    readonly replicaSeed: string;
    /** The counters of quotas, which all workers of the process share. */
    readonly quotaMemory: SharedArrayBuffer;
    /** Where the worker counts, for `SharedNumbers`. The supervisor reads it. */
    readonly counters: SharedArrayBuffer;
    readonly config: Config;
    readonly secrets: GatewaySecrets;
  }
  /** Listen on the port. `ready` is the response. */
  | { readonly type: "listen" }
  /** `pong` is the response, unless the event loop is blocked. */
  | { readonly type: "ping" }
  /** The port to another worker; sent again when that worker is replaced. */
  | { readonly type: "peer"; readonly worker: number; readonly port: MessagePort }
  | { readonly type: "peer_gone"; readonly worker: number }
  /** A worker is gone that was replaced before. */
  | { readonly type: "former_peer_gone"; readonly worker: number }
  /** `done` or `command_failed` is the response. */
  | { readonly type: "command"; readonly request: number; readonly command: WorkerCommand }
  /** The results of an `ask_all`. */
  | { readonly type: "results"; readonly request: number; readonly values: readonly unknown[] }
  | { readonly type: "drain" };

export type FromWorker =
  /** The worker is made, and waits for `listen`. */
  | { readonly type: "prepared" }
  | { readonly type: "pong" }
  /** Lines for standard output. Only the supervisor writes there, because lines of several writers would mix. */
  | { readonly type: "log"; readonly lines: string; readonly kind?: LineKind }
  /** The worker should be replaced: it has served enough requests, or uses too much memory. */
  | { readonly type: "wants_recycling"; readonly reason: string }
  /** The worker listens. */
  | { readonly type: "ready" }
  /** The worker could not accept a connection. It listens again soon, by a new socket. */
  | { readonly type: "cannot_accept" }
  | { readonly type: "listening_again" }
  /** The worker cannot start; the process should end with this failure. */
  | {
    readonly type: "failed";
    readonly code: ErrorCode;
    readonly params: ErrorParams;
    readonly cause: string;
  }
  | { readonly type: "done"; readonly request: number; readonly value: unknown }
  /** A command has failed, for the cause in words. The worker goes on. */
  | {
    readonly type: "command_failed";
    readonly request: number;
    readonly command: WorkerCommand["type"];
    readonly cause: string;
  }
  /** A command for all workers, this one included. `results` comes when each has finished or died. */
  | {
    readonly type: "ask_all";
    readonly request: number;
    readonly command: WorkerCommand | SupervisorCommand;
  }
  /** The worker has ended, and counts nothing any more. */
  | { readonly type: "drained" };
