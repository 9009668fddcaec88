// The pool from outside: who shares an upstream session with whom, how many there are, what operators see of them.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";
import { drainPools, poolMetrics, poolNumbers } from "../support/pool_numbers.ts";
import { Prng } from "../support/prng.ts";
import type { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** Somebody who calls: with a fresh token each time, where it has one at all. */
interface Caller {
  /** Callers of one identity may share, others never. */
  readonly identity: string;
  readonly token: () => Promise<string>;
  readonly headers: Readonly<Record<string, string>>;
}

/** A caller's way in: its own downstream session, or none. */
interface Actor extends Caller {
  readonly session: string | null;
}

function callersOf(sluice: Gateway): Caller[] {
  const user = (name: string, headers: Record<string, string> = {}): Caller => ({
    identity: `${name} ${JSON.stringify(headers)}`,
    // Another token at each call, as clients that renew theirs have.
    token: () => sluice.token({ username: `${name}@example.com`, admin: false }),
    headers,
  });
  const nobody = (headers: Record<string, string> = {}): Caller => ({
    identity: `nobody ${JSON.stringify(headers)}`,
    token: () => Promise.resolve(""),
    headers,
  });
  return [
    user("ann"),
    user("bob"),
    user("ann", { "x-tenant-id": "one" }),
    user("ann", { "x-tenant-id": "two" }),
    nobody(),
    nobody({ "x-api-key": "hush-1" }),
    nobody({ "x-api-key": "hush-2" }),
    // Not one of our tokens: where none is required it makes nobody of its bearer, but not everybody.
    nobody({ authorization: "Bearer hush-3" }),
  ];
}

async function increment(sluice: Gateway, actor: Actor, tool: string): Promise<number> {
  const { status, body } = await post(sluice, toolCall(tool), {
    token: await actor.token(),
    headers: { ...actor.headers, ...(actor.session === null ? {} : inSession(actor.session)) },
    path: actor.session === null ? "/rpc" : "/mcp",
  });
  const text = body?.result?.content?.[0]?.text;
  assertEquals([status, typeof text], [200, "string"], JSON.stringify(body));
  return Number(text);
}

/** How many counters gave these answers, if each of them counted 1, 2, 3 … for nobody else; else null. */
function countersBehind(answers: readonly number[]): number | null {
  const seen = new Map<number, number>();
  for (const answer of answers) seen.set(answer, (seen.get(answer) ?? 0) + 1);
  const highest = Math.max(0, ...answers);
  for (let value = 1; value <= highest; value++) {
    // A counter that gave `value` has given all below it to the same identity.
    if ((seen.get(value) ?? 0) < (seen.get(value + 1) ?? 0) || !seen.has(value)) return null;
  }
  return seen.get(1) ?? 0;
}

Deno.test("countersBehind() knows answers of one's own counters from others", () => {
  assertEquals(countersBehind([]), 0);
  assertEquals(countersBehind([1, 2, 1, 3, 2, 1]), 3);
  for (const foreign of [[2], [1, 3], [1, 2, 2], [1, 1, 2, 3, 3]]) {
    assertEquals(countersBehind(foreign), null, foreign.join());
  }
});

for (const seed of [1, 2, 3]) {
  gatewayTest(`Nobody sees another's state over random interleavings (seed ${seed})`, async (start) => {
    await using own = CounterUpstream.start();
    await using common = CounterUpstream.start();
    await using sluice = await start({ AUTH_REQUIRED: "false", MCP_SESSION_POOL_ENABLED: "true" });
    await sluice.registerUpstream("own", own.url);
    const shared = `${common.url}?key=hush-4`;
    assertEquals(
      (await sluice.registerUpstream("common", shared, { isolation: "caller" })).sessionMode,
      "shared",
    );
    await waitFor(() => own.liveSessions + common.liveSessions === 0, { what: "discovery to end" });
    const opened = { own: own.seen.initialize, common: common.seen.initialize };

    const actors: Actor[] = [];
    for (const caller of callersOf(sluice)) {
      const open = async () =>
        openSession(sluice, { token: await caller.token(), headers: { ...caller.headers } });
      // Two conversations of one caller, and two clients of it that keep no session.
      for (const session of [await open(), await open(), null, null]) actors.push({ ...caller, session });
    }

    const prng = new Prng(seed);
    /** What each who may see a counter was told by it: a conversation in its own session, else the identity. */
    const told = new Map<string, number[]>();
    let pooledCalls = 0;
    const calls = { own: 0, common: 0 };
    await Promise.all(actors.map(async (actor) => {
      for (let left = 8 + prng.int(8); left > 0; left--) {
        const upstream = prng.pick(["own", "common"] as const);
        calls[upstream]++;
        const isBound = upstream === "own" && actor.session !== null;
        if (!isBound) pooledCalls++;
        const owner = `${upstream} ${isBound ? actor.session : actor.identity}`;
        const answer = await increment(sluice, actor, `${upstream}-increment`);
        told.set(owner, [...told.get(owner) ?? [], answer]);
        if (prng.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, prng.int(10)));
      }
    }));

    await waitFor(async () => (await poolNumbers(sluice, "creating"))[0] === 0, {
      what: "sessions whose callers were served by others",
    });
    const counters = { own: 0, common: 0 };
    const bound = new Set<string>();
    for (const [owner, answers] of told) {
      const [upstream, who] = owner.split(" ");
      const behind = countersBehind(answers);
      if (behind === null) throw new Error(`${owner} was told ${answers}`);
      counters[upstream as "own" | "common"] += behind;
      if (actors.some(({ session }) => session === who)) {
        bound.add(who!);
        // One conversation, one counter, in order.
        assertEquals(answers, answers.map((_, i) => i + 1), owner);
      }
    }
    assertEquals([own.seen.calls, common.seen.calls], [calls.own, calls.common]);
    assertEquals([own.maxRunningInOneSession, common.maxRunningInOneSession], [1, 1]);
    // No counter belonged to two: then there would be fewer sessions than counters. A few more there may be: a caller whose
    // session is being opened takes one that comes back first.
    const sessions = own.seen.initialize - opened.own + common.seen.initialize - opened.common;
    assert(counters.own + counters.common <= sessions, `${counters.own + counters.common} > ${sessions}`);
    // They did share: far fewer sessions than calls.
    const pooled = sessions - bound.size;
    assert(pooled < pooledCalls / 2, `${pooled} sessions for ${pooledCalls} calls`);

    await checkMetrics(sluice, { own, common, bound: bound.size, pooled, pooledCalls });
    await checkDrain(sluice, { own, common, bound: bound.size });
    for (const actor of actors.filter(({ session }) => session !== null)) {
      await endSession(sluice, actor);
    }
    await waitFor(() => own.liveSessions === 0, { what: "every bound session to be ended" });
  });
}

