// The metrics of this process. A counter never falls while the process lives: what a worker has counted is kept when it ends.
import type { MetricsSnapshot } from "../telemetry/metrics.ts";

type Family = MetricsSnapshot[number];

interface Total {
  readonly family: Family;
  readonly values: Map<string, number>;
}

/**
 * The last known counters of each living worker, and the sum of the counters of all workers that have ended. A worker tells its
 * counters with each answer to `report`, with each heartbeat, and when it is drained. A worker that dies loses the counts since then:
 * those of one heartbeat interval at most.
 */
export class WorkerMetrics<Worker> {
  readonly #latest = new Map<Worker, MetricsSnapshot>();
  readonly #ended = new Map<string, Total>();

  /** Takes the counters of a living worker. They must come in the order in which the worker told them. */
  update(worker: Worker, snapshot: MetricsSnapshot): void {
    this.#latest.set(worker, snapshot.filter(isCounter));
  }

  /** The worker has ended: its counters stay, its gauges do not. */
  end(worker: Worker): void {
    for (const family of this.#latest.get(worker) ?? []) this.#keep(family);
    this.#latest.delete(worker);
  }

  /**
   * The snapshots to add up: the counters of all workers, including silent and ended ones, and the gauges of those that answered.
   * @param answered the snapshots of the living workers that answered; `update()` has been given them
   */
  snapshots(answered: readonly MetricsSnapshot[]): MetricsSnapshot[] {
    const gauges = answered.map((snapshot) => snapshot.filter((family) => !isCounter(family)));
    const ended = [...this.#ended.values()].map(({ family, values }) => ({ ...family, values: [...values] }));
    return [...gauges, ...this.#latest.values(), ended];
  }

  #keep(family: Family): void {
    const total = this.#ended.get(family.name) ?? { family, values: new Map() };
    this.#ended.set(family.name, total);
    for (const [labels, value] of family.values) {
      total.values.set(labels, (total.values.get(labels) ?? 0) + value);
    }
  }
}

function isCounter({ kind }: Family): boolean {
  return kind === "counter";
}
