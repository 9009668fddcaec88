// Single calls through the pool from outside: the headers that they take along, how long they may run, how they are given up,
// and what becomes of them where the upstream misbehaves.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ChaosUpstream } from "../support/chaos_upstream.ts";
import type { ChaosMode } from "../support/chaos_modes.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest, valuesOn } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";
import { drainPools, poolMetrics, poolNumbers } from "../support/pool_numbers.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const POOLED = { MCP_SESSION_POOL_ENABLED: "true" };

gatewayTest("Listed headers go upstream and pin the session; our token never does", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start({
    ...POOLED,
    ENABLE_HEADER_PASSTHROUGH: "true",
    DEFAULT_PASSTHROUGH_HEADERS: "X-Region,Authorization,Host,Mcp-Session-Id",
  });
  await sluice.registerUpstream("bound", upstream.url);
  // Pooled in the worker that owns the conversation: which session a call without one meets is the worker's that takes it.
  await sluice.registerUpstream("pooled", `${upstream.url}?pooled`, { isolation: "caller" });
  const token = await sluice.token();
  const call = async (tool: string, headers: Record<string, string>, path = "/mcp") => {
    const { body } = await post(sluice, toolCall(tool), { token, path, headers });
    assertEquals(typeof body.result?.content[0].text, "string", JSON.stringify(body));
    return body.result.content[0].text;
  };
  const sent = () =>
    ["x-region", "x-other", "authorization"].map((name) => upstream.lastCallHeaders.get(name));

  for (const path of ["/rpc", "/mcp"]) {
    await call("bound-increment", { "x-region": "eu", "x-other": "no" }, path);
    assertEquals(sent(), ["eu", null, null]);
    await call("bound-increment", { "x-upstream-authorization": "Bearer theirs" }, path);
    assertEquals(sent(), [null, null, "Bearer theirs"]);
    assertEquals(upstream.lastHeaders.get("x-upstream-authorization"), null);
  }

  for (const name of ["pooled", "bound"]) {
    const id = await openSession(sluice, { token });
    const incrementAt = async (headers: Record<string, string>) => [
      await call(`${name}-increment`, { ...inSession(id), ...headers }),
      ...sent(),
    ];
    const eu = { "x-region": "eu", "x-other": "no" };
    assertEquals(await incrementAt(eu), ["1", "eu", null, null]);
    // Another region is another session: a session never changes what it was opened with.
    assertEquals(await incrementAt({ "x-region": "us" }), ["1", "us", null, null]);
    assertEquals(await incrementAt(eu), ["2", "eu", null, null]);
    assertEquals(await incrementAt({ "x-region": "us" }), ["2", "us", null, null]);
    const theirs = { "x-upstream-authorization": "Bearer theirs" };
    assertEquals(await incrementAt(theirs), ["1", null, null, "Bearer theirs"]);
    // Every request of that session carries it, and no other session does.
    assertEquals(await incrementAt({}), ["1", null, null, null]);
    assertEquals(await incrementAt(theirs), ["2", null, null, "Bearer theirs"]);
  }
});

gatewayTest("An upstream's own list replaces the default, its credentials the caller's", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start({
    ...POOLED,
    ENABLE_HEADER_PASSTHROUGH: "true",
    DEFAULT_PASSTHROUGH_HEADERS: "X-Region",
  });
  upstream.requireBearer("standing");
  await sluice.registerUpstream("counter", upstream.url, {
    auth_type: "bearer",
    auth_token: "standing",
    passthrough_headers: ["X-Own"],
  });
  const headers = { "x-region": "eu", "x-own": "mine", "x-upstream-authorization": "Bearer theirs" };
  const { body } = await post(sluice, toolCall("counter-get"), { path: "/rpc", headers });
  assertEquals(body.result?.content[0].text, "0", JSON.stringify(body));
  const sent = upstream.lastCallHeaders;
  assertEquals([sent.get("x-region"), sent.get("x-own"), sent.get("authorization")], [
    null,
    "mine",
    "Bearer standing",
  ]);
});

async function timeoutOf(sluice: Gateway, ms: number): Promise<string> {
  const { body } = await sluice.rpc("tools/call", { name: "counter-hold", arguments: { ms } });
  if (body.result !== undefined) return "no timeout";
  assertEquals(body.error.data.code, "UPSTREAM_TIMEOUT", JSON.stringify(body));
  return body.error.message;
}

