// What the supervisor and its workers say to each other: plain data only, over node:worker_threads messages.
import type { Config } from "../config/schema.ts";
import type { ErrorCode, ErrorParams } from "../base/errors.ts";
import type { Secrets } from "../store/secrets.ts";
import type { MetricsSnapshot } from "../telemetry/metrics.ts";

/** One worker's state as shown to operators; merged over all workers. */
export interface WorkerReport {
  readonly worker: number;
  readonly metrics: MetricsSnapshot;
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
  /** The store has a new catalog: read it, then answer `catalog_read`. */
  | { readonly type: "read_catalog"; readonly request: number }
  | { readonly type: "report"; readonly request: number }
  /** The answer to a request of this worker. */
  | { readonly type: "answer"; readonly request: number; readonly value: unknown }
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
  | { readonly type: "done"; readonly request: number; readonly value?: unknown }
  /** This worker has committed a write: answered when every worker has read the catalog. */
  | { readonly type: "catalog_changed"; readonly request: number }
  /** Asks for the reports of all workers. */
  | { readonly type: "collect_reports"; readonly request: number }
  | { readonly type: "drained" };
