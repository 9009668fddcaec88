import { assert, assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { FakeClock, settled } from "../../tests/support/fake_clock.ts";
import { CoalescingQueue } from "./coalescing_queue.ts";

/** Runs that last until the test ends them. Work is a list of letters. */
function fixture(maxAtOnce = 10, lastsMs: number | null = null) {
  const clock = new FakeClock();
  const runs: { key: string; work: string; at: number; end: (error?: Error) => void }[] = [];
  const startedAt = clock.now();
  const queue = new CoalescingQueue<string, number>({
    clock,
    maxAtOnce,
    run: (key, work) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const number = runs.length + 1;
      const end = (error?: Error) => error === undefined ? resolve(number) : reject(error);
      runs.push({ key, work, at: clock.now() - startedAt, end });
      if (lastsMs !== null) clock.setTimeout(() => end(), lastsMs);
      return promise;
    },
    merge: (one, other) => [...new Set(one + other)].sort().join(""),
  });
  const begun = () => runs.map(({ key, work }) => `${key}:${work}`);
  return { clock, queue, runs, begun };
}

Deno.test("CoalescingQueue.ask(): what comes during a run shares one run after it, with the work of all", async () => {
  const { queue, runs, begun } = fixture();
  const first = queue.ask("k", "a");
  const later = [queue.ask("k", "b"), queue.ask("k", "c"), queue.ask("k", "b", { isGentle: true })];
  assertEquals(begun(), ["k:a"]);
  runs[0].end();
  assertEquals(await first, 1);
  await settled();
  assertEquals(begun(), ["k:a", "k:bc"]);
  runs[1].end();
  assertEquals(await Promise.all(later), [2, 2, 2]);
});

Deno.test("CoalescingQueue.ask(): a failed run fails those who waited for it, and the next run goes on", async () => {
  const { queue, runs } = fixture();
  const first = queue.ask("k", "a");
  const second = queue.ask("k", "b");
  runs[0].end(new Error("no"));
  await assertRejects(() => first, Error, "no");
  await settled();
  runs[1].end();
  assertEquals(await second, 2);
});

Deno.test("CoalescingQueue.ask(): a gentle burst costs two runs, the first at once, the second soon after the burst", async () => {
  const { clock, queue, runs } = fixture(10, 10);
  for (let i = 0; i < 100; i++) {
    void queue.ask("k", "a", { isGentle: true });
    if (i === 0) assertEquals(runs.length, 1);
    if (i % 4 === 0) await clock.tick(1);
  }
  const lastAt = 25;
  await clock.tick(1_000);
  assertEquals(runs.length, 2);
  assert(runs[1].at > lastAt && runs[1].at <= lastAt + 100, `the second began at ${runs[1].at} ms`);
});

Deno.test("CoalescingQueue.ask(): a gentle flood runs ever more rarely, and is forgotten once it is over", async () => {
  const { clock, queue, runs } = fixture(10, 10);
  for (let ms = 0; ms < 60_000; ms += 20) {
    void queue.ask("k", "a", { isGentle: true });
    await clock.tick(20);
  }
  assert(runs.length < 22, `${runs.length} runs in a minute`);
  assert(runs.length > 12, `${runs.length} runs in a minute`);
  await clock.tick(20_000);
  const before = runs.length;
  void queue.ask("k", "a", { isGentle: true });
  assertEquals(runs.length, before + 1);
  await clock.tick(15);
  void queue.ask("k", "a", { isGentle: true });
  await clock.tick(60);
  assertEquals(runs.length, before + 2);
});

Deno.test("CoalescingQueue.ask() in a hurry ends a gentle one's pause", async () => {
  const { clock, queue, runs } = fixture(10, 10);
  for (let i = 0; i < 200; i++) {
    void queue.ask("k", "a", { isGentle: true });
    await clock.tick(20);
  }
  const before = runs.length;
  const hasty = queue.ask("k", "b");
  assertEquals([runs.length, runs.at(-1)!.work], [before + 1, "ab"]);
  await clock.tick(10);
  assertEquals(await hasty, before + 1);
});

Deno.test("CoalescingQueue.ask(): at most so many keys at once, the first come first; one that hangs keeps one place", async () => {
  const { queue, runs, begun } = fixture(2);
  const asked = ["hangs", "b", "c", "d"].map((key) => queue.ask(key, "a"));
  assertEquals(begun(), ["hangs:a", "b:a"]);
  runs[1].end();
  await settled();
  assertEquals(begun(), ["hangs:a", "b:a", "c:a"]);
  void queue.ask("c", "b");
  runs[2].end();
  await settled();
  assertEquals(begun().at(-1), "d:a");
  runs[3].end();
  await settled();
  assertEquals(begun().at(-1), "c:b");
  assertEquals(await Promise.all(asked.slice(1)), [2, 3, 4]);
});

Deno.test("CoalescingQueue.close() refuses what has not begun, and leaves no timer", async () => {
  const { clock, queue, runs } = fixture(1);
  const running = queue.ask("a", "a");
  const waiting = [queue.ask("a", "b"), queue.ask("b", "a")];
  queue.close();
  for (const promise of [...waiting, queue.ask("c", "a")]) {
    const error = await assertRejects(() => promise, SluiceError);
    assertEquals(error.code, "SHUTTING_DOWN");
  }
  runs[0].end();
  assertEquals([await running, runs.length, clock.timers], [1, 1, 0]);
});
