import { TrustedProxies } from "../../base/egress/trusted_proxies.ts";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { duplexServer } from "../../../tests/support/duplex_client.ts";
import { FakeUpstream } from "../../../tests/support/fake_upstream.ts";
import { limiterOf, principal, SERVED } from "../../../tests/support/fakes.ts";
import { INITIALIZE } from "../../../tests/support/mcp_post.ts";
import { claimsOf } from "../../../tests/support/sessionless_parts.ts";
import { type ErrorCode, SluiceError } from "../../base/errors.ts";
import { readText } from "../../http/body.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import type { RateLimiter } from "../../http/limits/rate_limit.ts";
import { LegacySse } from "./legacy_sse.ts";
import { PublicPrefix } from "./public_prefix.ts";
import type { McpReply, McpRequest } from "../exchange/mcp_exchange.ts";
import { SessionIds } from "../session/session_id.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a")],
  tools: [toolRow("a", "echo")],
  servers: [serverRow("s", { toolIds: ["a-echo"] })],
});
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

interface WorkerOptions {
  readonly worker?: number;
  /** What the other worker answers. */
  readonly forward?: (request: McpRequest) => McpReply | Promise<McpReply>;
  readonly handedOver?: boolean;
  readonly rateLimiter?: RateLimiter | null;
  /** Whose requests its POSTs are counted among. */
  readonly caller?: string;
}

async function worker(
  { worker = 0, forward, handedOver = false, rateLimiter = null, caller }: WorkerOptions = {},
) {
  const server = await duplexServer(ROWS, { a: new FakeUpstream() }, { requests: 1 });
  const { sessions, clock, catalog } = server;
  const forwarded: [worker: number, request: McpRequest][] = [];
  const handOn = async (to: number, request: McpRequest) => {
    forwarded.push([to, request]);
    if (forward === undefined) throw new SluiceError("WORKER_GONE");
    return await forward(request);
  };
  const sse = new LegacySse({
    memory: new ClientMemory(Infinity),
    ids: new SessionIds("secret"),
    clock,
    place: { replica: { now: 0 }, worker },
    sessions,
    catalog: () => catalog,
    readBody: (request) => readText(request, 1_000),
    rateLimiter,
    tokenGate: null,
    publicPrefix: new PublicPrefix({ rootPath: "", trustedProxies: new TrustedProxies(["127.0.0.1"]) }),
    elsewhere: (claims) =>
      claims.worker === worker && !handedOver ? null : (request) => handOn(claims.worker, request),
    predecessor: () => handedOver ? null : (request) => handOn(worker, request),
  });
  const exchange = (path: string, init: RequestInit, user = principal()): Exchange => ({
    request: new Request(`http://gateway${path}`, init),
    path: path.split("?")[0]!,
    principal: user,
    caller,
    info: SERVED,
  });
  const open = async (path = "/sse", user = principal()) => {
    const opened = exchange(path, {}, user);
    const response = await sse.streams.serve(opened);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const next = async () => (await reader.read()).value ?? null;
    const first = (await next())!;
    return {
      opened,
      response,
      first,
      endpoint: pathAt(path, /^data: (.*)$/m.exec(first)![1]!),
      next,
      leave: () => reader.cancel(),
    };
  };
  const post = (path: string, body: string, user = principal()) =>
    sse.messages.serve(
      exchange(path, { method: "POST", headers: { "content-type": "application/json" }, body }, user),
    );
  const said = async (path: string, message: unknown) => {
    const { status } = await post(path, JSON.stringify(message));
    await clock.tick(0);
    return status;
  };
  return { ...server, sse, forwarded, exchange, open, post, said };
}

/** What a client calls that reads `address` in the event stream at `path`. */
function pathAt(path: string, address: string): string {
  const { pathname, search } = new URL(address, `http://gateway${path}`);
  return pathname + search;
}

async function codeOf(work: Promise<unknown>): Promise<ErrorCode> {
  return (await assertRejects(() => work, SluiceError)).code;
}