interface State {
  readonly own: CounterUpstream;
  readonly common: CounterUpstream;
  readonly bound: number;
}

async function checkMetrics(
  sluice: Gateway,
  { own, common, bound, pooled, pooledCalls }: State & {
    readonly pooled: number;
    readonly pooledCalls: number;
  },
): Promise<void> {
  for (const replica of sluice.processes) await checkReplicaMetrics(replica, common);
  const all = await poolMetrics(sluice);
  const sum = (name: string) => all.reduce((sum, metrics) => sum + metrics[name], 0);
  assertEquals(sum("pool_hits") + sum("pool_misses"), pooledCalls);
  assertEquals(sum("total_sessions_created"), pooled);
  // A session that was opened for one caller and then lay idle counts as reused by its first, too.
  const reused = sum("total_sessions_reused");
  const leases = sum("total_sessions_created") + reused;
  assert(reused <= pooledCalls && leases >= pooledCalls, `${leases} ${pooledCalls}`);
  assertEquals(sum("idle_sessions"), own.liveSessions + common.liveSessions - bound);

  const user = await sluice.token({ username: "ann@example.com", admin: false });
  for (const [method, path] of [["GET", "metrics"], ["DELETE", "sessions"], ["GET", "nothing"]]) {
    for (const token of [user, null]) {
      const { status } = await sluice.api(method!, `/admin/mcp-pool/${path}`, undefined, token);
      assertEquals(status, 403, `${method} ${path}`);
    }
  }
  for (
    const [method, path, expected] of [["POST", "metrics", 405], ["GET", "sessions", 405], ["GET", "x", 404]]
  ) {
    assertEquals((await sluice.api(String(method), `/admin/mcp-pool/${path}`)).status, expected);
  }
}

