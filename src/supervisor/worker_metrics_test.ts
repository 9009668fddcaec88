import { assertEquals } from "@std/assert";
import type { MetricsSnapshot } from "../telemetry/metric_values.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { renderMetrics } from "../telemetry/metrics_text.ts";
import { SharedNumbers } from "../telemetry/shared_numbers.ts";
import { WorkerMetrics } from "./worker_metrics.ts";

function worker(maxNames = Infinity) {
  const memory = SharedNumbers.memory(64 * 1024);
  return { metrics: new Metrics(maxNames, new SharedNumbers(memory)), counters: memory };
}

function reader() {
  const { metrics, counters } = worker();
  const count = metrics.counter("sluice_session_list_reads_total");
  metrics.gauge("sluice_pending_calls", () => 1);
  return { count, counters, gauges: () => structuredClone(metrics.gauges()) };
}

async function shown(
  all: WorkerMetrics<unknown>,
  gauges: readonly MetricsSnapshot[] = [],
): Promise<string[]> {
  const { text } = await renderMetrics(all.snapshots(gauges));
  // Counters begin at zero.
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#") && !line.endsWith(" 0"));
}

Deno.test("WorkerMetrics keeps what workers have counted that ended, to the last count, and not their gauges", async () => {
  const all = new WorkerMetrics<string>();
  const [first, second, third] = [reader(), reader(), reader()];
  all.begin("first", first.counters);
  all.begin("second", second.counters);
  first.count("same");
  first.count("own");
  second.count("same");
  assertEquals(await shown(all, [first.gauges(), second.gauges()]), [
    "sluice_pending_calls 2",
    'sluice_session_list_reads_total{result="same"} 2',
    'sluice_session_list_reads_total{result="own"} 1',
  ]);
  all.end("first");
  // Its thread finishes the call that it was at.
  first.count("own");
  all.end("second");
  all.begin("third", third.counters);
  third.count("same");
  assertEquals(await shown(all, [third.gauges()]), [
    "sluice_pending_calls 1",
    'sluice_session_list_reads_total{result="same"} 3',
    'sluice_session_list_reads_total{result="own"} 2',
  ]);
});

Deno.test("WorkerMetrics counts a worker once, however often it ends, and while it does not answer", async () => {
  const all = new WorkerMetrics<string>();
  const [one, two] = [reader(), reader()];
  all.begin("one", one.counters);
  all.begin("two", two.counters);
  for (let i = 0; i < 3; i++) one.count("same");
  const sum = ['sluice_session_list_reads_total{result="same"} 3'];
  assertEquals(await shown(all), sum);
  for (const ended of ["one", "one", "two"]) {
    all.end(ended);
    assertEquals(await shown(all), sum);
  }
});

Deno.test("WorkerMetrics keeps histograms of ended workers, and bounds the names of all workers together", () => {
  const all = new WorkerMetrics<number>(2);
  const counters = (...tools: string[]) => {
    const { metrics, counters } = worker(2);
    for (const tool of tools) metrics.counter("sluice_tool_calls_total")("time", tool, "success");
    metrics.histogram("mcp_server_operation_duration_seconds")("ping", "").observe(1);
    return counters;
  };
  const sums = () => {
    const families = all.snapshots([]).flat();
    const values = (name: string) => families.find((family) => family.name === name)!.values;
    return {
      tools: Object.fromEntries(
        values("sluice_tool_calls_total").filter(([, [count]]) => count !== 0)
          .map(([key, [count]]) => [key.split("\0")[1], count]),
      ),
      pings: values("mcp_server_operation_duration_seconds")[0]![1].reduce((sum, value) => sum + value),
    };
  };
  for (let worker = 0; worker < 4; worker++) {
    all.begin(worker, counters(`tool-${worker}`));
    // The sum of the durations is one second for each ping.
    assertEquals(sums().pings, 2 * (worker + 1));
    all.end(worker);
  }
  assertEquals(Object.values(sums().tools).reduce((sum, count) => sum! + count!), 4);
  assertEquals(Object.keys(sums().tools).length, 3);
  assertEquals(sums().tools.other, 2);
});

Deno.test("WorkerMetrics keeps the exemplars of ended workers until a later one", async () => {
  const all = new WorkerMetrics<number>();
  const observation = {
    metric: "mcp_server_operation_duration_seconds",
    labelValues: ["ping", ""],
    seconds: 1,
  } as const;
  const begin = (name: number, at: number) => {
    const { metrics, counters } = worker();
    all.begin(name, counters);
    metrics.histogram(observation.metric)(...observation.labelValues).observe(observation.seconds);
    metrics.exemplify(observation, { traceId: String(name).repeat(32), spanId: "1".repeat(16), at });
  };
  const traces = async () => {
    const { text } = await renderMetrics(all.snapshots([]), "openmetrics");
    return [...text.matchAll(/# \{trace_id="(.)/g)].map(([, digit]) => Number(digit));
  };
  begin(1, 2_000);
  begin(2, 1_000);
  for (const ended of [1, 2]) {
    all.end(ended);
    assertEquals(await traces(), [1]);
  }
  begin(3, 3_000);
  assertEquals(await traces(), [3]);
});

Deno.test("WorkerMetrics shows the same sum of durations whichever workers have ended", async () => {
  const all = new WorkerMetrics<number>();
  // 0.1 + 0.2 + 0.3 differs from 0.3 + 0.2 + 0.1, in numbers of 64 bits.
  const workers = [0.1, 0.2, 0.3, 0.7];
  for (const seconds of workers) {
    const { metrics, counters } = worker();
    all.begin(seconds, counters);
    metrics.histogram("mcp_server_operation_duration_seconds")("ping", "").observe(seconds);
    metrics.summary("sluice_tool_call_duration_seconds")("time", "now").observe(seconds, 1);
  }
  const sums = async () => (await shown(all)).filter((line) => line.includes("_sum{"));
  const before = await sums();
  assertEquals(before.length, 2);
  for (const ended of [0.3, 0.1, 0.7, 0.2]) {
    all.end(ended);
    assertEquals(await sums(), before);
  }
});
