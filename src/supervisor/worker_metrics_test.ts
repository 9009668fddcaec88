import { assertEquals } from "@std/assert";
import type { MetricsSnapshot } from "../telemetry/metric_values.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { renderMetrics } from "../telemetry/metrics_text.ts";
import { WorkerMetrics } from "./worker_metrics.ts";

function worker() {
  const metrics = new Metrics();
  const count = metrics.counter("sluice_session_list_reads_total");
  metrics.gauge("sluice_pending_calls", () => 1);
  return { count, tell: () => structuredClone(metrics.snapshot()) };
}

async function shown(
  all: WorkerMetrics<unknown>,
  answered: readonly MetricsSnapshot[] = [],
): Promise<string[]> {
  const { text } = await renderMetrics(all.snapshots(answered));
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

Deno.test("WorkerMetrics keeps what workers have counted that ended, and not their gauges", async () => {
  const all = new WorkerMetrics<string>();
  const [first, second, third] = [worker(), worker(), worker()];
  first.count("200");
  first.count("404");
  all.update("first", first.tell());
  second.count("200");
  all.update("second", second.tell());
  const both = [first.tell(), second.tell()];
  assertEquals(await shown(all, both), [
    "sluice_pending_calls 2",
    'sluice_session_list_reads_total{result="200"} 2',
    'sluice_session_list_reads_total{result="404"} 1',
  ]);
  all.end("first");
  all.end("second");
  third.count("200");
  all.update("third", third.tell());
  const alone = [third.tell()];
  assertEquals(await shown(all, alone), [
    "sluice_pending_calls 1",
    'sluice_session_list_reads_total{result="200"} 3',
    'sluice_session_list_reads_total{result="404"} 1',
  ]);
});

Deno.test("WorkerMetrics counts a worker once, however often it tells its counters, and while it does not answer", async () => {
  const all = new WorkerMetrics<string>();
  const one = worker();
  for (let i = 0; i < 3; i++) {
    one.count("200");
    all.update("one", one.tell());
  }
  assertEquals(await shown(all), ['sluice_session_list_reads_total{result="200"} 3']);
  all.end("one");
  all.end("one");
  assertEquals(await shown(all), ['sluice_session_list_reads_total{result="200"} 3']);
});

Deno.test("WorkerMetrics keeps histograms of ended workers, and bounds the names of all workers together", () => {
  const all = new WorkerMetrics<number>(2);
  const told = (...tools: string[]) => {
    const metrics = new Metrics(2);
    for (const tool of tools) metrics.counter("sluice_tool_calls_total")("time", tool, "success");
    metrics.histogram("mcp_server_operation_duration_seconds")("ping", "").observe(1);
    return metrics.counters();
  };
  const sums = () => {
    const families = all.snapshots([]).flat();
    const values = (name: string) => families.find((family) => family.name === name)!.values;
    return {
      tools: Object.fromEntries(
        values("sluice_tool_calls_total").map(([key, [count]]) => [key.split("\0")[1], count]),
      ),
      pings: values("mcp_server_operation_duration_seconds")[0]![1].reduce((sum, value) => sum + value),
    };
  };
  for (let worker = 0; worker < 4; worker++) {
    all.update(worker, told(`tool-${worker}`));
    // The sum of the durations is one second for each ping.
    assertEquals(sums().pings, 2 * (worker + 1));
    if (worker < 3) all.end(worker);
  }
  assertEquals(sums().tools, { "tool-0": 1, "tool-1": 1, other: 2 });
  all.end(3);
  assertEquals(sums().tools, { "tool-0": 1, "tool-1": 1, other: 2 });
});
