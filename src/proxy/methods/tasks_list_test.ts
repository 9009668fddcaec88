import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { dataPlane, requestOf } from "../../../tests/support/data_plane.ts";
import { FakeUpstream } from "../../../tests/support/fake_upstream.ts";
import { taskGateway, TaskUpstream } from "../../../tests/support/fake_tasks.ts";
import { principal } from "../../../tests/support/fakes.ts";
import type { CallContext } from "../call/call_context.ts";

const NAMES = ["a", "b", "c"] as const;

async function setUp(broken?: FakeUpstream) {
  const upstreams = NAMES.map((name) => new TaskUpstream(name.repeat(3)));
  const [a, b, c] = upstreams as [TaskUpstream, TaskUpstream, TaskUpstream];
  const plain = new FakeUpstream();
  const rows = catalogRows({
    gateways: [...NAMES.map((name, i) => gatewayRow(name, taskGateway(upstreams[i]!))), gatewayRow("plain")],
    tools: [...NAMES, "plain"].map((name) => toolRow(name, "work")),
  });
  const fakes = { a: a.fake, b: broken ?? b.fake, c: c.fake, plain };
  const { dispatcher, context } = await dataPlane(rows, fakes);
  const ask = async (method: string, params: unknown, more: Partial<CallContext> = {}) =>
    JSON.parse(
      await dispatcher.respond(
        context(more),
        requestOf(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })),
      ),
    );
  const make = async (name: string): Promise<string> =>
    (await ask("tools/call", { name: `${name}-work`, task: {} })).result.task.taskId;
  return { a, b, c, plain, ask, make };
}

const ids = (result: { tasks: { taskId: string }[] }) => result.tasks.map(({ taskId }) => taskId);

Deno.test("tasks/list has the tasks of every upstream that lists them, under the ids that tools/call gave", async () => {
  const { ask, make, plain } = await setUp();
  const made = [await make("c"), await make("a"), await make("b")];
  const { result } = await ask("tasks/list", {});
  assertEquals(ids(result), [made[1], made[2], made[0]]);
  assertEquals(Object.keys(result), ["tasks"]);
  assertEquals(plain.received, []);
});

Deno.test("tasks/list loses no page of any upstream, and its cursor is good for its caller alone", async () => {
  const { ask, make, a, b, c } = await setUp();
  const made: string[] = [];
  for (const name of ["a", "a", "a", "a", "a", "b", "b", "c"]) made.push(await make(name));
  [a.pageSize, b.pageSize, c.pageSize] = [2, 1, 10];
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 3; page++) {
    const { result } = await ask("tasks/list", cursor === undefined ? {} : { cursor });
    seen.push(...ids(result));
    cursor = result.nextCursor;
    if (cursor === undefined) break;
    const stranger = { principal: principal({ subject: "bob@example.com" }) };
    assertEquals((await ask("tasks/list", { cursor }, stranger)).error.code, -32602);
  }
  assertEquals(cursor, undefined);
  assertEquals(seen.toSorted(), made.toSorted());
  assertEquals((await ask("tasks/list", { cursor: "2" })).error.code, -32602);
});

Deno.test("tasks/list names the upstream that cannot say, and gives what the others have", async () => {
  const refusing = new FakeUpstream(({ method }) => method === "tasks/list" ? { status: 500 } : undefined);
  const { ask, make } = await setUp(refusing);
  const made = [await make("a"), await make("c")];
  const { result } = await ask("tasks/list", {});
  assertEquals(ids(result), made);
  assertEquals(result._meta, { "sluice/unavailableUpstreams": ["b"] });
});

Deno.test("tasks/list asks nobody for a token that may not use tools", async () => {
  const { ask, a } = await setUp();
  const narrow = { principal: principal({ permissions: ["servers.use"] }) };
  assertEquals((await ask("tasks/list", {}, narrow)).error.data.code, "FORBIDDEN");
  assertEquals(a.fake.received, []);
});
