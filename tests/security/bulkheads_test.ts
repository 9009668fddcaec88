// Bulkheads: a caller who may see one upstream, and uses it as much as the limits allow, does not slow the callers of another one. One
// test for each thing that all of them share.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { INITIALIZE, openSession, post, toolCall } from "../support/mcp_post.ts";
import { atRest, metric } from "../support/metric.ts";
import { assertWithin } from "../support/pace.ts";
import { RawConnection } from "../support/raw_http.ts";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { sharedServers } from "../support/shared_servers.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { StallingRelay } from "../support/stalling_relay.ts";
import { counterLaunch, processesWith } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const user = (sluice: Sluice, username: string) => sluice.token({ username, admin: false });

const batchOf = (name: string, length: number) => Array.from({ length }, (_, id) => toolCall(name, {}, id));

/** Bob's upstream, and a call of his to it. */
async function bobs(sluice: Sluice): Promise<AsyncDisposable & { readonly call: () => Promise<void> }> {
  const upstream = FastUpstream.start();
  await sluice.registerUpstream("bobs", upstream.url);
  const token = await user(sluice, "bob");
  const call = async () => {
    const { status, body } = await post(sluice, toolCall("bobs-echo", { message: "hello" }), {
      token,
      path: "/rpc",
    });
    assertEquals([status, body.result?.content[0].text], [200, "hello"], JSON.stringify(body));
  };
  await call();
  return { call, [Symbol.asyncDispose]: () => upstream.close() };
}

Deno.test("bulkhead: connections, of an upstream that hangs", async () => {
  await using slow = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  await using bob = await bobs(sluice);
  await sluice.registerUpstream("eves", slow.url);
  const batch = post(sluice, batchOf("eves-slow", 100), { token: await user(sluice, "eve"), path: "/rpc" });
  await waitFor(() => slow.calls === 75, { what: "eve's share of the connections" });
  for (let n = 0; n < 10; n++) await bob.call();
  slow.release();
  assertEquals((await batch).body.length, 100);
});

Deno.test("bulkhead: processes, of an upstream that starts as many as it may", async () => {
  const env = { WORKERS: "1", STDIO_ENABLED: "true", STDIO_MAX_PROCESSES: "6" };
  await using sluice = await Sluice.start({ env });
  const marks = { eves: crypto.randomUUID(), bobs: crypto.randomUUID() };
  for (const [name, mark] of Object.entries(marks)) {
    const body = { name, transport: "STDIO", ...counterLaunch(mark, name === "eves" ? "slow" : "sound") };
    assertEquals((await sluice.api("POST", "/gateways", body)).status, 200);
    await waitFor(() => processesWith(mark).length === 0, { what: "the end of the discovery's process" });
  }
  const eve = { token: await user(sluice, "eve"), path: "/rpc" };
  // She names another tenant each time, and each gets a process of its own.
  const batch = Promise.all(Array.from({ length: 20 }, (_, n) => {
    const headers = { "x-tenant-id": `${n}` };
    return post(sluice, toolCall("eves-increment"), { ...eve, headers });
  }));
  await waitFor(() => processesWith(marks.eves).length >= 4, { what: "eve's share of the processes" });
  const bob = { token: await user(sluice, "bob"), path: "/rpc" };
  const { body } = await post(sluice, toolCall("bobs-increment"), bob);
  assertEquals(body.result?.content[0].text, "1", JSON.stringify(body.error));
  await batch;
});

