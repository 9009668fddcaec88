// Upstreams that go away and come back: circuit breakers, restarts under load, dead ones beside live ones.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ChaosUpstream } from "../support/chaos_upstream.ts";
import { CounterProcess } from "../support/counter_process.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** A counter upstream behind a door that can be shut: then it opens no sessions, and counts who asks. */
class Door implements AsyncDisposable {
  readonly counter = CounterUpstream.start({ handshakeDelayMs: 300 });
  readonly url: string;
  isShut = false;
  /** Sessions that were asked for. */
  asked = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const body = await request.text();
      if (body.includes('"initialize"')) this.asked++;
      if (this.isShut) return new Response("closed for today", { status: 503 });
      return fetch(this.counter.url, {
        method: request.method,
        headers: request.headers,
        body: request.method === "POST" ? body : undefined,
      });
    });
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.counter.stop();
  }
}

const codeIn = (body: { error?: { data: { code: string } } }) => body.error?.data.code ?? "ok";

Deno.test("The breaker opens at its threshold, fails fast, lets one probe through, and closes", async () => {
  const threshold = 3;
  for (const pool of ["true", "false"]) {
    await using upstream = new Door();
    await using sluice = await Sluice.start({
      env: {
        WORKERS: "1",
        MCP_SESSION_POOL_ENABLED: pool,
        MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD: String(threshold),
        MCP_SESSION_POOL_CIRCUIT_BREAKER_RESET: "3",
      },
    });
    await sluice.registerUpstream("counter", upstream.url);
    const token = await sluice.token();
    const conversation = await openSession(sluice, { token });
    upstream.isShut = true;
    const before = upstream.asked;
    for (let i = 0; i < threshold; i++) {
      assertEquals(codeIn((await sluice.rpc("counter-get")).body), "UPSTREAM_HTTP_ERROR");
    }
    assertEquals(upstream.asked, before + threshold);
    // The circuit is the upstream's, whoever calls and however.
    const other = await sluice.token({ username: "bob@example.com", admin: false });
    const refused = await Promise.all([
      sluice.rpc("counter-get"),
      sluice.rpc("counter-get", {}, other),
      post(sluice, toolCall("counter-get"), { token }),
      post(sluice, toolCall("counter-get"), { token, headers: inSession(conversation) }),
    ]);
    for (const { body } of refused) {
      assertEquals(codeIn(body), "UPSTREAM_CIRCUIT_OPEN");
      assertMatch(body.error.message, /next probe in \d+ ms/);
    }
    assertEquals(upstream.asked, before + threshold);
    const { body: metrics } = await sluice.api("GET", "/admin/mcp-pool/metrics");
    assertEquals([metrics.circuit_breaker_states[upstream.url], metrics.circuit_breaker_trips], ["open", 1]);

    upstream.isShut = false;
    const state = async () =>
      (await sluice.api("GET", "/admin/mcp-pool/metrics")).body.circuit_breaker_states[upstream.url];
    await waitFor(async () => await state() === "half_open", { what: "the reset" });
    // All at once, and opening a session takes the upstream a while.
    const codes = (await Promise.all(Array.from({ length: 6 }, () => sluice.rpc("counter-get"))))
      .map(({ body }) => codeIn(body));
    assertEquals([...codes].sort(), [...Array(5).fill("UPSTREAM_CIRCUIT_OPEN"), "ok"], pool);
    assertEquals([upstream.asked, await state()], [before + threshold + 1, "closed"]);
    for (let i = 0; i < 3; i++) assertEquals(codeIn((await sluice.rpc("counter-get")).body), "ok");
  }
});

