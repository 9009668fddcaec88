// The rows of metrics and their values: how a value is counted, and how the values of several workers are added up.

export interface MetricRow {
  /**
   * A counter, a histogram and a summary never fall. A gauge is read when the metrics are asked for. The values of all workers are
   * added up.
   */
  readonly kind: "counter" | "gauge" | "histogram" | "summary";
  /** The meaning, and the values of labels with few of them. */
  readonly help: string;
  readonly labels: readonly string[];
  /** So many of the labels, from the first, are names from the registry. METRICS_MAX_NAMES bounds their values. */
  readonly names: number;
  /**
   * The values of a counter's last labels that are known beforehand. They begin at zero: with the counter, or where other labels come
   * before them, with the first child of these.
   */
  readonly values: readonly (readonly string[])[];
}

/**
 * The upper bounds of a histogram's buckets, in seconds: those that OpenTelemetry advises for operations of MCP
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/#metrics), and three below for what the gateway adds.
 */
export const BUCKETS: readonly number[] =
  // deno-fmt-ignore
  [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

/** The optional parts of a row. The values of one label need no brackets. */
interface More {
  readonly names?: number;
  readonly values?: readonly (string | readonly string[])[];
}

/** Makes rows of the kind. */
export function row<Kind extends MetricRow["kind"]>(kind: Kind) {
  return (help: string, labels: readonly string[] = [], { names = 0, values = [] }: More = {}) => ({
    ...{ kind, help, labels, names },
    values: values.map((each) => typeof each === "string" ? [each] : each),
  });
}

/** Each of the first values with each of the second ones. */
export function pairs(firsts: readonly string[], seconds: readonly string[]): string[][] {
  return firsts.flatMap((first) => seconds.map((second) => [first, second]));
}

/** The number of the bucket that counts an observation; the number of bounds: it is above all of them. */
export function bucketOf(seconds: number): number {
  let bucket = 0;
  while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
  return bucket;
}

export interface Exemplar {
  /** The number of its bucket, in the order of `BUCKETS`; their number: above all of them. */
  readonly bucket: number;
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly seconds: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Series of one metric that have exemplars: the first ones. */
export const MAX_EXEMPLAR_SERIES = 300;

/** Of a histogram: how many observations fell into each bucket, how many lie above, and the sum of all. Seconds. */
export class HistogramChild {
  static readonly INITIAL: readonly number[] = new Array<number>(BUCKETS.length + 2).fill(0);

  constructor(readonly values: Float64Array) {}

  observe(seconds: number): void {
    this.values[bucketOf(seconds)]!++;
    this.values[BUCKETS.length + 1]! += seconds;
  }
}

/** Of a summary: the number of observations, their sum, the least and the greatest in seconds, and when the last one was (ms). */
export class SummaryChild {
  static readonly INITIAL: readonly number[] = [0, 0, Infinity, 0, 0];

  constructor(readonly values: Float64Array) {}

  /**
   * @param time in seconds. A time below zero counts as zero, so that the sum never falls: the system's clock was set back meanwhile.
   * @param at by performance.now()
   */
  observe(time: number, at: number): void {
    const { values } = this;
    const seconds = time > 0 ? time : 0;
    values[0]!++;
    values[1]! += seconds;
    if (seconds < values[2]!) values[2] = seconds;
    if (seconds > values[3]!) values[3] = seconds;
    values[4] = performance.timeOrigin + at;
  }
}

type FamilyRow = Omit<MetricRow, "values">;

/** One worker's numbers of a metric as plain data, by label values joined by NUL. */
export interface FamilySnapshot extends FamilyRow {
  readonly name: string;
  readonly values: readonly (readonly [labelValues: string, value: readonly number[]])[];
  /** Of a histogram with traces, at most one for each bucket. */
  readonly exemplars?: readonly (readonly [labelValues: string, exemplars: readonly Exemplar[]])[];
}

/** One worker's numbers as plain data, which can be sent to the supervisor. */
export type MetricsSnapshot = readonly FamilySnapshot[];

export const SEPARATOR = "\0";

/** The label value for names that have no series of their own. */
export const OTHER = "other";

/** Which names have series of their own: the first ones, up to a limit for each metric. A decision stands for ever, so no sum falls. */
export class NameLimit {
  readonly #max: number;
  readonly #admitted = new Map<string, Set<string>>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The label values, or `other` in place of the names. @param key label values, the names first */
  keyFor(metric: string, { labels, names }: Pick<MetricRow, "labels" | "names">, key: string): string {
    if (names === 0) return key;
    const parts = key.split(SEPARATOR);
    const name = parts.slice(0, names).join(SEPARATOR);
    let admitted = this.#admitted.get(metric);
    if (admitted === undefined) this.#admitted.set(metric, admitted = new Set());
    if (admitted.has(name) || parts.every((part, i) => i >= names || part === OTHER)) return key;
    if (admitted.size < this.#max) {
      admitted.add(name);
      return key;
    }
    return labels.map((_, i) => i < names ? OTHER : parts[i]).join(SEPARATOR);
  }
}

/** Exemplars by the number of their bucket. */
type ByBucket = Map<number, Exemplar>;

interface FamilySums {
  readonly row: FamilyRow;
  /** By label values. Sums of durations are in whole µs: those of fractions would depend on the order, and fall. */
  readonly values: Map<string, number[]>;
  readonly exemplars: Map<string, ByBucket>;
}

/** Adds up the numbers of several workers. */
export class MetricSums {
  readonly #families = new Map<string, FamilySums>();
  readonly #limit: NameLimit | null;

  /** @param limit null: the names are bounded already */
  constructor(limit: NameLimit | null = null) {
    this.#limit = limit;
  }

  add(family: FamilySnapshot): void {
    const { name, kind, help, labels, names } = family;
    let sums = this.#families.get(name);
    if (sums === undefined) {
      this.#families.set(
        name,
        sums = { row: { kind, help, labels, names }, values: new Map(), exemplars: new Map() },
      );
    }
    for (const [given, value] of family.values) {
      const key = this.#limit?.keyFor(name, family, given) ?? given;
      const sum = sums.values.get(key);
      const whole = withSum(value, kind, (seconds) => Math.round(seconds * MICROS));
      if (sum === undefined) sums.values.set(key, whole);
      else addTo(sum, whole, kind);
    }
    for (const [given, exemplars] of family.exemplars ?? []) {
      addExemplars(sums.exemplars, this.#limit?.keyFor(name, family, given) ?? given, exemplars);
    }
  }

  families(): FamilySnapshot[] {
    return [...this.#families].map(([name, { row, values, exemplars }]) => ({
      name,
      ...row,
      values: [...values].map(([key, value]) =>
        [key, withSum(value, row.kind, (micros) => micros / MICROS)] as const
      ),
      ...(exemplars.size === 0
        ? {}
        : { exemplars: [...exemplars].map(([key, all]) => [key, [...all.values()]] as const) }),
    }));
  }
}

