import { assertAlmostEquals, assertEquals } from "@std/assert";
import { BUCKETS } from "../../telemetry/metric_values.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { LiveFigures, quantile } from "./live_figures.ts";

const WORKERS = [{ worker: 0, state: "ready", startedAt: 1 }, {
  worker: 1,
  state: "ready",
  startedAt: 2,
}] as const;

Deno.test("LiveFigures gives what a tool did in each interval, and of the busiest tools alone", async () => {
  const metrics = new Metrics();
  const calls = metrics.counter("sluice_tool_calls_total");
  const times = metrics.summary("sluice_tool_call_duration_seconds");
  const call = (tool: string, seconds: number, outcome = "success") => {
    calls("time", tool, outcome);
    times("time", tool).observe(seconds, 0);
  };
  metrics.gaugeBy("sluice_worker_heap_bytes", () => new Map([["0", 5], ["1", 6]]));
  let now = 0;
  const live = new LiveFigures(
    () => Promise.resolve([metrics.snapshot()]),
    () => Promise.resolve(WORKERS),
    () => now,
  );
  call("now", 9);
  assertEquals((await live.figures()).ofTool("time", "now").perSecond, []);
  call("now", 1);
  call("now", 3, "tool_error");
  for (let i = 0; i < 150; i++) call(`tool ${i}`, 1);
  for (let i = 0; i < 150; i++) call(`tool ${i}`, 1);
  call("seldom", 1);
  now = 2_000;
  const { ofTool, workers } = await live.figures();
  assertEquals(ofTool("time", "now"), {
    ...{ perSecond: [1], failuresPerSecond: [0.5], meanTimes: [2], calls: 2, failures: 1, meanTime: 2 },
  });
  assertEquals(ofTool("time", "seldom").calls, 0);
  assertEquals(workers.map(({ worker, heapBytes, heapLimitBytes }) => [worker, heapBytes, heapLimitBytes]), [
    [0, 5, null],
    [1, 6, null],
  ]);
  now = 4_000;
  assertEquals((await live.figures()).ofTool("time", "now").perSecond, [1, 0]);
});

Deno.test("LiveFigures takes rates between samples, and shares a sample within a second", async () => {
  const metrics = new Metrics();
  const operations = metrics.histogram("mcp_server_operation_duration_seconds");
  const calls = metrics.counter("sluice_tool_calls_total");
  metrics.gauge("sluice_requests_in_flight", () => 3);
  let [now, reads] = [0, 0];
  const read = () => {
    reads++;
    return Promise.resolve([metrics.snapshot(), metrics.snapshot()]);
  };
  const live = new LiveFigures(read, () => Promise.resolve(WORKERS), () => now);
  const first = await live.figures();
  assertEquals([first.perSecond, first.p50, first.history, first.busiest], [0, null, [], []]);
  for (let i = 0; i < 10; i++) operations("tools/call", i < 9 ? "" : "UPSTREAM_TIMEOUT").observe(0.0015);
  for (let i = 0; i < 4; i++) calls("time", "now", "success");
  calls("time", "convert", "error");
  now = 500;
  assertEquals((await live.figures()).perSecond, 0);
  now = 2_000;
  // Two workers with the same numbers.
  const second = await live.figures();
  assertEquals([second.perSecond, second.errorsPerSecond], [10, 1]);
  assertEquals(second.history.map(({ perSecond, errorsPerSecond }) => [perSecond, errorsPerSecond]), [[
    10,
    1,
  ]]);
  assertAlmostEquals(second.history[0]!.p50!, 0.0015);
  assertEquals(second.busiest, [
    { upstream: "time", tool: "now", calls: 8 },
    { upstream: "time", tool: "convert", calls: 2 },
  ]);
  assertAlmostEquals(second.p50!, 0.0015);
  assertEquals([second.gauges.get("sluice_requests_in_flight"), reads], [6, 2]);
  now = 100_000;
  assertEquals((await live.figures()).history, []);
});

Deno.test("quantile() lies within its bucket, and above all buckets is no number", () => {
  const buckets = new Array<number>(BUCKETS.length + 1).fill(0);
  assertEquals(quantile(buckets, 0.5), null);
  buckets[0] = 1;
  assertEquals(quantile(buckets, 1), BUCKETS[0]);
  buckets[BUCKETS.length] = 9;
  assertEquals(quantile(buckets, 0.99), Infinity);
});
