// Every answer has a correlation id in a header, also where a request is refused, and a client gets its own back. It is the id of the log
// and of the error.
import { assert, assertEquals } from "@std/assert";
import { inSession, openSession, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const HEADER = "x-correlation-id";
const JSON_TYPE = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** A request that is refused, and with which status. */
type Refusal = readonly [name: string, status: number, path: string, init: RequestInit];

function refusals(token: string): Refusal[] {
  const bearer = { authorization: `Bearer ${token}` };
  const body = JSON.stringify(toolCall("none"));
  const posted = (headers: Record<string, string>, text = body): RequestInit => ({
    method: "POST",
    headers: { ...JSON_TYPE, ...headers },
    body: text,
  });
  return [
    ["an unknown path", 404, "/nothing/here", { headers: bearer }],
    ["an unknown entry", 404, "/tools/none", { headers: bearer }],
    ["/rpc without a token", 401, "/rpc", posted({})],
    ["/mcp with a bad token", 401, "/mcp", posted({ authorization: "Bearer bad" })],
    ["REST without a token", 401, "/gateways", {}],
    ["/sse without a token", 401, "/sse", { headers: { accept: "text/event-stream" } }],
    ["/ws without a token", 401, "/ws", {}],
    ["/ws that is no WebSocket", 426, "/ws", { headers: bearer }],
    ["no JSON", 400, "/rpc", posted(bearer, "{")],
    ["no JSON-RPC", 400, "/mcp", posted(bearer, "{}")],
    ["a stream of no session", 400, "/mcp", { headers: { ...bearer, accept: "text/event-stream" } }],
    ["an unknown session", 404, "/mcp", posted({ ...bearer, "mcp-session-id": "none" })],
    ["a wrong method", 405, "/rpc", { method: "PUT", headers: bearer }],
    ["no acceptable type", 406, "/mcp", posted({ ...bearer, accept: "text/html" })],
    ["another type of body", 415, "/rpc", posted({ ...bearer, "content-type": "text/plain" })],
    ["a body that is too large", 413, "/rpc", posted(bearer, " ".repeat(3_000))],
    ["a foreign page", 403, "/rpc", posted({ ...bearer, origin: "http://evil.example" })],
    ["an unknown metric scraper", 401, "/metrics/prometheus", {}],
    ["a body that REST refuses", 422, "/gateways", posted(bearer, '{"url":1}')],
  ];
}

/** Asks twice: with an id of the client's own, and without. */
async function identified(
  url: string,
  init: RequestInit,
): Promise<{ status: number; ids: (string | null)[] }> {
  const headers = new Headers(init.headers);
  headers.set(HEADER, "order-7");
  const answers = [await fetch(url, { ...init, headers }), await fetch(url, init)];
  await Promise.all(answers.map((answer) => answer.body?.cancel()));
  return { status: answers[0]!.status, ids: answers.map((answer) => answer.headers.get(HEADER)) };
}

Deno.test("Every answer has a correlation id, which the error and the log have too", async () => {
  await using upstream = SlowUpstream.start({ delayMs: 0 });
  await using sluice = await Sluice.start({ env: { DISABLE_ACCESS_LOG: "false" } });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token();
  const bearer = { authorization: `Bearer ${token}` };
  const session = { ...JSON_TYPE, ...bearer, ...inSession(await openSession(sluice, { token })) };
  const posted = (message: object, headers = {}): RequestInit => ({
    method: "POST",
    headers: { ...JSON_TYPE, ...bearer, ...headers },
    body: JSON.stringify(message),
  });
  const rows: readonly (readonly [path: string, init: RequestInit, status?: number])[] = [
    ["/rpc", posted(toolCall("up-slow"))],
    ["/rpc", posted(toolCall("none"))],
    ["/mcp", posted(toolCall("up-slow"), session)],
    ["/mcp", posted(toolCall("none"), session)],
    ["/mcp", posted({ jsonrpc: "2.0", method: "notifications/initialized" }, session), 202],
    ["/mcp", { headers: { ...session, accept: "text/event-stream" } }],
    ["/tools", { headers: bearer }],
    ["/health", {}],
    ["/metrics/prometheus", { headers: bearer }],
    ["/nothing", { headers: bearer }, 404],
    ["/rpc", {
      method: "OPTIONS",
      headers: { origin: sluice.url, "access-control-request-method": "POST" },
    }, 204],
  ];
  const ids = new Set<string>();
  for (const [path, init, status = 200] of rows) {
    // Either worker has the session: some requests are forwarded.
    for (let round = 0; round < 4; round++) {
      const answer = await fetch(sluice.url + path, init);
      const id = answer.headers.get(HEADER) ?? "";
      assert(
        answer.status === status && id !== "",
        `${init.method ?? "GET"} ${path}: ${answer.status}, ${id}`,
      );
      const text = answer.headers.get("content-type")?.includes("json") ? await answer.text() : "";
      await answer.body?.cancel().catch(() => {});
      const said = /"correlationId":"([^"]*)"/.exec(text)?.[1];
      assertEquals([path, said ?? id], [path, id]);
      assert(!ids.has(id), `${path}: the id of another answer`);
      ids.add(id);
    }
  }
  const logged = () => new Set(sluice.log().map(({ correlationId }) => correlationId));
  await waitFor(() => [...ids].filter((id) => logged().has(id)).length >= ids.size - 8, {
    what: "the lines of all but the streams and preflights",
  });
  const known = "order-7";
  const answer = await fetch(`${sluice.url}/rpc`, posted(toolCall("none"), { [HEADER]: known }));
  assertEquals((await answer.json()).error.data.correlationId, known);
  assertEquals(answer.headers.get(HEADER), known);
});

