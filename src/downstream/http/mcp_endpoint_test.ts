import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MemorySink, principal, SERVED } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import { readText } from "../../http/body.ts";
import { WatchedCall } from "../../http/client_watch.ts";
import { ErrorReporter } from "../../http/error_response.ts";
import { createLog } from "../../telemetry/log.ts";
import { McpEndpoint, serverIdIn } from "./mcp_endpoint.ts";
import type { McpReply, McpRequest } from "../exchange/mcp_exchange.ts";
import { ownerOf, SessionIds } from "../session/session_id.ts";

const OWNER = ownerOf(principal(), null);

interface Given {
  readonly body?: string;
  readonly overLimit?: SluiceError;
}

function setUp(reply: McpReply = { status: 200, headers: { "x-y": "z" }, body: "{}" }, prefersJson = true) {
  const clock = new FakeClock();
  const ids = new SessionIds("secret");
  const here: McpRequest[] = [];
  const forwarded: [number, McpRequest][] = [];
  const endpoint = new McpEndpoint({
    memory: new ClientMemory(Infinity),
    ids,
    clock,
    clients: { enter: (request) => new WatchedCall(request), leave: () => {} },
    readBody: (request) => readText(request, 300),
    serveInSession: (request) => (here.push(request), Promise.resolve(reply)),
    serveSessionless: () => Promise.resolve(null),
    pendingCalls: { claimsOf: () => null },
    maxJsonDepth: 10,
    prefersJson,
    errors: new ErrorReporter(
      createLog({ level: "ERROR", format: "json", sink: new MemorySink() }),
      () => {},
    ),
    elsewhere: ({ worker }) =>
      worker === 0 ? null : (request) => (forwarded.push([worker, request]), Promise.resolve(reply)),
  });
  const send = (method: string, headers: Record<string, string> = {}, path = "/mcp", given: Given = {}) => {
    const body = method === "POST" ? given.body ?? '{"n":1.0}' : undefined;
    const all = { ...(method === "POST" ? { "content-type": "application/json" } : {}), ...headers };
    return endpoint.serve({
      request: new Request(`http://gateway${path}`, { method, headers: all, body }),
      path,
      principal: principal(),
      info: SERVED,
      overLimit: given.overLimit,
    });
  };
  const seal = (worker: number) =>
    ids.seal({ replica: 0, worker, expiresAt: clock.now() / 1000 + 60, owner: OWNER });
  return { send, seal, here, forwarded, clock };
}

async function codeOf(sent: Promise<Response>): Promise<string> {
  return (await assertRejects(() => sent, SluiceError)).code;
}

