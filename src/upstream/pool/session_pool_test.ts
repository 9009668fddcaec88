import { assert, assertEquals, assertRejects } from "@std/assert";
import { settled } from "../../../tests/support/fake_clock.ts";
import {
  codeOf,
  fixture,
  keyOf,
  outcome,
  refused,
  unreachable,
} from "../../../tests/support/pool_fixture.ts";

const KEY = keyOf("alice");

Deno.test("SessionPool.lease() opens a session once and lends it again", async () => {
  const { pool, upstream, lease } = fixture();
  const first = await lease(KEY);
  assertEquals(first.reused, false);
  first.release();
  const second = await lease(KEY);
  assertEquals([second.reused, second.session === first.session, upstream.begun], [true, true, 1]);
  second.release();
  const warm = pool.tryLease(KEY)!;
  assertEquals([warm.reused, warm.session], [true, first.session]);
  assertEquals(pool.tryLease(KEY), undefined, "it is lent");
});

Deno.test("SessionPool.lease() never lends a session under another key", async () => {
  const { lease, upstream } = fixture();
  const base = await lease(KEY);
  base.release();
  const others = [
    keyOf("bob"),
    keyOf("alice", { url: "http://u.example/mcp?tenant=2" }),
    keyOf("alice", { transport: "SSE" }),
    keyOf("alice", { upstreamId: "u2" }),
  ];
  for (const key of others) assert((await lease(key)).session !== base.session);
  assertEquals(upstream.begun, 5);
  assertEquals((await lease(keyOf("alice", { upstream: "renamed" }))).session, base.session);
});

Deno.test("SessionPool lends the warmest session first", async () => {
  const { lease } = fixture();
  const [a, b] = [await lease(KEY), await lease(KEY)];
  a.release();
  b.release();
  assertEquals((await lease(KEY)).session, b.session);
  assertEquals((await lease(KEY)).session, a.session);
});

Deno.test("Lease.release() counts once, and the session is not its holder's any more", async () => {
  const { pool, lease } = fixture();
  const first = await lease(KEY);
  first.release();
  const second = await lease(KEY);
  first.release();
  first.release("broken");
  first[Symbol.dispose]();
  const { active_sessions, idle_sessions } = pool.snapshot();
  assertEquals([active_sessions, idle_sessions, second.session.ended], [1, 0, 0]);
});

Deno.test("Lease[Symbol.dispose]() releases", async () => {
  const { pool, lease } = fixture();
  {
    using held = await lease(KEY);
    assertEquals([held.session.closed, pool.snapshot().active_sessions], [false, 1]);
  }
  assertEquals(pool.snapshot().idle_sessions, 1);
});

Deno.test("Lease.release() closes a session that is broken or has closed itself", async () => {
  const { pool, lease } = fixture();
  const broken = await lease(KEY);
  broken.release("broken");
  const dead = await lease(KEY);
  dead.session.closed = true;
  dead.release();
  assertEquals([broken.session.ended, dead.session.ended, pool.snapshot().idle_sessions], [1, 1, 0]);
});

Deno.test("SessionPool.lease() passes over a session that died while it lay idle", async () => {
  const { lease } = fixture();
  const dead = await lease(KEY);
  dead.release();
  dead.session.closed = true;
  const next = await lease(KEY);
  assert(next.session !== dead.session);
  assertEquals(next.reused, false);
});

Deno.test("SessionPool: six callers on MAX_PER_KEY=2 holding 50 ms each all succeed within 150 ms", async () => {
  const { clock, upstream, use } = fixture({ maxPerKey: 2 });
  const startMs = clock.now();
  const ends: number[] = [];
  const calls = Array.from({ length: 6 }, () => use(KEY, 50).then(() => ends.push(clock.now() - startMs)));
  await clock.tick(150);
  await Promise.all(calls);
  assertEquals(ends, [50, 50, 100, 100, 150, 150]);
  assertEquals(upstream.begun, 2);
});

