// The metrics of this process. A counter never falls while the process lives, and no count is lost: workers count in memory that the
// supervisor reads, also after their death.
import { type MetricsSnapshot, MetricSums, NameLimit } from "../telemetry/metric_values.ts";
import { countersIn } from "../telemetry/metrics.ts";
import type { ExecutionBatch } from "../store/executions/execution_rows.ts";
import { SharedNumbers } from "../telemetry/shared_numbers.ts";
import { ExecutionLedger } from "./execution_ledger.ts";

/** The counters of the living workers, and the sum of those of all workers that have ended. */
export class WorkerMetrics<Worker> {
  /** Workers may have given series to different names: the limit holds for all together. */
  readonly #limit: NameLimit;
  /** The living workers, and the one that has ended last: its thread may be finishing a count. */
  readonly #counting = new Map<Worker, SharedNumbers>();
  #lastEnded: Worker | null = null;
  readonly #ended: MetricSums;
  readonly #executions = new ExecutionLedger(crypto.randomUUID());

  /** @param maxNames see METRICS_MAX_NAMES */
  constructor(maxNames = Infinity) {
    this.#limit = new NameLimit(maxNames);
    this.#ended = new MetricSums(this.#limit);
  }

  /** @param counters where the worker counts */
  begin(worker: Worker, counters: SharedArrayBuffer): void {
    this.#counting.set(worker, new SharedNumbers(counters));
  }

  /** The worker has ended: its counters stay, its gauges do not. */
  end(worker: Worker): void {
    const last = this.#lastEnded;
    if (last === worker) return;
    this.#lastEnded = worker;
    if (last === null) return;
    this.#executions.read(this.#counting.get(last)!);
    for (const family of countersIn(this.#counting.get(last)!)) this.#ended.add(family);
    this.#counting.delete(last);
  }

  /** The executions that have to be written to the database next; null: it has all. */
  executions(): ExecutionBatch | null {
    for (const counters of this.#counting.values()) this.#executions.read(counters);
    return this.#executions.batch();
  }

  executionsWritten(sequence: number): null {
    this.#executions.written(sequence);
    return null;
  }

  /**
   * The snapshots to add up: the counters of all workers, including silent and ended ones, and the gauges.
   * @param gauges of the living workers that answered
   */
  snapshots(gauges: readonly MetricsSnapshot[]): MetricsSnapshot[] {
    const counted = new MetricSums(this.#limit);
    for (const counters of this.#counting.values()) {
      for (const family of countersIn(counters)) counted.add(family);
    }
    for (const family of this.#ended.families()) counted.add(family);
    return [...gauges, counted.families()];
  }
}
