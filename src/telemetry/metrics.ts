// The metrics of one worker. Counting is cheap. The text of the sum over all workers is made on demand.
import { BucketExemplars } from "./exemplars.ts";
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type MetricName,
  METRICS,
  type SummaryName,
} from "./metric_table.ts";
import {
  bucketOf,
  type Exemplar,
  type FamilySnapshot,
  HistogramChild,
  MAX_EXEMPLAR_SERIES,
  type MetricRow,
  type MetricsSnapshot,
  NameLimit,
  SEPARATOR,
  SummaryChild,
} from "./metric_values.ts";
import { SharedNumbers } from "./shared_numbers.ts";

interface Family {
  readonly name: MetricName;
  readonly row: MetricRow;
  /** The values by label values, which are joined by NUL. */
  readonly values: Map<string, Float64Array>;
  /** The exemplars of a histogram by label values. */
  readonly exemplars: Map<string, BucketExemplars>;
}

/** What a histogram has observed. */
export interface Observation {
  readonly metric: HistogramName;
  readonly labelValues: readonly string[];
  readonly seconds: number;
}

export type Count = (...labelValues: string[]) => void;

/** The child of these label values, made when it is first asked for. A caller that observes often keeps the child. */
export type ChildOf<Child> = (...labelValues: string[]) => Child;

export class Metrics {
  readonly #families = new Map<MetricName, Family>();
  /** What is read when it is asked for. */
  readonly #read: { readonly family: Family; readonly read: () => ReadonlyMap<string, number> }[] = [];
  readonly #limit: NameLimit;
  readonly #shared: SharedNumbers | null;

  /**
   * @param maxNames names from the registry that have series of their own, in each metric
   * @param shared where all but gauges is counted, so that it outlives this thread; null: in the thread's own memory
   */
  constructor(maxNames = Infinity, shared: SharedNumbers | null = null) {
    this.#limit = new NameLimit(maxNames);
    this.#shared = shared;
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
      return family.values.get(key) ?? this.#beginChild(family, key);
    };
  }

  /** Begins a histogram. */
  histogram(name: HistogramName): ChildOf<HistogramChild> {
    return this.#children(name, HistogramChild);
  }

  /** Makes a trace the exemplar of the bucket that has counted the observation. */
  exemplify(
    { metric, labelValues, seconds }: Observation,
    trace: Pick<Exemplar, "traceId" | "spanId" | "at">,
  ): void {
    const family = this.#families.get(metric)!;
    // A series that is known has this key: no look at its names is needed.
    const known = family.exemplars.get(labelValues.join(SEPARATOR));
    const exemplars = known ?? this.#exemplarsOf(family, labelValues);
    exemplars?.keep({ bucket: bucketOf(seconds), seconds, ...trace });
  }

  /** Begins a summary. */
  summary(name: SummaryName): ChildOf<SummaryChild> {
    return this.#children(name, SummaryChild);
  }

  /** Begins a counter that somebody else counts. It ends with what it reads. */
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

  /** All families. */
  snapshot(): MetricsSnapshot {
    this.gauges();
    return [...this.#families.values()].map(snapshotOf);
  }

  /** What is read on demand, which ends with its worker. */
  gauges(): MetricsSnapshot {
    for (const { family: { values }, read } of this.#read) {
      values.clear();
      for (const [labelValues, value] of read()) values.set(labelValues, Float64Array.of(value));
    }
    return this.#read.map(({ family }) => snapshotOf(family));
  }

  #children<Child extends { readonly values: Float64Array }>(
    name: MetricName,
    Kind: { readonly INITIAL: readonly number[]; new (values: Float64Array): Child },
  ): ChildOf<Child> {
    const family = this.#begin(name);
    const children = new Map<string, Child>();
    return (...labelValues) => {
      const key = this.#keyOf(family, labelValues);
      let child = children.get(key);
      if (child === undefined) {
        children.set(key, child = new Kind(this.#numbers(name, key, Kind.INITIAL)));
        family.values.set(key, child.values);
      }
      return child;
    };
  }

  /** Where the shared memory is full, this thread alone has the numbers. */
  #numbers(name: string, key: string, initial: readonly number[]): Float64Array {
    return this.#shared?.add(`${name}${SEPARATOR}${key}`, initial) ?? Float64Array.from(initial);
  }

  /** Undefined: too many series have exemplars. */
  #exemplarsOf(family: Family, labelValues: readonly string[]): BucketExemplars | undefined {
    const key = this.#keyOf(family, labelValues);
    const known = family.exemplars.get(key);
    if (known !== undefined || family.exemplars.size >= MAX_EXEMPLAR_SERIES) return known;
    const numbers = this.#numbers(`${EXEMPLARS_OF}${family.name}`, key, BucketExemplars.INITIAL);
    const exemplars = new BucketExemplars(numbers);
    family.exemplars.set(key, exemplars);
    return exemplars;
  }

  #keyOf({ name, row }: Family, labelValues: readonly string[]): string {
    if (row.names > 0) return this.#limit.keyFor(name, row, labelValues.map(bounded).join(SEPARATOR));
    return labelValues.length === 1 ? labelValues[0]! : labelValues.join(SEPARATOR);
  }

  #begin(name: MetricName): Family {
    if (this.#families.has(name)) throw new Error(`metric ${name} is begun twice`);
    const row: MetricRow = METRICS[name];
    const family: Family = { name, row, values: new Map(), exemplars: new Map() };
    if (row.kind === "counter") this.#beginAtZero(family, []);
    this.#families.set(name, family);
    return family;
  }

  /** Begins a child of a counter, and those that differ from it in the known values alone. */
  #beginChild(family: Family, key: string): Float64Array {
    const { row: { labels, values } } = family;
    const [known = labels] = values;
    this.#beginAtZero(family, key.split(SEPARATOR).slice(0, labels.length - known.length));
    return family.values.get(key) ?? this.#zeroAt(family, key);
  }

  /** A rate needs the zero before the first event. @param firsts the labels before those whose values are known */
  #beginAtZero(family: Family, firsts: readonly string[]): void {
    const { row: { labels, values } } = family;
    for (const known of labels.length === 0 ? [[]] : values) {
      const all = [...firsts, ...known];
      const key = all.join(SEPARATOR);
      if (all.length === labels.length && !family.values.has(key)) this.#zeroAt(family, key);
    }
  }

  #zeroAt({ name, values }: Family, key: string): Float64Array {
    const zero = this.#numbers(name, key, ZERO);
    values.set(key, zero);
    return zero;
  }
}

