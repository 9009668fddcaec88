import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Metrics, renderMetrics } from "./metrics.ts";

Deno.test("renderMetrics() adds up the workers' counters label by label, and their gauges", async () => {
  const workers = [1, 2].map((sessions) => {
    const metrics = new Metrics();
    const count = metrics.counter("answers_total", "Answers", ["endpoint", "status"]);
    for (let i = 0; i < sessions; i++) count("rpc", "200");
    count("mcp", "404");
    metrics.counter("plain_total", "Plain")();
    metrics.gauge("sessions", "Sessions", () => sessions);
    return metrics.snapshot();
  });
  const text = await renderMetrics(structuredClone(workers));
  assertStringIncludes(text, 'answers_total{endpoint="rpc",status="200"} 3');
  assertStringIncludes(text, 'answers_total{endpoint="mcp",status="404"} 2');
  assertStringIncludes(text, "plain_total 2");
  assertStringIncludes(text, "sessions 3");
  assertStringIncludes(text, "# TYPE answers_total counter");
  assertStringIncludes(text, "# TYPE sessions gauge");
});

Deno.test("renderMetrics() keeps label values as they are, also ones that need escapes", async () => {
  const metrics = new Metrics();
  metrics.counter("x_total", "X", ["one"])('a"b\nc');
  assertStringIncludes(await renderMetrics([metrics.snapshot()]), 'x_total{one="a\\"b\\nc"} 1');
});

Deno.test("Metrics.snapshot() reads a gauge when it is asked, and again when it is asked again", () => {
  let value = 1;
  const metrics = new Metrics();
  metrics.gauge("g", "G", () => value);
  assertEquals(metrics.snapshot()[0]!.values, [["", 1]]);
  value = 5;
  assertEquals(metrics.snapshot()[0]!.values, [["", 5]]);
});

Deno.test("Metrics.counters() leaves gauges out, and unread", () => {
  const metrics = new Metrics();
  metrics.counter("x_total", "X")();
  metrics.gauge("g", "G", () => {
    throw new Error("it is closed");
  });
  const counters = [{ name: "x_total", kind: "counter", help: "X", labels: [], values: [["", 1]] }];
  assertEquals<unknown>(metrics.counters(), counters);
});

Deno.test("Metrics refuses one name twice", () => {
  const metrics = new Metrics();
  metrics.counter("x_total", "X");
  assertThrows(() => metrics.gauge("x_total", "X", () => 0), Error, "declared twice");
});
