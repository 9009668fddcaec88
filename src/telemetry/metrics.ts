// The metrics of one worker. Counting is cheap. The text of the sum over all workers is made on demand.
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type MetricName,
  type MetricRow,
  METRICS,
  type SummaryName,
} from "./metric_table.ts";
import {
  type FamilySnapshot,
  HistogramChild,
  type MetricsSnapshot,
  NameLimit,
  SEPARATOR,
  SummaryChild,
} from "./metric_values.ts";

interface Family {
  readonly name: MetricName;
  readonly row: MetricRow;
  /** The values by label values, which are joined by NUL. */
  readonly values: Map<string, Float64Array>;
}

export type Count = (...labelValues: string[]) => void;

/** The child of these label values, made when it is first asked for. Whoever observes often keeps it. */
export type ChildOf<Child> = (...labelValues: string[]) => Child;

export class Metrics {
  readonly #families = new Map<MetricName, Family>();
  /** What is read when it is asked for. */
  readonly #read: { readonly family: Family; readonly read: () => ReadonlyMap<string, number> }[] = [];
  readonly #limit: NameLimit;

  /** @param maxNames names from the registry that have series of their own, in each metric */
  constructor(maxNames = Infinity) {
    this.#limit = new NameLimit(maxNames);
  }

  /** Begins a counter. @returns counts one for the label values that it is called with */
  counter(name: CounterName): Count {
    const childOf = this.counterBy(name);
    return (...labelValues) => void childOf(...labelValues)[0]!++;
  }

  /** Begins a counter whose children are the first and only numbers of the arrays. */
  counterBy(name: CounterName): ChildOf<Float64Array> {
    const family = this.#begin(name);
    return (...labelValues) => {
      const key = this.#keyOf(family, labelValues);
      let value = family.values.get(key);
      if (value === undefined) family.values.set(key, value = new Float64Array(1));
      return value;
    };
  }

  /** Begins a histogram. */
  histogram(name: HistogramName): ChildOf<HistogramChild> {
    return this.#children(name, () => new HistogramChild());
  }

  /** Begins a summary. */
  summary(name: SummaryName): ChildOf<SummaryChild> {
    return this.#children(name, () => new SummaryChild());
  }

  /** Begins a counter that somebody else counts. It is in no `counters()`: it ends with what it reads. */
  readCounter(name: CounterName, read: () => number): void {
    this.#read.push({ family: this.#begin(name), read: () => new Map([["", read()]]) });
  }

  /** Begins a number that is read on demand. */
  gauge(name: GaugeName, read: () => number): void {
    this.gaugeBy(name, () => new Map([["", read()]]));
  }

  /** Begins numbers by the labels of the gauge, whose values are joined by NUL. */
  gaugeBy(name: GaugeName, read: () => ReadonlyMap<string, number>): void {
    this.#read.push({ family: this.#begin(name), read });
  }

  snapshot(): MetricsSnapshot {
    for (const { family: { values }, read } of this.#read) {
      values.clear();
      for (const [labelValues, value] of read()) values.set(labelValues, Float64Array.of(value));
    }
    return [...this.#families.values()].map(snapshotOf);
  }

  /** The same without gauges. */
  counters(): MetricsSnapshot {
    const read = new Set(this.#read.map(({ family }) => family));
    return [...this.#families.values()].filter((family) => !read.has(family)).map(snapshotOf);
  }

  #children<Child extends { readonly values: Float64Array }>(
    name: MetricName,
    make: () => Child,
  ): ChildOf<Child> {
    const family = this.#begin(name);
    const children = new Map<string, Child>();
    return (...labelValues) => {
      const key = this.#keyOf(family, labelValues);
      let child = children.get(key);
      if (child === undefined) {
        children.set(key, child = make());
        family.values.set(key, child.values);
      }
      return child;
    };
  }

  #keyOf({ name, row }: Family, labelValues: readonly string[]): string {
    if (row.names > 0) return this.#limit.keyFor(name, row, labelValues.map(bounded).join(SEPARATOR));
    return labelValues.length === 1 ? labelValues[0]! : labelValues.join(SEPARATOR);
  }

  #begin(name: MetricName): Family {
    if (this.#families.has(name)) throw new Error(`metric ${name} is begun twice`);
    const row: MetricRow = METRICS[name];
    const family: Family = { name, row, values: new Map() };
    // A rate needs the zero before the first event.
    const declared = row.kind !== "counter" ? [] : row.labels.length === 0 ? [""] : row.values;
    for (const labelValue of declared) family.values.set(labelValue, new Float64Array(1));
    this.#families.set(name, family);
    return family;
  }
}

const MAX_NAME_CHARS = 256;

/** Upstreams choose the names of tools. */
function bounded(name: string): string {
  return name.slice(0, MAX_NAME_CHARS).replaceAll(SEPARATOR, "\ufffd");
}

function snapshotOf({ name, row, values }: Family): FamilySnapshot {
  const plain = [...values].map(([key, value]): [string, number[]] => [key, [...value]]);
  return { name, ...row, values: plain };
}
