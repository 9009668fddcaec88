// What the supervisor and its workers say to each other: plain data only, over node:worker_threads messages.
import type { Config } from "../config/schema.ts";
import type { ErrorCode, ErrorParams } from "../base/errors.ts";
import type { Secrets } from "../store/secrets.ts";
import type { MetricsSnapshot } from "../telemetry/metrics.ts";
import type { PoolSnapshot } from "../upstream/pool/metrics.ts";

/** One worker's state as shown to operators; merged over all workers. */
export interface WorkerReport {
  readonly worker: number;
  readonly metrics: MetricsSnapshot;
  readonly pool: PoolSnapshot;
}

/** What every worker can be asked to do; the answer to each is in `Answers`. */
export type Question =
  /** The store has a new catalog: read it. */
  | { readonly type: "read_catalog" }
  | { readonly type: "report" }
  /** Close pooled sessions: those of one upstream, or all. */
  | { readonly type: "drain_pool"; readonly upstreamId: string | null };

export interface Answers {
  readonly read_catalog: null;
  readonly report: WorkerReport;
  readonly drain_pool: { readonly closed: number; readonly pending: number };
}

export type ToWorker =
  | {
    readonly type: "start";
    readonly worker: number;
    readonly workerCount: number;
    readonly config: Config;
    readonly secrets: Secrets;
  }
  /** A way to another worker; sent anew when that one was replaced. */
  | { readonly type: "peer"; readonly worker: number; readonly port: MessagePort }
  | { readonly type: "peer_gone"; readonly worker: number }
  /** To be answered by `done`. */
  | { readonly type: "question"; readonly request: number; readonly question: Question }
  /** What all workers answered to this worker's `ask_all`. */
  | { readonly type: "answers"; readonly request: number; readonly values: readonly unknown[] }
  | { readonly type: "drain" };

export type FromWorker =
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
  /** A question for all workers, this one too; `answers` comes when each has answered or died. */
  | { readonly type: "ask_all"; readonly request: number; readonly question: Question }
  | { readonly type: "drained" };
