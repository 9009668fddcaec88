import { assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { BodyDeadlines } from "./body_deadlines.ts";

/** A clock that stands still until it is moved. */
function fakeClock(): Clock & { advance(ms: number): void; armed(): number } {
  let now = 0;
  let nextId = 1;
  const timers = new Map<number, { at: number; run: () => void }>();
  return {
    now: () => now,
    setTimeout: (run, ms) => {
      timers.set(nextId, { at: now + ms, run });
      return nextId++;
    },
    clearTimeout: (id) => void timers.delete(id),
    advance: (ms) => {
      now += ms;
      for (const [id, { at, run }] of [...timers]) {
        if (at > now) continue;
        timers.delete(id);
        run();
      }
    },
    armed: () => timers.size,
  };
}

Deno.test("BodyDeadlines.within() passes on what comes in time, and its failure", async () => {
  const deadlines = new BodyDeadlines(1000, fakeClock());
  assertEquals(await deadlines.within(Promise.resolve("body")), "body");
  await assertRejects(() => deadlines.within(Promise.reject(new TypeError("broken"))), TypeError, "broken");
});

Deno.test("BodyDeadlines.within() expires each body at its own time, with one timer", async () => {
  const clock = fakeClock();
  const deadlines = new BodyDeadlines(1000, clock);
  const never = new Promise<string>(() => {});
  const outcomes: string[] = [];
  const watch = (name: string) =>
    deadlines.within(never).catch((error: SluiceError) => void outcomes.push(`${name} ${error.code}`));
  const first = watch("first");
  clock.advance(600);
  const second = watch("second");
  assertEquals(clock.armed(), 1);
  clock.advance(400);
  await first;
  assertEquals(outcomes, ["first BODY_TIMEOUT"]);
  clock.advance(600);
  await second;
  assertEquals(outcomes, ["first BODY_TIMEOUT", "second BODY_TIMEOUT"]);
  assertEquals(clock.armed(), 0);
});

Deno.test("BodyDeadlines.within() forgets a body that has come, and one that failed", async () => {
  const clock = fakeClock();
  const deadlines = new BodyDeadlines(1000, clock);
  await deadlines.within(Promise.resolve());
  await assertRejects(() => deadlines.within(Promise.reject(new Error("x"))));
  clock.advance(1000);
  assertEquals(clock.armed(), 0);
});

Deno.test("BodyDeadlines.within() lets a failure after the deadline go unnoticed", async () => {
  const clock = fakeClock();
  const deadlines = new BodyDeadlines(1000, clock);
  const { promise, reject } = Promise.withResolvers<string>();
  const reading = deadlines.within(promise);
  clock.advance(1000);
  await assertRejects(() => reading, SluiceError, "1000 ms (HTTP_BODY_TIMEOUT)");
  reject(new Error("the connection is gone"));
  await promise.catch(() => {});
});
