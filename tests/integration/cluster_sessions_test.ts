// Two replicas on one SQLite file, asked one by one: what one has, the other answers for, and takes over when it dies.
import { assert, assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { SessionlessSocket } from "../support/sessionless_socket.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import type { Sluice } from "../support/sluice.ts";
import { known, withTwo } from "../support/two_replicas.ts";
import { UnlockingUpstream } from "../support/unlocking_upstream.ts";
import { startEverything } from "../support/upstream_everything.ts";
import { counterLaunch } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("Of two replicas each answers for the other's sessions; when one dies, the other has them", async () => {
  await using upstream = CounterUpstream.start();
  await withTwo(async (one, other, token) => {
    await one.registerUpstream("counter", upstream.url);
    await known(other, "counter-increment");
    const increment = async (replica: Sluice, id: string) => {
      const { status, body } = await post(replica, toolCall("counter-increment"), {
        token,
        headers: inSession(id),
      });
      return body.result?.content[0].text ?? status;
    };
    // Enough that each worker has some.
    const ids = await Promise.all(Array.from({ length: 6 }, () => openSession(one, { token })));
    for (const expected of ["1", "2", "3", "4"]) {
      const asked = Number(expected) % 2 === 0 ? one : other;
      assertEquals(await Promise.all(ids.map((id) => increment(asked, id))), ids.map(() => expected));
    }
    assertEquals(await metric(other, "sluice_replica_forwards_total", "answered"), 12);
    const end = async (replica: Sluice, id: string) => {
      const headers = { authorization: `Bearer ${token}`, "mcp-session-id": id };
      const response = await fetch(`${replica.url}/mcp`, { method: "DELETE", headers });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals([await end(other, ids[0]!), await increment(one, ids[0]!)], [204, 404]);

    // A call whose client leaves the one replica ends at the other, and its session serves on.
    const leaving = new AbortController();
    const started = upstream.seen.calls;
    const left = fetch(`${other.url}/mcp`, {
      method: "POST",
      signal: leaving.signal,
      headers: {
        ...inSession(ids[1]!),
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify(toolCall("counter-hold", { ms: 60_000 })),
    }).catch(() => null);
    await waitFor(() => upstream.seen.calls > started, { what: "the call at the upstream" });
    const busy = () => metric(one, "sluice_replica_requests_in_flight");
    assertEquals(await busy(), 1);
    leaving.abort();
    await left;
    await waitFor(async () => await busy() === 0, { what: "the call to end at its replica" });

    await one.kill();
    // The counters went with the upstream sessions of the dead; each session has one new owner, and one new counter.
    const rest = ids.slice(1);
    for (const expected of ["1", "2"]) {
      assertEquals(await Promise.all(rest.map((id) => increment(other, id))), rest.map(() => expected));
    }
    assertEquals(await metric(other, "sluice_sessions_taken_over_total"), rest.length);
    assertEquals(await Promise.all(rest.map((id) => end(other, id))), rest.map(() => 204));
    assertEquals(await increment(other, rest[0]!), 404);
  });
});

Deno.test("A GET stream is resumed, an SSE stream fed and a pending call answered at another replica", async () => {
  await using upstream = await startEverything();
  await using asking = UnlockingUpstream.start({ asks: true });
  await withTwo(async (one, other, token) => {
    await one.registerUpstream("everything", upstream.url);
    await one.registerUpstream("asking", asking.url);
    await known(other, "asking-ask");

    const bearer = { authorization: `Bearer ${token}` };
    const id = await openSession(one, { token });
    const call = await fetch(`${one.url}/mcp`, {
      method: "POST",
      headers: {
        ...bearer,
        ...inSession(id),
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 5,
        method: "tools/call",
        params: {
          name: "everything-trigger-long-running-operation",
          arguments: { duration: 2, steps: 4 },
          _meta: { progressToken: "p" },
        },
      }),
    });
    const reader = call.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("notifications/progress")) text += (await reader.read()).value ?? "";
    await reader.cancel();
    const lastEventId = [...text.matchAll(/^id: (.*)$/gm)].at(-1)![1]!;
    const resumed = await fetch(`${other.url}/mcp`, {
      headers: { ...bearer, ...inSession(id), accept: "text/event-stream", "last-event-id": lastEventId },
    });
    assertEquals(resumed.status, 200);
    const rest = await resumed.text();
    assert(/"id":5\b/.test(rest) && rest.includes('"result"'), rest);

    const sse = await fetch(`${one.url}/sse`, { headers: bearer });
    const events = sse.body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    const until = async (part: string) => {
      while (!heard.includes(part)) heard += (await events.read()).value!;
    };
    await until("session_id=");
    const address = `/${/^data: (.*session_id=\S+)$/m.exec(heard)![1]!}`;
    const ping = { jsonrpc: "2.0", id: "over-sse", method: "ping" };
    assertEquals((await post(other, ping, { token, path: address })).status, 202);
    await until('"id":"over-sse"');
    await events.cancel();

    const name = "asking-ask";
    const ask = async (replica: Sluice, more: Record<string, unknown>) => {
      const _meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
      };
      const body = {
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name, arguments: {}, _meta, ...more },
      };
      const headers = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": name,
      };
      return (await post(replica, body, { token, headers })).body;
    };
    const { result: asked } = await ask(one, {});
    const [key] = Object.keys(asked.inputRequests);
    const answer = {
      requestState: asked.requestState,
      inputResponses: { [key!]: { action: "accept", content: { name: "ann" } } },
    };
    const { result } = await ask(other, answer);
    assert(JSON.stringify(result).includes("ann"), JSON.stringify(result));
    assertEquals((await ask(other, answer)).error.code, -32602, "used");

    await using socket = await SessionlessSocket.connect(other.url, token);
    const askOnSocket = (requestState: string) =>
      socket.ask("tools/call", { name, arguments: {}, ...answer, requestState }, {
        capabilities: { elicitation: {} },
      });
    const { result: pending } = await ask(one, {});
    const back = await askOnSocket(pending.requestState);
    assert(JSON.stringify(back.result).includes("ann"), JSON.stringify(back));
    assertEquals((await askOnSocket(pending.requestState)).error.code, -32602, "used");

    const { result: lost } = await ask(one, {});
    await one.kill();
    assertEquals((await ask(other, { ...answer, requestState: lost.requestState })).error.code, -32602);
    assertEquals((await askOnSocket(lost.requestState)).error.code, -32602);
    assertEquals((await post(other, ping, { token, path: address })).status, 404);
  }, { MCP_REVISIONS: "all" });
});

