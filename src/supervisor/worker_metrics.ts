// The metrics of this process. A counter never falls while the process lives: what a worker has counted is kept when it ends.
import type { MetricsSnapshot } from "../telemetry/metrics.ts";

type Family = MetricsSnapshot[number];

interface Total {
  readonly family: Family;
  readonly values: Map<string, number>;
}

/**
 * The counters of each worker that lives, as it last told them, and the sum of those of all workers that have ended. A worker tells
 * them with each answer to `report`, with each heartbeat, and when it is drained. Of a worker that dies, what it has counted since
 * then is lost: a heartbeat's interval at most.
 */
export class WorkerMetrics<Worker> {
  readonly #latest = new Map<Worker, MetricsSnapshot>();
  readonly #ended = new Map<string, Total>();

  /** Takes the counters of a worker that lives. Each worker's come in the order in which it told them. */
  update(worker: Worker, snapshot: MetricsSnapshot): void {
    this.#latest.set(worker, snapshot.filter(isCounter));
  }

  /** The worker has ended: its counters stay, its gauges do not. */
  end(worker: Worker): void {
    for (const family of this.#latest.get(worker) ?? []) this.#keep(family);
    this.#latest.delete(worker);
  }

  /**
   * To be added up: the counters of all workers, also of those that do not answer now, and the gauges of those that do.
   * @param answered the snapshots of workers that live, which have been given to `update()`
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
