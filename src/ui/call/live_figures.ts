// The figures of the overview: what this replica does now, from its metrics. They are sampled while somebody looks.
import type { WorkerStatus } from "../../telemetry/worker_status.ts";
import { BUCKETS, type MetricsSnapshot, SEPARATOR } from "../../telemetry/metric_values.ts";

/** What happened between two samples. */
export interface Interval {
  /** Requests of MCP clients by second. */
  readonly perSecond: number;
  readonly errorsPerSecond: number;
  /** Seconds; null: no request. Infinity: above all buckets. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** The interval is the window. */
export interface Figures extends Interval {
  /** From each sample to the next, oldest first. */
  readonly history: readonly Interval[];
  /** The tools that were called most in the window. */
  readonly busiest: readonly { readonly upstream: string; readonly tool: string; readonly calls: number }[];
  /** Gauges by name, summed over workers. */
  readonly gauges: ReadonlyMap<string, number>;
  readonly workers: readonly WorkerFigures[];
  /** Gauges with labels, by name: label values and value. */
  readonly labelled: (name: string) => readonly (readonly [labels: readonly string[], value: number])[];
  /** @param tool the upstream's name of the tool */
  readonly ofTool: (upstream: string, tool: string) => ToolFigures;
}

export interface WorkerFigures extends WorkerStatus {
  /** Of its values; null: it has not answered. */
  readonly heapBytes: number | null;
  /** null: no limit of ours. */
  readonly heapLimitBytes: number | null;
}

/** The calls of a tool in each interval between two samples, oldest first. The busiest tools of a sample alone have calls in it. */
export interface ToolFigures {
  readonly perSecond: readonly number[];
  readonly failuresPerSecond: readonly number[];
  /** Seconds; 0: no call. */
  readonly meanTimes: readonly number[];
  /** Of the window. */
  readonly calls: number;
  readonly failures: number;
  /** Seconds; null: no call. */
  readonly meanTime: number | null;
}

interface Sample {
  readonly at: number;
  readonly operations: number;
  readonly errors: number;
  /** As in a histogram, without the sum. */
  readonly buckets: readonly number[];
  readonly calls: ReadonlyMap<string, number>;
  /** The calls of the busiest tools since the sample before. */
  readonly tools: ReadonlyMap<string, ToolUse>;
}

interface ToolUse {
  readonly calls: number;
  readonly failures: number;
  readonly seconds: number;
}

/** Each look within this time shares a sample. */
const SAMPLE_MS = 1_000;
/** Five minutes of a page that is renewed every two seconds. */
const MAX_SAMPLES = 150;
/** The window of rates and percentiles. */
const WINDOW_MS = 60_000;
/** Samples of the last time that somebody looked say nothing about now. */
const STALE_MS = 30_000;

const MOST_TOOLS = 5;
/** So many tools are remembered of each sample. */
const MOST_SAMPLED_TOOLS = 100;

export class LiveFigures {
  readonly #read: () => Promise<readonly MetricsSnapshot[]>;
  readonly #readWorkers: () => Promise<readonly WorkerStatus[]>;
  readonly #now: () => number;
  /** Of each tool since the process began. */
  #totals: ReadonlyMap<string, ToolUse> = new Map();
  #samples: Sample[] = [];
  #latest: { readonly at: number; readonly figures: Promise<Figures> } | null = null;