Deno.test("SessionPool tells of each call that waited, for how long, however it ended, and of no other one", async () => {
  const { clock, pool, upstream, lease, waits } = fixture({ maxPerKey: 1, acquireTimeoutMs: 200 });
  upstream.openMs = 30;
  const opening = lease(KEY);
  await clock.tick(30);
  const first = await opening;
  assertEquals(waits, [30]);
  const late = codeOf(lease(KEY));
  await clock.tick(200);
  assertEquals([await late, waits], ["SESSION_POOL_TIMEOUT", [30, 200]]);
  const next = lease(KEY);
  await clock.tick(70);
  first.release();
  (await next).release();
  pool.tryLease(KEY)!.release();
  (await lease(KEY)).release();
  assertEquals(waits, [30, 200, 70]);
});

Deno.test("SessionPool.byUpstream() counts the sessions of all keys of an upstream, lent or idle", async () => {
  const { pool, lease } = fixture();
  (await lease(KEY)).release();
  await lease(keyOf("bob"));
  await lease(keyOf("bob", { upstreamId: "u2" }));
  assertEquals(pool.byUpstream(), new Map([["u1", 2], ["u2", 1]]));
});

Deno.test("SessionPool: 1,000 callers on 10 sessions are served in order, none times out, no session is shared", async () => {
  const { clock, pool, upstream, lease } = fixture({ maxPerKey: 10, acquireTimeoutMs: 30_000 });
  const order: number[] = [];
  const busy = new Set<unknown>();
  const calls = Array.from({ length: 1_000 }, async (_, i) => {
    using held = await lease(KEY);
    const { session } = held;
    assert(!busy.has(session), "a session is lent twice");
    busy.add(session);
    order.push(i);
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 5 + (i * 7) % 13));
    busy.delete(session);
  });
  await clock.tick(10_000);
  await Promise.all(calls);
  assertEquals(order, Array.from({ length: 1_000 }, (_, i) => i));
  const { acquire_timeouts, total_sessions_created, total_sessions_reused } = pool.snapshot();
  assertEquals([acquire_timeouts, total_sessions_created, total_sessions_reused], [0, 10, 990]);
  assertEquals(upstream.begun, 10);
});

Deno.test("SessionPool starts no more creations than there are free slots", async () => {
  const { pool, upstream, lease } = fixture({ maxPerKey: 3 });
  upstream.held = true;
  const calls = Array.from({ length: 5 }, () => lease(KEY));
  await settled();
  assertEquals([upstream.begun, pool.snapshot().creating, pool.snapshot().waiting], [3, 3, 5]);
  upstream.openings[2].succeed();
  const first = await calls[0];
  assertEquals(upstream.begun, 3, "no slot came free");
  first.release("broken");
  await settled();
  assertEquals(upstream.begun, 4, "a slot came free, and two callers have nothing coming");
});

Deno.test("SessionPool starts no more creations than there are callers to serve", async () => {
  const { clock, upstream, lease } = fixture({ maxPerKey: 3 });
  const held = await lease(KEY);
  upstream.held = true;
  const leaving = new AbortController();
  const second = lease(KEY, leaving.signal);
  second.catch(() => {});
  await settled();
  leaving.abort();
  await settled();
  assertEquals(upstream.begun, 2);
  const third = lease(KEY);
  await settled();
  assertEquals(upstream.begun, 2, "the creation of the one who left is on its way");
  upstream.openings[0].succeed();
  assertEquals((await third).reused, false);
  held.release();
  await clock.tick(0);
});

Deno.test("SessionPool gives a released session to a caller whose own creation hangs", async () => {
  const { pool, upstream, lease } = fixture();
  const held = await lease(KEY);
  upstream.held = true;
  const waiting = lease(KEY);
  await settled();
  held.release();
  assertEquals((await waiting).session, held.session);
  upstream.openings[0].succeed();
  await settled();
  assertEquals(pool.snapshot().idle_sessions, 1, "what was opened is kept");
});

Deno.test("SessionPool opens a session for the first waiter at once when one is lost", async () => {
  const { upstream, lease } = fixture({ maxPerKey: 1 });
  const held = await lease(KEY);
  const waiting = [lease(KEY), lease(KEY)];
  await settled();
  held.release("broken");
  const next = await waiting[0];
  assertEquals([next.reused, upstream.begun], [false, 2]);
  assertEquals(await outcome(waiting[1]), "pending");
  next.release();
  assertEquals((await waiting[1]).reused, true);
});

