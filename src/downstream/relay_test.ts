import { assertEquals } from "@std/assert";
import { batchPlaces } from "../../tests/support/batch_places.ts";
import { catalogRows, gatewayRow, resourceRow, toolRow } from "../../tests/support/catalog_rows.ts";
import { type FakeAnswer, FakeUpstream } from "../../tests/support/fake_upstream.ts";
import { mcpServer, messagesOf, request, textOf } from "../../tests/support/mcp_server.ts";
import { principal, settle } from "../../tests/support/fakes.ts";
import type { McpReply } from "./exchange/mcp_exchange.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a", { capabilities: { logging: {}, resources: { subscribe: true } } })],
  tools: [toolRow("a", "echo")],
  resources: [resourceRow("a", "x://1")],
});
const CALL = request(1, "tools/call", { name: "a-echo", arguments: {} });
const QUESTION = { jsonrpc: "2.0", id: "q", method: "elicitation/create", params: { message: "Sure?" } };

/** An upstream that asks the client during a call, and answers the call with what the client said. */
function asking(question: unknown = QUESTION) {
  const answered = Promise.withResolvers<string>();
  const upstream: FakeUpstream = new FakeUpstream(({ method, id, http }) => {
    if (method === "response") {
      answered.resolve(http.body!);
      return { status: 202 };
    }
    return method === "tools/call" ? stream(question, answered.promise, id) : undefined;
  });
  return upstream;
}

function stream(question: unknown, answered: Promise<string>, id: unknown): FakeAnswer {
  async function* body() {
    yield `data: ${JSON.stringify(question)}\n\n`;
    const { result, error } = JSON.parse(await answered);
    yield `data: ${JSON.stringify({ jsonrpc: "2.0", id, result: { said: result ?? error } })}\n\n`;
  }
  return { headers: { "content-type": "text/event-stream" }, body: body() };
}

/** Reads a reply's events one at a time. */
function reader({ body }: McpReply) {
  const pieces = (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const event = async (): Promise<string | null> => {
    while (!text.includes("\n\n")) {
      const { done, value } = await pieces.read();
      if (done) return null;
      text += value;
    }
    const [first, ...rest] = text.split("\n\n");
    text = rest.join("\n\n");
    return first;
  };
  return {
    event,
    message: async () => {
      for (;;) {
        const found = /^data: (\{.*)$/m.exec(await event() ?? "data: {}");
        if (found !== null) return JSON.parse(found[1]);
      }
    },
    leave: () => pieces.cancel(),
  };
}

function idIn(event: string | null): string {
  return /^id: (.+)$/m.exec(event!)![1]!;
}

Deno.test("a request of the upstream goes out on the call's stream, and the client's answer back to the upstream", async () => {
  const upstream = asking();
  const { post, initialize } = await mcpServer(ROWS, { a: upstream });
  const sessionId = await initialize();
  const events = reader(await post(CALL, { sessionId }));
  const question = await events.message();
  assertEquals([question.method, question.params], ["elicitation/create", { message: "Sure?" }]);
  const answer = { jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { ok: 1 } } };
  assertEquals((await post(answer, { sessionId })).status, 202);
  assertEquals((await events.message()).result, { said: { action: "accept", content: { ok: 1 } } });
  const sent = upstream.received.find(({ method }) => method === "response")!;
  assertEquals(sent.http.body, '{"jsonrpc":"2.0","id":"q","result":{"action":"accept","content":{"ok":1}}}');
});

Deno.test("another session cannot answer what its neighbour was asked", async () => {
  const { post, initialize } = await mcpServer(ROWS, { a: asking() });
  const [mine, other] = [await initialize(), await initialize()];
  const events = reader(await post(CALL, { sessionId: mine }));
  const { id } = await events.message();
  await post({ jsonrpc: "2.0", id, result: { action: "accept" } }, { sessionId: other });
  await post({ jsonrpc: "2.0", id, result: { action: "decline" } }, { sessionId: mine });
  assertEquals((await events.message()).result, { said: { action: "decline" } });
});

Deno.test("a client that does not answer in time is told so, and the upstream gets an error", async () => {
  const { post, initialize, clock } = await mcpServer(ROWS, { a: asking() });
  const sessionId = await initialize();
  const events = reader(await post(CALL, { sessionId }));
  const { id } = await events.message();
  await clock.tick(60_000);
  const cancelled = await events.message();
  assertEquals([cancelled.method, cancelled.params.requestId], ["notifications/cancelled", id]);
  assertEquals((await events.message()).result.said.code, -32603);
});

Deno.test("the client's capabilities are declared to its upstreams as it wrote them", async () => {
  const upstream = new FakeUpstream();
  const { send, post } = await mcpServer(ROWS, { a: upstream });
  const capabilities = '{ "sampling":{}, "future":{"x":1.0} }';
  const params = `{"protocolVersion":"2025-11-25","capabilities":${capabilities},"clientInfo":{"name":"c"}}`;
  const reply = await send({ body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":${params}}` });
  await post(CALL, { sessionId: reply.headers["mcp-session-id"] });
  assertEquals(upstream.received[0]!.http.body!.includes(`"capabilities":${capabilities}`), true);
});

Deno.test("a lost stream can be resumed by its event ids, and its call goes on meanwhile", async () => {
  const goOn = Promise.withResolvers<void>();
  const upstream = new FakeUpstream(({ method, id }) => {
    if (method !== "tools/call") return undefined;
    async function* body() {
      yield 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"n":1}}\n\n';
      await goOn.promise;
      yield 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"n":2}}\n\n';
      yield `data: {"jsonrpc":"2.0","id":${id},"result":{"done":true}}\n\n`;
    }
    return { headers: { "content-type": "text/event-stream" }, body: body() };
  });
  const { send, post, initialize, clock } = await mcpServer(ROWS, { a: upstream });
  const sessionId = await initialize();
  const events = reader(await post(CALL, { sessionId }));
  const primed = await events.event();
  assertEquals(primed!.split("\n").slice(1), ["retry: 1000", "data: "]);
  const resume = (lastEventId: string) =>
    send({ method: "GET", sessionId, headers: new Headers({ "last-event-id": lastEventId }) });
  const first = idIn(await events.event());
  assertEquals(first === idIn(primed), false);
  await events.leave();
  const resumed = await resume(first);
  goOn.resolve();
  await settle();
  const rest = reader(resumed);
  const second = await rest.event();
  assertEquals(second!.includes('"n":2'), true);
  assertEquals((await rest.message()).result, { done: true });
  const again = await resume(idIn(second));
  assertEquals((await messagesOf(again)).map(({ result }) => result), [{ done: true }]);
  await clock.tick(30_000);
  const late = resume(idIn(second));
  assertEquals(await late.then(() => "", ({ code }) => code), "INVALID_REQUEST");
});

