// What the supervisor says of a worker.

export interface WorkerStatus {
  readonly worker: number;
  /** The states follow in this order. Every state may go straight to draining or dead. */
  readonly state: "starting" | "prepared" | "ready" | "draining" | "dead";
  /** ms since the epoch. */
  readonly startedAt: number;
}
