// The report of a load, or of two, as one page: no script, nothing that is loaded from elsewhere.
import { type BenchReport, latenciesOf } from "./bench_report.ts";
import { type Change, changesOf, changeText, differencesOf, value } from "./report_changes.ts";
import type { LatencySummary } from "../latencies.ts";
import { count, measuredText, notesOf } from "./report_text.ts";
import type { Verdict } from "./assertions.ts";
import { type Chart, chartHtml, escaped, type Series } from "./svg_chart.ts";

const STYLE = `
:root { color-scheme: light dark; --back: #fff; --card: #f6f7f9; --text: #1b1f24; --muted: #59636e; --line: #d9dee4; --bad: #b42318;
  --good: #1a7f37; --c0: #0b63ce; --c1: #b54708; --c2: #7a3fc2; --c3: #b42318; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1318; --card: #181e25; --text: #e8ebef; --muted: #9aa5b1; --line: #333c47;
  --bad: #ff8f85; --good: #5fd07f; --c0: #6db3ff; --c1: #ffb057; --c2: #c8a2ff; --c3: #ff8f85; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 22px; margin: 0 0 4px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 32px 0 8px; } h3 { font-size: 15px; margin: 0; }
.lead { color: var(--muted); margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 12px; margin: 20px 0 0; padding: 0; }
.tiles div { background: var(--card); border-radius: 8px; padding: 10px 14px; }
.tiles dt { color: var(--muted); font-size: 13px; } .tiles dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 16px; }
figure { margin: 0; background: var(--card); border-radius: 8px; padding: 14px; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 16px; margin-bottom: 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--muted); }
.legend span { display: inline-flex; align-items: center; gap: 6px; } .legend svg { width: 22px; height: 8px; }
figure > svg { display: block; width: 100%; height: auto; overflow: visible; }
svg path { fill: none; stroke-width: 2; stroke-linejoin: round; } svg .grid { stroke: var(--line); stroke-width: 1; }
svg text { fill: var(--muted); font-size: 13px; font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }
svg .x { text-anchor: middle; } svg .y { text-anchor: end; } svg .unit { text-anchor: end; }
.s0 path { stroke: var(--c0); } .s1 path { stroke: var(--c1); } .s2 path { stroke: var(--c2); } .s3 path { stroke: var(--c3); }
.s0 circle { fill: var(--c0); } .s1 circle { fill: var(--c1); } .s2 circle { fill: var(--c2); } .s3 circle { fill: var(--c3); }
.dashed path { stroke-dasharray: 6 4; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--muted); font-weight: 600; font-size: 13px; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } .words td { white-space: normal; text-align: left; overflow-wrap: anywhere; }
.words td:first-child { white-space: nowrap; color: var(--muted); width: 1%; } .bad, .words td.bad { color: var(--bad); } .words td.good { color: var(--good); }
@media (max-width: 600px) { svg text { font-size: 16px; } }
.note { border-left: 3px solid var(--c1); padding: 2px 0 2px 12px; margin: 16px 0 0; max-width: 80ch; }
.empty { color: var(--muted); }
`;

const SUMMARY = ["min", "mean", "p50", "p90", "p99", "p999", "max"] as const;
const SUMMARY_NAMES = ["min", "mean", "p50", "p90", "p99", "p99.9", "max"];

