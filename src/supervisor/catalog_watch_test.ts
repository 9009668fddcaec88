import { assertEquals } from "@std/assert";
import { FakeClock, settled } from "../../tests/support/fake_clock.ts";
import { CatalogWatch } from "./catalog_watch.ts";

function setUp(version: string | null = "1") {
  const clock = new FakeClock();
  const store = { version };
  /** What the two workers have. */
  const workers = ["0", "0"];
  const calls = { reads: 0, refreshed: [] as string[] };
  const fails = new Set<number>();
  /** They read what they are told, and their answers are too late. */
  const late = new Set<number>();
  let gate: Promise<void> | null = null;
  const watch = new CatalogWatch({
    clock,
    workers: workers.length,
    minIntervalMs: 1_000,
    maxIntervalMs: 3_000,
    growth: 1.5,
    readVersion: async () => {
      calls.reads++;
      const { version } = store;
      await gate;
      return version;
    },
    refresh: (version) => {
      calls.refreshed.push(version);
      workers.forEach((_, i) => {
        if (!fails.has(i)) workers[i] = version;
      });
      return Promise.resolve(workers.filter((_, i) => !late.has(i)));
    },
  });
  return {
    clock,
    store,
    workers,
    calls,
    fails,
    late,
    watch,
    hold: (until: Promise<void> | null) => gate = until,
  };
}

Deno.test("CatalogWatch looks at POLL_INTERVAL after a change, and ever less often up to MAX_INTERVAL without one", async () => {
  const { clock, store, calls, watch } = setUp();
  const looksWithin = async (ms: number) => {
    const before = calls.reads;
    await clock.tick(ms);
    return calls.reads - before;
  };
  assertEquals(await looksWithin(999), 0);
  assertEquals(await looksWithin(1), 1); // finds version 1
  assertEquals(await looksWithin(999), 0);
  assertEquals(await looksWithin(1), 1); // the same: 1.5 s
  assertEquals([await looksWithin(1_499), await looksWithin(1)], [0, 1]);
  assertEquals([await looksWithin(2_249), await looksWithin(1)], [0, 1]);
  assertEquals([await looksWithin(2_999), await looksWithin(1)], [0, 1]);
  store.version = "2";
  assertEquals([await looksWithin(2_999), await looksWithin(1)], [0, 1]);
  assertEquals(calls.refreshed, ["1", "2"]);
  assertEquals(await looksWithin(1_000), 1);
  watch.stop();
  assertEquals([await looksWithin(60_000), clock.timers], [0, 0]);
});

Deno.test("CatalogWatch.look() looks at once, and once more where it is told so during a look", async () => {
  const { store, calls, workers, watch, hold } = setUp();
  const held = Promise.withResolvers<void>();
  hold(held.promise);
  watch.look();
  store.version = "2";
  for (let i = 0; i < 5; i++) watch.look();
  hold(null);
  held.resolve();
  await settled();
  assertEquals([calls.reads, calls.refreshed, workers], [2, ["1", "2"], ["2", "2"]]);
  watch.stop();
});

Deno.test("CatalogWatch asks again where a worker could not read the version", async () => {
  const { clock, calls, fails, workers, watch } = setUp();
  fails.add(1);
  await clock.tick(1_000);
  assertEquals(workers, ["1", "0"]);
  fails.clear();
  await clock.tick(1_000);
  assertEquals([workers, calls.refreshed], [["1", "1"], ["1", "1"]]);
  await clock.tick(60_000);
  assertEquals(calls.refreshed, ["1", "1"]);
  watch.stop();
});

Deno.test("CatalogWatch asks again where a worker has not answered, as it may not have read the version", async () => {
  const { clock, calls, fails, late, workers, watch } = setUp();
  fails.add(1);
  late.add(1);
  await clock.tick(1_000);
  assertEquals([workers, calls.refreshed], [["1", "0"], ["1"]]);
  fails.clear();
  late.clear();
  await clock.tick(1_000);
  assertEquals([workers, calls.refreshed], [["1", "1"], ["1", "1"]]);
  await clock.tick(60_000);
  assertEquals(calls.refreshed, ["1", "1"]);
  watch.stop();
});

Deno.test("CatalogWatch asks ever less often where a worker does not answer any more", async () => {
  const { clock, calls, late, watch } = setUp();
  late.add(1);
  await clock.tick(61_000);
  assertEquals([calls.refreshed.length < 30, calls.refreshed.length > 15], [true, true]);
  watch.stop();
});

Deno.test("CatalogWatch takes any other version, also that of a database that was restored", async () => {
  const { clock, store, workers, watch } = setUp("7");
  await clock.tick(1_000);
  store.version = "5";
  await clock.tick(1_000);
  assertEquals(workers, ["5", "5"]);
  watch.stop();
});

Deno.test("CatalogWatch waits for a store that cannot be read", async () => {
  const { clock, store, calls, workers, watch } = setUp(null);
  await clock.tick(20_000);
  assertEquals(calls.refreshed, []);
  store.version = "3";
  await clock.tick(3_000);
  assertEquals(workers, ["3", "3"]);
  watch.stop();
});
