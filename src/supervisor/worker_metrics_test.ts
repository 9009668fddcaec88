import { assertEquals } from "@std/assert";
import { Metrics, type MetricsSnapshot, renderMetrics } from "../telemetry/metrics.ts";
import { WorkerMetrics } from "./worker_metrics.ts";

function worker() {
  const metrics = new Metrics();
  const count = metrics.counter("sluice_upstream_checks_total");
  metrics.gauge("sluice_pending_calls", () => 1);
  return { count, tell: () => structuredClone(metrics.snapshot()) };
}

async function shown(
  all: WorkerMetrics<unknown>,
  answered: readonly MetricsSnapshot[] = [],
): Promise<string[]> {
  const text = await renderMetrics(all.snapshots(answered));
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
    'sluice_upstream_checks_total{result="200"} 2',
    'sluice_upstream_checks_total{result="404"} 1',
  ]);
  all.end("first");
  all.end("second");
  third.count("200");
  all.update("third", third.tell());
  const alone = [third.tell()];
  assertEquals(await shown(all, alone), [
    "sluice_pending_calls 1",
    'sluice_upstream_checks_total{result="200"} 3',
    'sluice_upstream_checks_total{result="404"} 1',
  ]);
});

Deno.test("WorkerMetrics counts a worker once, however often it tells its counters, and while it does not answer", async () => {
  const all = new WorkerMetrics<string>();
  const one = worker();
  for (let i = 0; i < 3; i++) {
    one.count("200");
    all.update("one", one.tell());
  }
  assertEquals(await shown(all), ['sluice_upstream_checks_total{result="200"} 3']);
  all.end("one");
  all.end("one");
  assertEquals(await shown(all), ['sluice_upstream_checks_total{result="200"} 3']);
});