/** An upstream that sends a message during a call, and no result. */
function telling(): FakeUpstream {
  return new FakeUpstream(({ method, http }) => {
    if (method !== "tools/call") return undefined;
    async function* body() {
      yield 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n';
      await new Promise((_, reject) =>
        http.signal!.addEventListener("abort", () => reject(http.signal!.reason))
      );
    }
    return { headers: { "content-type": "text/event-stream" }, body: body() };
  });
}

Deno.test("a lost stream that nobody comes back for ends its call after a while", async () => {
  const upstream = telling();
  const { post, initialize, clock } = await mcpServer(ROWS, { a: upstream });
  const events = reader(await post(CALL, { sessionId: await initialize() }));
  await events.event();
  await events.leave();
  await clock.tick(29_000);
  assertEquals(upstream.methods.at(-1), "tools/call");
  await clock.tick(1_000);
  await settle();
  assertEquals(upstream.methods.at(-1), "notifications/cancelled");
});

Deno.test("a caller has so many calls that go on without a stream; one above that ends when it loses its stream", async () => {
  const upstream = telling();
  const places = batchPlaces(1_000, 1_000, 1);
  const { post, initialize, clock } = await mcpServer(ROWS, { a: upstream }, { places });
  const sessionId = await initialize();
  const lose = async (id: number) => {
    const call = request(id, "tools/call", { name: "a-echo", arguments: {} });
    const events = reader(await post(call, { sessionId }));
    await events.event();
    await events.leave();
    await settle();
    return upstream.methods.at(-1);
  };
  assertEquals([await lose(1), await lose(2)], ["tools/call", "notifications/cancelled"]);
  // The first call ends, and another may go on in its place.
  await clock.tick(30_000);
  await settle();
  const caller = places.callers.of(principal())!;
  assertEquals(caller.pending, 0);
  assertEquals(await lose(3), "tools/call");
  await clock.tick(30_000);
});

Deno.test("log level and subscriptions reach the upstream, and once more the session that replaces an expired one", async () => {
  let expired = false;
  const upstream = new FakeUpstream(({ method, sessionId }) => {
    const isOld = sessionId === "s1" && expired;
    return isOld && method !== "DELETE" ? { status: 404, body: "" } : undefined;
  });
  const { post, initialize } = await mcpServer(ROWS, { a: upstream });
  const sessionId = await initialize();
  assertEquals((await post(request(1, "logging/setLevel", { level: "loud" }), { sessionId })).status, 200);
  await post(request(1, "logging/setLevel", { level: "error" }), { sessionId });
  await post(request(2, "resources/subscribe", { uri: "x://1" }), { sessionId });
  const told = () =>
    upstream.received.filter(({ method }) => /setLevel|subscribe/.test(method))
      .map(({ method, params, sessionId }) => [sessionId, method, params]);
  const requested = (session: string) => [
    [session, "logging/setLevel", { level: "error" }],
    [session, "resources/subscribe", { uri: "x://1" }],
  ];
  assertEquals(told(), requested("s1"));
  expired = true;
  const answer = JSON.parse(await textOf(await post(CALL, { sessionId })));
  assertEquals(answer.result, { ok: true });
  assertEquals(told(), [...requested("s1"), ...requested("s2")]);
  await post(request(3, "resources/unsubscribe", { uri: "x://1" }), { sessionId });
  assertEquals(told().at(-1), ["s2", "resources/unsubscribe", { uri: "x://1" }]);
});
