import { assert, assertEquals } from "@std/assert";
import { settled } from "../../../tests/support/fake_clock.ts";
import {
  codeOf,
  type FakeSession,
  fixture,
  keyOf,
  outcome,
  unreachable,
} from "../../../tests/support/pool_fixture.ts";
import { SluiceError } from "../../base/errors.ts";
import type { HealthMethod, HealthVerdict } from "./idle_check.ts";

const KEY = keyOf("alice");

Deno.test("SessionPool closes a session over its TTL when it comes back", async () => {
  const { clock, pool, lease } = fixture({ ttlMs: 1_000 });
  const held = await lease(KEY);
  await clock.tick(1_000);
  assertEquals(held.session.ended, 0, "it is in use");
  held.release();
  assertEquals([held.session.ended, pool.snapshot().evictions, pool.snapshot().pool_key_count], [1, 1, 0]);
});

Deno.test("SessionPool opens a new session for the waiter of one that comes back over its TTL", async () => {
  const { clock, lease } = fixture({ ttlMs: 1_000, maxPerKey: 1 });
  const held = await lease(KEY);
  const waiting = lease(KEY);
  await clock.tick(1_000);
  held.release();
  assertEquals((await waiting).reused, false);
});

Deno.test("SessionPool never lends a session over its TTL, even before the timer has met it", async () => {
  // The timer fires every 5 s, so the session is still open 1 s after its end.
  const { clock, pool, lease } = fixture({ ttlMs: 52_000 });
  const old = await lease(KEY);
  old.release();
  await clock.tick(53_000);
  assertEquals([old.session.ended, pool.tryLease(KEY)], [0, undefined]);
  const next = await lease(KEY);
  assertEquals([next.reused, old.session.ended, old.session.probes], [false, 1, []]);
  assertEquals([pool.snapshot().evictions, pool.snapshot().sessions_reaped], [1, 0]);
});

Deno.test("SessionPool closes sessions over their TTL by timer", async () => {
  const { clock, pool, lease, upstream } = fixture({ ttlMs: 10_000 });
  (await lease(KEY)).release();
  await clock.tick(9_000);
  assertEquals(upstream.alive, 1);
  await clock.tick(2_000);
  assertEquals(upstream.alive, 0);
  const { sessions_reaped, pool_keys_evicted, pool_key_count } = pool.snapshot();
  assertEquals([sessions_reaped, pool_keys_evicted, pool_key_count], [1, 1, 0]);
});

Deno.test("SessionPool evicts idle sessions by timer, and leaves lent ones alone", async () => {
  const { clock, pool, lease } = fixture({ idleEvictionMs: 10_000 });
  const [idle, lent] = [await lease(KEY), await lease(KEY)];
  idle.release();
  await clock.tick(11_000);
  assertEquals([idle.session.ended, lent.session.ended], [1, 0]);
  assertEquals([pool.snapshot().sessions_reaped, pool.snapshot().pool_keys_evicted], [1, 0]);
});

Deno.test("SessionPool lets a burst's sessions cool down while a few stay warm", async () => {
  const { clock, lease, upstream } = fixture({ idleEvictionMs: 10_000 });
  const burst = await Promise.all(Array.from({ length: 5 }, () => lease(KEY)));
  for (const { release } of burst.map((each) => ({ release: () => each.release() }))) release();
  for (let i = 0; i < 20; i++) {
    await clock.tick(1_000);
    (await lease(KEY)).release();
  }
  assertEquals(upstream.alive, 1);
});

Deno.test("SessionPool removes sessions that died while idle by timer", async () => {
  const { clock, pool, lease } = fixture();
  const dead = await lease(KEY);
  dead.release();
  dead.session.closed = true;
  await clock.tick(5_000);
  assertEquals([pool.snapshot().idle_sessions, pool.snapshot().sessions_reaped], [0, 1]);
});

Deno.test("SessionPool removes the dead session from among living ones", async () => {
  const { clock, pool, lease } = fixture();
  const [a, b, c] = [await lease(KEY), await lease(KEY), await lease(KEY)];
  for (const each of [a, b, c]) each.release();
  b.session.closed = true;
  await clock.tick(5_000);
  assertEquals([a.session.ended, b.session.ended, c.session.ended], [0, 1, 0]);
  assertEquals([pool.tryLease(KEY)!.session, pool.tryLease(KEY)!.session], [c.session, a.session]);
});

