import { assertEquals } from "@std/assert";
import { testTracer } from "../../../tests/support/test_tracer.ts";
import type { Exemplar } from "../metric_values.ts";
import type { Observation } from "../metrics.ts";
import type { Span } from "./span.ts";
import { keepExemplars } from "./trace_exemplars.ts";

Deno.test("keepExemplars() takes the spans that a histogram has measured", () => {
  const kept: (Observation & Pick<Exemplar, "traceId" | "spanId">)[] = [];
  const exemplify = (observation: Observation, { traceId, spanId }: Pick<Exemplar, "traceId" | "spanId">) =>
    void kept.push({ ...observation, traceId, spanId });
  const tracer = testTracer({ sampler: () => true, export: (first) => keepExemplars(first, { exemplify }) });
  const edge = tracer.begin(null).begin("edge", "server", 1_000);
  const call = edge.begin("call", "client", 1_100);
  const measuredIn = ({ startedAt, endedAt, errorType }: Span): Observation => ({
    metric: "mcp_client_operation_duration_seconds",
    labelValues: ["time", "tools/call", errorType],
    seconds: (endedAt - startedAt) / 1_000,
  });
  call.subject = { describe: () => {}, measuredIn };
  edge.subject = { describe: () => {} };
  call.end("tool_error", 1_600);
  assertEquals(kept, []);
  edge.end("", 1_700);
  assertEquals(kept, [{
    metric: "mcp_client_operation_duration_seconds",
    labelValues: ["time", "tools/call", "tool_error"],
    seconds: 0.5,
    traceId: edge.trace.id,
    spanId: call.id,
  }]);
});