gatewayTest(
  "The tool's own timeout wins, then TOOL_TIMEOUT, then the pool's where it is set",
  async (start, _, on) => {
    // Long enough for the handshake with an upstream.
    const shortMs = Math.ceil(await paced(400));
    const short = String(shortMs / 1_000);
    const long = "600";
    const isShort = new RegExp(`within ${shortMs} ms \\(TOOL_TIMEOUT\\)`);
    for (const pool of valuesOn(on, ["true", "false"])) {
      await using upstream = CounterUpstream.start();
      const env = { MCP_SESSION_POOL_ENABLED: pool };
      {
        await using sluice = await start({ ...env, MCP_SESSION_POOL_TRANSPORT_TIMEOUT: short });
        await sluice.registerUpstream("counter", upstream.url);
        assertMatch(await timeoutOf(sluice, 600_000), isShort);
        const tool = (await sluice.api("GET", "/tools")).body.find(({ name }: { name: string }) =>
          name === "counter-hold"
        );
        const changed = await sluice.api("PUT", `/tools/${tool.id}`, { timeout_ms: 600_000 });
        assertEquals([changed.status, changed.body.timeoutMs], [200, 600_000]);
        assertEquals(await timeoutOf(sluice, 3 * shortMs), "no timeout");
        await sluice.api("PUT", `/tools/${tool.id}`, { timeout_ms: 300 });
        assertMatch(await timeoutOf(sluice, 600_000), /within 300 ms \(the tool's timeout_ms/);
      }
      {
        await using sluice = await start({
          ...env,
          MCP_SESSION_POOL_TRANSPORT_TIMEOUT: short,
          TOOL_TIMEOUT: long,
        });
        await sluice.registerUpstream("counter", upstream.url);
        assertEquals(await timeoutOf(sluice, 3 * shortMs), "no timeout");
      }
      await using sluice = await start({
        ...env,
        MCP_SESSION_POOL_TRANSPORT_TIMEOUT: long,
        TOOL_TIMEOUT: short,
      });
      await sluice.registerUpstream("counter", upstream.url);
      assertMatch(await timeoutOf(sluice, 600_000), isShort);
    }
  },
);

/** A call that can be given up by closing its connection. */
function startCall(
  sluice: Gateway,
  tool: "wait" | "tell",
  label: string,
  { token, path, session }: { token: string; path: string; session: string | null },
): { readonly response: Promise<Response>; readonly hangUp: () => void } {
  const gone = new AbortController();
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const response = fetch(sluice.url + path, {
    client,
    method: "POST",
    signal: gone.signal,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(session === null ? {} : inSession(session)),
    },
    body: JSON.stringify(toolCall(`scripted-${tool}`, { label }, label)),
  });
  response.catch(() => {});
  return {
    response,
    hangUp: () => {
      gone.abort();
      client.close();
    },
  };
}

gatewayTest("A client that closes its connection cancels its own call and no other", async (start, _, on) => {
  for (const pool of valuesOn(on, ["true", "false"])) {
    await using upstream = ScriptedUpstream.start();
    // A stream that can be resumed is given up only when nobody has come for it.
    const env = { MCP_SESSION_POOL_ENABLED: pool, STREAM_RESUME_WINDOW: "0.2" };
    await using sluice = await start(env);
    await sluice.registerUpstream("scripted", upstream.url);
    const token = await sluice.token();
    // Four, so that several workers own some: a request then crosses from one to another.
    const sessions = await Promise.all([1, 2, 3, 4].map(() => openSession(sluice, { token })));
    const ways: { readonly path: string; readonly session: string | null }[] = [
      { path: "/rpc", session: null },
      { path: "/mcp", session: null },
      ...sessions.map((session) => ({ path: "/mcp", session })),
    ];
    for (const [number, way] of ways.entries()) {
      for (const tool of ["wait", "tell"] as const) {
        if (tool === "tell" && way.path === "/rpc") continue;
        const name = `${pool}/${number}/${tool}`;
        const [doomed, stays, other] = ["doomed", "stays", "other"].map((label) => ({
          label: `${name}/${label}`,
          ...startCall(sluice, tool, `${name}/${label}`, { token, ...(label === "other" ? ways[0]! : way) }),
        }));
        await waitFor(
          () => [doomed, stays, other].every((one) => upstream.called(one!.label)),
          { what: `${name} to reach the upstream` },
        );
        // While the reply streams: its head has come.
        if (tool === "tell") {
          assertEquals((await doomed!.response).headers.get("content-type"), "text/event-stream");
        }
        doomed!.hangUp();
        await waitFor(() => upstream.cancelled.includes(doomed!.label), {
          what: `${name} to be cancelled`,
        });
        for (const one of [stays, other]) {
          upstream.called(one!.label)!.finish();
          const response = await one!.response;
          const text = await response.text();
          assert(response.ok && text.includes(`"text":"${one!.label}"`), text);
          one!.hangUp();
        }
      }
    }
    const doomed = upstream.calls.filter(({ label }) => label.endsWith("doomed")).map(({ label }) => label);
    assertEquals([...upstream.cancelled].sort(), doomed.sort());
    await drainPools(sluice);
    // Only the conversations' own are left.
    await waitFor(() => upstream.liveSessions === sessions.length, {
      what: "all other sessions to be ended",
    });
  }
});

const FAULTS: readonly [mode: ChaosMode, code: string][] = [
  ["hang", "UPSTREAM_TIMEOUT"],
  ["hang_in_sse", "UPSTREAM_TIMEOUT"],
  ["http_500", "UPSTREAM_HTTP_ERROR"],
  ["http_503", "UPSTREAM_HTTP_ERROR"],
  ["unauthorized", "UPSTREAM_AUTH_FAILED"],
  ["redirect", "UPSTREAM_HTTP_ERROR"],
  ["malformed_json", "UPSTREAM_PROTOCOL_ERROR"],
  ["malformed_sse", "UPSTREAM_PROTOCOL_ERROR"],
  ["not_rpc", "UPSTREAM_PROTOCOL_ERROR"],
  ["html", "UPSTREAM_PROTOCOL_ERROR"],
  ["empty", "UPSTREAM_PROTOCOL_ERROR"],
  ["accepted", "UPSTREAM_PROTOCOL_ERROR"],
  ["wrong_id", "UPSTREAM_PROTOCOL_ERROR"],
  ["wrong_id_in_sse", "UPSTREAM_CLOSED"],
  ["sse_without_result", "UPSTREAM_CLOSED"],
  ["disconnect_in_sse", "UPSTREAM_CLOSED"],
  ["disconnect_in_json", "UPSTREAM_CLOSED"],
  ["huge", "UPSTREAM_RESPONSE_TOO_LARGE"],
  ["endless_sse", "UPSTREAM_RESPONSE_TOO_LARGE"],
];
const HARMLESS: readonly ChaosMode[] = ["json", "sse", "sse_with_notifications", "sse_unusual", "slow_sse"];

gatewayTest("Each misbehaviour of an upstream has its error code, and is outlived", async (start) => {
  await using upstream = ChaosUpstream.start({ sessions: true });
  await using sluice = await start({
    ...POOLED,
    // The slowest that is no misbehaviour takes half a second.
    TOOL_TIMEOUT: String(await paced(1.5)),
    MAX_UPSTREAM_RESPONSE_BYTES: "1048576",
  });
  await sluice.registerUpstream("chaos", upstream.url);
  const token = await sluice.token();
  const names = new Map<ChaosMode, string>(
    (await sluice.api("GET", "/tools")).body.map((
      { originalName, name }: { originalName: ChaosMode; name: string },
    ) => [originalName, name]),
  );
  const id = await openSession(sluice, { token });
  const ask = async (mode: ChaosMode, way: { path: string; headers?: Record<string, string> }) => {
    const { body } = await post(sluice, toolCall(names.get(mode)!), { token, ...way });
    return body.error?.data?.code ?? body.result?.content?.[0]?.text;
  };
  for (const way of [{ path: "/rpc" }, { path: "/mcp" }, { path: "/mcp", headers: inSession(id) }]) {
    const answers = await Promise.all(FAULTS.map(async ([mode]) => [mode, await ask(mode, way)]));
    assertEquals(answers, FAULTS.map((fault) => [...fault]), JSON.stringify(way));
    // By itself: it takes the whole conversation's session away, and does so again with the one opened in its place.
    assertEquals(await ask("session_lost", way), "UPSTREAM_SESSION_EXPIRED");
    for (const mode of HARMLESS) assertEquals(await ask(mode, way), "done", mode);
  }
  assertEquals((await sluice.api("GET", "/health")).status, 200);
  // A call that goes wrong says nothing about opening sessions.
  for (const { circuit_breaker_states: states } of await poolMetrics(sluice)) {
    assertEquals(states[upstream.url], "closed");
  }
  await waitFor(async () => (await poolNumbers(sluice, "active_sessions", "waiting")).join() === "0,0", {
    what: "no call to be under way",
  });
  await drainPools(sluice);
  await fetch(`${sluice.url}/mcp`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}`, "mcp-session-id": id },
  }).then((response) => response.body?.cancel());
  await waitFor(() => upstream.liveSessions === 0, { what: "every session to be ended" });
});
