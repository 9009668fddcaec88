// The suite's scenarios of the tasks extension, at the server of tasks itself and through the gateway: no revision requires
// them, and none is failed.
import { assertEquals } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import { givenTime } from "../support/pace.ts";
import { startGatewayTo } from "./gateway.ts";
import { count, passedByScenario, report, runServerScenario } from "./suite.ts";
import { startTaskServer } from "./upstream_process.ts";

/** Passed checks by scenario. */
const CHECKS: Readonly<Record<string, number>> = {
  "tasks-lifecycle": 9,
  "tasks-capability-negotiation": 5,
  "tasks-wire-fields": 4,
  "tasks-request-state-removal": 3,
  "tasks-mrtr-input": 4,
  "tasks-request-headers": 5,
  "tasks-dispatch-and-envelope": 9,
  "tasks-required-task-error": 3,
  "tasks-mrtr-composition": 2,
};

/** Scenarios mostly wait for their tasks: so many run side by side. */
const AT_ONCE = 3;

async function assertAllPass(url: string): Promise<void> {
  const scenarios = Object.entries(CHECKS);
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = scenarios.shift(); next !== undefined; next = scenarios.shift()) {
      const [scenario, checks] = next;
      await givenTime(() => assertPasses(url, scenario, checks));
    }
  }));
}

async function assertPasses(url: string, scenario: string, checks: number): Promise<void> {
  const result = await runServerScenario(url, scenario, "2026-07-28");
  assertEquals(passedByScenario(result, "required"), { [scenario]: checks }, report(result));
  const bad = count(result.scenarios, "FAILURE") + count(result.scenarios, "WARNING");
  assertEquals([bad, result.exitCode], [0, 0], report(result));
}

Deno.test("The suite finds nothing to object to in the server of tasks", async () => {
  await using server = await startTaskServer();
  await assertAllPass(server.url);
});

gatewayTest("The suite objects to nothing in the server of tasks behind the gateway", async (start) => {
  await using gateway = await startGatewayTo(startTaskServer(), start);
  await assertAllPass(gateway.url);
});

gatewayTest("Who listens for tasks without the extension is told what is missing", async (start) => {
  await using gateway = await startGatewayTo(startTaskServer(), start);
  const listen = (capabilities: unknown) => {
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": capabilities,
    };
    const params = { notifications: { taskIds: ["x"] }, _meta };
    return fetch(gateway.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params }),
    });
  };
  const refused = await listen({});
  const { error } = await refused.json();
  assertEquals([refused.status, error.code], [400, -32021]);
  const extensions = { "io.modelcontextprotocol/tasks": {} };
  assertEquals(error.data.requiredCapabilities, { extensions });
  const taken = await listen({ extensions });
  assertEquals([taken.status, taken.headers.get("content-type")], [200, "text/event-stream"]);
  await taken.body!.cancel();
});