Deno.test("LegacySse opens a stream that names its address for messages first, and answers there", async () => {
  const { open, said, sessions } = await worker();
  const { opened, response, first, endpoint, next } = await open();
  assertEquals([opened.isStream, response.headers.get("content-type")], [true, "text/event-stream"]);
  assert(/^event: endpoint\ndata: message\?session_id=[a-z0-9]+\n\n$/.test(first), first);
  assert(/^\/message\?session_id=[a-z0-9]+$/.test(endpoint), endpoint);
  // With the one place that this worker has: the POST gives it back before the call takes it.
  assertEquals(await said(endpoint, INITIALIZE), 202);
  const answer = (await next())!;
  assert(answer.startsWith("event: message\ndata: {") && answer.includes('"protocolVersion"'), answer);
  const narrow = await open("/servers/s/sse");
  assert(narrow.endpoint.startsWith("/servers/s/message?session_id="), narrow.endpoint);
  assertEquals(sessions.size, 2);
});

Deno.test("LegacySse names an address that holds behind a path prefix, be it known or not", async () => {
  const { sse, exchange, post } = await worker();
  const addressAt = async (path: string, headers: Record<string, string> = {}) => {
    const response = await sse.streams.serve({
      ...exchange(path, { headers }),
      path: path.replace(/\/$/, ""),
    });
    const { value } = await response.body!.pipeThrough(new TextDecoderStream()).getReader().read();
    return /^data: (.*)\?session_id=/m.exec(value!)![1]!;
  };
  assertEquals(await addressAt("/sse"), "message");
  assertEquals(pathAt("/prefix/sse", await addressAt("/sse")), "/prefix/message");
  assertEquals(
    pathAt("/prefix/servers/s/sse/", await addressAt("/servers/s/sse/")),
    "/prefix/servers/s/message",
  );
  const prefix = { "x-forwarded-prefix": "/prefix" };
  assertEquals(await addressAt("/sse", prefix), "/prefix/message");
  assertEquals(await addressAt("/servers/s/sse", prefix), "/prefix/servers/s/message");
  assertEquals(await codeOf(post("/message?session_id=x", PING)), "SESSION_NOT_FOUND");
});

Deno.test("LegacySse takes messages for a virtual server's stream at /message too, from its owner", async () => {
  const { open, post } = await worker();
  const { endpoint } = await open("/servers/s/sse");
  const query = endpoint.slice(endpoint.indexOf("?"));
  assertEquals((await post(`/message${query}`, PING)).status, 202);
  assertEquals(
    await codeOf(post(`/message${query}`, PING, principal({ subject: "bob" }))),
    "SESSION_NOT_FOUND",
  );
  assertEquals(await codeOf(post(`/servers/other/message${query}`, PING)), "SESSION_NOT_FOUND");
});

Deno.test("LegacySse ends the session with its stream", async () => {
  const { open, post, sessions } = await worker();
  const { endpoint, leave } = await open();
  await leave();
  assertEquals(sessions.size, 0);
  assertEquals(await codeOf(post(endpoint, PING)), "SESSION_NOT_FOUND");
});

Deno.test("LegacySse takes messages from the session's owner at its address only", async () => {
  const { open, post, forwarded } = await worker();
  const { endpoint } = await open();
  const id = endpoint.split("=")[1]!;
  const forged = (id[0] === "a" ? "b" : "a") + id.slice(1);
  assertEquals(await codeOf(post(endpoint, PING, principal({ subject: "bob" }))), "SESSION_NOT_FOUND");
  assertEquals(await codeOf(post(`/servers/s${endpoint}`, PING)), "SESSION_NOT_FOUND");
  assertEquals(await codeOf(post(`/message?session_id=${forged}`, PING)), "SESSION_NOT_FOUND");
  assertEquals(await codeOf(post("/message", PING)), "INVALID_REQUEST");
  assertEquals((await post(endpoint, PING)).status, 202);
  assertEquals(forwarded, []);
});

