import { assertEquals, assertRejects } from "@std/assert";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { events, FakeUpstream } from "../../../tests/support/fake_upstream.ts";
import { limiterOf, principal } from "../../../tests/support/fakes.ts";
import { mcpServer, messagesOf, notification, request, textOf } from "../../../tests/support/mcp_server.ts";
import { SluiceError } from "../../base/errors.ts";
import { memberText } from "../../mcp/json_rpc.ts";
import type { McpReply } from "../exchange/mcp_exchange.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a")],
  tools: [toolRow("a", "echo"), toolRow("a", "hidden", { visibility: "private" })],
  servers: [serverRow("s", { toolIds: ["a-echo"] }), serverRow("private", { visibility: "private" })],
});

const CALL = request(1, "tools/call", { name: "a-echo", arguments: {} });

const server = (a = new FakeUpstream()) => mcpServer(ROWS, { a });

/** Answers a tool call with a notification before the result. */
const chatty = () =>
  new FakeUpstream(({ method, id }) =>
    method === "tools/call"
      ? events(
        JSON.stringify(notification("notifications/progress")),
        JSON.stringify({ jsonrpc: "2.0", id, result: {} }),
      )
      : undefined
  );

async function codeOf(reply: Promise<McpReply>): Promise<string> {
  return (await assertRejects(() => reply, SluiceError)).code;
}

Deno.test("StreamableHttp opens a session by initialize, and finds it again by its id", async () => {
  const { post, initialize, sessions } = await server();
  const sessionId = await initialize("2025-06-18");
  assertEquals([...sessions].map(({ id, revision }) => [id, revision]), [[sessionId, "2025-06-18"]]);
  const accepted = await post(notification("notifications/initialized"), {
    sessionId,
    protocolVersion: "2025-06-18",
  });
  assertEquals([accepted.status, accepted.body], [202, null]);
  const reply = await post(request("p", "ping"), { sessionId });
  assertEquals([reply.status, reply.body], [200, '{"jsonrpc":"2.0","id":"p","result":{}}']);
});

Deno.test("StreamableHttp opens no session for an initialize that fails", async () => {
  const { post, sessions } = await server();
  const wrong = [null, [], "x"].map((capabilities) => ({ protocolVersion: "2025-11-25", capabilities }));
  for (const params of [{ protocolVersion: 5 }, ...wrong]) {
    const reply = await post(request(0, "initialize", params));
    assertEquals([reply.headers["mcp-session-id"], sessions.size], [undefined, 0]);
    assertEquals(JSON.parse(await textOf(reply)).error.code, -32602);
  }
  assertEquals(
    await codeOf(post(request(0, "initialize", { protocolVersion: "x" }), { serverId: "gone" })),
    "NOT_FOUND",
  );
});

Deno.test("StreamableHttp ends a session by DELETE, after which it is not found", async () => {
  const { send, post, initialize } = await server();
  const sessionId = await initialize();
  assertEquals((await send({ method: "DELETE", sessionId })).status, 204);
  assertEquals(await codeOf(post(CALL, { sessionId })), "SESSION_NOT_FOUND");
  assertEquals(await codeOf(send({ method: "DELETE", sessionId })), "SESSION_NOT_FOUND");
});

Deno.test("StreamableHttp serves a session to its owner at its address only", async () => {
  const { post, send, initialize } = await server();
  const sessionId = await initialize();
  const strangers = [{ principal: principal({ subject: "bob" }) }, { serverId: "s" }];
  for (const stranger of strangers) {
    for (const method of ["POST", "GET", "DELETE"] as const) {
      assertEquals(
        await codeOf(send({ method, sessionId, body: JSON.stringify(CALL), ...stranger })),
        "SESSION_NOT_FOUND",
      );
    }
  }
  assertEquals((await post(CALL, { sessionId })).status, 200);
});

Deno.test("StreamableHttp wants a session for GET and DELETE, and text/event-stream for GET", async () => {
  const { send, initialize } = await server();
  for (const method of ["GET", "DELETE"] as const) {
    assertEquals(await codeOf(send({ method })), "INVALID_REQUEST");
  }
  const sessionId = await initialize();
  assertEquals(await codeOf(send({ method: "GET", sessionId, acceptsStream: false })), "NOT_ACCEPTABLE");
});

Deno.test("StreamableHttp refuses protocol versions that it does not speak", async () => {
  const { post } = await server();
  assertEquals(await codeOf(post(CALL, { protocolVersion: "1999-01-01" })), "UNSUPPORTED_PROTOCOL_VERSION");
});