Deno.test("McpEndpoint.serve() hands on the request and writes the reply", async () => {
  const { send, here } = setUp();
  const headers = { accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18" };
  const response = await send("POST", headers, "/servers/s1/mcp");
  assertEquals([response.status, response.headers.get("x-y"), await response.text()], [200, "z", "{}"]);
  const { method, serverId, sessionId, protocolVersion, body } = here[0]!;
  assertEquals([method, serverId, sessionId, protocolVersion, body], [
    "POST",
    "s1",
    null,
    "2025-06-18",
    '{"n":1.0}',
  ]);
});

Deno.test("McpEndpoint.serve() wants event streams of a gateway that does not prefer JSON, where the client accepts them", async () => {
  const kinds = async (accept: string, prefersJson: boolean) => {
    const { send, here } = setUp(undefined, prefersJson);
    await send("POST", { accept });
    return [here[0]!.acceptsJson, here[0]!.acceptsStream];
  };
  for (const accept of ["application/json, text/event-stream", "*/*"]) {
    assertEquals(await kinds(accept, true), [true, true]);
    assertEquals(await kinds(accept, false), [false, true]);
  }
  assertEquals(await kinds("application/json", false), [true, false]);
});

Deno.test("McpEndpoint.serve() brings a session's request to the worker that owns it", async () => {
  const { send, seal, here, forwarded } = setUp();
  await send("POST", { "mcp-session-id": seal(0) });
  await send("POST", { "mcp-session-id": seal(3) });
  assertEquals([here.length, forwarded.map(([worker]) => worker)], [1, [3]]);
});

Deno.test("McpEndpoint.serve() asks nobody for an id that is forged, foreign or expired", async () => {
  const { send, seal, here, forwarded, clock } = setUp();
  const foreign = new SessionIds("other").seal({
    replica: 0,
    worker: 0,
    expiresAt: 4_000_000_000,
    owner: OWNER,
  });
  const expired = seal(3);
  await clock.tick(60_000);
  for (const id of ["x", foreign, expired, `${seal(3)}a`]) {
    for (const method of ["POST", "GET", "DELETE"]) {
      assertEquals(await codeOf(send(method, { "mcp-session-id": id })), "SESSION_NOT_FOUND", id);
    }
  }
  assertEquals([here, forwarded], [[], []]);
});

Deno.test("McpEndpoint.serve() takes an empty session id for none", async () => {
  const { send, here } = setUp();
  await send("POST", { "mcp-session-id": "" });
  assertEquals(here.map(({ sessionId }) => sessionId), [null]);
});

Deno.test("McpEndpoint.serve() lets initialize open a session, whatever session id a client repeats there", async () => {
  const { send, seal, here, forwarded, clock } = setUp();
  const body = '{"jsonrpc":"2.0","id":0,"method":"initialize"}';
  const expired = seal(0);
  await clock.tick(60_000);
  for (const id of ["x", expired, seal(3)]) {
    assertEquals((await send("POST", { "mcp-session-id": id }, "/mcp", { body })).status, 200);
  }
  assertEquals([here.map(({ sessionId }) => sessionId), forwarded.length], [[null, null, null], 0]);
  const other = body.replace("initialize", "tools/call").replace("}", ',"params":{"name":"initialize"}}');
  assertEquals(
    await codeOf(send("POST", { "mcp-session-id": "x" }, "/mcp", { body: other })),
    "SESSION_NOT_FOUND",
  );
});

Deno.test("McpEndpoint.serve() answers a session's calls above a limit as JSON-RPC errors, and takes what is none", async () => {
  const { send, seal, here } = setUp();
  const overLimit = new SluiceError("RATE_LIMITED", {
    limit: 5,
    window: "a minute",
    settings: "X",
    waitS: 7,
  });
  const inSession = { "mcp-session-id": seal(0) };
  const limited = (message: unknown, headers: Record<string, string> = inSession) =>
    send("POST", headers, "/mcp", { overLimit, body: JSON.stringify(message) });
  const ping = { jsonrpc: "2.0", id: "p", method: "ping" };

  const one = await limited(ping);
  assertEquals([one.status, one.headers.get("retry-after")], [200, "7"]);
  const { id, error } = await one.json();
  assertEquals([id, error.data.code, error.message.includes("retry in 7 s")], ["p", "RATE_LIMITED", true]);
  const batch = await (await limited([ping, { ...ping, id: 2 }])).json();
  assertEquals(batch.map(({ id }: { id: unknown }) => id), ["p", 2]);
  const tooLong = await codeOf(limited(Array.from({ length: 101 }, () => 0)));
  assertEquals(tooLong, "BATCH_TOO_LONG");
  const stream = await limited(ping, { ...inSession, accept: "text/event-stream" });
  assertEquals((await stream.text()).startsWith('data: {"jsonrpc":"2.0","id":"p","error":'), true);
  assertEquals(here.length, 0);

  // A notification for upstreams is dropped; an answer or a cancellation is not.
  const note = (method: string) => ({ jsonrpc: "2.0", method, params: {} });
  assertEquals((await limited(note("notifications/roots/list_changed"))).status, 202);
  assertEquals(here.length, 0);
  await limited(note("notifications/cancelled"));
  await limited({ jsonrpc: "2.0", id: 1, result: {} });
  // It frees what the session holds.
  await send("DELETE", inSession, "/mcp", { overLimit });
  assertEquals(here.length, 3);

  // Without a session the whole request is refused.
  assertEquals(await codeOf(limited(ping, {})), "RATE_LIMITED");
  assertEquals(await codeOf(limited(ping, { "mcp-session-id": "x" })), "RATE_LIMITED");
  assertEquals(await codeOf(send("GET", inSession, "/mcp", { overLimit })), "RATE_LIMITED");
});

Deno.test("McpEndpoint.serve() reads what the client accepts", async () => {
  const cases: [accept: string | undefined, json: boolean, stream: boolean][] = [
    [undefined, true, true],
    ["*/*", true, true],
    ["application/json", true, false],
    ["text/event-stream", false, true],
    ["Application/JSON;q=0.9, Text/Event-Stream", true, true],
    ["application/*, text/*", true, true],
  ];
  for (const [accept, json, stream] of cases) {
    const { send, here } = setUp();
    await send("POST", accept === undefined ? {} : { accept });
    assertEquals([here[0]!.acceptsJson, here[0]!.acceptsStream], [json, stream], accept);
  }
  assertEquals(await codeOf(setUp().send("POST", { accept: "text/html" })), "NOT_ACCEPTABLE");
});

Deno.test("McpEndpoint.serve() serves POST, GET and DELETE, and refuses bodies that are no JSON or too large", async () => {
  const { send, here } = setUp();
  for (const method of ["GET", "DELETE"]) await send(method);
  assertEquals(here.map(({ body }) => body), ["", ""]);
  for (const method of ["PUT", "PATCH", "OPTIONS"]) {
    assertEquals(await codeOf(send(method)), "METHOD_NOT_ALLOWED");
  }
  assertEquals(await codeOf(send("POST", { "content-type": "text/plain" })), "UNSUPPORTED_MEDIA_TYPE");
  assertEquals(await codeOf(send("POST", { "content-length": "301" })), "BODY_TOO_LARGE");
});

Deno.test("McpEndpoint.serve() writes replies without a body", async () => {
  const { send } = setUp({ status: 202, headers: {}, body: null });
  const response = await send("POST");
  assertEquals([response.status, response.body], [202, null]);
});

Deno.test("serverIdIn() finds the virtual server of an address, in no other address", () => {
  const cases: [string, string | null][] = [
    ["/mcp", null],
    ["/servers/a-b_1/mcp", "a-b_1"],
    ["/servers/550E8400-e29b-41d4-a716-446655440000/mcp", "550e8400e29b41d4a716446655440000"],
    ["/servers//mcp", null],
    ["/servers/a/b/mcp", null],
    ["/servers/a/mcp/x", null],
    ["/x/servers/a/mcp", null],
  ];
  for (const [path, id] of cases) assertEquals(serverIdIn(path), id, path);
});