Deno.test("SessionPool.lease() gives up after the acquire timeout, and leaves the queue", async () => {
  const { clock, pool, lease } = fixture({ maxPerKey: 1, acquireTimeoutMs: 1_000 });
  const held = await lease(KEY);
  const waiting = lease(KEY);
  const failed = assertRejects(() => waiting, Error, 'upstream "u" became free within 1000 ms');
  await clock.tick(999);
  assertEquals(await outcome(waiting), "pending");
  await clock.tick(1);
  await failed;
  assertEquals(await codeOf(waiting), "SESSION_POOL_TIMEOUT");
  held.release();
  const { idle_sessions, waiting: callers, acquire_timeouts } = pool.snapshot();
  assertEquals([idle_sessions, callers, acquire_timeouts], [1, 0, 1]);
});

Deno.test("SessionPool: a caller whose session is being opened is bound by the create timeout alone", async () => {
  const { clock, upstream, lease } = fixture({ acquireTimeoutMs: 1_000, createTimeoutMs: 5_000 });
  upstream.openMs = 4_500;
  const waiting = lease(KEY);
  await clock.tick(4_499);
  assertEquals(await outcome(waiting), "pending");
  await clock.tick(1);
  assertEquals((await waiting).reused, false);
});

Deno.test("SessionPool gives up a creation after the create timeout, and closes what comes too late", async () => {
  const { clock, pool, upstream, lease } = fixture({ createTimeoutMs: 2_000 });
  upstream.held = true;
  const waiting = lease(KEY);
  const code = codeOf(waiting);
  await clock.tick(2_000);
  assertEquals(await code, "UPSTREAM_TIMEOUT");
  assert(upstream.openings[0].signal.aborted);
  assertEquals(pool.snapshot().creating, 0);
  const late = upstream.openings[0].succeed();
  await settled();
  assertEquals([late.ended, pool.snapshot().total_sessions_created], [1, 0]);
});

Deno.test("SessionPool.lease() rejects an aborted caller with its reason, and serves the next", async () => {
  const { lease, upstream } = fixture({ maxPerKey: 1 });
  const held = await lease(KEY);
  const leaving = new AbortController();
  const [second, third] = [lease(KEY, leaving.signal), lease(KEY)];
  await settled();
  leaving.abort("gone home");
  assertEquals(await second.catch((reason) => reason), "gone home");
  held.release();
  assertEquals((await third).session, held.session);
  assertEquals(await lease(KEY, AbortSignal.abort("at once")).catch((reason) => reason), "at once");
  assertEquals(upstream.begun, 1);
});

Deno.test("SessionPool.lease() passes a session on when the abort crosses the hand-off", async () => {
  const { lease } = fixture({ maxPerKey: 1 });
  const held = await lease(KEY);
  const leaving = new AbortController();
  const [second, third] = [lease(KEY, leaving.signal), lease(KEY)];
  await settled();
  held.release();
  leaving.abort("too late");
  assertEquals(await second.catch((reason) => reason), "too late");
  assertEquals((await third).session, held.session);
});

Deno.test("SessionPool keeps the session whose caller has left while it was opened", async () => {
  const { pool, upstream, lease } = fixture();
  upstream.held = true;
  const leaving = new AbortController();
  const call = lease(KEY, leaving.signal);
  await settled();
  leaving.abort("gone");
  assertEquals(await call.catch((reason) => reason), "gone");
  assertEquals(upstream.openings[0].signal.aborted, false);
  const session = upstream.openings[0].succeed();
  await settled();
  assertEquals(pool.tryLease(KEY)!.session, session);
});

Deno.test("SessionPool tells a failed creation to one caller; the others get their own try", async () => {
  const { upstream, lease } = fixture({ maxPerKey: 1 });
  upstream.held = true;
  const [first, second] = [lease(KEY), lease(KEY)];
  await settled();
  upstream.openings[0].fail(unreachable());
  assertEquals(await codeOf(first), "UPSTREAM_CONNECT_FAILED");
  await settled();
  assertEquals(upstream.begun, 2);
  const session = upstream.openings[1].succeed();
  assertEquals((await second).session, session);
});

Deno.test("SessionPool treats a creator that throws like one that rejects", async () => {
  const { pool } = fixture();
  const failed = pool.lease(KEY, () => {
    throw new Error("no");
  });
  await assertRejects(() => failed, Error, "no");
  assertEquals(pool.snapshot().pool_key_count, 0);
});

