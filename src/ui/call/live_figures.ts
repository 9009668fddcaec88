// The figures of the overview: what this replica does now, from its metrics. They are sampled while somebody looks.
import { BUCKETS } from "../../telemetry/metric_table.ts";
import { type MetricsSnapshot, SEPARATOR } from "../../telemetry/metric_values.ts";

export interface Figures {
  /** Requests of MCP clients by second. */
  readonly perSecond: number;
  readonly errorsPerSecond: number;
  /** Seconds; null: no request in the window. Infinity: above all buckets. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** Requests by second in each interval between two samples, oldest first. */
  readonly history: readonly number[];
  /** The tools that were called most in the window. */
  readonly busiest: readonly { readonly upstream: string; readonly tool: string; readonly calls: number }[];
  /** Gauges by name, summed over workers. */
  readonly gauges: ReadonlyMap<string, number>;
  readonly heaps: readonly { readonly worker: string; readonly bytes: number }[];
}

interface Sample {
  readonly at: number;
  readonly operations: number;
  readonly errors: number;
  /** As in a histogram, without the sum. */
  readonly buckets: readonly number[];
  readonly calls: ReadonlyMap<string, number>;
}

/** Each look within this time shares a sample. */
const SAMPLE_MS = 1_000;
/** Five minutes of a page that is renewed every two seconds. */
const MAX_SAMPLES = 150;
/** What rates and percentiles are taken over. */
const WINDOW_MS = 60_000;
/** Samples of the last time that somebody looked say nothing about now. */
const STALE_MS = 30_000;

const MOST_TOOLS = 5;

export class LiveFigures {
  readonly #read: () => Promise<readonly MetricsSnapshot[]>;
  readonly #now: () => number;
  #samples: Sample[] = [];
  #latest: { readonly at: number; readonly figures: Promise<Figures> } | null = null;

  /** @param read the metrics of all workers. @param now a monotonic clock, ms */
  constructor(read: () => Promise<readonly MetricsSnapshot[]>, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#now = now;
  }

  async figures(): Promise<Figures> {
    const at = this.#now();
    if (this.#latest === null || at - this.#latest.at >= SAMPLE_MS) {
      this.#latest = { at, figures: this.#sample(at) };
    }
    return await this.#latest.figures;
  }

  async #sample(at: number): Promise<Figures> {
    const snapshots = await this.#read();
    const sample = sampleOf(at, snapshots);
    const last = this.#samples.at(-1);
    if (last !== undefined && at - last.at > STALE_MS) this.#samples = [];
    this.#samples.push(sample);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    const before = this.#samples.find((each) => at - each.at <= WINDOW_MS)!;
    const seconds = (at - before.at) / 1000;
    const rate = (count: number) => seconds === 0 ? 0 : count / seconds;
    const buckets = sample.buckets.map((count, i) => count - (before.buckets[i] ?? 0));
    return {
      perSecond: rate(sample.operations - before.operations),
      errorsPerSecond: rate(sample.errors - before.errors),
      ...{ p50: quantile(buckets, 0.5), p95: quantile(buckets, 0.95), p99: quantile(buckets, 0.99) },
      history: historyOf(this.#samples),
      busiest: busiestOf(before.calls, sample.calls),
      gauges: gaugesIn(snapshots),
      heaps: valuesOf(snapshots, "sluice_worker_heap_bytes")
        .map(([worker, [bytes = 0]]) => ({ worker, bytes })),
    };
  }
}

function sampleOf(at: number, snapshots: readonly MetricsSnapshot[]): Sample {
  let [operations, errors] = [0, 0];
  const buckets = new Array<number>(BUCKETS.length + 1).fill(0);
  for (const [key, values] of valuesOf(snapshots, "mcp_server_operation_duration_seconds")) {
    const count = values.slice(0, BUCKETS.length + 1).reduce((sum, value) => sum + value, 0);
    operations += count;
    if (key.split(SEPARATOR)[1] !== "") errors += count;
    for (let i = 0; i <= BUCKETS.length; i++) buckets[i]! += values[i] ?? 0;
  }
  const calls = new Map<string, number>();
  for (const [key, [count = 0]] of valuesOf(snapshots, "sluice_tool_calls_total")) {
    const [upstream, tool] = key.split(SEPARATOR);
    const name = `${upstream}${SEPARATOR}${tool}`;
    calls.set(name, (calls.get(name) ?? 0) + count);
  }
  return { at, operations, errors, buckets, calls };
}

function valuesOf(snapshots: readonly MetricsSnapshot[], name: string) {
  return snapshots.flat().filter((family) => family.name === name).flatMap(({ values }) => values);
}

/** Between the bounds of the bucket, as Prometheus does it. */
export function quantile(buckets: readonly number[], share: number): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let rest = share * total;
  for (const [i, count] of buckets.entries()) {
    if (rest > count) {
      rest -= count;
      continue;
    }
    const upper = BUCKETS[i];
    if (upper === undefined) return Infinity;
    const lower = BUCKETS[i - 1] ?? 0;
    return lower + (upper - lower) * (count === 0 ? 0 : rest / count);
  }
  return Infinity;
}

function historyOf(samples: readonly Sample[]): number[] {
  return samples.slice(1).map((sample, i) => {
    const before = samples[i]!;
    return Math.max(0, (sample.operations - before.operations) / ((sample.at - before.at) / 1000));
  });
}

function busiestOf(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): Figures["busiest"] {
  return [...now].map(([name, count]) => {
    const [upstream = "", tool = ""] = name.split(SEPARATOR);
    return { upstream, tool, calls: count - (before.get(name) ?? 0) };
  }).filter(({ calls }) => calls > 0).sort((a, b) => b.calls - a.calls).slice(0, MOST_TOOLS);
}

function gaugesIn(snapshots: readonly MetricsSnapshot[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { kind, name, labels, values } of snapshots.flat()) {
    if (kind !== "gauge" || labels.length > 0) continue;
    for (const [, [value = 0]] of values) sums.set(name, (sums.get(name) ?? 0) + value);
  }
  return sums;
}
