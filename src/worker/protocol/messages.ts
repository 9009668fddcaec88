// What the supervisor and its workers say to each other: plain data only, over node:worker_threads messages.
import type { Config } from "../../config/schema.ts";
import type { ErrorCode, ErrorParams } from "../../base/errors.ts";
import type { CountName, OwnCounts } from "../../http/rate_limit.ts";
import type { Secrets } from "../../store/secrets.ts";
import type { UpstreamChange } from "../../downstream/client/list_changes.ts";
import type { SessionIdentity } from "../../downstream/session/downstream_sessions.ts";
import type { MetricsSnapshot } from "../../telemetry/metrics.ts";
import type { BoundTransfer } from "../../upstream/upstreams.ts";
import type { PoolSnapshot } from "../../upstream/pool/pool_metrics.ts";

/** One worker's state as shown to operators; merged over all workers. */
export interface WorkerReport {
  readonly worker: number;
  readonly metrics: MetricsSnapshot;
  readonly pool: PoolSnapshot;
}

/** What every worker can be asked to do; the answer to each is in `Answers`. */
export type Question = AppQuestion | ListenQuestion;

/** What the supervisor answers itself: the metrics of all workers, those that have ended too, and its own. */
export type SupervisorQuestion = { readonly type: "metrics" };

export type AppQuestion =
  /** The store's catalog has this version now: read it, unless it is here already. */
  | { readonly type: "read_catalog"; readonly version: number }
  /** Which version has the store's catalog? */
  | { readonly type: "catalog_version" }
  /** What is known of another replica, by its number: the database or Redis that knows for all is away. */
  | { readonly type: "replica_record"; readonly replica: number }
  /** A client's message about something that may be under way in the worker that had its session before. */
  | { readonly type: "client_said"; readonly session: string; readonly text: string }
  /** Tell clients of a change that the catalog does not show. */
  | { readonly type: "announce"; readonly change: UpstreamChange }
  | { readonly type: "report" }
  /** How many requests of these callers has the worker let in? */
  | { readonly type: "rate_counts"; readonly names: readonly CountName[] }
  /** A successor is there: give it the sessions, forward what still comes for them. */
  | { readonly type: "hand_over" }
  | { readonly type: "take_over"; readonly sessions: readonly SessionHandover[] }
  /** End what is one connection, WebSockets and SSE sessions, once its calls are answered; the answer comes then. */
  | { readonly type: "end_channels" }
  /** Close pooled sessions: those of one upstream, or all. */
  | { readonly type: "drain_pool"; readonly upstreamId: string | null };

export type ListenQuestion =
  /** Ask the clients to close their connections; the end is near. */
  | { readonly type: "retire" }
  /** Which connections have a request under way? */
  | { readonly type: "busy_peers" }
  /** These clients have closed their connections: cancel what is under way for them. As peerName() names them. */
  | { readonly type: "clients_gone"; readonly peers: readonly string[] }
  /** Read CERT_FILE and KEY_FILE again. */
  | { readonly type: "reload_certificate" }
  /** Close the listeners with earlier certificates. */
  | { readonly type: "close_retired" };

/** A downstream session on its way to another worker. */
export interface SessionHandover {
  readonly session: SessionIdentity;
  readonly upstreams: readonly BoundTransfer[];
}

export interface Answers {
  readonly metrics: MetricsSnapshot;
  readonly hand_over: readonly SessionHandover[];
  readonly take_over: null;
  readonly retire: null;
  /** Which version this worker has now: an older one where the store could not be read. */
  readonly read_catalog: number;
  /** null: the store cannot be read now. */
  readonly catalog_version: number | null;
  readonly replica_record: string | null;
  readonly announce: null;
  readonly client_said: null;
  readonly report: WorkerReport;
  /** null: this worker limits nobody. */
  readonly rate_counts: OwnCounts | null;
  readonly end_channels: null;
  readonly drain_pool: { readonly closed: number; readonly pending: number };
  /** Their remote ports. */
  readonly busy_peers: readonly number[];
  readonly clients_gone: null;
  /** Why the old certificate is served on; null: the new one is served. */
  readonly reload_certificate: string | null;
  readonly close_retired: null;
}

export type ToWorker =
  | {
    readonly type: "start";
    readonly worker: number;
    /** It takes the place of a worker that lives, and is told to `take_over` what that one has. */
    readonly isSuccessor: boolean;
    readonly workerCount: number;
    /** The process's own, for its number among the replicas. */
    readonly replicaSeed: string;
    readonly config: Config;
    readonly secrets: Secrets;
  }
  /** Listen on the port: the answer is `ready`. */
  | { readonly type: "listen" }
  /** Answered by `pong`, unless the event loop is blocked. */
  | { readonly type: "ping" }
  /** A way to another worker; sent anew when that one was replaced. */
  | { readonly type: "peer"; readonly worker: number; readonly port: MessagePort }
  | { readonly type: "peer_gone"; readonly worker: number }
  /** Likewise, of one that had been replaced before. */
  | { readonly type: "former_peer_gone"; readonly worker: number }
  /** To be answered by `done`. */
  | { readonly type: "question"; readonly request: number; readonly question: Question }
  /** What all workers answered to this worker's `ask_all`. */
  | { readonly type: "answers"; readonly request: number; readonly values: readonly unknown[] }
  | { readonly type: "drain" };

export type FromWorker =
  /** Everything is made; waits for `listen`. */
  | { readonly type: "prepared" }
  | { readonly type: "pong"; readonly counters: MetricsSnapshot }
  /** Lines for standard output. The supervisor alone writes there: lines of several writers would mix. */
  | { readonly type: "log"; readonly lines: string }
  /** Time for a successor: so many requests served, or so much memory in use. */
  | { readonly type: "wants_recycling"; readonly reason: string }
  /** Listening. */
  | { readonly type: "ready" }
  /** Cannot start; the process should end with this. */
  | {
    readonly type: "failed";
    readonly code: ErrorCode;
    readonly params: ErrorParams;
    readonly cause: string;
  }
  | { readonly type: "done"; readonly request: number; readonly value: unknown }
  /** The answer to a question failed, with this in words; the worker goes on. */
  | {
    readonly type: "not_answered";
    readonly request: number;
    readonly question: Question["type"];
    readonly cause: string;
  }
  /** A question for all workers, this one too; `answers` comes when each has answered or died. */
  | { readonly type: "ask_all"; readonly request: number; readonly question: Question | SupervisorQuestion }
  /** It has ended, and counts nothing any more. */
  | { readonly type: "drained"; readonly counters: MetricsSnapshot };