Deno.test("SessionPool has no timer unless it has sessions", async () => {
  const { clock, pool, lease } = fixture({ idleEvictionMs: 10_000 });
  assertEquals(clock.timers, 0);
  const held = await lease(KEY);
  assertEquals(clock.timers, 1);
  held.release("broken");
  assertEquals(clock.timers, 0, "the last session is gone");
  (await lease(KEY)).release();
  await clock.tick(20_000);
  assertEquals(clock.timers, 0, "the last session was evicted");
  await lease(KEY);
  await pool.close();
  assertEquals(clock.timers, 0, "the pool is closed");
});

/** Opens a session, leaves it idle beyond the interval, and answers each probe as given. */
async function stale(
  methods: HealthMethod[],
  answers: Partial<Record<HealthMethod, HealthVerdict | "silence">>,
) {
  const made = fixture({ healthCheckMethods: methods, healthCheckTimeoutMs: 5_000 });
  const { session, release } = keep(await made.lease(KEY));
  session.answer = (method) => {
    const answer = answers[method] ?? "healthy";
    return answer === "silence" ? new Promise(() => {}) : Promise.resolve(answer);
  };
  release();
  await made.clock.tick(60_000);
  return { ...made, session };
}

function keep<T extends { session: FakeSession; release(): void }>(lease: T) {
  return { session: lease.session, release: () => lease.release() };
}

Deno.test("SessionPool lends a session that was used lately without a probe", async () => {
  const { clock, pool, lease } = fixture();
  const held = await lease(KEY);
  held.release();
  await clock.tick(59_999);
  assertEquals(pool.tryLease(KEY)!.session, held.session);
  assertEquals(held.session.probes, []);
});

Deno.test("SessionPool validates a session that lay idle for the interval", async () => {
  const { pool, lease, session } = await stale(["ping", "skip"], {});
  assertEquals(pool.tryLease(KEY), undefined);
  const next = await lease(KEY);
  assertEquals([next.session, next.reused, session.probes], [session, true, ["ping"]]);
  next.release();
  assert(pool.tryLease(KEY) !== undefined, "and then it is fresh again");
});

Deno.test("SessionPool closes a session whose ping fails, though skip comes next", async () => {
  const { pool, lease, session } = await stale(["ping", "skip"], { ping: "failed" });
  const next = await lease(KEY);
  assertEquals([next.reused, session.ended, session.probes], [false, 1, ["ping"]]);
  assertEquals(pool.snapshot().health_check_failures, 1);
});

Deno.test("SessionPool closes a session whose ping is not answered in time", async () => {
  const { clock, lease, session } = await stale(["ping", "skip"], { ping: "silence" });
  const waiting = lease(KEY);
  await clock.tick(4_999);
  assertEquals([await outcome(waiting), session.ended], ["pending", 0]);
  await clock.tick(1);
  assertEquals([(await waiting).reused, session.ended], [false, 1]);
});

Deno.test("SessionPool tries the next method where the upstream lacks one", async () => {
  const { lease, session } = await stale(["ping", "list_tools", "list_prompts"], { ping: "unsupported" });
  assertEquals([(await lease(KEY)).session, session.probes], [session, ["ping", "list_tools"]]);
});

Deno.test("SessionPool takes skip for healthy, alone or after unsupported methods only", async () => {
  const alone = await stale(["skip"], {});
  assertEquals([(await alone.lease(KEY)).session, alone.session.probes], [alone.session, []]);
  const after = await stale(["ping", "skip"], { ping: "unsupported" });
  assertEquals([(await after.lease(KEY)).session, after.session.probes], [after.session, ["ping"]]);
});

Deno.test("SessionPool takes the end of the chain for unhealthy", async () => {
  const { lease, session } = await stale(["ping", "list_tools"], {
    ping: "unsupported",
    list_tools: "unsupported",
  });
  assertEquals([(await lease(KEY)).reused, session.ended], [false, 1]);
});

Deno.test("SessionPool treats a probe that throws as failed", async () => {
  const { lease, session } = await stale(["ping", "skip"], {});
  session.answer = () => {
    throw new Error("bug");
  };
  assertEquals([(await lease(KEY)).reused, session.ended], [false, 1]);
});

