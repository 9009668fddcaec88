// A caller who opens sessions without end, or lets one session keep without end: the gateway bounds both, and others notice nothing.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { INITIALIZE, inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const PING = { jsonrpc: "2.0", id: 1, method: "ping" };

const user = (sluice: Sluice, username: string) => sluice.token({ username, admin: false });

/** The session of that id: does it live? */
async function lives(sluice: Sluice, token: string, sessionId: string): Promise<boolean> {
  const { status } = await post(sluice, PING, { token, headers: inSession(sessionId) });
  return status === 200;
}

/** Opens the GET stream of a session. */
async function listen(sluice: Sluice, token: string, sessionId: string): Promise<AsyncDisposable> {
  const response = await fetch(`${sluice.url}/mcp`, {
    headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", ...inSession(sessionId) },
  });
  assertEquals(response.status, 200);
  return { [Symbol.asyncDispose]: async () => await response.body!.cancel() };
}

Deno.test("initialize keeps 16,384 characters of a client's description at most", async () => {
  await using sluice = await Sluice.start();
  const token = await user(sluice, "bob");
  const initialize = (params: Record<string, unknown>) =>
    post(sluice, { ...INITIALIZE, params: { protocolVersion: "2025-11-25", ...params } }, { token });
  const large = { experimental: { a: { b: "x".repeat(16_384) } } };
  const refused = [
    { capabilities: large },
    { clientInfo: { name: "x".repeat(16_384), version: "1" } },
    {
      capabilities: { experimental: { a: { b: "x".repeat(8_192) } } },
      clientInfo: { name: "y".repeat(8_192) },
    },
  ];
  for (const params of refused) {
    const { status, sessionId, body } = await initialize(params);
    assertEquals([status, sessionId, body.error.code], [200, null, -32602]);
    assertMatch(body.error.message, /"capabilities" and "clientInfo" .* 16384/);
  }
  const taken = await initialize({ capabilities: { experimental: { a: { b: "x".repeat(16_000) } } } });
  assert(taken.sessionId !== null);
  assertEquals(await metric(sluice, "sluice_downstream_sessions "), 1);
});

Deno.test("A further session of one caller ends that caller's least recently used idle session", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "2", MAX_SESSIONS_PER_CALLER: "3" } });
  const [ann, bob] = [await user(sluice, "ann"), await user(sluice, "bob")];
  const anns = await openSession(sluice, { token: ann });
  const listening = await openSession(sluice, { token: bob });
  await using _stream = await listen(sluice, bob, listening);
  const opened: string[] = [];
  for (let n = 0; n < 20; n++) opened.push(await openSession(sluice, { token: bob }));
  const count = () => metric(sluice, "sluice_downstream_sessions ");
  await waitFor(async () => await count() <= 7, { what: "at most 3 sessions of bob in each of 2 workers" });
  assertEquals(await lives(sluice, ann, anns), true);
  assertEquals(await lives(sluice, bob, listening), true);
  assertEquals(await lives(sluice, bob, opened.at(-1)!), true);
  assertEquals(await lives(sluice, bob, opened[0]!), false);
});

Deno.test("A caller whose sessions are all in use gets 429, and others a session", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1", MAX_SESSIONS_PER_CALLER: "1" } });
  const [ann, bob] = [await user(sluice, "ann"), await user(sluice, "bob")];
  const first = await openSession(sluice, { token: bob });
  await using _stream = await listen(sluice, bob, first);
  const { status, body } = await post(sluice, INITIALIZE, { token: bob });
  assertEquals([status, body.error.data.code], [429, "TOO_MANY_SESSIONS"]);
  await openSession(sluice, { token: ann });
  assertEquals(await lives(sluice, bob, first), true);
});

/** Offers every `note:///…` by a template, and takes every subscription. */
function subscribable(): AsyncDisposable & { readonly url: string; readonly uris: string[] } {
  const uris: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === "resources/subscribe") uris.push(params.uri);
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: "2025-11-25",
        capabilities: { resources: { subscribe: true } },
        serverInfo: { name: "notes", version: "1" },
      },
      "resources/list": { resources: [] },
      "resources/templates/list": { resourceTemplates: [{ uriTemplate: "note:///{id}", name: "note" }] },
    };
    return Response.json({ jsonrpc: "2.0", id, result: results[method] ?? {} });
  });
  const url = `http://127.0.0.1:${server.addr.port}/mcp`;
  return { url, uris, [Symbol.asyncDispose]: () => server.shutdown() };
}