const ZERO: readonly number[] = [0];

/** Before the name of a histogram, where its exemplars are kept. */
const EXEMPLARS_OF = "exemplars of ";

const MAX_NAME_CHARS = 256;

/** Upstreams choose the names of tools. */
function bounded(name: string): string {
  return name.slice(0, MAX_NAME_CHARS).replaceAll(SEPARATOR, "\ufffd");
}

/**
 * Room for the counts of a worker: five series of each of so many tools, a histogram for each method and error of each upstream,
 * exemplars, and 30,000 tools, resources, prompts and virtual servers with executions of their own. Unwritten room takes no memory.
 */
export function countersMemory(maxNames: number): SharedArrayBuffer {
  return SharedNumbers.memory(9 * 1024 * 1024 + maxNames * 8 * 1024);
}

/** What has been counted in the memory of a `Metrics`, as it would say itself. */
export function countersIn(shared: SharedNumbers): MetricsSnapshot {
  const families = new Map<string, CountedFamily>();
  for (const [name, numbers] of shared.read()) {
    const at = name.indexOf(SEPARATOR);
    const [first, key] = [name.slice(0, at), name.slice(at + 1)];
    const isExemplars = first.startsWith(EXEMPLARS_OF);
    const metric = isExemplars ? first.slice(EXEMPLARS_OF.length) : first;
    if (!(metric in METRICS)) continue;
    let family = families.get(metric);
    if (family === undefined) {
      families.set(metric, family = { row: METRICS[metric as MetricName], values: [], exemplars: [] });
    }
    if (isExemplars) family.exemplars.push([key, new BucketExemplars(numbers).read()]);
    else family.values.push([key, [...numbers]]);
  }
  return [...families].map(([name, { row, values, exemplars }]) => snapshot(name, row, values, exemplars));
}

interface CountedFamily {
  readonly row: MetricRow;
  readonly values: [labelValues: string, value: number[]][];
  readonly exemplars: [labelValues: string, exemplars: Exemplar[]][];
}

function snapshotOf({ name, row, values, exemplars }: Family): FamilySnapshot {
  const plain = [...values].map(([key, value]): [string, number[]] => [key, [...value]]);
  const kept = [...exemplars].map(([key, each]): [string, Exemplar[]] => [key, each.read()]);
  return snapshot(name, row, plain, kept);
}

function snapshot(
  name: string,
  row: MetricRow,
  values: FamilySnapshot["values"],
  exemplars: NonNullable<FamilySnapshot["exemplars"]>,
): FamilySnapshot {
  return exemplars.length === 0 ? { name, ...row, values } : { name, ...row, values, exemplars };
}
