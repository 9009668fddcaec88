// The report of a load for a terminal.
import { textColumns, wrapped } from "../../command_line/help_text.ts";
import type { LatencySummary } from "../latencies.ts";
import type { Verdict } from "./assertions.ts";
import type { BenchReport } from "./bench_report.ts";

const COLUMNS = [
  ["min", "min"],
  ["mean", "mean"],
  ["p50", "p50"],
  ["p90", "p90"],
  ["p99", "p99"],
  ["p999", "p99.9"],
  ["max", "max"],
] as const satisfies readonly (readonly [keyof LatencySummary, string])[];
const WIDTH = 9;
/** Failures that are shown; the JSON report has more. */
const MAX_FAILURES = 10;
/** Above this share of a core the generator may measure itself. */
const BUSY_CORES = 0.85;
const LATE_MS = 20;

export function benchText(report: BenchReport): string {
  const { load, seconds, requests, errors, unsent, rate, latency, methods, failures, assertions } = report;
  const names = Object.keys(methods);
  const width = Math.max(...names.map(({ length }) => length), 11);
  const counts: [string, string][] = [
    ["requests", `${count(requests)} in ${count(seconds, 1)} s`],
    ["answered", `${count(rate, 1)} a second`],
    ["errors", count(errors)],
    ["not sent", count(unsent)],
    ...(report.load.streams > 0 ? [["events", count(report.events)] as [string, string]] : []),
  ];
  const header = `${"latency, ms".padEnd(width)}${COLUMNS.map(([, name]) => name.padStart(WIDTH)).join("")}`;
  return [
    report.url,
    `${load.pace}, ${load.users} users, ${load.methods}${
      load.tool === null ? "" : ` (${load.tool})`
    }, ${load.protocol}`,
    "",
    ...counts.map(([name, value]) => `${name.padEnd(10)} ${value}`),
    "",
    header,
    latencyLine("all", latency, width),
    ...(names.length > 1 ? names.map((name) => latencyLine(name, methods[name]!.latency, width)) : []),
    ...(failures.length > 0 ? ["", "failures"] : []),
    ...failures.slice(0, MAX_FAILURES).map(({ what, count: times }) =>
      `${count(times).padStart(8)}  ${what}`
    ),
    ...notesOf(report).flatMap((note) => ["", ...wrapped(note, textColumns())]),
    ...(assertions.length > 0 ? ["", ...assertions.map(verdictLine)] : []),
  ].join("\n");
}

/** What a reader of the figures has to know. */
export function notesOf({ isInterrupted, unsent, generator, seconds, load }: BenchReport): string[] {
  return [
    ...(isInterrupted ? [`The load was interrupted after ${count(seconds, 1)} s.`] : []),
    ...(unsent > 0
      ? [
        `${count(unsent)} requests were due and not sent: all ${
          count(load.users)
        } users waited for answers. They count in the ` +
        "latency with the time that they had waited. The target is slower than the rate, or needs more --users.",
      ]
      : []),
    ...(generator.cores > BUSY_CORES
      ? [
        `The load generator used ${
          count(generator.cores, 2)
        } cores, so that it may have measured itself. Use a lower rate, or ` +
        "several generators.",
      ]
      : []),
    ...(generator.lagMs > LATE_MS
      ? [
        `The load generator sent a request ${
          count(generator.lagMs, 0)
        } ms late although a user was free. That time counts as latency. ` +
        "Another program took the processor.",
      ]
      : []),
  ];
}

export function verdictLine(verdict: Verdict): string {
  return `${verdict.holds ? "holds " : "FAILED"}  ${verdict.text}  (${measuredText(verdict)})`;
}

export function measuredText({ value, unit }: Verdict): string {
  return value === null ? "no value" : `${count(value, 3)}${unit === "" ? "" : ` ${unit}`}`;
}

/** 12,345.6 */
export function count(value: number, digits = 0): string {
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

function latencyLine(name: string, latency: LatencySummary, width: number): string {
  const cells = COLUMNS.map(([key]) => {
    const ms = latency[key];
    return (ms === null ? "-" : count(ms, ms < 10 ? 2 : 1)).padStart(WIDTH);
  });
  return `${name.padEnd(width)}${cells.join("")}`;
}
