// Upstreams that go away and come back: circuit breakers, restarts under load, dead ones beside live ones.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ChaosUpstream } from "../support/chaos_upstream.ts";
import { CounterProcess } from "../support/counter_process.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { gatewayTest, valuesOn } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { assertWithin, paced } from "../support/pace.ts";
import { drainPools, poolMetrics, poolNumbers } from "../support/pool_numbers.ts";
import { waitFor } from "../support/wait_for.ts";

/** A counter upstream behind a door that can be shut: then it opens no sessions, and counts who asks. */
class Door implements AsyncDisposable {
  readonly counter = CounterUpstream.start();
  readonly url: string;
  isShut = false;
  /** Sessions are opened once that has happened. */
  opensAfter = Promise.resolve();
  /** Sessions that were asked for. */
  asked = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const body = await request.text();
      if (body.includes('"initialize"')) {
        this.asked++;
        await this.opensAfter;
      }
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

gatewayTest(
  "The breaker opens at its threshold, lets one probe through, and closes",
  async (start, _, on) => {
    const threshold = 3;
    // All workers are to fail often enough within that time.
    const resetS = Math.ceil(await paced(3));
    for (const pool of valuesOn(on, ["true", "false"])) {
      await using upstream = new Door();
      await using sluice = await start({
        WORKERS: "1",
        MCP_SESSION_POOL_ENABLED: pool,
        MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD: String(threshold),
        MCP_SESSION_POOL_CIRCUIT_BREAKER_RESET: String(resetS),
        // A health check would ask, too.
        HEALTH_CHECK_INTERVAL: "3600",
      });
      await sluice.registerUpstream("counter", upstream.url);
      const token = await sluice.token();
      const conversation = await openSession(sluice, { token });
      upstream.isShut = true;
      const before = upstream.asked;
      // Each worker has a breaker of its own.
      const failures = threshold * sluice.workers;
      const call = async () => codeIn((await sluice.rpc("counter-get")).body);
      await waitFor(async () => {
        const code = await call();
        assert(["UPSTREAM_HTTP_ERROR", "UPSTREAM_CIRCUIT_OPEN"].includes(code), code);
        return upstream.asked === before + failures;
      }, { what: "every worker to have failed often enough" });
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
      assertEquals(upstream.asked, before + failures);
      const states = async () =>
        (await poolMetrics(sluice)).map(({ circuit_breaker_states: states }) => states[upstream.url]);
      assertEquals(await states(), sluice.processes.map(() => "open"));
      assertEquals(await poolNumbers(sluice, "circuit_breaker_trips"), [sluice.workers]);

      upstream.isShut = false;
      await waitFor(async () => (await states()).every((state) => state === "half_open"), {
        what: "the reset",
        deadlineMs: resetS * 1_000 + 60_000,
        everyMs: 100,
      });
      // All at once, and the probes are answered when the others have been.
      const others = Promise.withResolvers<void>();
      upstream.opensAfter = others.promise;
      let answered = 0;
      const all = Array.from({ length: 6 * sluice.workers }, async () => {
        const code = await call();
        answered++;
        return code;
      });
      await waitFor(() => answered + upstream.asked - before - failures === all.length, {
        what: "all but the probes to be answered",
      });
      others.resolve();
      const codes = await Promise.all(all);
      const probes = codes.filter((code) => code === "ok").length;
      assert(probes >= 1 && probes <= sluice.workers, codes.join());
      assertEquals(new Set(codes), new Set(["ok", "UPSTREAM_CIRCUIT_OPEN"]), pool);
      assertEquals(upstream.asked, before + failures + probes);
      // A worker that nobody asked has yet to probe.
      await waitFor(
        async () => await call() === "ok" && (await states()).every((state) => state === "closed"),
        {
          what: "every worker's probe",
        },
      );
      for (let i = 0; i < 3; i++) assertEquals(await call(), "ok");
      const lines = () =>
        sluice.processes.flatMap(({ stdout, stderr }) => [...stdout.lines, ...stderr.lines]);
      for (const turn of ["opened", "closed"]) {
        const told = () => lines().filter((line) => line.includes(`circuit breaker of upstream has ${turn}`));
        await waitFor(() => told().length >= sluice.workers, { what: `each worker's line: ${turn}` });
        assertEquals(told().length, sluice.workers);
      }
    }
  },
);

gatewayTest("Another user's refused credentials never open the circuit", async (start, _, on) => {
  for (const pool of valuesOn(on, ["true", "false"])) {
    await using upstream = CounterUpstream.start();
    await using sluice = await start({
      MCP_SESSION_POOL_ENABLED: pool,
      MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD: "2",
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
    const codes = await Promise.all(
      Array.from({ length: 10 * sluice.workers }, () => ask("mallory@example.com", "bad")),
    );
    assertEquals(new Set(codes), new Set(["UPSTREAM_AUTH_FAILED"]), pool);
    assertEquals(await ask("ann@example.com", "good"), "ok", pool);
    for (const { circuit_breaker_states: states, circuit_breaker_trips } of await poolMetrics(sluice)) {
      assertEquals([states[upstream.url], circuit_breaker_trips], ["closed", 0]);
    }
  }
});

/** How long after the restart an error may still begin, ms. */
const OUTLAST_MS = 1_000;

gatewayTest("An upstream restarted under load: errors end, and no session is left (timed)", async (start) => {
  await using upstream = await CounterProcess.start();
  await using sluice = await start({
    MCP_SESSION_POOL_ENABLED: "true",
    // The longest that a caller is refused beside a running upstream.
    MCP_SESSION_POOL_CIRCUIT_BREAKER_RESET: "0.3",
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

  await waitFor(() => served > 100, { what: "a load that is under way" });
  await upstream.kill();
  const errorsSoFar = failed.length;
  await waitFor(() => failed.length > errorsSoFar + 20, { what: "errors without an upstream" });
  await upstream.start();
  const upAt = Date.now();
  const outlastMs = await paced(OUTLAST_MS);
  const servedUntilThen = served;
  await waitFor(() => Date.now() > upAt + outlastMs + 1_000, { what: "a while after the restart" });
  stop.abort();
  await Promise.all(loops);

  const late = failed.filter(({ beganAt }) => beganAt > upAt + outlastMs);
  assertEquals(late, [], `${failed.length} failed in all`);
  assert(served > servedUntilThen + 20, `${served - servedUntilThen} served after the restart`);
  const allowed = new Set(["UPSTREAM_CONNECT_FAILED", "UPSTREAM_CLOSED", "UPSTREAM_CIRCUIT_OPEN"]);
  assertEquals(failed.filter(({ code }) => !allowed.has(code)), []);

  // What the pool says, and one for each conversation.
  await waitFor(async () => {
    const [busy, creating, idle] = await poolNumbers(
      sluice,
      "active_sessions",
      "creating",
      "idle_sessions",
    );
    const { liveSessions } = await upstream.state();
    return busy! + creating! === 0 && liveSessions === idle! + conversations.length;
  }, { what: "the upstream's sessions to be those that the gateway knows" });
  for (const { token, id } of conversations) {
    const response = await fetch(`${sluice.url}/mcp`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}`, "mcp-session-id": id },
    });
    await response.body?.cancel();
  }
  await drainPools(sluice);
  await waitFor(async () => (await upstream.state()).liveSessions === 0, {
    what: "every session to be ended",
  });
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

gatewayTest(
  "A dead upstream fails alone: the live one is as fast, and both are listed (timed)",
  async (start, _, on) => {
    for (const death of valuesOn(on, ["silence", "closed port"])) {
      await using live = CounterUpstream.start();
      await using dying = CounterUpstream.start();
      let silent: Deno.TcpListener | undefined;
      await using sluice = await start({
        MCP_SESSION_POOL_ENABLED: "true",
        MCP_SESSION_POOL_CREATE_TIMEOUT: "1",
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
        await assertWithin(
          beside,
          alone * 5 + 50,
          `${death}: a call beside a dead upstream (${alone} ms alone)`,
        );
        assert(!codes.has("ok") && !codes.has("INTERNAL"), [...codes].join());
        const { body } = await sluice.rpc("tools/list");
        const names = body.result.tools.map(({ name }: { name: string }) => name);
        assert(names.includes("live-get") && names.includes("dead-get"), names.join());
        // Each worker learns it by its own failures.
        await waitFor(async () => {
          await Promise.all(Array.from({ length: 4 * sluice.workers }, () => time("dead-get")));
          const { _meta } = (await sluice.rpc("tools/list")).body.result;
          if (_meta === undefined) return false;
          const missing = JSON.stringify(_meta["sluice/unavailableUpstreams"]);
          return missing.includes("dead") && !missing.includes("live");
        }, { what: "the list to say who is missing" });
      } finally {
        silent?.close();
      }
    }
  },
);

gatewayTest("An upstream that hangs under many calls leaves connections for the others", async (start) => {
  await using hanging = ChaosUpstream.start();
  await using live = CounterUpstream.start();
  await using sluice = await start({
    WORKERS: "1",
    MCP_SESSION_POOL_ENABLED: "true",
    HTTP_CLIENT_MAX_CONNECTIONS: "10",
    // So long that all that may be stuck are, before the first of them gives up.
    TOOL_TIMEOUT: String(await paced(4)),
  });
  await sluice.registerUpstream("hanging", hanging.url);
  await sluice.registerUpstream("live", live.url);
  const stuck = Array.from({ length: 30 * sluice.workers }, () => sluice.rpc("hanging-hang"));
  await waitFor(() => hanging.asked.get("hang") === 8 * sluice.workers, {
    what: "all connections that it may have",
  });
  for (let i = 0; i < 5; i++) assertEquals(codeIn((await sluice.rpc("live-get")).body), "ok");
  const codes = new Set((await Promise.all(stuck)).map(({ body }) => codeIn(body)));
  assert(!codes.has("ok") && !codes.has("INTERNAL"), [...codes].join());
  for (let i = 0; i < 5; i++) assertEquals(codeIn((await sluice.rpc("live-get")).body), "ok");
});
