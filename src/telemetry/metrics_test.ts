import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ERRORS } from "../base/errors.ts";
import { METRICS } from "./metric_table.ts";
import {
  BUCKETS,
  HistogramChild,
  MAX_EXEMPLAR_SERIES,
  type MetricsSnapshot,
  MetricSums,
  SummaryChild,
} from "./metric_values.ts";
import { countersIn, countersMemory, Metrics } from "./metrics.ts";
import { renderMetrics } from "./metrics_text.ts";
import { SharedNumbers } from "./shared_numbers.ts";

Deno.test("renderMetrics() adds up the workers' counters label by label, and their gauges", async () => {
  const workers = [1, 2].map((sessions) => {
    const metrics = new Metrics();
    const count = metrics.counter("sluice_http_answers_total");
    for (let i = 0; i < sessions; i++) count("rpc", "200");
    count("mcp", "404");
    metrics.counter("sluice_callers_shed_total")();
    metrics.gauge("sluice_pending_calls", () => sessions);
    return metrics.snapshot();
  });
  const { text } = await renderMetrics(structuredClone(workers));
  assertStringIncludes(text, 'sluice_http_answers_total{endpoint="rpc",status="200"} 3');
  assertStringIncludes(text, 'sluice_http_answers_total{endpoint="mcp",status="404"} 2');
  assertStringIncludes(text, "sluice_callers_shed_total 2");
  assertStringIncludes(text, "sluice_pending_calls 3");
  assertStringIncludes(text, "# TYPE sluice_http_answers_total counter");
  assertStringIncludes(text, "# TYPE sluice_pending_calls gauge");
});

Deno.test("no two metrics are one family in OpenMetrics, where the name of a counter is without _total", () => {
  const families = Object.keys(METRICS).map((name) => name.replace(/_total$/, ""));
  assertEquals(families.filter((name, i) => families.indexOf(name) !== i), []);
});

Deno.test("renderMetrics() keeps label values as they are, also ones that need escapes", async () => {
  const metrics = new Metrics();
  metrics.counter("sluice_rate_limited_total")('a"b\nc');
  assertStringIncludes(
    (await renderMetrics([metrics.snapshot()])).text,
    'sluice_rate_limited_total{tier="a\\"b\\nc"} 1',
  );
});

Deno.test("Metrics.snapshot() reads a gauge when it is asked, and again when it is asked again", () => {
  let value = 1;
  const metrics = new Metrics();
  metrics.gauge("sluice_leader", () => value);
  assertEquals(metrics.snapshot()[0]!.values, [["", [1]]]);
  value = 5;
  assertEquals(metrics.snapshot()[0]!.values, [["", [5]]]);
});

Deno.test("countersIn() reads what another thread counts, without gauges, as that thread would say it", () => {
  const memory = countersMemory(1);
  const metrics = new Metrics(Infinity, new SharedNumbers(memory));
  const reader = new SharedNumbers(memory);
  metrics.counter("sluice_rate_limited_total")("low");
  metrics.histogram("mcp_client_operation_duration_seconds")("time", "tools/call", "").observe(0.3);
  metrics.summary("sluice_tool_call_duration_seconds")("time", "now").observe(2, 1);
  metrics.counter("sluice_callers_shed_total")();
  metrics.gauge("sluice_leader", () => 1);
  const sorted = (all: MetricsSnapshot) => all.toSorted((a, b) => a.name < b.name ? -1 : 1);
  const counted = metrics.snapshot().filter(({ kind }) => kind !== "gauge");
  assertEquals(sorted(countersIn(reader)), sorted(counted));
  metrics.gauges();
  assertEquals(sorted(countersIn(reader)), sorted(counted));
});

Deno.test("Metrics counts on where the shared memory is full", () => {
  const metrics = new Metrics(Infinity, new SharedNumbers(SharedNumbers.memory(16)));
  metrics.counter("sluice_callers_shed_total")();
  assertEquals(metrics.snapshot()[0]!.values, [["", [1]]]);
});

Deno.test("Metrics refuses one name twice", () => {
  const metrics = new Metrics();
  metrics.counter("sluice_callers_shed_total");
  assertThrows(() => metrics.counter("sluice_callers_shed_total"), Error, "begun twice");
});