export function reportHtml(report: BenchReport): string {
  const { load, methods, failures, assertions, latency } = report;
  const names = Object.keys(methods);
  const all: [string, number, number, LatencySummary] = ["all", report.requests, report.errors, latency];
  const each = names.map((name): typeof all => {
    const { requests, errors, latency: of } = methods[name]!;
    return [name, requests, errors, of];
  });
  const rows = names.length > 1 ? [all, ...each] : [all];
  const table = [
    ["", "requests", "errors", ...SUMMARY_NAMES],
    ...rows.map(([name, requests, errors, of]) => [
      name,
      count(requests),
      count(errors),
      ...SUMMARY.map((key) => value(of[key])),
    ]),
  ];
  return page(report.url, [
    `<h1>${escaped(report.url)}</h1>`,
    `<p class="lead">${
      escaped(`${load.pace}, ${count(load.users)} users, ${count(report.seconds, 1)} s. ${report.startedAt}`)
    }</p>`,
    tiles([
      ["answered a second", count(report.rate, 1), false],
      ["errors", count(report.errors), report.errors > 0],
      ["not sent", count(report.unsent), report.unsent > 0],
      ["p50, ms", value(latency.p50), false],
      ["p99, ms", value(latency.p99), false],
      ["max, ms", value(latency.max), false],
    ]),
    ...notesOf(report).map(note),
    verdicts(assertions),
    `<h2>Course</h2><div class="charts">${
      [rateChart(report), latencyChart(report), distributionChart([["all", report]])].map(chartHtml).join("")
    }</div>`,
    `<h2>Latency, ms</h2>${tableHtml(table)}`,
    failures.length === 0
      ? ""
      : `<h2>Failures</h2>${words(failures.map(({ what, count: times }) => [count(times), what]))}`,
    `<h2>Load</h2>${words(loadRows(report))}`,
  ]);
}

export function comparisonHtml(
  base: BenchReport,
  report: BenchReport,
  names: readonly [string, string],
  assertions: readonly Verdict[],
): string {
  const table = [
    ["", "base", "report", "change"],
    ...changesOf(base, report).map((
      change: Change,
    ) => [change.name, value(change.before), value(change.after), changeText(change)]),
  ];
  const both = [[`base: ${names[0]}`, base], [`report: ${names[1]}`, report]] as const;
  const courses: Chart[] = [
    {
      title: "Answers a second",
      unit: "1/s",
      xTitle: "seconds",
      series: both.map(([name, of]) => course(name, of, "rate")),
    },
    {
      title: "p99 over time",
      unit: "ms",
      xTitle: "seconds",
      isLogarithmic: true,
      series: both.map(([name, of]) => course(name, of, "p99")),
    },
  ];
  const charts = [...courses, distributionChart(both)].map(chartHtml);
  return page("comparison", [
    `<h1>${escaped(`${names[0]} and ${names[1]}`)}</h1>`,
    ...both.map(([name, of]) =>
      `<p class="lead">${
        escaped(`${name}: ${of.url}, ${of.load.pace}, ${count(of.load.users)} users, ${of.startedAt}`)
      }</p>`
    ),
    ...differencesOf(base, report).map(note),
    verdicts(assertions),
    `<h2>Figures</h2>${tableHtml(table)}`,
    `<h2>Course</h2><div class="charts">${charts.join("")}</div>`,
  ]);
}

function rateChart({ points }: BenchReport): Chart {
  const hasPlan = points.some(({ due }) => due !== null);
  return {
    title: "Requests a second",
    unit: "1/s",
    xTitle: "seconds",
    series: [
      { name: "answered", points: points.map(({ at, rate }) => [at, rate]) },
      ...(hasPlan
        ? [{
          name: "due",
          isDashed: true,
          points: points.map(({ at, due }) => [at, due] as const),
        }]
        : []),
      ...(points.some(({ errors }) => errors > 0)
        ? [{ name: "errors", points: points.map(({ at, errors }) => [at, errors] as const) }]
        : []),
    ],
  };
}

function latencyChart(report: BenchReport): Chart {
  return {
    title: "Latency over time",
    unit: "ms",
    xTitle: "seconds",
    isLogarithmic: true,
    series: (["p50", "p99", "max"] as const).map((key) => course(key, report, key)),
  };
}

function course(name: string, { points }: BenchReport, key: "rate" | "p50" | "p99" | "max"): Series {
  return { name, points: points.map((point) => [point.at, point[key]]) };
}

