import { assertEquals, assertThrows } from "@std/assert";
import { batchPlaces } from "../../tests/support/batch_places.ts";
import { catalogRows, gatewayRow, resourceRow, toolRow } from "../../tests/support/catalog_rows.ts";
import { type FakeAnswer, FakeUpstream } from "../../tests/support/fake_upstream.ts";
import { mcpRequest, mcpServer, messagesOf, request, textOf } from "../../tests/support/mcp_server.ts";
import { principal, settle } from "../../tests/support/fakes.ts";
import { SluiceError } from "../base/errors.ts";
import type { McpReply, McpRequest } from "./exchange/mcp_exchange.ts";

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

/** The pauses of the gateway do not keep a process alive that has nothing else to do. */
function awake(): Disposable {
  const timer = setInterval(() => {}, 1_000);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** An upstream that ends the stream of a call, so that clients poll after `retryMs`, until `result` is there. */
function polled(result: Promise<unknown>, retryMs = 20, isBroken = false): FakeUpstream {
  let answered: { readonly id: unknown; readonly result: unknown } | null = null;
  let polls = 0;
  return new FakeUpstream(({ method, id, http }) => {
    if (http.method !== "GET" && method !== "tools/call") return undefined;
    if (method === "tools/call") void result.then((result) => answered = { id, result });
    async function* body() {
      yield `id: ${polls++}\nretry: ${retryMs}\ndata: \n\n`;
      if (isBroken) throw new SluiceError("UPSTREAM_CLOSED", { upstream: "a", sent: 1 });
      if (answered !== null) yield `data: ${JSON.stringify({ jsonrpc: "2.0", ...answered })}\n\n`;
    }
    return { headers: { "content-type": "text/event-stream" }, body: body() };
  });
}

Deno.test("an upstream that lets its client poll lets ours poll: each stream ends with its pause, until the answer", async () => {
  using _ = awake();
  const result = Promise.withResolvers<unknown>();
  const places = batchPlaces();
  const { send, post, initialize, clock } = await mcpServer(ROWS, { a: polled(result.promise) }, { places });
  const sessionId = await initialize();
  const caller = places.callers.of(principal())!;
  const poll = (lastEventId: string) =>
    send({ method: "GET", sessionId, headers: new Headers({ "last-event-id": lastEventId }) });
  const first = reader(await post(CALL, { sessionId }));
  const id = idIn(await first.event());
  assertEquals([await first.event(), await first.event()], ["retry: 20", null]);
  assertEquals(caller.pending, 1, "the call counts as one without a connection");
  const second = reader(await poll(id));
  assertEquals(
    [await second.event(), await second.event()],
    ["retry: 20", null],
    "it ends like the upstream's",
  );
  // The window begins with the loss of the last stream.
  await clock.tick(20_000);
  const third = await poll(id);
  await reader(third).event();
  await clock.tick(20_000);
  result.resolve({ done: true });
  assertEquals((await messagesOf(await answered(() => poll(id)))).map(({ result }) => result), [{
    done: true,
  }]);
  assertEquals(caller.pending, 0);
});

/** Polls until a stream has the answer. */
async function answered(poll: () => Promise<McpReply>): Promise<McpReply> {
  for (;;) {
    const text = await textOf(await poll());
    if (text.includes("data: ")) return { status: 200, headers: {}, body: text };
  }
}

Deno.test("a client that does not come back to poll ends its call, and one that may not poll keeps its stream", async (t) => {
  const never = new Promise(() => {});
  await t.step("nobody comes back", async () => {
    const upstream = polled(never);
    const { post, initialize, clock } = await mcpServer(ROWS, { a: upstream });
    await textOf(await post(CALL, { sessionId: await initialize() }));
    await clock.tick(29_000);
    assertEquals(upstream.methods.includes("notifications/cancelled"), false);
    await clock.tick(1_000);
    await settle();
    assertEquals(upstream.methods.at(-1), "notifications/cancelled");
  });
  for (
    const [why, revision, upstream, pending] of [
      ["an older revision", "2025-06-18", () => polled(never), 1_000],
      ["a pause that takes more than half of the window", "2025-11-25", () => polled(never, 15_001), 1_000],
      ["a stream that broke", "2025-11-25", () => polled(never, 20, true), 1_000],
      [
        "a caller with as many calls without a connection as it may have",
        "2025-11-25",
        () => polled(never),
        0,
      ],
    ] as const
  ) {
    await t.step(why, async () => {
      const places = batchPlaces(1_000, 1_000, pending);
      const { post, send, initialize } = await mcpServer(ROWS, { a: upstream() }, { places });
      const sessionId = await initialize(revision);
      const reply = await post(CALL, { sessionId });
      let isOver = false;
      const text = textOf(reply).finally(() => isOver = true);
      await settle();
      assertEquals(isOver, false);
      await send({ method: "DELETE", sessionId });
      assertEquals((await text).includes("retry: 15001"), false);
    });
  }
});

Deno.test("a client that polls for a call of its worker's predecessor is sent there, and served there", async () => {
  using _ = awake();
  const result = Promise.withResolvers<unknown>();
  const before = await mcpServer(ROWS, { a: polled(result.promise) });
  const sessionId = await before.initialize();
  const first = reader(await before.post(CALL, { sessionId }));
  const id = idIn(await first.event());
  while (await first.event() !== null);
  assertEquals(before.sessions.awaitsPoll, false, "its own sessions need nobody to stay");
  const [released] = before.sessions.release();
  assertEquals(before.sessions.awaitsPoll, true);

  const claims = before.ids.open(sessionId, before.clock.now())!;
  const asked: McpRequest[] = [];
  const after = await mcpServer(ROWS, {}, {
    predecessor: () => (request) => {
      asked.push(request);
      return Promise.resolve(before.http.resume(request, claims));
    },
  });
  after.sessions.adopt(released!);
  result.resolve({ done: true });
  const poll = (lastEventId: string) =>
    after.send({ method: "GET", sessionId, headers: new Headers({ "last-event-id": lastEventId }) });
  assertEquals((await messagesOf(await answered(() => poll(id)))).map(({ result }) => result), [{
    done: true,
  }]);
  assertEquals([asked[0]!.isForReleased, before.sessions.awaitsPoll], [true, false]);
  const stranger = mcpRequest({ sessionId, principal: principal({ subject: "bob" }) });
  assertThrows(() => before.http.resume(stranger, claims), SluiceError, "Session");
  assertEquals(await poll("9-9-00000000").then(() => "", ({ code }) => code), "INVALID_REQUEST");
});

Deno.test("a call whose worker has a successor keeps its stream: nobody could poll", async () => {
  using _ = awake();
  const goOn = Promise.withResolvers<void>();
  const upstream = new FakeUpstream(({ method, http, id }) => {
    async function* body() {
      await goOn.promise;
      yield "id: 1\nretry: 20\ndata: \n\n";
    }
    const answer = `data: {"jsonrpc":"2.0","id":${id ?? 2},"result":{"done":true}}\n\n`;
    const headers = { "content-type": "text/event-stream" };
    if (method === "tools/call") return { headers, body: body() };
    return http.method === "GET"
      ? { headers, body: answer.replace(/"id":\d+/, `"id":${callId}`) }
      : undefined;
  });
  let callId: unknown = 0;
  const { post, initialize, sessions } = await mcpServer(ROWS, { a: upstream });
  const sessionId = await initialize();
  const reply = post(CALL, { sessionId });
  await settle();
  callId = upstream.received.find(({ method }) => method === "tools/call")!.id;
  sessions.release();
  goOn.resolve();
  assertEquals((await messagesOf(await reply)).map(({ result }) => result), [{ done: true }]);
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