/** Of one process: whichever of its workers answers. */
async function checkReplicaMetrics(replica: Sluice, common: CounterUpstream): Promise<void> {
  const admin = await replica.token();
  const answers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const response = await fetch(`${replica.url}/admin/mcp-pool/metrics`, {
        headers: { authorization: `Bearer ${admin}`, connection: "close" },
      });
      assertEquals(response.status, 200);
      return await response.text();
    }),
  );
  assertEquals(new Set(answers).size, 1);
  const metrics = JSON.parse(answers[0]!);
  assertEquals([metrics.enabled, metrics.workers], [true, 2]);
  assertEquals([metrics.hits, metrics.misses], [metrics.pool_hits, metrics.pool_misses]);
  assertEquals([metrics.active_sessions, metrics.waiting, metrics.creating], [0, 0, 0]);
  assertEquals(metrics.circuit_breaker_states[common.url], "closed");
  assert(metrics.anonymous_identity_count > 0);
  const listed = Object.values(metrics.pools) as { available: number; active: number }[];
  assertEquals(listed.reduce((sum, { available }) => sum + available, 0), metrics.idle_sessions);
  // Neither credentials nor what stands in a URL's query.
  for (const secret of ["hush", "key=", "Bearer", admin.split(".")[1]!, "ann@example.com", "eyJ"]) {
    assertEquals(answers[0]!.includes(secret), false, secret);
  }
}

async function checkDrain(sluice: Gateway, { own, common, bound }: State): Promise<void> {
  const idle = own.liveSessions + common.liveSessions - bound;
  const ownId =
    (await sluice.api("GET", "/gateways")).body.find(({ name }: { name: string }) => name === "own").id;
  const first = await drainPools(sluice, `?gateway_id=${ownId}`);
  assertEquals(first.pending, 0);
  await waitFor(() => own.liveSessions === bound, {
    what: "the pooled sessions of one upstream to be ended",
  });
  assert(common.liveSessions > 0);
  const rest = await drainPools(sluice);
  assertEquals(first.closed + rest.closed, idle);
  await waitFor(() => common.liveSessions === 0, { what: "every pooled session to be ended" });
  assertEquals(await poolNumbers(sluice, "idle_sessions", "active_sessions", "pool_key_count"), [0, 0, 0]);
}

async function endSession(sluice: Gateway, { token, headers, session }: Actor): Promise<void> {
  const bearer = await token();
  const response = await fetch(`${sluice.url}/mcp`, {
    method: "DELETE",
    headers: {
      ...(bearer === "" ? {} : { authorization: `Bearer ${bearer}` }),
      ...headers,
      "mcp-session-id": session!,
    },
  });
  await response.body?.cancel();
  assertEquals(response.status, 204);
}

/**
 * Callers that share a pool: those of one conversation, which one worker owns, at an upstream with isolation `caller`. Without a session each
 * call would be its own worker's.
 */
async function shareWorker(sluice: Gateway, upstream: CounterUpstream) {
  await sluice.registerUpstream("counter", upstream.url, { isolation: "caller" });
  await waitFor(() => upstream.liveSessions === 0, { what: "discovery to end" });
  const id = await openSession(sluice);
  return async (tool: string, args = {}) => {
    const { body } = await post(sluice, toolCall(`counter-${tool}`, args), { headers: inSession(id) });
    return body;
  };
}

