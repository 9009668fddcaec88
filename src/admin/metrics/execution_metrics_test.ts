import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Metrics } from "../../telemetry/metrics.ts";
import { Executions } from "./execution_metrics.ts";

const tool = (name: string) => ({ id: `id-${name}`, name: `time-${name}`, originalName: name });
const TIME = { name: "time" };
const AT = Date.parse("2026-01-02T03:04:05Z");

function worker(calls: readonly [name: string, seconds: number, outcome: string][]) {
  const metrics = new Metrics();
  const time = metrics.summary("sluice_tool_call_duration_seconds");
  const count = metrics.counter("sluice_tool_calls_total");
  const served = metrics.histogram("mcp_server_operation_duration_seconds");
  for (const [name, seconds, outcome] of calls) {
    time("time", name).observe(seconds, AT - performance.timeOrigin);
    count("time", name, outcome);
    served("resources/read", outcome === "success" ? "" : "RESOURCE_NOT_FOUND").observe(seconds);
  }
  return metrics.snapshot();
}

Deno.test("Executions adds up the calls of a tool over the workers, and of all tools", () => {
  const all = new Executions([
    worker([["now", 1, "success"], ["now", 3, "tool_error"]]),
    worker([["now", 5, "error"], ["convert", 7, "success"]]),
  ]);
  assertEquals(all.ofTool(tool("now"), TIME), {
    totalExecutions: 3,
    successfulExecutions: 1,
    failedExecutions: 2,
    failureRate: 2 / 3,
    minResponseTime: 1,
    maxResponseTime: 5,
    avgResponseTime: 3,
    lastExecutionTime: "2026-01-02T03:04:05.000Z",
  });
  const { totalExecutions, failedExecutions, minResponseTime, maxResponseTime } = all.ofAllTools();
  assertEquals([totalExecutions, failedExecutions, minResponseTime, maxResponseTime], [4, 2, 1, 7]);
  const read = all.ofMethod("resources/read");
  assertEquals([read.totalExecutions, read.failedExecutions, read.avgResponseTime], [4, 2, 4]);
  assertEquals([read.minResponseTime, read.lastExecutionTime], [null, null]);
});

Deno.test("Executions names the tools with the most calls, and none without", () => {
  const all = new Executions([
    worker([["convert", 1, "success"], ["now", 2, "success"], ["now", 2, "error"]]),
  ]);
  const top = all.topTools(["convert", "never", "now"].map((name) => ({ row: tool(name), gateway: TIME })));
  assertEquals(top.map(({ id, executionCount }) => [id, executionCount]), [["id-now", 2], ["id-convert", 1]]);
  assertAlmostEquals(top[0]!.successRate!, 50);
});

Deno.test("Executions says of what was never called that nothing is known of its time", () => {
  const { totalExecutions, failureRate, avgResponseTime, lastExecutionTime } = new Executions([]).ofTool(
    tool("now"),
    TIME,
  );
  assertEquals([totalExecutions, failureRate, avgResponseTime, lastExecutionTime], [0, 0, null, null]);
});