Deno.test("StreamableHttp gives malformed messages the codes of JSON-RPC", async () => {
  const { send } = await server();
  const cases = [
    ["{", "PARSE_ERROR"],
    ["", "PARSE_ERROR"],
    ["1", "INVALID_REQUEST"],
    ['{"id":1,"method":"ping"}', "INVALID_REQUEST"],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', "INVALID_REQUEST"],
    ["[".repeat(30) + "]".repeat(30), "BODY_TOO_DEEP"],
  ];
  for (const [body, code] of cases) assertEquals(await codeOf(send({ body })), code, body);
});

Deno.test("StreamableHttp answers as JSON where the answer is all there is", async () => {
  const { post } = await server();
  const reply = await post(CALL);
  assertEquals([reply.headers["content-type"], reply.body], [
    "application/json",
    '{"jsonrpc":"2.0","id":1,"result":{"ok":true}}',
  ]);
});

Deno.test("StreamableHttp answers as an event stream from the first notification on", async () => {
  const { post } = await server(chatty());
  const reply = await post(CALL);
  assertEquals(reply.headers["content-type"], "text/event-stream");
  assertEquals(await messagesOf(reply), [notification("notifications/progress"), {
    jsonrpc: "2.0",
    id: 1,
    result: {},
  }]);
});

Deno.test("StreamableHttp keeps to what the client accepts", async () => {
  const { post } = await server(chatty());
  const json = await post(CALL, { acceptsStream: false });
  assertEquals([json.headers["content-type"], json.body], [
    "application/json",
    '{"jsonrpc":"2.0","id":1,"result":{}}',
  ]);
  const stream = await post(request(2, "ping"), { acceptsJson: false });
  assertEquals([stream.headers["content-type"], await messagesOf(stream)], [
    "text/event-stream",
    [{ jsonrpc: "2.0", id: 2, result: {} }],
  ]);
});

