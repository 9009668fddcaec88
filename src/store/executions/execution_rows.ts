// The rows of executions.
import type { ExecutionCounts } from "../../telemetry/executions.ts";

/** What one process has counted, to be added once. */
export interface ExecutionBatch {
  /** The process. */
  readonly writer: string;
  /** Batches of a process are written in this order. */
  readonly sequence: number;
  readonly counts: readonly ExecutionCounts[];
}

/** Sums of executions. Times are in seconds. */
export interface ExecutionSums {
  readonly count: number;
  readonly failed: number;
  readonly seconds: number;
  readonly least: number;
  readonly greatest: number;
  /** When the last one ended, ms since the epoch. */
  readonly lastMs: number;
}

/** Of an hour or a day. */
export interface ExecutionSpan extends ExecutionSums {
  /** Hours or days since the epoch. */
  readonly start: number;
}