Deno.test("Another user's refused credentials never open the circuit", async () => {
  for (const pool of ["true", "false"]) {
    await using upstream = CounterUpstream.start();
    await using sluice = await Sluice.start({
      env: {
        WORKERS: "1",
        MCP_SESSION_POOL_ENABLED: pool,
        MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD: "2",
      },
    });
    await sluice.registerUpstream("counter", upstream.url);
    upstream.requireBearer("good");
    const ask = async (who: string, bearer: string) => {
      const { body } = await post(sluice, toolCall("counter-get"), {
        path: "/rpc",
        token: await sluice.token({ username: who, admin: false }),
        headers: { "x-upstream-authorization": `Bearer ${bearer}` },
      });
      return codeIn(body);
    };
    const codes = await Promise.all(Array.from({ length: 10 }, () => ask("mallory@example.com", "bad")));
    assertEquals(new Set(codes), new Set(["UPSTREAM_AUTH_FAILED"]), pool);
    assertEquals(await ask("ann@example.com", "good"), "ok", pool);
    const { body } = await sluice.api("GET", "/admin/mcp-pool/metrics");
    assertEquals([body.circuit_breaker_states[upstream.url], body.circuit_breaker_trips], ["closed", 0]);
  }
});

/** How long after the restart an error may still begin, ms. */
const OUTLAST_MS = 1_000;