Deno.test("StreamableHttp begins the stream of a client that accepts no JSON with its call, so that it can be resumed", async () => {
  const goOn = Promise.withResolvers<void>();
  const upstream = new FakeUpstream(async ({ method }) => {
    if (method === "tools/call") await goOn.promise;
    return undefined;
  });
  const { post, send, initialize } = await server(upstream);
  const stream = { acceptsJson: false };
  const opened = await post(
    request(0, "initialize", { protocolVersion: "2025-11-25", capabilities: {} }),
    stream,
  );
  assertEquals(opened.headers["content-type"], "text/event-stream");
  assertEquals((await messagesOf(opened))[0].result.protocolVersion, "2025-11-25");
  const sessionId = opened.headers["mcp-session-id"]!;
  const { body } = await post(CALL, { sessionId, ...stream });
  const pieces = (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  const lastEventId = /^id: (.+)$/m.exec((await pieces.read()).value!)![1]!;
  await pieces.cancel();
  const resumed = await send({
    method: "GET",
    sessionId,
    headers: new Headers({ "last-event-id": lastEventId }),
  });
  goOn.resolve();
  assertEquals((await messagesOf(resumed)).map(({ id }) => id), [1]);
  const older = await post(CALL, { sessionId: await initialize("2025-06-18"), ...stream });
  assertEquals((await messagesOf(older)).map(({ id }) => id), [1]);
});

Deno.test("StreamableHttp streams a failure that comes after a notification", async () => {
  const broken = new FakeUpstream(({ method }) =>
    method === "tools/call" ? events(JSON.stringify(notification("notifications/message"))) : undefined
  );
  const { post } = await server(broken);
  const [first, last] = await messagesOf(await post(CALL));
  assertEquals([first.method, last.error.data.code], ["notifications/message", "UPSTREAM_CLOSED"]);
});

Deno.test("StreamableHttp takes batches in revision 2025-03-26 only", async () => {
  const { post, initialize } = await server();
  const batch = [request(1, "ping"), notification("notifications/x"), CALL, request(2, "nothing")];
  for (const revision of ["2024-11-05", "2025-06-18", "2025-11-25"]) {
    assertEquals(await codeOf(post(batch, { protocolVersion: revision })), "INVALID_REQUEST");
    assertEquals(await codeOf(post(batch, { sessionId: await initialize(revision) })), "INVALID_REQUEST");
  }
  for (
    const given of [{ protocolVersion: "2025-03-26" }, { sessionId: await initialize("2025-03-26") }, {}]
  ) {
    const answers = JSON.parse(await textOf(await post(batch, given)));
    assertEquals(
      answers.map((answer: { id: number; error?: { code: number } }) => [answer.id, answer.error?.code]),
      [
        [1, undefined],
        [1, undefined],
        [2, -32601],
      ],
    );
  }
});

Deno.test("StreamableHttp passes each message of a batch on as it was written", async () => {
  const upstream = new FakeUpstream();
  const { send } = await server(upstream);
  const args = '{"n":12345678901234567890,"x":1e400,"y":1.0,"y": "twice"}';
  const call =
    `{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/call","params":{"name":"a-echo","arguments":${args}}}`;
  const reply = await send({ body: ` [ {"jsonrpc":"2.0","method":"x"} , ${call} ] ` });
  assertEquals(await textOf(reply), '[{"jsonrpc":"2.0","id":12345678901234567890,"result":{"ok":true}}]');
  const { http } = upstream.received.find(({ method }) => method === "tools/call")!;
  assertEquals(memberText(memberText(http.body!, "params")!, "arguments"), args);
});

Deno.test("StreamableHttp streams what comes before the answers of a batch, and each answer by itself then", async () => {
  const { post, initialize } = await server(chatty());
  const sessionId = await initialize("2025-03-26");
  const batch = [CALL, request(2, "ping")];
  const messages = await messagesOf(await post(batch, { sessionId }));
  assertEquals(messages.map(({ method, id }) => method ?? id), ["notifications/progress", 1, 2]);
  const pings = await post([request(3, "ping")], { sessionId, acceptsJson: false });
  assertEquals((await messagesOf(pings)).map(({ id }) => id), [3]);
  const plain = await post(batch, { sessionId, acceptsStream: false });
  assertEquals(JSON.parse(await textOf(plain)).length, 2);
});

Deno.test("StreamableHttp refuses batches that are empty, too long or hold initialize, and accepts one of notifications", async () => {
  const { post, sessions } = await server();
  const version = { protocolVersion: "2025-03-26" };
  assertEquals(await codeOf(post([], version)), "INVALID_REQUEST");
  assertEquals(
    await codeOf(post(Array.from({ length: 101 }, (_, i) => request(i, "ping")), version)),
    "BATCH_TOO_LONG",
  );
  const initialize = request(0, "initialize", { protocolVersion: "2025-03-26" });
  assertEquals(await codeOf(post([initialize], version)), "INVALID_REQUEST");
  assertEquals((await post([notification("notifications/x")], version)).status, 202);
  assertEquals(sessions.size, 0);
});

Deno.test("StreamableHttp shows a virtual server to whom it may, as its token allows", async () => {
  const { post } = await server();
  const names = async (given: Parameters<typeof post>[1]) =>
    JSON.parse(await textOf(await post(request(1, "tools/list"), given))).result.tools.map((
      { name }: { name: string },
    ) => name);
  assertEquals(await names({ serverId: "s" }), ["a-echo"]);
  assertEquals(await names({ principal: principal({ serverId: "s" }) }), ["a-echo"]);
  assertEquals(
    await codeOf(post(CALL, { serverId: "s", principal: principal({ serverId: "other" }) })),
    "FORBIDDEN",
  );
  assertEquals(await codeOf(post(CALL, { serverId: "private" })), "NOT_FOUND");
  assertEquals(await codeOf(post(CALL, { serverId: "nothing" })), "NOT_FOUND");
});

Deno.test("StreamableHttp counts every message of a batch, and serves all of them or none", async () => {
  const rateLimiter = limiterOf(4);
  const { post, initialize } = await mcpServer(ROWS, { a: new FakeUpstream() }, { rateLimiter });
  const sessionId = await initialize("2025-03-26");
  // The handler has counted each POST as one, for the worker that has the session too.
  const batch = (length: number, caller?: string) => {
    if (caller !== undefined) rateLimiter.take("medium", caller);
    const messages = Array.from({ length }, (_, i) => request(i, "ping"));
    return post(messages, { sessionId, caller });
  };
  assertEquals(JSON.parse((await batch(3, "ann")).body as string).length, 3);
  const error = await assertRejects(() => batch(2, "ann"), SluiceError);
  assertEquals(error.code, "RATE_LIMITED");
  assertEquals((await batch(4, "bob")).status, 200);
  // Where nobody has counted the request, nobody counts its messages.
  assertEquals((await batch(50)).status, 200);
});
