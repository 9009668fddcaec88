// What gives a call up: notifications/cancelled in its session, a lost connection, the end of the session.
import { assertEquals, assertRejects } from "@std/assert";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../tests/support/catalog_rows.ts";
import { FakeUpstream, type Received, result } from "../../tests/support/fake_upstream.ts";
import { settle } from "../../tests/support/fakes.ts";
import { mcpServer, notification, request, textOf } from "../../tests/support/mcp_server.ts";
import { Catalog } from "../catalog/snapshot/catalog.ts";
import { SluiceError } from "../base/errors.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a")],
  tools: [toolRow("a", "slow")],
  servers: [serverRow("s", { toolIds: ["a-slow"] })],
});

const call = (id: unknown) => request(id, "tools/call", { name: "a-slow" });
const cancel = (requestId: unknown) => notification("notifications/cancelled", { requestId });

/** An upstream whose tool calls wait until `answer` lets all of them go. */
async function setUp() {
  const waiting: (() => void)[] = [];
  const a = new FakeUpstream(({ method, id }: Received) =>
    method === "tools/call"
      ? new Promise((resolve) => waiting.push(() => resolve(result(id, "{}"))))
      : undefined
  );
  const server = await mcpServer(ROWS, { a });
  return { ...server, a, answer: () => waiting.forEach((go) => go()) };
}

type Reply = ReturnType<Awaited<ReturnType<typeof setUp>>["post"]>;

async function outcomeOf(reply: Reply): Promise<string> {
  const text = await textOf(await reply);
  if (text === "") return "no response";
  const { error } = [JSON.parse(text)].flat()[0];
  return error === undefined ? "ok" : error.data.code;
}

Deno.test("notifications/cancelled reaches its own call only", async () => {
  const { post, initialize, answer, a } = await setUp();
  const [ann, bob] = [await initialize(), await initialize()];
  const calls = [
    post(call(1), { sessionId: ann }),
    post(call("1"), { sessionId: ann }),
    post(call(2), { sessionId: ann }),
    post(call(1), { sessionId: bob }),
    post(call(1)),
  ];
  await settle(60);
  assertEquals((await post(cancel(1), { sessionId: ann })).status, 202);
  await settle(60);
  answer();
  assertEquals(await Promise.all(calls.map(outcomeOf)), ["no response", "ok", "ok", "ok", "ok"]);
  assertEquals((await calls[0]!).headers["content-type"], "text/event-stream");
  assertEquals(a.methods.filter((method) => method === "notifications/cancelled").length, 1);
});

Deno.test("notifications/cancelled is answered to a client that takes no stream, because HTTP needs a response", async () => {
  const { post, initialize } = await setUp();
  const sessionId = await initialize();
  const reply = post(call(1), { sessionId, acceptsStream: false });
  await settle(60);
  await post(cancel(1), { sessionId });
  assertEquals(await outcomeOf(reply), "REQUEST_CANCELLED");
});

Deno.test("a stream of a cancelled call ends without a response, and is not resumed", async () => {
  const chatty = new FakeUpstream(({ method, http }) => {
    if (method !== "tools/call") return undefined;
    async function* body() {
      yield `data: ${JSON.stringify(notification("notifications/message"))}\n\n`;
      await new Promise((_, reject) =>
        http.signal!.addEventListener("abort", () => reject(http.signal!.reason))
      );
    }
    return { headers: { "content-type": "text/event-stream" }, body: body() };
  });
  const { post, send, initialize } = await mcpServer(ROWS, { a: chatty });
  const sessionId = await initialize();
  const reply = await post(call(1), { sessionId });
  await post(cancel(1), { sessionId });
  const text = await textOf(reply);
  assertEquals([...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data!).method), [
    "notifications/message",
  ]);
  const lastEventId = [...text.matchAll(/^id: (.+)$/gm)].at(-1)![1]!;
  const headers = new Headers({ "last-event-id": lastEventId });
  const resumed = await send({ method: "GET", sessionId, headers });
  assertEquals([resumed.status, resumed.body], [204, null]);
});

Deno.test("notifications/cancelled of a call that is over, of nothing, or without a session is taken and forgotten", async () => {
  const { post, initialize } = await setUp();
  const sessionId = await initialize();
  for (const message of [cancel(1), cancel(undefined), cancel({}), notification("notifications/cancelled")]) {
    assertEquals((await post(message, { sessionId })).status, 202);
    assertEquals((await post(message)).status, 202);
  }
});

