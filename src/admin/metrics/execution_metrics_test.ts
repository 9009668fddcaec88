import { assertEquals } from "@std/assert";
import { executionMetrics } from "./execution_metrics.ts";

Deno.test("executionMetrics() has ContextForge's fields, and says of what was never executed that its times are not known", () => {
  const lastMs = Date.parse("2026-01-02T03:04:05Z");
  assertEquals(executionMetrics({ count: 4, failed: 1, seconds: 2, least: 0.1, greatest: 1, lastMs }), {
    totalExecutions: 4,
    successfulExecutions: 3,
    failedExecutions: 1,
    failureRate: 0.25,
    minResponseTime: 0.1,
    maxResponseTime: 1,
    avgResponseTime: 0.5,
    lastExecutionTime: "2026-01-02T03:04:05.000Z",
  });
  assertEquals(executionMetrics(null), {
    totalExecutions: 0,
    successfulExecutions: 0,
    failedExecutions: 0,
    failureRate: 0,
    minResponseTime: null,
    maxResponseTime: null,
    avgResponseTime: null,
    lastExecutionTime: null,
  });
});
