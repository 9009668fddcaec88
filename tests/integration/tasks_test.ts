// Tasks of 2025-11-25 between peers that we did not write: server-everything's research tool and the SDK v1 client.
import { assert, assertEquals, assertRejects } from "@std/assert";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/experimental/tasks"
import { InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { startDelegatingUpstream } from "../support/delegating_upstream.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { assertWithin, paced } from "../support/pace.ts";
import { startEverything } from "../support/upstream_everything.ts";

interface Connected extends AsyncDisposable {
  readonly client: Client;
  /** The task ids in the questions that the client was asked. */
  readonly askedFor: unknown[];
}

/** A client that knows what it means when it is asked what it means. */
async function connect(url: string, token: string): Promise<Connected> {
  const client = new Client({ name: "sluice-tests", version: "1.0.0" }, {
    capabilities: { elicitation: { form: {} } },
  });
  const askedFor: unknown[] = [];
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    askedFor.push(params._meta?.["io.modelcontextprotocol/related-task"]?.taskId);
    return { action: "accept", content: { interpretation: "snake" } };
  });
  const headers = { Authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return { client, askedFor, [Symbol.asyncDispose]: () => client.close() };
}

/** Begins research, and gives the task's id. */
async function begin({ client }: Connected, name: string, topic: string): Promise<string> {
  const stream = client.experimental.tasks.callToolStream(
    { name, arguments: { topic, ambiguous: topic === "python" } },
    CallToolResultSchema,
    { task: { ttl: 60_000 } },
  );
  for await (const message of stream) {
    if (message.type === "taskCreated") return message.task.taskId;
    throw new Error(`No task was created: ${JSON.stringify(message)}`);
  }
  throw new Error("Nothing was said");
}

function textIn(result: { readonly content: readonly unknown[] }): string {
  return (result.content[0] as { text: string }).text;
}

gatewayTest("Tasks of two upstreams belong to their session, each under one id", async (start, t) => {
  await using one = await startEverything();
  await using two = await startEverything();
  await using sluice = await start();
  const token = await sluice.token();
  await sluice.registerUpstream("one", one.url);
  await sluice.registerUpstream("two", two.url);
  const url = `${sluice.url}/mcp`;
  await using ann = await connect(url, token);
  await using bob = await connect(url, await sluice.token({ username: "bob@example.com" }));

  assertEquals(ann.client.getServerCapabilities()?.tasks, {
    list: {},
    cancel: {},
    requests: { tools: { call: {} } },
  });
  const tasks = ann.client.experimental.tasks;
  const first = await begin(ann, "one-simulate-research-query", "bees");
  const second = await begin(ann, "two-simulate-research-query", "python");

  await t.step("tasks/list merges what both have", async () => {
    const { tasks: listed } = await tasks.listTasks();
    assertEquals(listed.map(({ taskId }) => taskId), [first, second]);
    assertEquals((await bob.client.experimental.tasks.listTasks()).tasks, []);
  });

  await t.step("another caller cannot get, read or cancel them", async () => {
    const others = bob.client.experimental.tasks;
    for (const taskId of [first, second]) {
      await assertRejects(() => others.getTask(taskId), Error, "-32602");
      await assertRejects(() => others.getTaskResult(taskId, CallToolResultSchema), Error, "-32602");
      await assertRejects(() => others.cancelTask(taskId), Error, "-32602");
    }
  });

  await t.step("the question of a task reaches the client, and its answer the task", async () => {
    const result = await tasks.getTaskResult(second, CallToolResultSchema);
    assertEquals(ann.askedFor, [second]);
    assert(textIn(result).includes("python (snake)"), textIn(result));
    assertEquals(result._meta?.["io.modelcontextprotocol/related-task"], { taskId: second });
    const { taskId, status } = await tasks.getTask(second);
    assertEquals([taskId, status], [second, "completed"]);
  });

  await t.step("a task without questions ends, too", async () => {
    assert(
      textIn(await tasks.getTaskResult(first, CallToolResultSchema)).includes("Research Report: bees"),
    );
  });

  await t.step(
    "a task is cancelled where it runs, and the refusal of a second time is the upstream's",
    async () => {
      const third = await begin(ann, "one-simulate-research-query", "wasps");
      const { taskId, status } = await tasks.cancelTask(third);
      assertEquals([taskId, status], [third, "cancelled"]);
      await assertRejects(() => tasks.cancelTask(third), Error, "terminal");
      assertEquals((await tasks.getTask(third)).status, "cancelled");
    },
  );

  await t.step("an id that nobody gave is no task", async () => {
    await assertRejects(() => tasks.getTask("0123456789abcdef"), Error, "names no task of this caller");
  });
});