Deno.test("notifications/cancelled reaches a call with an id beyond 2^53, and one in a batch", async () => {
  const { post, send, initialize } = await setUp();
  const sessionId = await initialize("2025-03-26");
  const big = JSON.stringify(call("BIG")).replace('"BIG"', "12345678901234567890");
  const calls = [send({ body: big, sessionId }), post([call(7)], { sessionId })];
  await settle(60);
  await send({ body: JSON.stringify(cancel("BIG")).replace('"BIG"', "12345678901234567890"), sessionId });
  await post(cancel(7), { sessionId });
  assertEquals(await Promise.all(calls.map(outcomeOf)), ["no response", "no response"]);
});

Deno.test("a batch is answered without the calls that the client has cancelled", async () => {
  const { post, answer, initialize } = await setUp();
  const sessionId = await initialize("2025-03-26");
  const batch = post([call(7), call(8)], { sessionId });
  await settle(60);
  await post(cancel(7), { sessionId });
  answer();
  assertEquals(JSON.parse(await textOf(await batch)).map(({ id }: { id: number }) => id), [8]);
});

Deno.test("a lost connection gives up its calls, in a session or without one, alone or in a batch", async () => {
  for (const message of [call(1), [call(1)]]) {
    for (const inSession of [false, true]) {
      const { post, initialize, a } = await setUp();
      const given = inSession ? { sessionId: await initialize("2025-03-26") } : {};
      const gone = new AbortController();
      const reply = post(message, given, gone.signal);
      await settle(60);
      gone.abort();
      assertEquals(await outcomeOf(reply), "no response");
      await settle();
      assertEquals(a.methods.includes("notifications/cancelled"), true);
    }
  }
});

Deno.test("a client that leaves the stream of a batch gives its calls up", async () => {
  const chatty = new FakeUpstream(({ method, http }) => {
    if (method !== "tools/call") return undefined;
    async function* body() {
      yield `data: ${JSON.stringify(notification("notifications/message"))}\n\n`;
      await new Promise((_, reject) =>
        http.signal!.addEventListener("abort", () => reject(http.signal!.reason))
      );
    }
    return { headers: { "content-type": "text/event-stream" }, body: body() };
  });
  const { post, initialize } = await mcpServer(ROWS, { a: chatty });
  const reply = await post([call(1)], { sessionId: await initialize("2025-03-26") });
  await (reply.body as ReadableStream).cancel();
  await settle();
  assertEquals(chatty.methods.at(-1), "notifications/cancelled");
});

Deno.test("a connection that was lost before its call began calls nobody", async () => {
  const { post, a } = await setUp();
  assertEquals(await outcomeOf(post(call(1), {}, AbortSignal.abort())), "no response");
  assertEquals(a.methods.includes("tools/call"), false);
});

Deno.test("DELETE gives up the session's calls, which get no response", async () => {
  const { post, send, initialize } = await setUp();
  const sessionId = await initialize();
  const reply = post(call(1), { sessionId });
  await settle(60);
  await send({ method: "DELETE", sessionId });
  assertEquals(await outcomeOf(reply), "no response");
});

Deno.test("a session notes its calls while they last, and none that was refused", async () => {
  const { post, initialize, answer, sessions, replaceCatalog } = await setUp();
  const sessionId = await initialize("2025-11-25", { serverId: "s" });
  const [session] = sessions;
  const reply = post(call(1), { sessionId, serverId: "s" });
  await settle(60);
  assertEquals(session!.calls.size, 1);
  answer();
  await reply;
  assertEquals(session!.calls.size, 0);
  // The virtual server is gone: refused, and forgotten.
  replaceCatalog(new Catalog(catalogRows()));
  await assertRejects(() => post(call(2), { sessionId, serverId: "s" }), SluiceError, "not found");
  assertEquals(session!.calls.size, 0);
});

Deno.test("of two calls with one id the later stays under way when the earlier ends", async () => {
  const { post, initialize, answer, sessions } = await setUp();
  const sessionId = await initialize();
  const [session] = sessions;
  const first = post(call(1), { sessionId });
  await settle(60);
  answer();
  const second = post(call(1), { sessionId });
  await first;
  await settle(60);
  assertEquals(session!.calls.size, 1);
  await post(cancel(1), { sessionId });
  assertEquals(await outcomeOf(second), "no response");
});