function bytesWritten(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`))![1]);
}

Deno.test("The subscriptions of a session are bounded in characters, and what they write does not grow with their square", async () => {
  await using upstream = subscribable();
  await using sluice = await Sluice.start();
  await sluice.registerUpstream("notes", upstream.url);
  const token = await user(sluice, "bob");
  const sessionId = await openSession(sluice, { token });
  const subscribe = async (uri: string) => {
    const message = { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } };
    const { body } = await post(sluice, message, { token, headers: inSession(sessionId) });
    return body.error?.data.code ?? "subscribed";
  };
  const before = bytesWritten(sluice.pid);
  const answers: string[] = [];
  for (let n = 0; n < 40; n++) answers.push(await subscribe(`note:///${String(n).padEnd(60_000, "x")}`));
  // Two fit into 128 Ki characters. A refused one does not reach the upstream.
  assertEquals(answers, [...Array(2).fill("subscribed"), ...Array(38).fill("INVALID_REQUEST")]);
  assertEquals(upstream.uris.length, 2);
  const written = bytesWritten(sluice.pid) - before;
  // Everything: requests to the upstream, answers, the log, the database and its journal.
  assert(written < 8_000_000, `${written} bytes`);
});

/** Its tool `tell` sends a message of a mebibyte before its result: the gateway keeps it for a client that resumes the stream. */
function talkative(): AsyncDisposable & { readonly url: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {}, logging: {} },
        serverInfo: { name: "talkative", version: "1" },
      },
      "tools/list": { tools: [{ name: "tell", inputSchema: { type: "object" } }] },
    };
    const result = { jsonrpc: "2.0", id, result: results[method] ?? { content: [] } };
    if (method !== "tools/call") return Response.json(result);
    const params = { level: "info", data: "x".repeat(1_000_000) };
    const note = { jsonrpc: "2.0", method: "notifications/message", params };
    const events = [note, result].map((message) => `data: ${JSON.stringify(message)}\n\n`).join("");
    return new Response(events, { headers: { "content-type": "text/event-stream" } });
  });
  const url = `http://127.0.0.1:${server.addr.port}/mcp`;
  return { url, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("A worker that is short of memory ends the sessions of whoever keeps the most, and nobody else's", async () => {
  await using upstream = talkative();
  // What is kept is kept for the whole test.
  const env = {
    WORKERS: "2",
    WORKER_MAX_HEAP_MB: "160",
    MAX_CLIENT_MEMORY_MB: "1024",
    STREAM_RESUME_WINDOW: "600",
  };
  await using sluice = await Sluice.start({ env });
  await sluice.registerUpstream("up", upstream.url);
  const [ann, bob] = [await user(sluice, "ann"), await user(sluice, "bob")];
  const anns = await Promise.all(Array.from({ length: 8 }, () => openSession(sluice, { token: ann })));
  const tell = async () => {
    const sessionId = await openSession(sluice, { token: bob });
    const { status } = await post(sluice, toolCall("up-tell"), { token: bob, headers: inSession(sessionId) });
    // 404: the worker ended bob's sessions in between.
    assert(status === 200 || status === 404, `${status}`);
  };
  const shed = () =>
    sluice.log().filter(({ event }) => event === "a caller's sessions and streams ended, memory is short");
  for (let n = 0; n < 600 && shed().length < 2; n++) await tell();
  assertEquals(new Set(shed().map(({ subject }) => subject)), new Set(["bob"]));
  for (const each of anns) assertEquals(await lives(sluice, ann, each), true);
  assert(await metric(sluice, "sluice_callers_shed_total") >= 1);
  assertEquals(sluice.log().filter(({ event }) => event === "worker died"), []);
});

Deno.test("The events of a caller are bounded over all its sessions, and its sessions live on", async () => {
  await using upstream = talkative();
  const env = { WORKERS: "1", MAX_CLIENT_MEMORY_MB: "64", STREAM_RESUME_WINDOW: "600" };
  await using sluice = await Sluice.start({ env });
  await sluice.registerUpstream("up", upstream.url);
  const [ann, bob] = [await user(sluice, "ann"), await user(sluice, "bob")];
  const tell = async (token: string) => {
    const sessionId = await openSession(sluice, { token });
    const { status, body } = await post(sluice, toolCall("up-tell"), {
      token,
      headers: inSession(sessionId),
    });
    assertEquals([status, body.result], [200, { content: [] }]);
    return sessionId;
  };
  const sessions: string[] = [];
  for (let n = 0; n < 50; n++) sessions.push(await tell(bob));
  // One caller alone has half of what there is.
  const kept = () => metric(sluice, "sluice_client_memory_bytes ");
  const bobs = await kept();
  assert(bobs > 24_000_000 && bobs <= 32 * 1024 * 1024, `${bobs} bytes`);
  assertEquals(await lives(sluice, bob, sessions[0]!), true);
  await tell(ann);
  assert(await kept() > bobs + 1_000_000, "ann's events are kept");
  assertEquals(await metric(sluice, "sluice_callers_shed_total"), 0);
});
