import { assertEquals } from "@std/assert";
import { settled } from "../../../tests/support/fake_clock.ts";
import { codeOf, fixture, keyOf, outcome, unreachable } from "../../../tests/support/pool_fixture.ts";

const [A, B, C] = ["a", "b", "c"].map((name) => keyOf(name));

Deno.test("SessionPool evicts the coldest idle session of another key at the total cap", async () => {
  const { clock, pool, lease } = fixture({ maxTotalSessions: 2 });
  const [a, b] = [await lease(A), await lease(B)];
  a.release();
  await clock.tick(1);
  b.release();
  const c = await lease(C);
  assertEquals([a.session.ended, b.session.ended, c.session.ended], [1, 0, 0]);
  assertEquals([pool.snapshot().evictions, pool.snapshot().pool_key_count], [1, 2]);
});

Deno.test("SessionPool waits at the total cap where nothing is idle, until a session of another key is released", async () => {
  const { lease } = fixture({ maxTotalSessions: 1 });
  const a = await lease(A);
  const waiting = lease(B);
  assertEquals(await outcome(waiting), "pending");
  a.release();
  assertEquals([(await waiting).reused, a.session.ended], [false, 1]);
});

Deno.test("SessionPool opens a session at the total cap when one of another key is lost, or cannot be opened", async () => {
  const { upstream, lease } = fixture({ maxTotalSessions: 1 });
  const a = await lease(A);
  const second = lease(B);
  await settled();
  upstream.held = true;
  a.release("broken");
  const third = lease(C);
  await settled();
  upstream.openings[0].fail(unreachable());
  assertEquals(await codeOf(second), "UPSTREAM_CONNECT_FAILED");
  await settled();
  upstream.openings[1].succeed();
  assertEquals((await third).reused, false);
});

Deno.test("SessionPool lets a caller at the total cap time out, and forgets that it wanted room", async () => {
  const { clock, pool, lease } = fixture({ maxTotalSessions: 1, acquireTimeoutMs: 1_000 });
  const a = await lease(A);
  const waiting = codeOf(lease(B));
  await clock.tick(1_000);
  assertEquals(await waiting, "SESSION_POOL_TIMEOUT");
  a.release();
  assertEquals([a.session.ended, pool.snapshot().pool_key_count], [0, 1]);
});

for (const already of [0, 5]) {
  Deno.test(`SessionPool: a busy key, ${already} waiting, cedes its slot after a quarter of the acquire timeout`, async () => {
    const { clock, upstream, lease, use } = fixture({ maxTotalSessions: 1, acquireTimeoutMs: 10_000 });
    const startMs = clock.now();
    const busy = Array.from({ length: 1 + already }, () => use(A, 100));
    await settled();
    const other = lease(B).then((each) => {
      each.release();
      return clock.now() - startMs;
    });
    // Two callers arrive for each one that is served, so the key always has a caller for its session.
    for (let i = 0; i < 60; i++) {
      busy.push(use(A, 100), use(A, 100));
      await clock.tick(100);
    }
    assertEquals(await outcome(other), 2_500);
    assertEquals(upstream.begun, 3, "one for each change of key");
    await clock.tick(10_000);
    await Promise.allSettled(busy);
  });
}

Deno.test("SessionPool: callers of a busy key who came first are not passed over for another key", async () => {
  const { clock, use } = fixture({ maxTotalSessions: 1, acquireTimeoutMs: 10_000 });
  const order: string[] = [];
  const calls = Array.from({ length: 40 }, () => use(A, 100).then(() => order.push("a")));
  await clock.tick(10);
  calls.push(use(B, 100).then(() => order.push("b")));
  await clock.tick(5_000);
  await Promise.all(calls);
  assertEquals(order.indexOf("b"), 40);
});

Deno.test("SessionPool drops the key left alone for the longest at the cap of keys", async () => {
  const { clock, pool, lease } = fixture({ maxTotalKeys: 2 });
  const [a, b] = [await lease(A), await lease(B)];
  const extra = await lease(A);
  extra.release();
  await clock.tick(1);
  b.release();
  await clock.tick(1);
  a.release();
  const c = await lease(C);
  assertEquals([b.session.ended, a.session.ended, extra.session.ended, c.reused], [1, 0, 0, false]);
  const { pool_keys_evicted, evictions, pool_key_count } = pool.snapshot();
  assertEquals([pool_keys_evicted, evictions, pool_key_count], [1, 1, 2]);
});

Deno.test("SessionPool is full at the cap of keys when every key is in use", async () => {
  const { pool, lease } = fixture({ maxTotalKeys: 1 });
  const a = await lease(A);
  assertEquals(await codeOf(lease(B)), "SESSION_POOL_FULL");
  assertEquals([(await lease(A)).reused, pool.snapshot().pool_key_count], [false, 1]);
  a.release();
  assertEquals(await codeOf(lease(B)), "SESSION_POOL_FULL", "one of the two is still lent");
});

Deno.test("SessionPool drops no key for a call that the open circuit refuses", async () => {
  const { upstream, lease } = fixture({ maxTotalKeys: 1, circuitBreakerThreshold: 1 });
  upstream.error = unreachable();
  assertEquals(await codeOf(lease(B)), "UPSTREAM_CONNECT_FAILED");
  upstream.error = undefined;
  const elsewhere = await lease(keyOf("a", { url: "http://v.example/mcp" }));
  elsewhere.release();
  const other = await codeOf(lease(C));
  assertEquals([other, elsewhere.session.ended], ["UPSTREAM_CIRCUIT_OPEN", 0]);
});

Deno.test("SessionPool: a key whose waiting caller has left does not stand before others at the total cap", async () => {
  const { clock, lease, use } = fixture({ maxTotalSessions: 2, acquireTimeoutMs: 10_000 });
  const startMs = clock.now();
  const held = await lease(B);
  const busy = [use(A, 100)];
  await settled();
  const leaving = new AbortController();
  const gone = lease(B, leaving.signal).catch(() => {});
  const other = lease(C).then((each) => {
    each.release();
    return clock.now() - startMs;
  });
  leaving.abort();
  await gone;
  for (let i = 0; i < 60; i++) {
    busy.push(use(A, 100), use(A, 100));
    await clock.tick(100);
  }
  assertEquals(await outcome(other), 2_500);
  held.release();
  await clock.tick(10_000);
  await Promise.all(busy);
});