/** Its tool `large` gives an answer just below MAX_UPSTREAM_RESPONSE_BYTES. */
function largeUpstream(): AsyncDisposable & { readonly url: string } {
  const content = JSON.stringify({ content: [{ type: "text", text: "x".repeat(15 * 1024 * 1024) }] });
  const server = serveOnLoopback(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const answer = (result: string) =>
      new Response(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`, {
        headers: { "content-type": "application/json" },
      });
    if (method === "tools/call") return answer(content);
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "large", version: "1" },
      },
      "tools/list": { tools: [{ name: "large", inputSchema: { type: "object" } }] },
    };
    return answer(JSON.stringify(results[method] ?? {}));
  });
  return { url: `http://127.0.0.1:${server.addr.port}/mcp`, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("bulkhead: event loop, with answers of 15 MiB from an upstream (timed)", async () => {
  await using large = largeUpstream();
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  await using bob = await bobs(sluice);
  await sluice.registerUpstream("eves", large.url);
  const headers = {
    authorization: `Bearer ${await user(sluice, "eve")}`,
    "content-type": "application/json",
  };
  const body = JSON.stringify(toolCall("eves-large"));
  let isGoing = true;
  let answers = 0;
  const load = Array.from({ length: 3 }, async () => {
    for (; isGoing; answers++) {
      const response = await fetch(`${sluice.url}/rpc`, { method: "POST", headers, body });
      assertEquals([response.status, (await response.bytes()).length > 15 * 1024 * 1024], [200, true]);
    }
  });
  await waitFor(() => answers > 0, { what: "the first large answer" });
  const took: number[] = [];
  for (let n = 0; n < 15; n++) {
    const start = performance.now();
    await bob.call();
    took.push(performance.now() - start);
  }
  isGoing = false;
  await Promise.all(load);
  took.sort((one, other) => one - other);
  // The test's own loop reads eve's answers, too.
  await assertWithin(took[7]!, 500, "bob's call, at the median,");
});

Deno.test({
  name: "bulkhead: database pool, whose reads of the registry hang",
  ignore: SERVERS_MISSING,
  fn: async () => {
    const { postgres } = await sharedServers();
    const database = await postgres.takeDatabase();
    const env = {
      DATABASE_URL: postgres.url(database),
      JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
      AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
      WORKERS: "1",
      DB_POOL_SIZE: "3",
      DB_MAX_OVERFLOW: "3",
    };
    {
      await using sluice = await Sluice.start({ env });
      await using bob = await bobs(sluice);
      const lock = postgres.query(
        "BEGIN; LOCK TABLE tools IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)",
        database,
      )
        .catch(() => []);
      const waiting = async () => {
        const [{ amount }] = await postgres.query(
          `SELECT COUNT(*)::int AS amount FROM pg_stat_activity WHERE datname = '${database}' AND wait_event_type = 'Lock'`,
        );
        return amount as number;
      };
      const locked = async () => {
        const [{ amount }] = await postgres.query(
          `SELECT COUNT(*)::int AS amount FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted`,
          database,
        );
        return Number(amount) > 0;
      };
      await waitFor(locked, { what: "the lock" });
      const eve = await user(sluice, "eve");
      const reads = Array.from(
        { length: 40 },
        (_, n) => sluice.api("GET", `/tools?limit=${n + 1}`, undefined, eve),
      );
      await waitFor(async () => await waiting() >= 2, { what: "eve's reads to wait" });
      // A session of his own is a record, which needs a connection. Then the third of the pool that eve may have is all she has.
      for (let n = 0; n < 10; n++) {
        await openSession(sluice, { token: await user(sluice, "bob") });
        await bob.call();
      }
      assertEquals(await waiting(), 2);
      await postgres.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}' AND query LIKE '%pg_sleep%'`,
      );
      await lock;
      for (const { status } of await Promise.all(reads)) assertEquals(status, 200);
    }
    await postgres.giveBackDatabase(database);
  },
});