Deno.test("renderMetrics() adds up histograms bucket by bucket, cumulative, and summaries", async () => {
  const workers = [2 ** -11, 0.25].map((seconds) => {
    const metrics = new Metrics();
    const childOf = metrics.histogram("mcp_client_operation_duration_seconds");
    childOf("time", "tools/call", "").observe(seconds);
    childOf("time", "tools/call", "").observe(1_000);
    metrics.summary("sluice_tool_call_duration_seconds")("time", "now").observe(seconds, 1);
    return metrics.snapshot();
  });
  const { text } = await renderMetrics(structuredClone(workers));
  const series = (name: string, value: string) =>
    assertStringIncludes(text, `mcp_client_operation_duration_seconds_${name} ${value}\n`);
  assertStringIncludes(text, "# TYPE mcp_client_operation_duration_seconds histogram");
  series('bucket{upstream="time",mcp_method_name="tools/call",error_type="",le="0.001"}', "1");
  series('bucket{upstream="time",mcp_method_name="tools/call",error_type="",le="0.2"}', "1");
  series('bucket{upstream="time",mcp_method_name="tools/call",error_type="",le="0.5"}', "2");
  series('bucket{upstream="time",mcp_method_name="tools/call",error_type="",le="300"}', "2");
  series('bucket{upstream="time",mcp_method_name="tools/call",error_type="",le="+Inf"}', "4");
  series('sum{upstream="time",mcp_method_name="tools/call",error_type=""}', "2000.250488");
  series('count{upstream="time",mcp_method_name="tools/call",error_type=""}', "4");
  assertStringIncludes(text, "# TYPE sluice_tool_call_duration_seconds summary");
  assertStringIncludes(
    text,
    'sluice_tool_call_duration_seconds_count{upstream="time",gen_ai_tool_name="now"} 2\n',
  );
});

Deno.test("HistogramChild counts a value at a bound in the bucket of that bound", () => {
  const child = new HistogramChild(Float64Array.from(HistogramChild.INITIAL));
  for (const bound of BUCKETS) child.observe(bound);
  assertEquals([...child.values.slice(0, -1)], [...BUCKETS.map(() => 1), 0]);
});

Deno.test("SummaryChild counts a time of a clock that was set back as zero: the sum never falls", () => {
  const child = new SummaryChild(Float64Array.from(SummaryChild.INITIAL));
  for (const seconds of [2, -3_600]) child.observe(seconds, 1);
  assertEquals([...child.values].slice(0, 4), [2, 2, 0, 2]);
});

Deno.test("MetricSums keeps the least, the greatest and the last of a summary", () => {
  const snapshots = [[2, 5], [1, 3]].map((all) => {
    const metrics = new Metrics();
    const child = metrics.summary("sluice_tool_call_duration_seconds")("time", "now");
    for (const seconds of all) child.observe(seconds, 1);
    return metrics.snapshot();
  });
  const sums = new MetricSums();
  for (const family of snapshots.flat()) sums.add(family);
  const [count, sum, least, greatest, last] = sums.families()[0]!.values[0]![1];
  assertEquals([count, sum, least, greatest], [4, 11, 1, 5]);
  assert(last! > 0);
});

Deno.test("Metrics counts names above its limit together as other, whichever labels come after them", () => {
  const metrics = new Metrics(2);
  const count = metrics.counter("sluice_tool_calls_total");
  for (const tool of ["a", "b", "c", "d", "a"]) count("time", tool, "success");
  count("time", "a", "error");
  assertEquals(metrics.snapshot()[0]!.values.filter(([, [count]]) => count !== 0), [
    ["time\0a\0success", [2]],
    ["time\0a\0error", [1]],
    ["time\0b\0success", [1]],
    ["other\0other\0success", [2]],
  ]);
});

Deno.test("Metrics cuts long names, and keeps a NUL in a name from moving the labels", async () => {
  const metrics = new Metrics();
  metrics.counter("sluice_tool_calls_total")("time", `a\0b${"x".repeat(300)}`, "success");
  const { text } = await renderMetrics([metrics.snapshot()]);
  assertStringIncludes(text, `gen_ai_tool_name="a\ufffdb${"x".repeat(253)}",outcome="success"} 1`);
});

Deno.test("renderMetrics() writes OpenMetrics when asked for", async () => {
  const metrics = new Metrics();
  metrics.counter("sluice_callers_shed_total")();
  const { text, type } = await renderMetrics([metrics.snapshot()], "openmetrics");
  assertStringIncludes(text, "# TYPE sluice_callers_shed counter\nsluice_callers_shed_total 1\n# EOF\n");
  assertEquals(type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
});

Deno.test("Metrics begins counters at zero where their labels are known", () => {
  const metrics = new Metrics();
  metrics.counter("sluice_callers_shed_total");
  metrics.counter("sluice_response_cache_answers_total");
  metrics.counter("sluice_http_answers_total");
  assertEquals(metrics.snapshot().map(({ values }) => values), [
    [["", [0]]],
    [["HIT", [0]], ["MISS", [0]], ["STALE", [0]]],
    [],
  ]);
});

Deno.test("Metrics begins the known values of the last labels at zero with the first child of the labels before them", () => {
  const metrics = new Metrics();
  const count = metrics.counter("sluice_upstream_token_requests_total");
  count("time", "failed");
  metrics.counter("sluice_quota_refusals_total")("user", "calls");
  // A value that the table does not know counts beside those that it knows.
  metrics.counter("sluice_requests_refused_total")("SHUTTING_DOWN");
  const [requests, quotas, refused] = metrics.snapshot().map(({ values }) => values);
  assertEquals(requests, [["time\0success", [0]], ["time\0failed", [1]]]);
  assertEquals([quotas!.length, quotas![0]], [12, ["user\0calls", [1]]]);
  assertEquals(refused, [["OVERLOADED", [0]], ["TOO_MANY_STREAMS", [0]], ["SHUTTING_DOWN", [1]]]);
});

Deno.test("METRICS declares the codes of the error table, each with its source", () => {
  const metrics = new Metrics();
  metrics.counter("sluice_errors_total");
  const declared = metrics.snapshot()[0]!.values.map(([key]) => key);
  assertEquals(declared, Object.entries(ERRORS).map(([code, { source }]) => `${code}\0${source}`));
});

const TRACE = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "00f067aa0ba902b7",
  at: 1_764_496_000_123,
};

