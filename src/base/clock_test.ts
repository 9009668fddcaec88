import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { backoffMs } from "./backoff.ts";
import { repeat, sleep } from "./clock.ts";

Deno.test("sleep() resolves when the time has passed, not before", async () => {
  const clock = new FakeClock();
  let awake = false;
  const slept = sleep(clock, 100).then(() => (awake = true));
  await clock.tick(99);
  await Promise.resolve();
  assertEquals(awake, false);
  await clock.tick(1);
  await slept;
  assertEquals(clock.timers, 0);
});

Deno.test("sleep() rejects with the signal's reason and leaves no timer behind", async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const slept = sleep(clock, 100, abort.signal);
  abort.abort(new Error("enough"));
  await assertRejects(() => slept, Error, "enough");
  assertEquals(clock.timers, 0);
});

Deno.test("sleep() does not begin where the signal is aborted already", async () => {
  const clock = new FakeClock();
  await assertRejects(() => sleep(clock, 100, AbortSignal.abort(new Error("before"))), Error, "before");
  assertEquals(clock.timers, 0);
});

Deno.test("backoffMs() stays between half of the exponential step and the step", () => {
  for (let attempt = 0; attempt < 6; attempt++) {
    const step = Math.min(1_000, 100 * 2 ** attempt);
    assertEquals(backoffMs(attempt, { baseMs: 100, maxMs: 1_000, random: () => 0 }), step / 2);
    assertEquals(backoffMs(attempt, { baseMs: 100, maxMs: 1_000, random: () => 1 }), step);
  }
});

Deno.test("backoffMs() never exceeds the maximum, however often it was tried", () => {
  assertEquals(backoffMs(5_000, { baseMs: 100, maxMs: 30_000, random: () => 1 }), 30_000);
});

Deno.test("repeat() works again and again, a while after each end, until it is stopped", async () => {
  const clock = new FakeClock();
  const ends: (() => void)[] = [];
  const stop = repeat(clock, 10, () => new Promise<void>((resolve) => ends.push(resolve)));
  await clock.tick(10);
  await clock.tick(100);
  assertEquals(ends.length, 1, "not while it works");
  ends[0]!();
  await clock.tick(9);
  assertEquals(ends.length, 1);
  await clock.tick(1);
  assertEquals(ends.length, 2);
  stop();
  ends[1]!();
  await clock.tick(100);
  assertEquals(ends.length, 2);
});
