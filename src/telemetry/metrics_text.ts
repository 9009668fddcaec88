// The metrics of all workers as text, in the formats of Prometheus. Import this module on use: prom-client takes several megabytes in
// each worker.
import { type Metric, Registry, type RegistryContentType } from "prom-client";
import {
  BUCKETS,
  type Exemplar,
  type FamilySnapshot,
  type MetricsSnapshot,
  MetricSums,
  SEPARATOR,
} from "./metric_values.ts";

export type MetricsFormat = "prometheus" | "openmetrics";

/** One line: its suffix, its labels besides those of the family, its value, and an exemplar, which only OpenMetrics has. */
type Line = readonly [
  suffix: string,
  labels: Readonly<Record<string, string>>,
  value: number,
  exemplar?: Exemplar,
];

/** @returns the text of the sum over all workers, and its media type */
export async function renderMetrics(
  snapshots: readonly MetricsSnapshot[],
  format: MetricsFormat = "prometheus",
): Promise<{ readonly text: string; readonly type: string }> {
  const type = format === "openmetrics"
    ? Registry.OPENMETRICS_CONTENT_TYPE
    : Registry.PROMETHEUS_CONTENT_TYPE;
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(type);
  const sums = new MetricSums();
  for (const family of snapshots.flat()) sums.add(family);
  // The registry asks nothing else of a metric than its name, its help, its kind, and get().
  for (const family of sums.families()) registry.registerMetric(metricOf(family) as unknown as Metric);
  return { text: await registry.metrics(), type };
}

function metricOf({ name, kind, help, labels, values, exemplars }: FamilySnapshot) {
  const exemplarsOf = new Map(exemplars);
  const lines = values.flatMap(([key, value]) => {
    const labelValues = labels.length === 0 ? [] : key.split(SEPARATOR);
    const own = Object.fromEntries(labels.map((label, i) => [label, labelValues[i] ?? ""]));
    return linesOf(kind, value, exemplarsOf.get(key)).map(([suffix, more, value, exemplar]) => ({
      ...(suffix === "" ? {} : { metricName: name + suffix }),
      labels: { ...own, ...more },
      value,
      ...(exemplar === undefined ? {} : { exemplar: shownExemplar(exemplar) }),
    }));
  });
  const metric = { name, help, type: kind, values: lines, get: () => Promise.resolve(metric) };
  return metric;
}

function linesOf(
  kind: FamilySnapshot["kind"],
  value: readonly number[],
  exemplars: readonly Exemplar[] = [],
): Line[] {
  if (kind === "summary") return [["_sum", {}, value[1]!], ["_count", {}, value[0]!]];
  if (kind !== "histogram") return [["", {}, value[0]!]];
  let count = 0;
  const buckets = [...BUCKETS, "+Inf"].map((le, i): Line => {
    const exemplar = exemplars.find(({ bucket }) => bucket === i);
    return ["_bucket", { le: String(le) }, count += value[i]!, exemplar];
  });
  return [...buckets, ["_sum", {}, value[BUCKETS.length + 1]!], ["_count", {}, count]];
}

/** Its labels have 63 characters of the 128 that the format allows. */
function shownExemplar({ traceId, spanId, seconds, at }: Exemplar) {
  return {
    labelSet: { trace_id: traceId, span_id: spanId },
    value: seconds,
    timestamp: Math.round(at) / 1_000,
  };
}
