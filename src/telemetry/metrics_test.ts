import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { METRICS } from "./metric_table.ts";
import { Metrics, renderMetrics } from "./metrics.ts";

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
  const text = await renderMetrics(structuredClone(workers));
  assertStringIncludes(text, 'sluice_http_answers_total{endpoint="rpc",status="200"} 3');
  assertStringIncludes(text, 'sluice_http_answers_total{endpoint="mcp",status="404"} 2');
  assertStringIncludes(text, "sluice_callers_shed_total 2");
  assertStringIncludes(text, "sluice_pending_calls 3");
  assertStringIncludes(text, "# TYPE sluice_http_answers_total counter");
  assertStringIncludes(text, "# TYPE sluice_pending_calls gauge");
});

Deno.test("renderMetrics() keeps label values as they are, also ones that need escapes", async () => {
  const metrics = new Metrics();
  metrics.counter("sluice_rate_limited_total")('a"b\nc');
  assertStringIncludes(
    await renderMetrics([metrics.snapshot()]),
    'sluice_rate_limited_total{tier="a\\"b\\nc"} 1',
  );
});

Deno.test("Metrics.snapshot() reads a gauge when it is asked, and again when it is asked again", () => {
  let value = 1;
  const metrics = new Metrics();
  metrics.gauge("sluice_leader", () => value);
  assertEquals(metrics.snapshot()[0]!.values, [["", 1]]);
  value = 5;
  assertEquals(metrics.snapshot()[0]!.values, [["", 5]]);
});

Deno.test("Metrics.counters() leaves gauges out, and unread", () => {
  const metrics = new Metrics();
  metrics.counter("sluice_callers_shed_total")();
  metrics.gauge("sluice_leader", () => {
    throw new Error("it is closed");
  });
  const name = "sluice_callers_shed_total";
  const counters = [{ name, ...METRICS[name], values: [["", 1]] }];
  assertEquals<unknown>(metrics.counters(), counters);
});

Deno.test("Metrics refuses one name twice", () => {
  const metrics = new Metrics();
  metrics.counter("sluice_callers_shed_total");
  assertThrows(() => metrics.counter("sluice_callers_shed_total"), Error, "begun twice");
});