Deno.test("SessionPool lends no session that came to its end while it was validated", async () => {
  const old = fixture({ ttlMs: 62_000 });
  const held = await old.lease(KEY);
  held.session.answer = () => new Promise((resolve) => old.clock.setTimeout(() => resolve("healthy"), 3_000));
  held.release();
  await old.clock.tick(60_000);
  const waiting = old.lease(KEY);
  await old.clock.tick(3_000);
  assertEquals([(await waiting).reused, held.session.ended], [false, 1]);

  const { lease, session } = await stale(["ping"], {});
  session.answer = () => {
    session.closed = true;
    return Promise.resolve("healthy");
  };
  assertEquals([(await lease(KEY)).reused, session.ended], [false, 1]);
});

Deno.test("SessionPool pays for a dead upstream's silence once, not once for each session", async () => {
  const { clock, lease, upstream } = fixture({ healthCheckTimeoutMs: 5_000 });
  const held = await Promise.all(Array.from({ length: 5 }, () => lease(KEY)));
  for (const each of held) {
    each.session.answer = () => new Promise(() => {});
    each.release();
  }
  await clock.tick(60_000);
  const waiting = lease(KEY);
  await clock.tick(5_000);
  assertEquals((await waiting).reused, false);
  assertEquals(upstream.alive, 1);
});

Deno.test("SessionPool gives a caller the session released while its own is validated", async () => {
  const { clock, pool, lease } = fixture({ maxPerKey: 2 });
  const [idle, busy] = [await lease(KEY), await lease(KEY)];
  idle.session.answer = () => new Promise(() => {});
  idle.release();
  await clock.tick(60_000);
  const waiting = lease(KEY);
  await settled();
  assertEquals(pool.snapshot().validating, 1);
  busy.release();
  assertEquals((await waiting).session, busy.session);
});

Deno.test("SessionPool: a caller whose session is validated does not time out for want of a slot", async () => {
  const { clock, lease } = fixture({ maxPerKey: 1, acquireTimeoutMs: 1_000, healthCheckTimeoutMs: 5_000 });
  const held = await lease(KEY);
  held.session.answer = () => new Promise(() => {});
  held.release();
  await clock.tick(60_000);
  const first = lease(KEY);
  const second = codeOf(lease(KEY));
  await clock.tick(1_000);
  assertEquals(await second, "SESSION_POOL_TIMEOUT", "nothing is prepared for this one");
  await clock.tick(4_000);
  assertEquals((await first).reused, false);
});

Deno.test("SessionPool.drain() closes idle sessions now, lent ones when they come back, and lends neither again", async () => {
  const { clock, pool, lease } = fixture({ maxPerKey: 2 });
  const [idle, lent] = [await lease(KEY), await lease(KEY)];
  const other = await lease(keyOf("bob"));
  other.release();
  idle.release();
  assertEquals(pool.drain((key) => key.identity === KEY.identity), { closed: 1, pending: 1 });
  assertEquals([idle.session.ended, lent.session.ended, other.session.ended], [1, 0, 0]);
  const fresh = await lease(KEY);
  assertEquals(fresh.reused, false);
  lent.release();
  await clock.tick(0);
  assertEquals([lent.session.ended, pool.snapshot().pool_key_count], [1, 2]);
  assertEquals(pool.drain(), { closed: 1, pending: 1 });
});

Deno.test("SessionPool.drain() gives new sessions to the calls that wait", async () => {
  const { pool, lease } = fixture({ maxPerKey: 1 });
  const held = await lease(KEY);
  const waiting = [lease(KEY), lease(KEY)];
  await settled();
  pool.drain();
  held.release();
  const next = await waiting[0];
  assertEquals([next.reused, held.session.ended], [false, 1]);
  next.release();
  assertEquals([(await waiting[1]).reused, next.session.ended], [false, 1]);
});

Deno.test("SessionPool.closeUpstream() lends no session opened before, nor one that was being opened", async () => {
  const { pool, upstream, lease } = fixture({ maxPerKey: 2 });
  const idle = await lease(KEY);
  idle.release();
  const other = await lease(keyOf("alice", { upstreamId: "u2" }));
  other.release();
  const lent = await lease(KEY);
  upstream.held = true;
  const before = lease(KEY);
  await settled();
  pool.closeUpstream("u1");
  const after = lease(KEY);
  await settled();
  assertEquals(upstream.begun, 4, "who comes after does not wait for a session opened with the old settings");
  const [old, fresh] = upstream.openings.map(({ succeed }) => succeed());
  assertEquals([(await before).session, (await after).session], [old, fresh]);
  for (const each of [lent, await before, await after]) each.release();
  assertEquals([lent.session.ended, old.ended, fresh.ended, other.session.ended], [1, 1, 0, 0]);
});