Deno.test("A caller without a session finds its state at every replica, and another caller its own", async () => {
  await using upstream = CounterUpstream.start();
  await withTwo(async (one, other) => {
    await one.registerUpstream("http", upstream.url);
    const tokens = await Promise.all(
      ["ann", "bob", "eve"].map((username) => one.token({ username, admin: false })),
    );
    const count = async (replica: Sluice, token: string, tool: string) => {
      const { body } = await replica.rpc("tools/call", { name: `${tool}-increment` }, token);
      return body.error?.data.code ?? body.result.content[0].text;
    };
    const sockets = await Promise.all(
      [one, other].map(({ url }) => SessionlessSocket.connect(url, tokens[0]!)),
    );
    await known(other, "http-increment");
    const launch = counterLaunch(`mark-${crypto.randomUUID()}`);
    await one.api("POST", "/gateways", { name: "process", transport: "STDIO", ...launch });
    // The replica that keeps the process may not know of the upstream yet.
    for (const token of tokens) assertEquals(await count(one, token, "process"), "1");
    await known(other, "process-increment");
    for (const token of tokens) {
      const counts = [];
      for (let i = 0; i < 4; i++) counts.push(await count(i % 2 === 0 ? other : one, token, "process"));
      assertEquals(counts, ["2", "3", "4", "5"]);
    }
    const told = [];
    for (let i = 0; i < 4; i++) {
      const { result } = await sockets[i % 2]!.ask("tools/call", { name: "http-increment" });
      told.push(result.content[0].text);
    }
    assertEquals(told, ["1", "2", "3", "4"]);
    // The state of a dead replica is lost; those that the other one has keep theirs.
    await one.kill();
    const after = await Promise.all(tokens.map((token) =>
      waitFor(async () => {
        const told = await count(other, token, "process");
        return told === "REPLICA_UNREACHABLE" ? null : told;
      }, { what: "the other replica to keep the callers' processes" })
    ));
    assert(after.every((text) => text === "1" || text === "6"), `${after}`);
    const next = await Promise.all(tokens.map((token) => count(other, token, "process")));
    assertEquals(next, after.map((text) => String(Number(text) + 1)));
    await sockets[1]![Symbol.asyncDispose]();
  }, { MCP_REVISIONS: "all", STDIO_ENABLED: "true" });
});

Deno.test({
  name: "A replica that is stopped signs off, and one that recycles its workers does not",
  ignore: canLeaveOut("redis-server"),
  fn: async () => {
    await using redis = await RedisServer.start();
    const registered = () => redis.use((client) => client.keys("*replica:*"));
    await withTwo(async (one, other, token) => {
      const id = await openSession(one, { token });
      const both = await registered();
      assertEquals(both.length, 2);
      await Deno.writeTextFile(`${one.cwd}/.env`, "TOOL_TIMEOUT=20\n");
      Deno.kill(one.pid, "SIGHUP");
      const recycled = () => one.log().filter(({ event }) => event === "worker recycled").length;
      await waitFor(() => recycled() === 2, { what: "both workers to be recycled" });
      assertEquals((await registered()).toSorted(), both.toSorted());
      assertEquals(await one.stop(), 0);
      assertEquals((await registered()).length, 1);
      const { status } = await post(other, { jsonrpc: "2.0", id: 1, method: "ping" }, {
        token,
        headers: inSession(id),
      });
      assertEquals(status, 200);
      // With time to spare: a record that runs out by itself would do so after a minute.
    }, { CACHE_TYPE: "redis", REDIS_URL: redis.url(), REPLICA_TTL: "60" });
  },
});
