// The metrics of this process. A counter never falls while the process lives: what a worker has counted is kept when it ends.
import {
  type FamilySnapshot,
  type MetricsSnapshot,
  MetricSums,
  NameLimit,
} from "../telemetry/metric_values.ts";

/**
 * The last known counters of each living worker, and the sum of the counters of all workers that have ended. A worker tells its
 * counters with each answer to `report`, with each heartbeat, and when it is drained. A worker that dies loses the counts since then:
 * those of one heartbeat interval at most.
 */
export class WorkerMetrics<Worker> {
  /** Workers may have given series to different names: the limit holds for all together. */
  readonly #limit: NameLimit;
  readonly #latest = new Map<Worker, MetricsSnapshot>();
  readonly #ended: MetricSums;

  /** @param maxNames see METRICS_MAX_NAMES */
  constructor(maxNames = Infinity) {
    this.#limit = new NameLimit(maxNames);
    this.#ended = new MetricSums(this.#limit);
  }

  /** Takes the counters of a living worker. They must come in the order in which the worker told them. */
  update(worker: Worker, snapshot: MetricsSnapshot): void {
    this.#latest.set(worker, snapshot.filter(isCounted));
  }

  /** The worker has ended: its counters stay, its gauges do not. */
  end(worker: Worker): void {
    for (const family of this.#latest.get(worker) ?? []) this.#ended.add(family);
    this.#latest.delete(worker);
  }

  /**
   * The snapshots to add up: the counters of all workers, including silent and ended ones, and the gauges of those that answered.
   * @param answered the snapshots of the living workers that answered; `update()` has been given them
   */
  snapshots(answered: readonly MetricsSnapshot[]): MetricsSnapshot[] {
    const counted = new MetricSums(this.#limit);
    for (const family of [...this.#latest.values()].flat()) counted.add(family);
    for (const family of this.#ended.families()) counted.add(family);
    const gauges = answered.map((snapshot) => snapshot.filter((family) => !isCounted(family)));
    return [...gauges, counted.families()];
  }
}

function isCounted({ kind }: FamilySnapshot): boolean {
  return kind !== "gauge";
}
