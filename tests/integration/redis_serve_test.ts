// Two replicas of the program on one database and a real Redis: changes, sessions, connections, and a Redis that goes away.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { FastUpstream } from "../support/fast_upstream.ts";
import { INITIALIZE, inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { assertWithin } from "../support/pace.ts";
import { PostgresServer } from "../support/postgres.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import { Sluice } from "../support/sluice.ts";
import { startLoad } from "../support/steady_load.ts";
import { waitFor } from "../support/wait_for.ts";

const ignore = canLeaveOut("redis-server");

type Settings = Readonly<Record<string, string>>;

/** As many replicas of two workers as are asked for, with one SQLite file and one secret. */
async function withReplicas(
  count: number,
  settings: Settings,
  run: (...replicas: Sluice[]) => Promise<void>,
): Promise<void> {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_replicas_" });
  const env = { LOG_LEVEL: "INFO", JWT_SECRET_KEY: crypto.randomUUID().repeat(2), ...settings };
  const replicas: Sluice[] = [];
  try {
    while (replicas.length < count) replicas.push(await Sluice.start({ cwd, env }));
    await run(...replicas);
  } finally {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await Deno.remove(cwd, { recursive: true });
  }
}

/** Looking at the database so seldom that only Redis can tell of a change. */
const REDIS_ONLY = { CACHE_TYPE: "redis", POLL_INTERVAL: "3600", MAX_INTERVAL: "3600" };

async function call(sluice: Sluice, name: string): Promise<boolean> {
  const { body } = await post(sluice, toolCall(name, { message: "hello" }), { path: "/rpc" });
  return body.result !== undefined;
}

/** Calls over connections of their own: either worker gets some of them. */
async function callOnAllWorkers(sluice: Sluice, name: string): Promise<void> {
  const answers = await Promise.all(Array.from({ length: 12 }, () => call(sluice, name)));
  assertEquals(answers.filter((isRight) => !isRight), []);
}

async function loadOn(sluice: Sluice) {
  return startLoad({
    url: `${sluice.url}/rpc`,
    headers: { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" },
    body: JSON.stringify(toolCall("demo-echo", { message: "alive" })),
    clients: 4,
    pauseMs: 5,
    isRight: (status, text) => status === 200 && text.includes("alive"),
  });
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

test("What a write answered is on every worker of another replica within 250 ms, over one Redis connection a worker (timed)", async () => {
  await using server = await RedisServer.start({ password: "hush/hush" });
  const upstream = FastUpstream.start();
  const settings = { ...REDIS_ONLY, REDIS_URL: server.url(), REDIS_MAX_CONNECTIONS: "1" };
  await withReplicas(2, settings, async (one, other) => {
    const took: number[] = [];
    for (let i = 0; i < 7; i++) {
      await one.registerUpstream(`demo${i}`, `${upstream.url}?${i}`);
      await callOnAllWorkers(one, `demo${i}-echo`);
      const changed = await one.api("POST", "/servers", { server: { id: `s${i}`, name: `S${i}` } });
      assertEquals(changed.status, 201);
      const from = performance.now();
      await waitFor(async () => {
        const path = `/servers/s${i}/mcp`;
        const answers = await Promise.all([1, 2, 3].map(() => post(other, INITIALIZE, { path })));
        return answers.every(({ status }) => status === 200);
      }, { what: "the other replica to know the server", everyMs: 2 });
      took.push(performance.now() - from);
      await callOnAllWorkers(other, `demo${i}-echo`);
    }
    // The median: a busy machine is late now and then; each look takes a few requests itself.
    await assertWithin(took.sort((a, b) => a - b)[3]!, 250, `The change (${took.map(Math.round)} ms)`);

    const names = ["sluice-bus", "sluice-worker-0", "sluice-worker-1"];
    assertEquals(await server.connections(), [...names, ...names].sort());
    const metrics = (await one.api("GET", "/metrics/prometheus")).body;
    assertStringIncludes(metrics, "sluice_redis_workers_connected 2");
    const written = [one, other].flatMap(({ stdout, stderr }) => [...stdout.lines, ...stderr.lines]).join(
      "\n",
    );
    assertEquals(written.includes("hush"), false);
  });
  await upstream.close();
});

for (const way of ["killed", "standing still"] as const) {
  test(`With Redis ${way}, warm calls go on, nothing waits, /ready names it, and all heals (timed)`, async () => {
    await using server = await RedisServer.start();
    const upstream = FastUpstream.start();
    const settings = {
      CACHE_TYPE: "redis",
      REDIS_URL: server.url(),
      REDIS_SOCKET_TIMEOUT: "0.5",
      REDIS_HEALTH_CHECK_INTERVAL: "0.3",
      POLL_INTERVAL: "0.2",
      MAX_INTERVAL: "0.5",
    };
    await withReplicas(2, settings, async (one, other) => {
      await one.registerUpstream("demo", upstream.url);
      const id = await openSession(one);
      assertEquals((await post(one, toolCall("demo-echo"), { headers: inSession(id) })).status, 200);
      const load = await loadOn(one);

      if (way === "killed") await server.kill();
      else server.freeze();
      const ready = await waitFor(async () => {
        const answer = await one.api("GET", "/ready");
        return answer.status === 503 ? answer : null;
      }, { what: "/ready to tell" });
      assertEquals(ready.body, {
        status: "not ready",
        reasons: ["redis: The cache (Redis) is unavailable"],
      });
      assertEquals((await one.api("GET", "/health")).status, 200);

      // A session is kept in Redis, so none can be opened; that is said at once, by either worker.
      for (let i = 0; i < 10; i++) {
        const from = performance.now();
        const { status, body } = await post(one, INITIALIZE);
        assertEquals([status, body.error.data.code], [503, "CACHE_UNAVAILABLE"]);
        await assertWithin(performance.now() - from, 500 + 1_000, "A failure with REDIS_SOCKET_TIMEOUT=0.5");
      }
      // One that is open goes on, and so do changes: the other replica looks for them.
      assertEquals((await post(one, toolCall("demo-echo"), { headers: inSession(id) })).status, 200);
      const from = performance.now();
      assertEquals((await one.api("POST", "/servers", { server: { id: "s", name: "S" } })).status, 201);
      await assertWithin(performance.now() - from, 5_000, "A write");
      const known = async () => (await post(other, toolCall("x"), { path: "/servers/s/mcp" })).status !== 404;
      await waitFor(known, { what: "the change at the other replica" });

      // Who uses its connection notices at once, the others by the health check.
      const told = () =>
        new Set(
          one.log().filter(({ event }) => event === "redis is unavailable").map(({ connection }) =>
            connection
          ),
        );
      await waitFor(() => told().size === 3, { what: "each connection of a replica to notice" });
      assertEquals(told(), new Set(["sluice-bus", "sluice-worker-0", "sluice-worker-1"]));
      if (way === "killed") await server.startAgain();
      else server.thaw();
      for (const replica of [one, other]) {
        await waitFor(async () => (await replica.api("GET", "/ready")).status === 200, { what: "/ready" });
      }
      await waitFor(async () => (await post(one, INITIALIZE)).status === 200, { what: "sessions again" });
      const { ok, failures } = await load.stop();
      assertEquals(failures, []);
      assert(ok > 20);
      await waitFor(async () => (await server.connections()).length === 6, { what: "one connection each" });
      // A server that was killed has lost the record of the session: its worker has written it again.
      await one.kill();
      await waitFor(() => call(other, "demo-echo"), { what: "the upstream at the other replica" });
      const taken = await post(other, toolCall("demo-echo"), {
        token: await one.token(),
        headers: inSession(id),
      });
      assertEquals(taken.status, 200);
    });
    await upstream.close();
  });
}

test("CACHE_TYPE=redis: a session outlives its process, by its record in Redis alone", async () => {
  await using server = await RedisServer.start();
  await using upstream = CounterUpstream.start();
  const settings = { CACHE_TYPE: "redis", REDIS_URL: server.url() };
  await withReplicas(2, settings, async (one, other) => {
    await one.registerUpstream("counter", upstream.url);
    const token = await one.token();
    const id = await openSession(one, { token });
    const [key, value] = await server.use(async (redis) => {
      const [key] = await redis.keys("mcpgw:session:*");
      return [key, JSON.parse(await redis.get(key!) ?? "null")];
    });
    assert(key !== undefined);
    assertEquals(value.revision, "2025-11-25");
    await one.kill();
    await waitFor(() => call(other, "counter-get"), { what: "the upstream at the other replica" });
    const { status, body } = await post(other, toolCall("counter-increment"), {
      token,
      headers: inSession(id),
    });
    assertEquals([status, body.result?.content[0].text], [200, "1"], JSON.stringify(body));
    const ended = await fetch(`${other.url}/mcp`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}`, "mcp-session-id": id },
    });
    await ended.body?.cancel();
    // Of the session nothing is left; the replicas' own records stay.
    const keys = await server.use((redis) => redis.keys("*"));
    assertEquals([ended.status, keys.filter((key) => !key.startsWith("mcpgw:replica:"))], [204, []]);
  });
});

for (const type of ["memory", "none"]) {
  Deno.test(`CACHE_TYPE=${type}: a session outlives its recycled worker, and not its process`, async () => {
    await using upstream = CounterUpstream.start();
    const cwd = await Deno.makeTempDir({ prefix: "sluice_memory_" });
    const env = { CACHE_TYPE: type, LOG_LEVEL: "INFO", JWT_SECRET_KEY: crypto.randomUUID().repeat(2) };
    let id: string;
    {
      await using first = await Sluice.start({ cwd, env });
      await first.registerUpstream("counter", upstream.url);
      const ids = await Promise.all(Array.from({ length: 6 }, () => openSession(first)));
      id = ids[0]!;
      await Deno.writeTextFile(`${cwd}/.env`, "TOOL_TIMEOUT=20\n");
      Deno.kill(first.pid, "SIGHUP");
      const recycled = () => first.log().filter(({ event }) => event === "worker recycled").length;
      // In use all the while: no moment may be without an owner.
      await Promise.all(ids.map(async (each) => {
        for (let expected = 1; expected === 1 || recycled() < 2; expected++) {
          const { status, body } = await post(first, toolCall("counter-increment"), {
            headers: inSession(each),
          });
          assertEquals([status, body.result?.content[0].text], [200, String(expected)], JSON.stringify(body));
        }
      }));
    }
    {
      await using second = await Sluice.start({ cwd, env });
      const { status } = await post(second, toolCall("counter-get"), { headers: inSession(id) });
      assertEquals(status, 404);
    }
    await Deno.remove(cwd, { recursive: true });
  });
}

Deno.test({
  name:
    "With the database gone, warm calls go on, writes fail clearly, /ready names it, no worker dies, and all heals",
  ignore: ignore || canLeaveOut("initdb"),
  fn: async () => {
    await using server = await RedisServer.start();
    await using postgres = await PostgresServer.start();
    const upstream = FastUpstream.start();
    const settings = {
      CACHE_TYPE: "redis",
      REDIS_URL: server.url(),
      DATABASE_URL: postgres.url(await postgres.takeDatabase()),
      AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
      DB_CONNECT_TIMEOUT: "1",
      POLL_INTERVAL: "0.1",
      MAX_INTERVAL: "0.2",
    };
    await withReplicas(2, settings, async (one, other) => {
      await one.registerUpstream("demo", upstream.url);
      await waitFor(() => call(other, "demo-echo"), { what: "the upstream at the other replica" });
      const load = await loadOn(one);
      await postgres.stop();
      const ready = await waitFor(async () => {
        const answer = await one.api("GET", "/ready");
        return answer.status === 503 ? answer : null;
      }, { what: "/ready to tell" });
      assertEquals(ready.body.reasons, ["database: The database is unavailable"]);
      assertEquals((await one.api("GET", "/health")).status, 200);
      const refused = await one.api("POST", "/servers", { server: { id: "s", name: "S" } });
      assertEquals(refused.status, 503);
      // Told to look for a change while it cannot be read.
      for (let i = 0; i < 5; i++) {
        await server.use((redis) => redis.publish("mcpgw:bus", '{"type":"catalog_changed"}'));
      }
      // Sessions are in Redis: they go on opening.
      assertEquals((await post(one, INITIALIZE)).status, 200);

      await postgres.startAgain();
      await waitFor(async () => (await one.api("GET", "/ready")).status === 200, { what: "/ready" });
      await waitFor(
        async () => (await one.api("POST", "/servers", { server: { id: "t", name: "T" } })).status === 201,
        { what: "writes again" },
      );
      const known = async () => (await post(other, INITIALIZE, { path: "/servers/t/mcp" })).status === 200;
      await waitFor(known, { what: "the change at the other replica" });
      assertEquals((await load.stop()).failures, []);
      for (const replica of [one, other]) {
        assertEquals(replica.log().filter(({ event }) => event === "worker died"), []);
      }
    });
    await upstream.close();
  },
});