Deno.test("SessionPool fails fast while the circuit is open, and probes once after the reset", async () => {
  const { clock, pool, upstream, lease } = fixture({ circuitBreakerThreshold: 3 });
  upstream.error = unreachable();
  for (let i = 0; i < 3; i++) assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CONNECT_FAILED");
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CIRCUIT_OPEN");
  assertEquals(await codeOf(lease(keyOf("bob"))), "UPSTREAM_CIRCUIT_OPEN", "by URL");
  assertEquals(upstream.begun, 3);
  assertEquals(pool.snapshot().circuit_breakers, [{
    url: "http://u.example/mcp",
    state: "open",
    failures: 3,
    open_until: (clock.now() + 60_000) / 1_000,
  }]);
  await clock.tick(60_000);
  upstream.error = undefined;
  upstream.held = true;
  const probe = lease(KEY);
  await settled();
  assertEquals(await codeOf(lease(keyOf("bob"))), "UPSTREAM_CIRCUIT_OPEN");
  assertEquals(pool.snapshot().circuit_breakers[0].state, "half_open");
  upstream.openings[0].succeed();
  await probe;
  upstream.held = false;
  assertEquals((await lease(keyOf("bob"))).reused, false);
  assertEquals(pool.snapshot().circuit_breaker_trips, 1);
});

Deno.test("SessionPool refuses who comes while the probe is out, not who sent it", async () => {
  const { clock, upstream, lease } = fixture({ circuitBreakerThreshold: 1 });
  upstream.error = unreachable();
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CONNECT_FAILED");
  await clock.tick(60_000);
  upstream.held = true;
  const probe = lease(KEY);
  await settled();
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CIRCUIT_OPEN");
  upstream.openings[0].succeed();
  assertEquals((await probe).reused, false);
});

Deno.test("SessionPool lets the waiters fail fast when the circuit opens under them", async () => {
  const { upstream, lease } = fixture({ maxPerKey: 1, circuitBreakerThreshold: 2 });
  upstream.error = unreachable();
  const calls = Array.from({ length: 100 }, () => codeOf(lease(KEY)));
  const codes = await Promise.all(calls);
  assertEquals(codes.filter((code) => code === "UPSTREAM_CONNECT_FAILED").length, 2);
  assertEquals(codes.filter((code) => code === "UPSTREAM_CIRCUIT_OPEN").length, 98);
  assertEquals(upstream.begun, 2);
});

Deno.test("SessionPool still lends open sessions while the circuit is open", async () => {
  const { pool, upstream, lease } = fixture({ circuitBreakerThreshold: 1 });
  const held = await lease(KEY);
  upstream.error = unreachable();
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CONNECT_FAILED");
  held.release();
  assertEquals(pool.tryLease(KEY)!.session, held.session);
});

Deno.test("SessionPool: refused credentials of one caller open the circuit for nobody", async () => {
  const { pool, upstream, lease } = fixture({ circuitBreakerThreshold: 2 });
  upstream.error = refused();
  for (let i = 0; i < 10; i++) assertEquals(await codeOf(lease(KEY)), "UPSTREAM_AUTH_FAILED");
  upstream.error = undefined;
  assertEquals((await lease(keyOf("bob"))).reused, false);
  assertEquals(pool.snapshot().circuit_breaker_trips, 0);
});

Deno.test("SessionPool: a probe whose caller has left, or is refused, does not wedge the half-open circuit", async () => {
  const { clock, upstream, lease } = fixture({ circuitBreakerThreshold: 1, createTimeoutMs: 1_000 });
  upstream.error = unreachable();
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CONNECT_FAILED");
  await clock.tick(60_000);
  upstream.error = refused();
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_AUTH_FAILED");
  upstream.held = true;
  const leaving = new AbortController();
  const probe = lease(keyOf("bob"), leaving.signal);
  await settled();
  leaving.abort("gone");
  assertEquals(await probe.catch((reason) => reason), "gone");
  upstream.openings[0].succeed();
  await settled();
  upstream.held = false;
  upstream.error = undefined;
  assertEquals((await lease(KEY)).reused, false);
});
