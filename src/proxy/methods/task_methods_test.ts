import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { dataPlane, requestOf } from "../../../tests/support/data_plane.ts";
import { FakeUpstream, headerOf } from "../../../tests/support/fake_upstream.ts";
import { taskGateway, TaskUpstream } from "../../../tests/support/fake_tasks.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { TASKS_EXTENSION } from "../../mcp/tasks.ts";
import type { CallContext } from "../call/call_context.ts";

const NO_TASK = 'Invalid params: "taskId" names no task of this caller here';
const SESSIONLESS = {
  revision: "2026-07-28",
  clientCapabilities: `{"extensions":{"${TASKS_EXTENSION}":{}}}`,
} as const;

async function setUp(revisions: "sessions" | "stateless" = "sessions") {
  const a = new TaskUpstream("aaa", revisions);
  const b = new TaskUpstream("bbb", revisions);
  const rows = catalogRows({
    gateways: [gatewayRow("a", taskGateway(a)), gatewayRow("b", taskGateway(b)), gatewayRow("plain")],
    tools: [toolRow("a", "work"), toolRow("b", "work"), toolRow("plain", "echo")],
    servers: [serverRow("s", { toolIds: ["a-work"] }), serverRow("t", { toolIds: ["b-work"] })],
  });
  const plane = await dataPlane(rows, { a: a.fake, b: b.fake, plain: new FakeUpstream() });
  const text = (method: string, params: unknown, more: Partial<CallContext> = {}) =>
    plane.dispatcher.respond(
      plane.context({ ...(revisions === "stateless" ? SESSIONLESS : {}), ...more }),
      requestOf(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })),
    );
  const ask = async (method: string, params: unknown, more: Partial<CallContext> = {}) =>
    JSON.parse(await text(method, params, more));
  /** Makes a task and returns its id. */
  const make = async (name: string, more: Partial<CallContext> = {}): Promise<string> => {
    const { result } = await ask(
      "tools/call",
      { name, ...(revisions === "sessions" ? { task: {} } : {}) },
      more,
    );
    return revisions === "sessions" ? result.task.taskId : result.taskId;
  };
  return { ...plane, a, b, text, ask, make };
}

Deno.test("A task of 2025-11-25 keeps one id of ours in every answer, and each question reaches its upstream alone", async () => {
  const { a, b, ask, make } = await setUp();
  const taskId = await make("b-work");
  assertEquals(/^[A-Za-z0-9_-]+$/.test(taskId), true);
  const { result: got } = await ask("tasks/get", { taskId });
  assertEquals([got.taskId, got.status], [taskId, "working"]);
  const { result: cancelled } = await ask("tasks/cancel", { taskId });
  assertEquals([cancelled.taskId, cancelled.status], [taskId, "cancelled"]);
  const { result: done } = await ask("tasks/result", { taskId });
  assertEquals(done.taskId, "the tool's own");
  assertEquals(done._meta["io.modelcontextprotocol/related-task"], { taskId });
  assertEquals(b.asked, ["bbb-1", "bbb-1", "bbb-1"]);
  assertEquals(a.fake.received, []);
});

Deno.test("A task of the extension keeps one id of ours, and its upstream reads its own in body and header", async () => {
  const { a, b, ask, make } = await setUp("stateless");
  const { result: made } = await ask("tools/call", { name: "a-work" });
  assertEquals([made.resultType, made.status], ["task", "working"]);
  const { taskId } = made;
  const { result: got } = await ask("tasks/get", { taskId });
  assertEquals([got.resultType, got.taskId], ["complete", taskId]);
  assertEquals((await ask("tasks/update", { taskId, inputResponses: {} })).result.resultType, "complete");
  assertEquals((await ask("tasks/cancel", { taskId })).result.resultType, "complete");
  assertEquals(a.asked, ["aaa-1", "aaa-1", "aaa-1"]);
  const names = a.fake.received.slice(1).map(({ http }) => headerOf(http, "mcp-name"));
  assertEquals(names, ["aaa-1", "aaa-1", "aaa-1"]);
  assertEquals(b.fake.received, []);
  assertEquals(await make("a-work") === taskId, false);
});

Deno.test("The revisions with and without sessions each have their own methods for tasks", async () => {
  const session = await setUp();
  assertEquals((await session.ask("tasks/update", { taskId: "x" })).error.code, -32601);
  const sessionless = await setUp("stateless");
  for (const method of ["tasks/list", "tasks/result"]) {
    assertEquals((await sessionless.ask(method, { taskId: "x" })).error.code, -32601, method);
  }
});

Deno.test("A client of 2026-07-28 that does not declare the extension is told so, with the capability that it lacks", async () => {
  const { ask, make, a } = await setUp("stateless");
  const taskId = await make("a-work");
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const { error } = await ask(method, { taskId }, { clientCapabilities: "{}" });
    assertEquals(error.code, -32021);
    assertEquals(error.data.requiredCapabilities, { extensions: { [TASKS_EXTENSION]: {} } });
  }
  assertEquals(a.asked, []);
});

Deno.test("An upstream of 2026-07-28 is not offered a client of an older revision for its tasks", async () => {
  const { ask, a } = await setUp("stateless");
  const older = { revision: "2025-11-25", clientCapabilities: SESSIONLESS.clientCapabilities } as const;
  await ask("tools/call", { name: "a-work" }, older);
  const { _meta } = a.fake.received[0]!.params as { _meta: Record<string, unknown> };
  assertEquals(_meta["io.modelcontextprotocol/clientCapabilities"], { extensions: {} });
});