Deno.test("An upstream restarted under load: errors end with the restart, and no session is left behind", async () => {
  await using upstream = await CounterProcess.start();
  await using sluice = await Sluice.start({
    env: {
      WORKERS: "2",
      MCP_SESSION_POOL_ENABLED: "true",
      // The longest that a caller is refused beside a running upstream.
      MCP_SESSION_POOL_CIRCUIT_BREAKER_RESET: "0.3",
    },
  });
  await sluice.registerUpstream("counter", upstream.url);
  const users = await Promise.all(
    ["ann", "bob", "eve"].map((name) => sluice.token({ username: `${name}@example.com`, admin: false })),
  );
  const conversations = await Promise.all(
    users.flatMap((token) => [1, 2].map(async () => ({ token, id: await openSession(sluice, { token }) }))),
  );
  const stop = new AbortController();
  const failed: { readonly code: string; readonly beganAt: number }[] = [];
  let served = 0;
  const load = (call: () => ReturnType<typeof post>) => async () => {
    while (!stop.signal.aborted) {
      const beganAt = Date.now();
      const { body } = await call();
      const code = codeIn(body);
      if (code === "ok") served++;
      else failed.push({ code, beganAt });
      // Bounded: it is the restart that is tested.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const loops = [
    ...users.map((token) => load(() => post(sluice, toolCall("counter-increment"), { token, path: "/rpc" }))),
    ...conversations.map(({ token, id }) =>
      load(() => post(sluice, toolCall("counter-increment"), { token, headers: inSession(id) }))
    ),
  ].map((loop) => loop());

  await waitFor(() => served > 100, { what: "a load that is under way", deadlineMs: 30_000 });
  await upstream.kill();
  const errorsSoFar = failed.length;
  await waitFor(() => failed.length > errorsSoFar + 20, { what: "errors without an upstream" });
  await upstream.start();
  const upAt = Date.now();
  const servedUntilThen = served;
  await waitFor(() => Date.now() > upAt + OUTLAST_MS + 1_000, { what: "a while after the restart" });
  stop.abort();
  await Promise.all(loops);

  const late = failed.filter(({ beganAt }) => beganAt > upAt + OUTLAST_MS);
  assertEquals(late, [], `${failed.length} failed in all`);
  assert(served > servedUntilThen + 20, `${served - servedUntilThen} served after the restart`);
  const allowed = new Set(["UPSTREAM_CONNECT_FAILED", "UPSTREAM_CLOSED", "UPSTREAM_CIRCUIT_OPEN"]);
  assertEquals(failed.filter(({ code }) => !allowed.has(code)), []);

  // What the pool says, and one for each conversation.
  await waitFor(async () => {
    const { body } = await sluice.api("GET", "/admin/mcp-pool/metrics");
    const { liveSessions } = await upstream.state();
    return body.active_sessions + body.creating === 0 &&
      liveSessions === body.idle_sessions + conversations.length;
  }, { what: "the upstream's sessions to be those that the gateway knows" });
  for (const { token, id } of conversations) {
    const response = await fetch(`${sluice.url}/mcp`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}`, "mcp-session-id": id },
    });
    await response.body?.cancel();
  }
  await sluice.api("DELETE", "/admin/mcp-pool/sessions");
  await waitFor(async () => (await upstream.state()).liveSessions === 0, {
    what: "every session to be ended",
  });
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

Deno.test("A dead upstream beside a live one fails alone: the live one is as fast as before, and both are listed", async () => {
  for (const death of ["closed port", "silence"]) {
    await using live = CounterUpstream.start();
    await using dying = CounterUpstream.start();
    let silent: Deno.TcpListener | undefined;
    await using sluice = await Sluice.start({
      env: { MCP_SESSION_POOL_ENABLED: "true", MCP_SESSION_POOL_CREATE_TIMEOUT: "1" },
    });
    await sluice.registerUpstream("live", live.url);
    await sluice.registerUpstream("dead", dying.url);
    const time = async (tool: string) => {
      const startedAt = performance.now();
      const { body } = await sluice.rpc(tool);
      return { ms: performance.now() - startedAt, code: codeIn(body) };
    };
    const measure = async () => {
      const times: number[] = [];
      for (let i = 0; i < 60; i++) {
        const { ms, code } = await time("live-get");
        assertEquals(code, "ok");
        times.push(ms);
      }
      return median(times);
    };
    await measure();
    const alone = await measure();

    await dying.stop();
    // A port that takes connections, and never a word.
    if (death === "silence") {
      silent = Deno.listen({ hostname: "127.0.0.1", port: Number(new URL(dying.url).port) });
    }
    try {
      let over = false;
      const codes = new Set<string>();
      const callers = Array.from({ length: 4 }, async () => {
        while (!over) {
          codes.add((await time("dead-get")).code);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      });
      await waitFor(() => codes.size > 0, { what: "the dead upstream's first failure" });
      const beside = await measure();
      over = true;
      await Promise.all(callers);
      assert(beside < alone * 5 + 50, `${death}: ${beside} ms beside a dead one, ${alone} ms alone`);
      assert(!codes.has("ok") && !codes.has("INTERNAL"), [...codes].join());
      const { body } = await sluice.rpc("tools/list");
      const names = body.result.tools.map(({ name }: { name: string }) => name);
      assert(names.includes("live-get") && names.includes("dead-get"), names.join());
      // Each worker learns it by its own failures.
      await waitFor(async () => {
        await time("dead-get");
        const { _meta } = (await sluice.rpc("tools/list")).body.result;
        if (_meta === undefined) return false;
        const missing = JSON.stringify(_meta["sluice/unavailableUpstreams"]);
        return missing.includes("dead") && !missing.includes("live");
      }, { what: "the list to say who is missing" });
    } finally {
      silent?.close();
    }
  }
});

Deno.test("An upstream that hangs under many calls leaves connections for the others", async () => {
  await using hanging = ChaosUpstream.start();
  await using live = CounterUpstream.start();
  await using sluice = await Sluice.start({
    env: {
      WORKERS: "1",
      MCP_SESSION_POOL_ENABLED: "true",
      HTTP_CLIENT_MAX_CONNECTIONS: "10",
      TOOL_TIMEOUT: "4",
    },
  });
  await sluice.registerUpstream("hanging", hanging.url);
  await sluice.registerUpstream("live", live.url);
  const stuck = Array.from({ length: 30 }, () => sluice.rpc("hanging-hang"));
  await waitFor(() => hanging.asked.get("hang") === 8, { what: "all connections that it may have" });
  for (let i = 0; i < 5; i++) assertEquals(codeIn((await sluice.rpc("live-get")).body), "ok");
  const codes = new Set((await Promise.all(stuck)).map(({ body }) => codeIn(body)));
  assert(!codes.has("ok") && !codes.has("INTERNAL"), [...codes].join());
  for (let i = 0; i < 5; i++) assertEquals(codeIn((await sluice.rpc("live-get")).body), "ok");
});
