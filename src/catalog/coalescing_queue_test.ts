import { assert, assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { FakeClock, settled } from "../../tests/support/fake_clock.ts";
import { Turns } from "./coalescing_queue.ts";

/** Runs that last until a test ends them; a wish is a list of letters. */
function fixture(maxAtOnce = 10, lastsMs: number | null = null) {
  const clock = new FakeClock();
  const runs: { key: string; wish: string; at: number; end: (error?: Error) => void }[] = [];
  const startedAt = clock.now();
  const turns = new Turns<string, number>({
    clock,
    maxAtOnce,
    run: (key, wish) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const number = runs.length + 1;
      const end = (error?: Error) => error === undefined ? resolve(number) : reject(error);
      runs.push({ key, wish, at: clock.now() - startedAt, end });
      if (lastsMs !== null) clock.setTimeout(() => end(), lastsMs);
      return promise;
    },
    merge: (one, other) => [...new Set(one + other)].sort().join(""),
  });
  const begun = () => runs.map(({ key, wish }) => `${key}:${wish}`);
  return { clock, turns, runs, begun };
}

Deno.test("Turns.ask(): what comes during a run shares one run after it, with all wishes", async () => {
  const { turns, runs, begun } = fixture();
  const first = turns.ask("k", "a");
  const later = [turns.ask("k", "b"), turns.ask("k", "c"), turns.ask("k", "b", { isGentle: true })];
  assertEquals(begun(), ["k:a"]);
  runs[0].end();
  assertEquals(await first, 1);
  await settled();
  assertEquals(begun(), ["k:a", "k:bc"]);
  runs[1].end();
  assertEquals(await Promise.all(later), [2, 2, 2]);
});

Deno.test("Turns.ask(): a failed run fails those who waited for it, and the next run goes on", async () => {
  const { turns, runs } = fixture();
  const first = turns.ask("k", "a");
  const second = turns.ask("k", "b");
  runs[0].end(new Error("no"));
  await assertRejects(() => first, Error, "no");
  await settled();
  runs[1].end();
  assertEquals(await second, 2);
});

Deno.test("Turns.ask(): a gentle burst costs two runs, the first at once, the second soon after the burst", async () => {
  const { clock, turns, runs } = fixture(10, 10);
  for (let i = 0; i < 100; i++) {
    void turns.ask("k", "a", { isGentle: true });
    if (i === 0) assertEquals(runs.length, 1);
    if (i % 4 === 0) await clock.tick(1);
  }
  const lastAt = 25;
  await clock.tick(1_000);
  assertEquals(runs.length, 2);
  assert(runs[1].at > lastAt && runs[1].at <= lastAt + 100, `the second began at ${runs[1].at} ms`);
});

Deno.test("Turns.ask(): a gentle flood runs ever more rarely, and is forgotten once it is over", async () => {
  const { clock, turns, runs } = fixture(10, 10);
  for (let ms = 0; ms < 60_000; ms += 20) {
    void turns.ask("k", "a", { isGentle: true });
    await clock.tick(20);
  }
  assert(runs.length < 22, `${runs.length} runs in a minute`);
  assert(runs.length > 12, `${runs.length} runs in a minute`);
  await clock.tick(20_000);
  const before = runs.length;
  void turns.ask("k", "a", { isGentle: true });
  assertEquals(runs.length, before + 1);
  await clock.tick(15);
  void turns.ask("k", "a", { isGentle: true });
  await clock.tick(60);
  assertEquals(runs.length, before + 2);
});

Deno.test("Turns.ask() in a hurry ends a gentle one's pause", async () => {
  const { clock, turns, runs } = fixture(10, 10);
  for (let i = 0; i < 200; i++) {
    void turns.ask("k", "a", { isGentle: true });
    await clock.tick(20);
  }
  const before = runs.length;
  const hasty = turns.ask("k", "b");
  assertEquals([runs.length, runs.at(-1)!.wish], [before + 1, "ab"]);
  await clock.tick(10);
  assertEquals(await hasty, before + 1);
});

Deno.test("Turns.ask(): at most so many keys at once, the first come first; one that hangs keeps one place", async () => {
  const { turns, runs, begun } = fixture(2);
  const asked = ["hangs", "b", "c", "d"].map((key) => turns.ask(key, "a"));
  assertEquals(begun(), ["hangs:a", "b:a"]);
  runs[1].end();
  await settled();
  assertEquals(begun(), ["hangs:a", "b:a", "c:a"]);
  void turns.ask("c", "b");
  runs[2].end();
  await settled();
  assertEquals(begun().at(-1), "d:a");
  runs[3].end();
  await settled();
  assertEquals(begun().at(-1), "c:b");
  assertEquals(await Promise.all(asked.slice(1)), [2, 3, 4]);
});

Deno.test("Turns.close() refuses what has not begun, and leaves no timer", async () => {
  const { clock, turns, runs } = fixture(1);
  const running = turns.ask("a", "a");
  const waiting = [turns.ask("a", "b"), turns.ask("b", "a")];
  turns.close();
  for (const promise of [...waiting, turns.ask("c", "a")]) {
    const error = await assertRejects(() => promise, SluiceError);
    assertEquals(error.code, "SHUTTING_DOWN");
  }
  runs[0].end();
  assertEquals([await running, runs.length, clock.timers], [1, 1, 0]);
});