/** A worker that has observed something, and has exported its trace. */
function traced(seconds: number, trace = TRACE, shared: SharedNumbers | null = null): Metrics {
  const metrics = new Metrics(Infinity, shared);
  const observation = {
    metric: "mcp_client_operation_duration_seconds",
    labelValues: ["time", "tools/call", ""],
    seconds,
  } as const;
  metrics.histogram(observation.metric)(...observation.labelValues).observe(seconds);
  metrics.exemplify(observation, trace);
  return metrics;
}

Deno.test("renderMetrics() writes exemplars in OpenMetrics alone, at the bucket that has counted them", async () => {
  const snapshots = structuredClone([traced(0.054).snapshot()]);
  const exemplar = '# {trace_id="0af7651916cd43dd8448eb211c80319c",span_id="00f067aa0ba902b7"}';
  const { text } = await renderMetrics(snapshots, "openmetrics");
  assertEquals(text.split("\n").filter((line) => line.includes(exemplar)), [
    'mcp_client_operation_duration_seconds_bucket{upstream="time",mcp_method_name="tools/call",error_type="",le="0.1"} 1 ' +
    `${exemplar} 0.054 1764496000.123`,
  ]);
  assert(!(await renderMetrics(snapshots)).text.includes("trace_id"));
});

Deno.test("renderMetrics() shows the latest exemplar of all workers in each bucket", async () => {
  const later = { ...TRACE, traceId: "1".repeat(32), at: TRACE.at + 5 };
  const other = { ...TRACE, traceId: "2".repeat(32) };
  const workers = [traced(0.3, later), traced(0.4), traced(1_000, other)].map((worker) => worker.snapshot());
  const { text } = await renderMetrics(structuredClone(workers), "openmetrics");
  const shown = [...text.matchAll(/le="(.+?)"\} \d+ # \{trace_id="(.)/g)].map(([, le, digit]) => [le, digit]);
  assertEquals(shown, [["0.5", "1"], ["+Inf", "2"]]);
});

Deno.test("countersIn() reads exemplars, as the counting thread would say them", () => {
  const memory = countersMemory(1);
  const metrics = traced(0.3, TRACE, new SharedNumbers(memory));
  const [family] = countersIn(new SharedNumbers(memory));
  assertEquals(family!.exemplars, [["time\0tools/call\0", [{ ...TRACE, bucket: 8, seconds: 0.3 }]]]);
  assertEquals([family!], [...metrics.snapshot()]);
});

Deno.test("Metrics and MetricSums bound the series that have exemplars", () => {
  const sums = new MetricSums();
  for (const worker of [1, 2]) {
    const metrics = new Metrics();
    const childOf = metrics.histogram("mcp_client_operation_duration_seconds");
    for (let upstream = 0; upstream < MAX_EXEMPLAR_SERIES + 10; upstream++) {
      const labelValues = [`${worker}-${upstream}`, "tools/call", ""];
      childOf(...labelValues).observe(1);
      metrics.exemplify({ metric: "mcp_client_operation_duration_seconds", labelValues, seconds: 1 }, TRACE);
    }
    const [family] = metrics.snapshot();
    assertEquals([family!.values.length, family!.exemplars!.length], [
      MAX_EXEMPLAR_SERIES + 10,
      MAX_EXEMPLAR_SERIES,
    ]);
    sums.add(family!);
  }
  assertEquals(sums.families()[0]!.exemplars!.length, MAX_EXEMPLAR_SERIES);
});

Deno.test("Metrics takes exemplars of names above its limit together as other", () => {
  const metrics = new Metrics(1);
  const childOf = metrics.histogram("mcp_client_operation_duration_seconds");
  for (const upstream of ["a", "b"]) {
    childOf(upstream, "tools/call", "").observe(1);
    metrics.exemplify(
      {
        metric: "mcp_client_operation_duration_seconds",
        labelValues: [upstream, "tools/call", ""],
        seconds: 1,
      },
      TRACE,
    );
  }
  assertEquals(metrics.snapshot()[0]!.exemplars!.map(([key]) => key), [
    "a\0tools/call\0",
    "other\0tools/call\0",
  ]);
});