for (const isLogged of [true, false]) {
  Deno.test(`A refused request has a correlation id, ${isLogged ? "with" : "without"} an access log`, async () => {
    await using upstream = SlowUpstream.start({ delayMs: Infinity });
    await using sluice = await Sluice.start({
      env: {
        WORKERS: "1",
        BACKPRESSURE: "1",
        MAX_STREAMS: "1",
        MAX_BODY_BYTES: "2000",
        RATE_LIMITING_ENABLED: "true",
        RATE_LIMIT_HIGH_RPM: "1",
        RATE_LIMIT_HIGH_BURST: "0",
        DISABLE_ACCESS_LOG: String(!isLogged),
        CORRELATION_ID_RESPONSE_HEADER: String(isLogged),
      },
    });
    await sluice.registerUpstream("up", upstream.url);
    const token = await sluice.token();
    const hasId = async ([name, status, path, init]: Refusal) => {
      const seen = await identified(sluice.url + path, init);
      assertEquals([name, seen.status, seen.ids[0]], [name, status, "order-7"]);
      assert(/^[0-9a-f-]{36}$/.test(seen.ids[1] ?? ""), `${name}: ${seen.ids[1]}`);
    };
    for (const refusal of refusals(token)) await hasId(refusal);
    const bearer = { authorization: `Bearer ${token}` };
    assertEquals((await sluice.api("GET", "/tokens")).status, 200);
    await hasId(["a request too many", 429, "/tokens", { headers: bearer }]);

    // Streams and calls beyond the limits, within a session and outside of one.
    const session = { ...JSON_TYPE, ...bearer, ...inSession(await openSession(sluice, { token })) };
    const stream = await fetch(`${sluice.url}/mcp`, { headers: { ...session, accept: "text/event-stream" } });
    await hasId(["a stream too many", 503, "/mcp", {
      headers: { ...session, accept: "text/event-stream" },
    }]);
    const body = JSON.stringify(toolCall("up-slow"));
    const call = fetch(`${sluice.url}/rpc`, { method: "POST", headers: { ...JSON_TYPE, ...bearer }, body });
    await waitFor(() => upstream.calls === 1, { what: "the one place taken" });
    await hasId(["a call too many", 503, "/rpc", {
      method: "POST",
      headers: { ...JSON_TYPE, ...bearer },
      body,
    }]);
    await hasId(["a call too many in a session", 200, "/mcp", {
      method: "POST",
      headers: session,
      body,
    }]);
    upstream.release();
    await (await call).body?.cancel();
    await stream.body?.cancel();
  });
}
