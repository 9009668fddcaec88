// The counters and gauges of one worker. Counting is cheap. The sum over all workers, as Prometheus text, is made on demand.
import type { Counter, Gauge } from "prom-client";
import {
  type CounterName,
  type GaugeName,
  type MetricName,
  type MetricRow,
  METRICS,
} from "./metric_table.ts";

interface Family extends MetricRow {
  /** The values by label values, which are joined by NUL. */
  readonly values: Map<string, number>;
}

/** One worker's numbers as plain data, which can be sent to the supervisor. */
export type MetricsSnapshot = readonly (MetricRow & {
  readonly name: string;
  readonly values: readonly (readonly [labelValues: string, value: number])[];
})[];

export type Count = (...labelValues: string[]) => void;

const SEPARATOR = "\0";

export class Metrics {
  readonly #families = new Map<string, Family>();
  readonly #gauges: { readonly family: Family; readonly read: () => ReadonlyMap<string, number> }[] = [];

  /** Begins a counter. @returns counts one for the label values that it is called with */
  counter(name: CounterName): Count {
    const { values } = this.#begin(name);
    return (...labelValues) => {
      const key = labelValues.length === 1 ? labelValues[0]! : labelValues.join(SEPARATOR);
      values.set(key, (values.get(key) ?? 0) + 1);
    };
  }

  /** Begins a number that is read on demand. */
  gauge(name: GaugeName, read: () => number): void {
    this.gaugeBy(name, () => new Map([["", read()]]));
  }

  /** Begins numbers by the one label of the gauge. */
  gaugeBy(name: GaugeName, read: () => ReadonlyMap<string, number>): void {
    this.#gauges.push({ family: this.#begin(name), read });
  }

  snapshot(): MetricsSnapshot {
    for (const { family: { values }, read } of this.#gauges) {
      values.clear();
      for (const [labelValues, value] of read()) values.set(labelValues, value);
    }
    return [...this.#families].map(snapshotOf);
  }

  /** The same without gauges. */
  counters(): MetricsSnapshot {
    return [...this.#families].filter(([, { kind }]) => kind === "counter").map(snapshotOf);
  }

  #begin(name: MetricName): Family {
    if (this.#families.has(name)) throw new Error(`metric ${name} is begun twice`);
    const family: Family = { ...METRICS[name], values: new Map() };
    this.#families.set(name, family);
    return family;
  }
}

function snapshotOf([name, { kind, help, labels, values }]: [string, Family]): MetricsSnapshot[number] {
  return { name, kind, help, labels, values: [...values] };
}

/** The sum over all workers in Prometheus' text format. */
export async function renderMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  // Imported on use: prom-client takes several megabytes in each worker.
  const { Counter, Gauge, Registry } = await import("prom-client");
  const registry = new Registry();
  const metrics = new Map<string, Counter | Gauge>();
  for (const { name, kind, help, labels, values } of snapshots.flat()) {
    let metric = metrics.get(name);
    if (metric === undefined) {
      const options = { name, help, labelNames: [...labels], registers: [registry] };
      metric = kind === "counter" ? new Counter(options) : new Gauge(options);
      metrics.set(name, metric);
    }
    for (const [key, value] of values) {
      const labelValues = labels.length === 0 ? [] : key.split(SEPARATOR);
      metric.inc(Object.fromEntries(labels.map((label, i) => [label, labelValues[i] ?? ""])), value);
    }
  }
  return await registry.metrics();
}
