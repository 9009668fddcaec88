// Two reports side by side.
import type { LatencySummary } from "../latencies.ts";
import type { BenchReport } from "./bench_report.ts";
import { count } from "./report_text.ts";

export interface Change {
  readonly name: string;
  readonly before: number | null;
  readonly after: number | null;
}

const LATENCIES = [
  ["mean", "mean"],
  ["p50", "p50"],
  ["p90", "p90"],
  ["p99", "p99"],
  ["p999", "p99.9"],
  ["max", "max"],
] as const satisfies readonly (readonly [keyof LatencySummary, string])[];

export function changesOf(base: BenchReport, report: BenchReport): Change[] {
  return [
    { name: "answered a second", before: base.rate, after: report.rate },
    { name: "errors", before: base.errors, after: report.errors },
    { name: "not sent", before: base.unsent, after: report.unsent },
    ...LATENCIES.map(([key, name]) => ({
      name: `${name}, ms`,
      before: base.latency[key],
      after: report.latency[key],
    })),
  ];
}

export function comparisonText(
  base: BenchReport,
  report: BenchReport,
  names: readonly [string, string],
): string {
  const rows = [
    ["", "base", "report", "change"],
    ...changesOf(base, report).map((
      change,
    ) => [change.name, value(change.before), value(change.after), changeText(change)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]! + 2))
      .join("")
  );
  return [
    `base    ${names[0]}: ${aboutLoad(base)}`,
    `report  ${names[1]}: ${aboutLoad(report)}`,
    "",
    ...lines.map((line) => line.trimEnd()),
    ...differencesOf(base, report).flatMap((note) => ["", note]),
  ].join("\n");
}

/** Loads that differ are not comparable. */
export function differencesOf(base: BenchReport, report: BenchReport): string[] {
  const differing = (Object.keys(report.load) as (keyof BenchReport["load"])[])
    .filter((key) => base.load[key] !== report.load[key])
    .map((key) => `${key} (${base.load[key]}; ${report.load[key]})`);
  if (base.machine.cpu !== report.machine.cpu || base.machine.cores !== report.machine.cores) {
    differing.push("machine");
  }
  return differing.length === 0 ? [] : [`The loads differ: ${differing.join(", ")}.`];
}

/** +12.3 %, -50 %, "same" */
export function changeText({ before, after }: Change): string {
  if (before === null || after === null) return "";
  if (before === after) return "same";
  if (before === 0) return "";
  const percent = (after / before - 1) * 100;
  return `${percent > 0 ? "+" : ""}${count(percent, 1)} %`;
}

export function value(of: number | null): string {
  return of === null ? "-" : count(of, of < 10 ? 2 : 1);
}

function aboutLoad({ url, startedAt, load, seconds }: BenchReport): string {
  return `${url}, ${load.pace}, ${load.users} users, ${count(seconds, 1)} s, ${startedAt}`;
}
