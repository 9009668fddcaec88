// Renders the reference of metrics: a section for each.

import { METRIC_ADVICE } from "./metric_advice.ts";
import { type MetricName, METRICS } from "../../src/telemetry/metric_table.ts";
import type { MetricRow } from "../../src/telemetry/metric_values.ts";

export function metricsPart(): string {
  return (Object.entries(METRICS) as [MetricName, MetricRow][]).map(([name, { kind, help, labels }]) =>
    [
      `### ${name}`,
      "",
      `${kind[0]!.toUpperCase()}${kind.slice(1)}${
        labels.length === 0 ? "" : ` by ${labels.map((label) => `\`${label}\``).join(", ")}`
      }. ${help}.`,
      "",
      METRIC_ADVICE[name],
    ].join("\n")
  ).join("\n\n");
}
