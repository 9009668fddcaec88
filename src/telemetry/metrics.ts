// The counters and gauges of one worker. Counting is cheap. The sum over all workers, as Prometheus text, is made on demand.
import type { Counter, Gauge } from "prom-client";

interface Family {
  readonly kind: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
  /** The values by label values, which are joined by NUL. */
  readonly values: Map<string, number>;
}

/** One worker's numbers as plain data, which can be sent to the supervisor. */
export type MetricsSnapshot = readonly {
  readonly name: string;
  readonly kind: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
  readonly values: readonly (readonly [labelValues: string, value: number])[];
}[];

export type Count = (...labelValues: string[]) => void;

const SEPARATOR = "\0";

export class Metrics {
  readonly #families = new Map<string, Family>();
  readonly #gauges: { readonly family: Family; readonly read: () => ReadonlyMap<string, number> }[] = [];

  /** Declares a counter. @returns counts one for the label values that it is called with */
  counter(name: string, help: string, labels: readonly string[] = []): Count {
    const { values } = this.#declare(name, { kind: "counter", help, labels, values: new Map() });
    return (...labelValues) => {
      const key = labelValues.length === 1 ? labelValues[0]! : labelValues.join(SEPARATOR);
      values.set(key, (values.get(key) ?? 0) + 1);
    };
  }

  /** Declares a number that is read on demand. The values of all workers are added up. */
  gauge(name: string, help: string, read: () => number): void {
    this.#declareGauge(name, { help, labels: [] }, () => new Map([["", read()]]));
  }

  /** Declares numbers by one label. */
  gaugeBy(label: string, name: string, help: string, read: () => ReadonlyMap<string, number>): void {
    this.#declareGauge(name, { help, labels: [label] }, read);
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

  #declareGauge(
    name: string,
    described: Pick<Family, "help" | "labels">,
    read: () => ReadonlyMap<string, number>,
  ): void {
    const family = this.#declare(name, { kind: "gauge", ...described, values: new Map() });
    this.#gauges.push({ family, read });
  }

  #declare(name: string, family: Family): Family {
    if (this.#families.has(name)) throw new Error(`metric ${name} is declared twice`);
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
