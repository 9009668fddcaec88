// Executions of all workers of this process that the database does not have yet. A worker takes a batch, writes it, and says so. If
// it dies in between, the next one gets the same batch under the same number, which the database knows if it has the batch.
import type { ExecutionBatch } from "../store/executions/execution_rows.ts";
import {
  type ExecutionCounts,
  joinedExecutions,
  newExecutions,
  type ToldExecutions,
} from "../telemetry/executions.ts";
import type { SharedNumbers } from "../telemetry/shared_numbers.ts";

/** A transaction with more rows would keep others waiting. */
const MAX_BATCH = 500;

export class ExecutionLedger {
  readonly #writer: string;
  readonly #told: ToldExecutions = new WeakMap();
  /** By kind, id and hour. */
  readonly #waiting = new Map<string, ExecutionCounts>();
  #batch: ExecutionBatch | null = null;
  #sequence = 0;

  /** @param writer names this process, and no other one ever */
  constructor(writer: string) {
    this.#writer = writer;
  }

  /** Takes what a worker has counted since the last time. */
  read(counters: SharedNumbers): void {
    for (const counts of newExecutions(counters, this.#told)) {
      const key = `${counts.kind} ${counts.hour} ${counts.id}`;
      const waiting = this.#waiting.get(key);
      this.#waiting.set(key, waiting === undefined ? counts : joinedExecutions(waiting, counts));
    }
  }

  /** The batch that has to be written next; null: the database has everything. */
  batch(): ExecutionBatch | null {
    if (this.#batch !== null || this.#waiting.size === 0) return this.#batch;
    const counts = [...this.#waiting].slice(0, MAX_BATCH);
    for (const [key] of counts) this.#waiting.delete(key);
    this.#batch = {
      writer: this.#writer,
      sequence: ++this.#sequence,
      counts: counts.map(([, count]) => count),
    };
    return this.#batch;
  }

  /** The database has the batch of this number. */
  written(sequence: number): void {
    if (this.#batch?.sequence === sequence) this.#batch = null;
  }
}