gatewayTest(
  "Six callers of two slots are all served, one after the other in each session",
  async (start) => {
    await using upstream = CounterUpstream.start();
    await using sluice = await start({
      MCP_SESSION_POOL_ENABLED: "true",
      MCP_SESSION_POOL_MAX_PER_KEY: "2",
    });
    const call = await shareWorker(sluice, upstream);
    const calls = Array.from({ length: 6 }, () => call("hold", { ms: 60_000 }));
    for (const round of [1, 2, 3]) {
      await waitFor(() => upstream.holding === 2, { what: `round ${round}` });
      upstream.release();
    }
    const answers = await Promise.all(calls);
    assertEquals(answers.map(({ result }) => result?.content[0].text), Array(6).fill("0"));
    assertEquals(upstream.maxRunningInOneSession, 1);
    assertEquals(upstream.liveSessions, 2);
    const names = ["total_sessions_created", "total_sessions_reused", "acquire_timeouts"];
    assertEquals(await poolNumbers(sluice, ...names), [2, 4, 0]);
  },
);

gatewayTest("A caller that waits too long for a slot is told by which setting", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start({
    MCP_SESSION_POOL_ENABLED: "true",
    MCP_SESSION_POOL_MAX_PER_KEY: "1",
    MCP_SESSION_POOL_ACQUIRE_TIMEOUT: "0.2",
  });
  const call = await shareWorker(sluice, upstream);
  const long = call("hold", { ms: 60_000 });
  await waitFor(() => upstream.holding === 1, { what: "the first call to hold the slot" });
  const { error } = await call("get");
  assertEquals(error.data.code, "SESSION_POOL_TIMEOUT");
  assertMatch(error.message, /MCP_SESSION_POOL_ACQUIRE_TIMEOUT/);
  upstream.release();
  assert((await long).result !== undefined);
});

for (const setting of ["MCP_SESSION_POOL_TTL", "MCP_SESSION_POOL_IDLE_EVICTION"]) {
  gatewayTest(`Pooled sessions end by ${setting}`, async (start) => {
    await using upstream = CounterUpstream.start();
    // Not over before the call that has opened it.
    const limitS = Math.ceil(await paced(2));
    await using sluice = await start({ MCP_SESSION_POOL_ENABLED: "true", [setting]: String(limitS) });
    await sluice.registerUpstream("counter", upstream.url);
    await waitFor(() => upstream.liveSessions === 0, { what: "discovery to end" });
    const { body } = await sluice.rpc("counter-increment");
    assertEquals(body.result.content[0].text, "1");
    assertEquals(upstream.liveSessions, 1);
    await waitFor(() => upstream.liveSessions === 0, {
      what: "the session to end",
      deadlineMs: limitS * 1_000 + 60_000,
    });
    await waitFor(
      async () => (await poolNumbers(sluice, "sessions_reaped", "pool_key_count")).join() === "1,0",
      {
        what: "its end to be counted",
      },
    );
    assertEquals((await sluice.rpc("counter-increment")).body.result.content[0].text, "1");
  });
}

gatewayTest("Without MCP_SESSION_POOL_ENABLED calls outside a session share nothing", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start();
  await sluice.registerUpstream("counter", upstream.url);
  for (let i = 0; i < 3; i++) {
    assertEquals((await sluice.rpc("counter-increment")).body.result.content[0].text, "1");
  }
  for (const { enabled } of await poolMetrics(sluice)) assertEquals(enabled, false);
  assertEquals(await poolNumbers(sluice, "total_sessions_created", "pool_hits"), [0, 0]);
  await waitFor(() => upstream.liveSessions === 0, { what: "every session to be ended" });
});

gatewayTest("A pooled session that the upstream has forgotten is replaced within the call", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start({ MCP_SESSION_POOL_ENABLED: "true" });
  const call = await shareWorker(sluice, upstream);
  const calls = [1, 2, 3].map(() => call("hold", { ms: 60_000 }));
  await waitFor(() => upstream.holding === 3, { what: "a session for each" });
  upstream.release();
  await Promise.all(calls);
  assertEquals(upstream.liveSessions, 3);
  await upstream.expireSessions();
  const body = await call("increment");
  assertEquals(body.result?.content[0].text, "1", JSON.stringify(body));
  assertEquals(upstream.liveSessions, 1);
});