/** Percentiles up to the slowest of all, on an axis that gives each further nine the same room. */
function distributionChart(reports: readonly (readonly [string, BenchReport])[]): Chart {
  const latencies = reports.map(([name, report]) => [name, latenciesOf(report, null)] as const);
  const nines = Math.max(
    1,
    ...latencies.map(([, { count: of }]) => Math.min(5, Math.floor(Math.log10(Math.max(1, of))))),
  );
  const xs = Array.from({ length: nines * 8 + 1 }, (_, index) => index / 8);
  return {
    title: "Latency by percentile",
    unit: "ms",
    xTitle: "percentile",
    isLogarithmic: true,
    xTicks: Array.from(
      { length: nines + 1 },
      (_, index) => [index, index === 0 ? "0" : label(index)] as const,
    ),
    series: latencies.map(([name, of]) => ({
      name,
      points: xs.map((x) => [x, of.percentile(100 * (1 - 10 ** -x))] as const),
    })),
  };
}

/** 1 -> "90", 3 -> "99.9" */
function label(nines: number): string {
  return nines === 1 ? "90" : `99${nines > 2 ? `.${"9".repeat(nines - 2)}` : ""}`;
}

function loadRows({ load, program, machine, generator, seconds, events }: BenchReport): [string, string][] {
  return [
    ["pace", load.pace],
    ["users", count(load.users)],
    ["duration", `${count(seconds, 1)} s after a warm-up of ${load.warmup}`],
    ["protocol", load.protocol],
    ["sessions", load.churn > 0 ? `${load.sessions}, ${count(load.churn)} requests in each` : load.sessions],
    ["methods", load.methods],
    ...(load.tool === null ? [] : [["tool", load.tool] as [string, string]]),
    ...(load.payload === null ? [] : [["payload", load.payload] as [string, string]]),
    ...(load.streams === 0
      ? []
      : [["event streams", `${count(load.streams)}, ${count(events)} events`] as [string, string]]),
    ["timeout", load.timeout],
    [
      "generator",
      `${program}; ${count(generator.cores, 2)} cores, at most ${count(generator.lagMs, 1)} ms late`,
    ],
    ["machine", `${machine.cores} × ${machine.cpu}, ${machine.os}`],
  ];
}

function tiles(of: readonly (readonly [name: string, value: string, isBad: boolean])[]): string {
  return `<dl class="tiles">${
    of.map(([name, shown, isBad]) =>
      `<div><dt>${escaped(name)}</dt><dd${isBad ? ' class="bad"' : ""}>${escaped(shown)}</dd></div>`
    )
      .join("")
  }</dl>`;
}

function note(text: string): string {
  return `<p class="note">${escaped(text)}</p>`;
}

function verdicts(assertions: readonly Verdict[]): string {
  if (assertions.length === 0) return "";
  const rows = assertions.map((verdict) =>
    `<tr><td class="${verdict.holds ? "good" : "bad"}">${verdict.holds ? "holds" : "failed"}</td><td>${
      escaped(`${verdict.text} (${measuredText(verdict)})`)
    }</td></tr>`
  );
  return `<h2>Assertions</h2><div class="table"><table class="words"><tbody>${
    rows.join("")
  }</tbody></table></div>`;
}

/** The first row is the head. */
function tableHtml([head, ...rows]: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("");
  return `<div class="table"><table><thead><tr>${cells(head!, "th")}</tr></thead><tbody>${
    rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("")
  }</tbody></table></div>`;
}

function words(rows: readonly (readonly [string, string])[]): string {
  return `<div class="table"><table class="words"><tbody>${
    rows.map(([name, text]) => `<tr><td>${escaped(name)}</td><td>${escaped(text)}</td></tr>`).join("")
  }</tbody></table></div>`;
}

function page(title: string, parts: readonly string[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sluice bench: ${escaped(title)}</title><style>${STYLE}</style></head>
<body><main>${parts.filter((part) => part !== "").join("\n")}</main></body></html>
`;
}