Deno.test("SessionPool.closeUpstream() keeps no session that was being opened for a caller who has left", async () => {
  const { pool, upstream, lease } = fixture();
  upstream.held = true;
  const leaving = new AbortController();
  const call = lease(KEY, leaving.signal).catch(() => {});
  await settled();
  pool.closeUpstream("u1");
  leaving.abort();
  await call;
  const session = upstream.openings[0].succeed();
  await settled();
  assertEquals([session.ended, pool.snapshot().pool_key_count], [1, 0]);
});

Deno.test("SessionPool.closeUpstream() forgets the upstream's breaker", async () => {
  const { pool, upstream, lease } = fixture({ circuitBreakerThreshold: 1 });
  upstream.error = unreachable();
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CONNECT_FAILED");
  assertEquals(await codeOf(lease(KEY)), "UPSTREAM_CIRCUIT_OPEN");
  upstream.error = undefined;
  pool.closeUpstream("u1");
  assertEquals((await lease(KEY)).reused, false);
});

Deno.test("SessionPool.cutUpstream() closes the sessions to one upstream, lent ones too, and refuses its waiters", async () => {
  const { pool, upstream, lease } = fixture({ maxPerKey: 2, maxTotalSessions: 4 });
  const other = keyOf("bob", { upstreamId: "u2" });
  const [idle, lent, theirs] = [await lease(keyOf("bob")), await lease(KEY), await lease(other)];
  idle.release();
  theirs.release();
  upstream.held = true;
  const waiting = [codeOf(lease(KEY)), codeOf(lease(KEY))];
  await settled();
  pool.cutUpstream("u1", new SluiceError("UPSTREAM_DISABLED", { upstream: "u", reason: "it was deleted" }));
  assertEquals(await Promise.all(waiting), ["UPSTREAM_DISABLED", "UPSTREAM_DISABLED"]);
  assertEquals([idle.session.ended, lent.session.ended, theirs.session.ended], [1, 1, 0]);
  assert(upstream.openings[0].signal.aborted);
  upstream.openings[0].succeed();
  await settled();
  assertEquals(upstream.alive, 1);
  lent.release();
  assertEquals(lent.session.ended, 1);
  assertEquals(pool.tryLease(other)?.session, theirs.session);
  assertEquals(pool.snapshot().pool_key_count, 1);
});

Deno.test("SessionPool.close() closes everything, refuses waiters and later callers", async () => {
  const { clock, pool, upstream, lease } = fixture({ maxPerKey: 2 });
  const [idle, lent] = [await lease(keyOf("bob")), await lease(KEY)];
  idle.release();
  upstream.held = true;
  const waiting = [codeOf(lease(KEY)), codeOf(lease(KEY))];
  await settled();
  await pool.close();
  assertEquals(await Promise.all(waiting), ["SHUTTING_DOWN", "SHUTTING_DOWN"]);
  assertEquals([idle.session.ended, lent.session.ended], [1, 1]);
  assert(upstream.openings[0].signal.aborted);
  upstream.openings[0].succeed();
  await settled();
  assertEquals(upstream.alive, 0);
  lent.release();
  assertEquals(lent.session.ended, 1);
  assertEquals(await codeOf(lease(KEY)), "SHUTTING_DOWN");
  assertEquals(pool.tryLease(keyOf("bob")), undefined);
  assertEquals(clock.timers, 0);
  const { active_sessions, idle_sessions, creating, waiting: callers, pool_key_count } = pool.snapshot();
  assertEquals([active_sessions, idle_sessions, creating, callers, pool_key_count], [0, 0, 0, 0, 0]);
});

Deno.test("SessionPool.close() waits for the closings", async () => {
  const { pool, lease } = fixture();
  const held = await lease(KEY);
  let say = () => {};
  held.session.close = () => new Promise((resolve) => say = resolve);
  const closing = pool.close();
  assertEquals(await outcome(closing.then(() => "closed")), "pending");
  say();
  await closing;
});

Deno.test("SessionPool survives a session that cannot even be closed", async () => {
  const { pool, lease } = fixture();
  const held = await lease(KEY);
  held.session.close = () => {
    throw new Error("bug");
  };
  held.release("broken");
  await pool.close();
});