  /** @param read the metrics of all workers. @param now a monotonic clock, ms */
  constructor(
    read: () => Promise<readonly MetricsSnapshot[]>,
    readWorkers: () => Promise<readonly WorkerStatus[]>,
    now: () => number = () => performance.now(),
  ) {
    this.#read = read;
    this.#readWorkers = readWorkers;
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
    const [snapshots, workers] = await Promise.all([this.#read(), this.#readWorkers()]);
    const last = this.#samples.at(-1);
    if (last !== undefined && at - last.at > STALE_MS) this.#samples = [];
    const totals = totalsOf(snapshots);
    const tools = this.#samples.length === 0 ? new Map<string, ToolUse>() : usesBetween(this.#totals, totals);
    this.#totals = totals;
    const sample = sampleOf(at, snapshots, tools);
    this.#samples.push(sample);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    const before = this.#samples.find((each) => at - each.at <= WINDOW_MS)!;
    return {
      ...intervalOf(before, sample),
      history: this.#samples.slice(1).map((each, i) => intervalOf(this.#samples[i]!, each)),
      busiest: busiestOf(before.calls, sample.calls),
      gauges: gaugesIn(snapshots),
      workers: workersOf(workers, snapshots),
      labelled: (name) =>
        valuesOf(snapshots, name).map(([key, [value = 0]]) => [key.split(SEPARATOR), value] as const),
      ofTool: (upstream, tool) => toolFiguresOf(this.#samples, `${upstream}${SEPARATOR}${tool}`),
    };
  }
}

function intervalOf(before: Sample, after: Sample): Interval {
  const seconds = (after.at - before.at) / 1000;
  // The metrics of a worker that has ended without a word are gone.
  const rate = (count: number) => seconds === 0 ? 0 : Math.max(0, count / seconds);
  const buckets = after.buckets.map((count, i) => Math.max(0, count - (before.buckets[i] ?? 0)));
  return {
    perSecond: rate(after.operations - before.operations),
    errorsPerSecond: rate(after.errors - before.errors),
    ...{ p50: quantile(buckets, 0.5), p95: quantile(buckets, 0.95), p99: quantile(buckets, 0.99) },
  };
}

function sampleOf(at: number, snapshots: readonly MetricsSnapshot[], tools: Sample["tools"]): Sample {
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
  return { at, operations, errors, buckets, calls, tools };
}

function totalsOf(snapshots: readonly MetricsSnapshot[]): Map<string, ToolUse> {
  const totals = new Map<string, ToolUse>();
  const add = (name: string, { calls = 0, failures = 0, seconds = 0 }: Partial<ToolUse>) => {
    const before = totals.get(name) ?? { calls: 0, failures: 0, seconds: 0 };
    totals.set(name, {
      calls: before.calls + calls,
      failures: before.failures + failures,
      seconds: before.seconds + seconds,
    });
  };
  for (const [key, [count = 0]] of valuesOf(snapshots, "sluice_tool_calls_total")) {
    const [upstream, tool, outcome] = key.split(SEPARATOR);
    add(`${upstream}${SEPARATOR}${tool}`, outcome === "success" ? {} : { failures: count });
  }
  for (const [name, [calls = 0, seconds = 0]] of valuesOf(snapshots, "sluice_tool_call_duration_seconds")) {
    add(name, { calls, seconds });
  }
  return totals;
}

/** The calls of the busiest tools between two readings. */
function usesBetween(
  before: ReadonlyMap<string, ToolUse>,
  after: ReadonlyMap<string, ToolUse>,
): ReadonlyMap<string, ToolUse> {
  const uses = [...after].flatMap(([name, { calls, failures, seconds }]) => {
    const past = before.get(name) ?? { calls: 0, failures: 0, seconds: 0 };
    const use = {
      calls: calls - past.calls,
      failures: failures - past.failures,
      seconds: seconds - past.seconds,
    };
    return use.calls + use.failures > 0 ? [[name, use] as const] : [];
  });
  return new Map(uses.sort(([, a], [, b]) => b.calls - a.calls).slice(0, MOST_SAMPLED_TOOLS));
}

function toolFiguresOf(samples: readonly Sample[], name: string): ToolFigures {
  const intervals = samples.slice(1).map(({ at, tools }, i) => ({
    seconds: (at - samples[i]!.at) / 1_000,
    isRecent: samples.at(-1)!.at - at < WINDOW_MS,
    use: tools.get(name) ?? { calls: 0, failures: 0, seconds: 0 },
  }));
  const recent = intervals.filter(({ isRecent }) => isRecent);
  const sum = (of: (use: ToolUse) => number) => recent.reduce((total, { use }) => total + of(use), 0);
  const calls = sum((use) => use.calls);
  return {
    perSecond: intervals.map(({ use, seconds }) => use.calls / seconds),
    failuresPerSecond: intervals.map(({ use, seconds }) => use.failures / seconds),
    meanTimes: intervals.map(({ use }) => use.calls === 0 ? 0 : use.seconds / use.calls),
    calls,
    failures: sum((use) => use.failures),
    meanTime: calls === 0 ? null : sum((use) => use.seconds) / calls,
  };
}

function workersOf(
  workers: readonly WorkerStatus[],
  snapshots: readonly MetricsSnapshot[],
): readonly WorkerFigures[] {
  const [heaps, limits] = ["sluice_worker_heap_bytes", "sluice_worker_heap_limit_bytes"].map((name) =>
    new Map(valuesOf(snapshots, name).map(([worker, [bytes = 0]]) => [worker, bytes]))
  );
  return workers.map((status) => {
    const name = String(status.worker);
    // A worker and its successor have one number, and their gauges are one.
    return {
      ...status,
      heapBytes: heaps!.get(name) ?? null,
      heapLimitBytes: limits!.get(name) || null,
    };
  });
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