Deno.test("A task id that is not this caller's, or not of this place, is told of like one that does not exist", async () => {
  const { a, b, ask, make, catalog } = await setUp();
  const taskId = await make("a-work");
  const own = await make("a-work", { scope: catalog.scope("s")! });
  const hidden = { principal: principal({ permissions: ["servers.use"] }) };
  for (const method of ["tasks/get", "tasks/result", "tasks/cancel"]) {
    const refused: [string, Partial<CallContext>][] = [
      ["aaa-1", {}],
      [taskId, { principal: principal({ subject: "bob@example.com" }) }],
      [taskId, { principal: principal({ issuer: "other" }) }],
      [taskId, { principal: principal({ permissions: ["tools.execute"] }) }],
      [taskId, { principal: principal({ teams: ["t1"] }) }],
      [taskId, { scope: catalog.scope("s")! }],
      [own, {}],
      [own, { scope: catalog.scope("t")! }],
      [taskId, SESSIONLESS],
    ];
    for (const [id, more] of refused) {
      if (more.revision !== undefined && method === "tasks/result") continue;
      const { error } = await ask(method, { taskId: id }, more);
      assertEquals([error.code, error.message], [-32602, NO_TASK]);
    }
    assertEquals((await ask(method, { taskId: 1 })).error.code, -32602);
    assertEquals((await ask(method, [])).error.code, -32602);
    assertEquals((await ask(method, { taskId }, hidden)).error.data.code, "FORBIDDEN");
  }
  assertEquals([a.asked, b.asked], [[], []]);
});

Deno.test("A task cannot be reached any more where its upstream is no longer shown to the caller", async () => {
  const first = await setUp();
  const ann = principal({ teams: ["t1"] });
  const taskId = await first.make("a-work", { principal: ann });
  const get = async (teamId: string) => {
    const rows = catalogRows({
      gateways: [gatewayRow("a", taskGateway(first.a))],
      tools: [toolRow("a", "work", { visibility: "team", teamId })],
    });
    const { dispatcher, context } = await dataPlane(rows, { a: first.a.fake });
    const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tasks/get", params: { taskId } });
    return JSON.parse(await dispatcher.respond(context({ principal: ann }), requestOf(message)));
  };
  assertEquals((await get("t2")).error.message, NO_TASK);
  assertEquals((await get("t1")).result.taskId, taskId);
});

Deno.test("A second taskId cannot lead past the first", async () => {
  const { dispatcher, context, make, a } = await setUp();
  const taskId = await make("a-work");
  for (const key of ["taskId", "TASKID", "task\\u0049d"]) {
    const text =
      `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"${key}":"aaa-9","taskId":"${taskId}"}}`;
    const { error } = JSON.parse(await dispatcher.respond(context(), requestOf(text)));
    assertEquals(error.code, -32600);
  }
  assertEquals(a.asked, []);
});

Deno.test("What the upstream says of a task that it has forgotten is passed on", async () => {
  const { a, ask, make } = await setUp();
  const taskId = await make("a-work");
  a.tasks.clear();
  assertEquals((await ask("tasks/get", { taskId })).error, { code: -32602, message: "Task not found" });
});

Deno.test("A task's answers keep every byte but those of the id", async () => {
  const { text, make } = await setUp();
  const taskId = await make("a-work");
  const at = '"createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":60000.0 }';
  assertEquals(
    await text("tasks/get", { taskId }),
    `{"jsonrpc":"2.0","id":1,"result":{ "taskId":"${taskId}","status":"working",${at}}`,
  );
  assertEquals(
    await text("tasks/result", { taskId }),
    `{"jsonrpc":"2.0","id":1,"result":{"content":[],"taskId":"the tool's own","_meta":{"n":1.0,` +
      `"io.modelcontextprotocol/related-task":{"taskId":"${taskId}"}}}}`,
  );
});

Deno.test("Whoever asks for whichever tasks, no id of an upstream or a caller reaches another", async () => {
  const callers = ["ann", "bob"].map((subject) => ({ principal: principal({ subject }) }));
  const step = fc.record({
    who: fc.nat(1),
    what: fc.constantFrom("make", "tasks/get", "tasks/result", "tasks/cancel", "tasks/list"),
    tool: fc.constantFrom("a-work", "b-work"),
    /** Selects one of all issued ids. */
    pick: fc.nat(50),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { a, b, text, make } = await setUp();
      const given: { id: string; who: number }[] = [];
      for (const { who, what, tool, pick } of steps) {
        if (what === "make") {
          given.push({ id: await make(tool, callers[who]), who });
          continue;
        }
        const task = given[pick % Math.max(1, given.length)];
        const asked = a.asked.length + b.asked.length;
        const answer = await text(what, { taskId: task?.id ?? "none" }, callers[who]);
        // A correlation id is random and may look like a task id.
        const said = answer.replace(/"correlationId":"[^"]*"/, "");
        assertEquals(/aaa-|bbb-/.test(said), false, answer);
        const reached = a.asked.length + b.asked.length - asked;
        if (what !== "tasks/list") assertEquals(reached, task?.who === who ? 1 : 0);
      }
      assertEquals(a.asked.every((id) => a.tasks.has(String(id))), true);
      assertEquals(b.asked.every((id) => b.tasks.has(String(id))), true);
    }),
    { numRuns: 50 },
  );
});
