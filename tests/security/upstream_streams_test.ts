// A caller whose sessions listen at many upstreams: the event streams to upstreams are bounded by caller.
import { assert, assertEquals } from "@std/assert";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** Has sessions with a GET stream, and counts the open streams. */
function listening() {
  const streams = new Set<ReadableStreamDefaultController>();
  let sessions = new Set<string>();
  const server = serveOnLoopback(async (request) => {
    const sessionId = request.headers.get("mcp-session-id");
    if (sessionId !== null && !sessions.has(sessionId)) return new Response(null, { status: 404 });
    if (request.method === "GET") {
      let own: ReadableStreamDefaultController;
      const body = new ReadableStream({
        start: (controller) => void streams.add(own = controller),
        cancel: () => void streams.delete(own),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    }
    if (request.method === "DELETE") return new Response(null, { status: 200 });
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {}, resources: { subscribe: true } },
        serverInfo: { name: "listening", version: "1" },
      },
      "tools/list": { tools: [{ name: "call", inputSchema: { type: "object" } }] },
      "resources/list": { resources: [{ uri: "up://one", name: "one" }] },
      "tools/call": { content: [] },
    };
    const headers = { "mcp-session-id": sessionId ?? crypto.randomUUID() };
    sessions.add(headers["mcp-session-id"]);
    return Response.json({ jsonrpc: "2.0", id, result: results[method] ?? {} }, { headers });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    streams: () => streams.size,
    /** The sessions are lost, and their streams end. */
    forget: () => {
      sessions = new Set();
      for (const stream of streams) stream.close();
      streams.clear();
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("The event streams to upstreams are bounded by caller, and its calls are served without", async () => {
  await using one = listening();
  await using other = listening();
  await using sluice = await Sluice.start({ env: { MAX_STREAMS_PER_CALLER: "3" } });
  await sluice.registerUpstream("one", one.url);
  await sluice.registerUpstream("other", other.url);
  const streams = () => one.streams() + other.streams();
  const [ann, eve] = await Promise.all(
    ["ann", "eve"].map((username) => sluice.token({ username, admin: false })),
  );
  const open: Response[] = [];
  const listen = async (token: string) => {
    const sessionId = await openSession(sluice, { token });
    const headers = {
      authorization: `Bearer ${token}`,
      accept: "text/event-stream",
      ...inSession(sessionId),
    };
    const response = await fetch(`${sluice.url}/mcp`, { headers });
    // The streams to clients have the same limit in each worker.
    if (response.status === 429) return await response.body!.cancel();
    assertEquals(response.status, 200);
    open.push(response);
    for (const name of ["one-call", "other-call"]) {
      const { body } = await post(sluice, toolCall(name), { token, headers: inSession(sessionId) });
      assertEquals(body.result, { content: [] });
    }
  };
  const refused = () => metric(sluice, "sluice_upstream_streams_refused_total ");
  // Two sessions in one of the two workers are enough.
  await waitFor(async () => (await listen(eve!), await refused() > 0), {
    what: "eve to be refused a stream",
  });
  const counted = () => metric(sluice, "sluice_upstream_streams ");
  await waitFor(async () => await counted() === streams(), { what: "the streams of eve to be open" });
  const eves = streams();
  assert(eves >= 3 && eves <= 2 * 3, `${eves} streams of eve`);
  await listen(ann!);
  await waitFor(() => streams() === eves + 2, { what: "ann's streams" });
  for (const response of open) await response.body!.cancel();
  assert(await refused() > 0);
});

Deno.test("Streams that are opened between a caller's calls count for it too: anew, and by a worker's successor", async () => {
  await using upstream = listening();
  await using sluice = await Sluice.start({
    env: { WORKERS: "1", MAX_STREAMS_PER_CALLER: "4", LOG_LEVEL: "INFO" },
  });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token({ username: "eve", admin: false });
  // Six sessions, each of which has listened once and has a subscription: four listen upstream.
  for (let n = 0; n < 6; n++) {
    const sessionId = await openSession(sluice, { token });
    const headers = { authorization: `Bearer ${token}`, ...inSession(sessionId) };
    await post(sluice, toolCall("up-call"), { token, headers });
    const uri = "up://one";
    const subscribe = { jsonrpc: "2.0", id: 2, method: "resources/subscribe", params: { uri } };
    const { body } = await post(sluice, subscribe, { token, headers: inSession(sessionId) });
    assertEquals(body.result, {});
  }
  const open = () => metric(sluice, "sluice_upstream_streams ");
  const refused = () => metric(sluice, "sluice_upstream_streams_refused_total ");
  const areBounded = async (when: string) => {
    await waitFor(async () => await refused() > 0, { what: `a stream to be refused ${when}` });
    await waitFor(async () => upstream.streams() === 4 && await open() === 4, {
      what: `four streams ${when}`,
    });
  };
  await areBounded("at first");
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "TOOL_TIMEOUT=20\n");
  Deno.kill(sluice.pid, "SIGHUP");
  const recycled = () => sluice.log().some(({ event }) => event === "worker recycled");
  await waitFor(recycled, { what: "the worker to be recycled" });
  await areBounded("after the recycling");
  const before = await refused();
  upstream.forget();
  await waitFor(async () => await refused() > before, { what: "a stream to be refused again" });
  await areBounded("anew");
});