Deno.test("LegacySse refuses what is no message by the POST, and unknown servers before it opens a stream", async () => {
  const { open, post, exchange, sse, sessions } = await worker();
  const { endpoint } = await open();
  assertEquals(await codeOf(post(endpoint, "{")), "PARSE_ERROR");
  assertEquals(await codeOf(post(endpoint, "1")), "INVALID_REQUEST");
  assertEquals(await codeOf(post(endpoint, `"${"x".repeat(1_000)}"`)), "BODY_TOO_LARGE");
  assertEquals(await codeOf(open("/servers/nothing/sse")), "NOT_FOUND");
  const serve = (endpoint: Endpoint, path: string, method: string) =>
    codeOf(endpoint.serve(exchange(path, { method })));
  assertEquals(await serve(sse.streams, "/sse", "POST"), "METHOD_NOT_ALLOWED");
  assertEquals(await serve(sse.messages, endpoint, "GET"), "METHOD_NOT_ALLOWED");
  assertEquals(sessions.size, 1);
  void sessions.drain();
  assertEquals(await codeOf(open()), "SHUTTING_DOWN");
});

Deno.test("LegacySse passes a message on to the worker that has the stream", async () => {
  const owner = await worker({ worker: 1 });
  const other = await worker({ worker: 0, forward: (request) => owner.sse.receive(request) });
  const { endpoint, next } = await owner.open();
  assertEquals((await other.post(endpoint, PING)).status, 202);
  await owner.clock.tick(0);
  assertEquals(await next(), 'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
  assertEquals(other.forwarded.map(([to]) => to), [1]);
  // The owner of the stream refuses a stranger's.
  assertEquals(
    await codeOf(other.post(endpoint, PING, principal({ subject: "bob" }))),
    "SESSION_NOT_FOUND",
  );
  const narrow = await owner.open("/servers/s/sse");
  const { length } = other.forwarded;
  assertEquals(
    await codeOf(other.post(narrow.endpoint, PING, principal({ subject: "bob" }))),
    "SESSION_NOT_FOUND",
  );
  assertEquals(other.forwarded.length, length);
});

Deno.test("LegacySse: a worker that has handed over keeps its streams, and its successor passes on what comes for them", async () => {
  const old = await worker({
    worker: 1,
    handedOver: true,
    forward: () => Promise.reject(new Error("not asked")),
  });
  const successor = await worker({ worker: 1, forward: (request) => old.sse.receive(request) });
  const { endpoint, leave, next } = await old.open();
  assertEquals((await old.post(endpoint, PING)).status, 202);
  assertEquals((await successor.post(endpoint, PING)).status, 202);
  await old.clock.tick(0);
  assertEquals((await next())!.length > 0, true);
  await leave();
  // It does not go round in circles.
  assertEquals(await codeOf(successor.post(endpoint, PING)), "SESSION_NOT_FOUND");
  // And the old worker is gone at last.
  const alone = await worker({ worker: 1 });
  assertEquals(await codeOf(alone.post(endpoint, PING)), "SESSION_NOT_FOUND");
});

Deno.test("LegacySse brings requests of 2026-07-28 and their answers, before initialize too", async () => {
  const { open, said } = await worker();
  const { endpoint, next } = await open();
  const message = { jsonrpc: "2.0", id: 1, method: "server/discover", params: { _meta: claimsOf() } };
  assertEquals(await said(endpoint, message), 202);
  const { result } = JSON.parse(/^data: (.*)$/m.exec((await next())!)![1]!);
  assertEquals(result.supportedVersions, ["2026-07-28"]);
});

Deno.test("LegacySse counts a message with its POST, and a batch as its messages", async () => {
  const rateLimiter = limiterOf(4);
  const { open, post, said } = await worker({ rateLimiter, caller: "ann" });
  const { endpoint, next, leave } = await open();
  const batch = (length: number) => JSON.stringify(Array.from({ length }, () => JSON.parse(PING)));
  // The handler has counted each POST; what a session is told counts no more.
  rateLimiter.take("medium", "ann");
  assertEquals(await said(endpoint, JSON.parse(PING)), 202);
  assert((await next())!.includes('"result":{}'));
  rateLimiter.take("medium", "ann");
  assertEquals(await codeOf(post(endpoint, batch(4))), "RATE_LIMITED");
  assertEquals((await post(endpoint, batch(3))).status, 202);
  assertEquals(await codeOf(post(endpoint, batch(2))), "RATE_LIMITED");
  await leave();
});
