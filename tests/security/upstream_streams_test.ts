// A caller whose sessions listen at many upstreams: the event streams to upstreams are bounded by caller.
import { assert, assertEquals } from "@std/assert";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** Has sessions with a GET stream, and counts the open streams. */
function listening() {
  let streams = 0;
  const server = serveOnLoopback(async (request) => {
    if (request.method === "GET") {
      streams++;
      const body = new ReadableStream({ cancel: () => void streams-- });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    }
    if (request.method === "DELETE") return new Response(null, { status: 200 });
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "listening", version: "1" },
      },
      "tools/list": { tools: [{ name: "call", inputSchema: { type: "object" } }] },
      "tools/call": { content: [] },
    };
    const headers = { "mcp-session-id": crypto.randomUUID() };
    return Response.json({ jsonrpc: "2.0", id, result: results[method] ?? {} }, { headers });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    streams: () => streams,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("The event streams to upstreams are bounded by caller, and its calls are served without", async () => {
  await using one = listening();
  await using other = listening();
  await using sluice = await Sluice.start({ env: { WORKERS: "1", MAX_STREAMS_PER_CALLER: "3" } });
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
    assertEquals(response.status, 200);
    open.push(response);
    for (const name of ["one-call", "other-call"]) {
      const { body } = await post(sluice, toolCall(name), { token, headers: inSession(sessionId) });
      assertEquals(body.result, { content: [] });
    }
  };
  for (let n = 0; n < 3; n++) await listen(eve!);
  const refused = () => metric(sluice, "sluice_upstream_streams_refused_total ");
  await waitFor(async () => await refused() > 0, { what: "eve to be refused a stream" });
  await waitFor(() => streams() === 3, { what: "her streams" });
  assertEquals(await metric(sluice, "sluice_upstream_streams "), 3);
  await listen(ann!);
  await waitFor(() => streams() === 3 + 2, { what: "ann's streams" });
  for (const response of open) await response.body!.cancel();
  assert(await refused() > 0);
});