Deno.test({
  name: "bulkhead: Redis connection, with the records of a caller's sessions",
  ignore: SERVERS_MISSING,
  fn: async () => {
    const { redis } = await sharedServers();
    const url = new URL(redis.url());
    const relay = new StallingRelay(Number(url.port));
    url.port = String(relay.port);
    const env = {
      WORKERS: "1",
      CACHE_TYPE: "redis",
      REDIS_URL: url.href,
      REDIS_SOCKET_TIMEOUT: "600",
      CACHE_PREFIX: `bulkheads${crypto.randomUUID()}:`,
    };
    await using sluice = await Sluice.start({ env });
    await using bob = await bobs(sluice);
    const [eve, token] = [await user(sluice, "eve"), await user(sluice, "bob")];
    const chars = 16_000;
    const initialize = {
      ...INITIALIZE,
      params: { ...INITIALIZE.params, capabilities: { experimental: { x: { y: "x".repeat(chars) } } } },
    };
    await atRest(sluice);
    // From now on Redis answers nothing.
    relay.stall();
    const before = relay.received;
    const records = () => Math.floor((relay.received - before) / chars);
    // They fail with the relay, in the end.
    const open = (token: string) => post(sluice, initialize, { token }).catch(() => null);
    const eves = Array.from({ length: 32 }, () => open(eve));
    const inFlight = () => metric(sluice, "sluice_requests_in_flight ");
    await waitFor(async () => await inFlight() === eves.length, { what: "eve's sessions to be opened" });
    // A third of the 15 connections to a database, as for those.
    await waitFor(() => records() === 5, { what: "eve's share of the commands to Redis" });
    const session = open(token);
    await waitFor(() => records() === 6, { what: "bob's record, before eve's other ones" });
    await bob.call();
    await relay[Symbol.asyncDispose]();
    await Promise.all([...eves, session]);
  },
});

Deno.test("bulkhead: log, which nobody reads, with lines of a caller and of a process", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_log_" });
  const pipe = `${folder}/log`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  // Open for reading and writing, and never read: the gateway's writes stop when the pipe is full.
  const reader = await Deno.open(pipe, { read: true, write: true });
  try {
    await using sluice = await Sluice.start({
      launcher: ["sh", "-c", 'exec "$@" >"$0"', pipe],
      logsElsewhere: true,
      env: { WORKERS: "1", STDIO_ENABLED: "true", DISABLE_ACCESS_LOG: "false", LOG_LEVEL: "DEBUG" },
    });
    await using bob = await bobs(sluice);
    const script = `yes "$(printf 'noise%.0s' $(seq 100))" >&2 & exec /bin/sh "$@"`;
    const { command, args } = counterLaunch(crypto.randomUUID());
    const noisy = { name: "eves", transport: "STDIO", command, args: ["-c", script, "noisy", ...args] };
    assertEquals((await sluice.api("POST", "/gateways", noisy)).status, 200);
    const eve = { token: await user(sluice, "eve"), path: "/rpc" };
    const count = await post(sluice, toolCall("eves-increment"), eve);
    assertStringIncludes(JSON.stringify(count.body.result), '"1"');
    for (let n = 0; n < 30; n++) {
      const { status } = await post(sluice, batchOf("x".repeat(1_000), 100), eve);
      assertEquals(status, 200);
    }
    for (let n = 0; n < 10; n++) await bob.call();
  } finally {
    reader.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bulkhead: memory, with large answers that nobody reads", async () => {
  await using large = largeUpstream();
  await using sluice = await Sluice.start({ env: { WORKERS: "1", MAX_CLIENT_MEMORY_MB: "64" } });
  await using bob = await bobs(sluice);
  await sluice.registerUpstream("eves", large.url);
  const body = JSON.stringify(toolCall("eves-large"));
  const request = new TextEncoder().encode(
    `POST /rpc HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${await user(sluice, "eve")}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const connections: RawConnection[] = [];
  const refused = () => metric(sluice, "sluice_errors_total", "CLIENT_MEMORY_FULL");
  try {
    for (let n = 0; n < 20 && await refused() === 0; n++) {
      const connection = await RawConnection.open(sluice.port);
      connections.push(connection);
      await connection.send(request);
    }
    await waitFor(async () => await refused() > 0, { what: "an answer above eve's share" });
    assert(await metric(sluice, "sluice_client_memory_bytes ") <= 32 * 1024 * 1024);
    await bob.call();
  } finally {
    for (const connection of connections) connection.close();
  }
  await waitFor(async () => await metric(sluice, "sluice_client_memory_bytes ") < 1_000_000, {
    what: "the rest",
  });
});