gatewayTest("A task that the client runs for one upstream is asked for by that one alone", async (start) => {
  await using one = startDelegatingUpstream();
  await using two = startDelegatingUpstream();
  await using sluice = await start();
  await sluice.registerUpstream("one", one.url);
  await sluice.registerUpstream("two", two.url);
  const taskStore = new InMemoryTaskStore();
  const client = new Client({ name: "sluice-tests", version: "1.0.0" }, {
    capabilities: { sampling: {}, tasks: { list: {}, requests: { sampling: { createMessage: {} } } } },
    taskStore,
  });
  client.setRequestHandler(CreateMessageRequestSchema, async (_request, { taskStore }) => {
    const task = await taskStore!.createTask({ ttl: 60_000 });
    const content = { type: "text" as const, text: "An answer." };
    void taskStore!.storeTaskResult(task.taskId, "completed", { role: "assistant", model: "m", content });
    return { task };
  });
  const headers = { Authorization: `Bearer ${await sluice.token()}` };
  const transport = new StreamableHTTPClientTransport(new URL(`${sluice.url}/mcp`), {
    requestInit: { headers },
  });
  await client.connect(transport);
  try {
    const call = async (name: string, args = {}) =>
      JSON.parse(textIn(CallToolResultSchema.parse(await client.callTool({ name, arguments: args }))));
    const { taskId, content } = await call("one-delegate");
    assertEquals(content, { type: "text", text: "An answer." });
    const other = await call("two-delegate");
    assertEquals(await call("one-look", { taskId }), { found: "completed", listed: [taskId] });
    assertEquals(await call("two-look", { taskId }), { found: -32602, listed: [other.taskId] });
  } finally {
    await client.close();
    taskStore.cleanup();
  }
});

/** An upstream without sessions that runs one task; `list` makes what tasks/list is answered with. */
function oneTask(list: () => Promise<unknown>): Deno.HttpServer<Deno.NetAddr> {
  const answers: Readonly<Record<string, () => unknown>> = {
    initialize: () => ({
      protocolVersion: "2025-11-25",
      capabilities: { tools: {}, tasks: { list: {} } },
      serverInfo: { name: "one-task", version: "1" },
    }),
    "tools/list": () => ({ tools: [{ name: "work", inputSchema: { type: "object" } }] }),
    "tasks/list": list,
  };
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const answer = answers[method];
    return answer === undefined
      ? Response.json({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } })
      : Response.json({ jsonrpc: "2.0", id, result: await answer() });
  });
}

gatewayTest(
  "tasks/list waits for an upstream that hangs until its deadline, and names it (timed)",
  async (start) => {
    const never = Promise.withResolvers<unknown>();
    const tasks = [{ taskId: "t", status: "working" }];
    await using quick = oneTask(() => Promise.resolve({ tasks }));
    await using hanging = oneTask(() => never.promise);
    // Enough for the one that answers.
    await using sluice = await start({ MCP_SESSION_POOL_TRANSPORT_TIMEOUT: String(await paced(1)) });
    for (const [name, { addr }] of Object.entries({ quick, hanging })) {
      await sluice.registerUpstream(name, `http://127.0.0.1:${addr.port}/mcp`);
    }
    const startedAt = performance.now();
    const { body: { result } } = await sluice.rpc("tasks/list");
    const tookMs = performance.now() - startedAt;
    never.resolve({ tasks });
    assertEquals(result.tasks.map(({ status }: { status: string }) => status), ["working"]);
    assertEquals(result._meta, { "sluice/unavailableUpstreams": ["hanging"] });
    // Far below what any other limit would allow.
    assert(tookMs >= 900, `${tookMs} ms`);
    await assertWithin(tookMs, 15_000, "tasks/list");
  },
);
