import { assertEquals } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { ExecutionMeter, newExecutions } from "../../telemetry/executions.ts";
import { SharedNumbers } from "../../telemetry/shared_numbers.ts";
import { type CalledEntry, CallMeter } from "./call_meter.ts";

function setUp(maxNames = 10) {
  const metrics = new Metrics(maxNames);
  const meter = new CallMeter(metrics, maxNames);
  /** The number of observations, or the count, by label values. */
  const counted = (name: string) => {
    const { kind, values } = metrics.snapshot().find((family) => family.name === name)!;
    return Object.fromEntries(values.map(([key, value]) => [
      key.replaceAll("\0", " "),
      kind === "histogram" ? value.slice(0, -1).reduce((sum, count) => sum + count) : value[0]!,
    ]));
  };
  return { meter, counted };
}

const EVERYTHING = { server: null };

/** A tool of an upstream. */
function toolOf(upstream: string, tool: string): CalledEntry {
  return {
    gateway: { id: `id-${upstream}`, name: upstream } as GatewayRow,
    row: { id: `id-${tool}`, originalName: tool },
  };
}

const DONE = { failed: false, text: "{}" };

Deno.test("CallMeter counts a tool's calls by how they ended, from zero, and its upstream's requests by error", () => {
  const { meter, counted } = setUp();
  const clock = toolOf("time", "now");
  const now = performance.now();
  meter.answered(EVERYTHING, clock, "tools/call", now, DONE);
  assertEquals(counted("sluice_tool_calls_total"), {
    "time now success": 1,
    "time now tool_error": 0,
    "time now error": 0,
  });
  meter.answered(EVERYTHING, clock, "tools/call", now, { failed: false, text: '{"isError":true}' });
  meter.failed(EVERYTHING, clock, "tools/call", now, {
    error: new SluiceError("FORBIDDEN", {}),
    isAborted: false,
  });
  meter.answered(EVERYTHING, clock, "tools/list", now, { failed: false, text: '{"isError":true}' });
  assertEquals(counted("sluice_tool_calls_total"), {
    "time now success": 1,
    "time now tool_error": 1,
    "time now error": 1,
  });
  assertEquals(counted("sluice_tool_call_duration_seconds"), { "time now": 3 });
  assertEquals(counted("mcp_client_operation_duration_seconds"), {
    "time tools/call ": 1,
    "time tools/list ": 1,
    "time tools/call tool_error": 1,
    "time tools/call FORBIDDEN": 1,
  });
});

Deno.test("CallMeter searches a result that goes to the client as it came once, and any other again", () => {
  const { meter, counted } = setUp();
  const now = performance.now();
  let searched = 0;
  const result = (text: string) => ({
    failed: false,
    get text() {
      searched++;
      return text;
    },
  });
  const failed = result('{"isError":true}');
  meter.answered(EVERYTHING, toolOf("time", "now"), "tools/call", now, failed);
  assertEquals([meter.served("tools/call", now, failed), searched], ["tool_error", 1]);
  meter.answered(EVERYTHING, toolOf("time", "now"), "tools/call", now, failed);
  assertEquals([meter.served("tools/call", now, result("{}")), searched], ["", 3]);
  // What is no call of a tool may say anything.
  meter.answered(EVERYTHING, toolOf("time", "now"), "tools/list", now, failed);
  assertEquals(meter.served("prompts/get", now, failed), "");
  assertEquals(counted("mcp_server_operation_duration_seconds"), {
    "tools/call tool_error": 1,
    "tools/call ": 1,
    "prompts/get ": 1,
  });
});

Deno.test("CallMeter counts unknown methods under one name, however many clients invent", () => {
  const { meter, counted } = setUp();
  const now = performance.now();
  meter.served("tools/call", now, DONE);
  meter.served("tools/call", now, { failed: false, text: '{"isError":true}' });
  for (let i = 0; i < 3; i++) {
    meter.served(null, now, {
      failed: true,
      text: JSON.stringify({ code: -32601, data: { source: "downstream", code: "METHOD_NOT_FOUND" } }),
    });
  }
  assertEquals(counted("mcp_server_operation_duration_seconds"), {
    "tools/call ": 1,
    "tools/call tool_error": 1,
    "_OTHER METHOD_NOT_FOUND": 3,
  });
});

Deno.test("CallMeter counts every call when there are more upstreams and tools than names", () => {
  const { meter, counted } = setUp(2);
  for (let round = 0; round < 2; round++) {
    for (const name of ["a", "b", "c", "d"]) {
      meter.answered(EVERYTHING, toolOf(name, `tool-${name}`), "tools/call", performance.now(), DONE);
    }
  }
  const calls = counted("sluice_tool_calls_total");
  assertEquals(calls["a tool-a success"], 2);
  assertEquals(calls["other other success"], 4);
  assertEquals(counted("mcp_client_operation_duration_seconds"), {
    "a tools/call ": 2,
    "b tools/call ": 2,
    "other tools/call ": 4,
  });
});

Deno.test("CallMeter counts executions of an entry, of its upstream and of the virtual server, and of nothing else", () => {
  const shared = new SharedNumbers(SharedNumbers.memory(64 * 1024));
  const meter = new CallMeter(new Metrics(), 10, new ExecutionMeter(shared, () => {}));
  const now = performance.now();
  const server = { server: { id: "id-server" } };
  meter.answered(EVERYTHING, toolOf("time", "now"), "tools/call", now, DONE);
  meter.answered(server, toolOf("time", "now"), "tools/call", now, {
    failed: false,
    text: '{"isError":true}',
  });
  const resource = { gateway: toolOf("time", "").gateway, row: { id: "id-resource" } };
  meter.failed(server, resource, "resources/read", now, { error: new Error("away"), isAborted: true });
  // A resource that no list has; an entry that a session alone lists; and what executes nothing.
  meter.answered(EVERYTHING, { gateway: resource.gateway }, "resources/read", now, DONE);
  meter.answered(EVERYTHING, toolOf("time", "own/tool/x"), "tools/call", now, DONE);
  for (const method of ["tools/list", "completion/complete", "ping"]) {
    meter.answered(server, toolOf("time", "now"), method, now, DONE);
  }
  assertEquals(
    newExecutions(shared, new WeakMap()).map(({ kind, id, count, failed }) => [kind, id, count, failed]),
    [
      ["gateway", "id-time", 5, 2],
      ["tool", "id-now", 2, 1],
      ["server", "id-server", 2, 2],
      ["resource", "id-resource", 1, 1],
    ],
  );
});
