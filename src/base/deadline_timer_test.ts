import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { DeadlineTimer } from "./deadline_timer.ts";

function entryOf(name: string, log: string[], then = () => {}) {
  return {
    deadlineAt: Infinity,
    slot: -1,
    expire() {
      log.push(name);
      then();
    },
  };
}

Deno.test("DeadlineTimer.set() expires each entry once, at its time, with one timer", async () => {
  const clock = new FakeClock();
  const deadlines = new DeadlineTimer(clock);
  const log: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => entryOf(name, log));
  for (const entry of [a, b, c]) deadlines.watch(entry);
  deadlines.set(a, 300);
  deadlines.set(b, 100);
  deadlines.set(c, 500, clock.now() + 200);
  assertEquals(clock.timers, 1);
  await clock.tick(99);
  assertEquals(log, []);
  await clock.tick(1);
  assertEquals(log, ["b"]);
  await clock.tick(100);
  assertEquals(log, ["b", "c"]);
  await clock.tick(1_000);
  assertEquals(log, ["b", "c", "a"]);
  assertEquals(clock.timers, 0);
});

Deno.test("DeadlineTimer.set() may move a deadline either way, or take it back", async () => {
  const clock = new FakeClock();
  const deadlines = new DeadlineTimer(clock);
  const log: string[] = [];
  const entry = entryOf("a", log);
  deadlines.watch(entry);
  deadlines.set(entry, 100);
  await clock.tick(90);
  deadlines.set(entry, 100);
  await clock.tick(99);
  assertEquals(log, []);
  deadlines.set(entry, Infinity);
  await clock.tick(1_000);
  assertEquals(log, []);
  deadlines.set(entry, 10 ** 12);
  deadlines.set(entry, 5);
  await clock.tick(5);
  assertEquals(log, ["a"]);
});

Deno.test("DeadlineTimer.expire() may set another deadline", async () => {
  const clock = new FakeClock();
  const deadlines = new DeadlineTimer(clock);
  const log: string[] = [];
  const entry = entryOf("a", log, () => log.length < 3 && deadlines.set(entry, 10));
  deadlines.watch(entry);
  deadlines.set(entry, 10);
  await clock.tick(100);
  assertEquals(log, ["a", "a", "a"]);
});

Deno.test("DeadlineTimer.forget() takes the deadline back, and leaves the timer to fire once more", async () => {
  const clock = new FakeClock();
  const deadlines = new DeadlineTimer(clock);
  const log: string[] = [];
  const [a, b] = [entryOf("a", log), entryOf("b", log)];
  deadlines.watch(a);
  deadlines.watch(b);
  deadlines.set(a, 10);
  deadlines.set(b, 20);
  deadlines.forget(a);
  deadlines.forget(b);
  assertEquals(clock.timers, 1);
  await clock.tick(100);
  assertEquals([log, clock.timers], [[], 0]);
});

Deno.test("DeadlineTimer.stop() disarms the timer until a deadline is set again", async () => {
  const clock = new FakeClock();
  const deadlines = new DeadlineTimer(clock);
  const log: string[] = [];
  const entry = entryOf("a", log);
  deadlines.watch(entry);
  deadlines.set(entry, 10);
  deadlines.stop();
  assertEquals(clock.timers, 0);
  deadlines.set(entry, 10);
  await clock.tick(10);
  assertEquals(log, ["a"]);
});