const MICROS = 1_000_000;

/** A copy of a value with its sum of durations in another unit, if it has one. */
function withSum(
  value: readonly number[],
  kind: MetricRow["kind"],
  convert: (sum: number) => number,
): number[] {
  const copy = [...value];
  if (kind === "histogram") copy[BUCKETS.length + 1] = convert(value[BUCKETS.length + 1]!);
  if (kind === "summary") copy[1] = convert(value[1]!);
  return copy;
}

function addTo(sum: number[], value: readonly number[], kind: MetricRow["kind"]): void {
  if (kind !== "summary") {
    for (let i = 0; i < value.length; i++) sum[i]! += value[i]!;
    return;
  }
  const [count, total, least, greatest, last] = value as [number, number, number, number, number];
  sum[0]! += count;
  sum[1]! += total;
  sum[2] = Math.min(sum[2]!, least);
  sum[3] = Math.max(sum[3]!, greatest);
  sum[4] = Math.max(sum[4]!, last);
}

/** The latest exemplar of each bucket counts. */
function addExemplars(known: Map<string, ByBucket>, key: string, exemplars: readonly Exemplar[]): void {
  let byBucket = known.get(key);
  if (byBucket === undefined) {
    if (known.size >= MAX_EXEMPLAR_SERIES) return;
    known.set(key, byBucket = new Map());
  }
  for (const exemplar of exemplars) {
    const latest = byBucket.get(exemplar.bucket);
    if (latest === undefined || latest.at <= exemplar.at) byBucket.set(exemplar.bucket, exemplar);
  }
}
