// What a cache promises, wherever it keeps its records: every implementation runs this one suite.
import { assertEquals } from "@std/assert";
import type { Cache } from "../../src/cache/cache.ts";
import { type Database, sql } from "../../src/store/sql/sql.ts";

/** A cache of its own for one test. */
export interface FreshCache {
  readonly cache: Cache;
  /** What another worker or replica has with the same settings. */
  readonly other: Cache;
  /** Lets time pass for the records. */
  pass(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

/** Lets time pass for records in a database, which go by its own clock. */
export async function agedBy(database: Database, ms: number): Promise<void> {
  await database.run(sql`UPDATE cache_records SET expires_at = expires_at - ${ms}`);
}

const MINUTE_MS = 60_000;

/** Runs it on a machine whose clock is ahead. */
async function ahead<T>(ms: number, run: () => Promise<T>): Promise<T> {
  const now = Date.now;
  Date.now = () => now() + ms;
  try {
    return await run();
  } finally {
    Date.now = now;
  }
}

/** The suite's tests, for `Deno.test` in the test's own file. @param name of the implementation, for the tests' names */
export function cacheContract(
  name: string,
  open: () => Promise<FreshCache>,
  { ignore = false, expiresAlone = false, isShared = true } = {},
): Deno.TestDefinition[] {
  const tests: Deno.TestDefinition[] = [];
  const test = (criterion: string, run: (fresh: FreshCache) => Promise<void>) =>
    tests.push({
      name: `Cache, ${name}: ${criterion}`,
      ignore,
      fn: async () => {
        const fresh = await open();
        try {
          await run(fresh);
        } finally {
          await fresh.dispose();
        }
      },
    });

  test("get() gives what was put last, and null for what was never there", async ({ cache }) => {
    assertEquals(await cache.get("a:1"), null);
    await cache.put("a:1", '{"x":1}', MINUTE_MS);
    await cache.put("a:1", '{"text":"ü \'quoted\' \\u0000"}', MINUTE_MS);
    await cache.put("a:2", "2", MINUTE_MS);
    assertEquals([await cache.get("a:1"), await cache.get("a:2")], ['{"text":"ü \'quoted\' \\u0000"}', "2"]);
    assertEquals(await cache.get("A:1"), null);
  });

  test("delete() says whether there was a record", async ({ cache }) => {
    await cache.put("a", "1", MINUTE_MS);
    assertEquals([await cache.delete("a"), await cache.delete("a"), await cache.get("a")], [
      true,
      false,
      null,
    ]);
  });

  test("a record is gone after its time, counted from the last put()", async ({ cache, pass }) => {
    await cache.put("short", "1", 200);
    await cache.put("long", "1", 200);
    await cache.put("long", "2", MINUTE_MS);
    await pass(300);
    assertEquals([await cache.get("short"), await cache.get("long")], [null, "2"]);
    assertEquals((await cache.list("")).map(({ key }) => key), ["long"]);
    assertEquals(await cache.delete("short"), false);
  });

  test("compareAndSet() keeps a value only in place of the one expected, or of none", async ({ cache, pass }) => {
    assertEquals(await cache.compareAndSet("a", "0", "1", MINUTE_MS), false);
    assertEquals(await cache.get("a"), null);
    assertEquals(await cache.compareAndSet("a", null, "1", 500), true);
    assertEquals(await cache.compareAndSet("a", null, "2", MINUTE_MS), false);
    assertEquals(await cache.compareAndSet("a", "0", "2", MINUTE_MS), false);
    assertEquals(await cache.get("a"), "1");
    // Who keeps what is there already gives it more time.
    assertEquals(await cache.compareAndSet("a", "1", "1", 1_500), true);
    await pass(700);
    assertEquals(await cache.get("a"), "1");
    assertEquals(await cache.compareAndSet("a", "1", "2", 200), true);
    await pass(300);
    assertEquals(await cache.compareAndSet("a", "2", "3", MINUTE_MS), false);
    assertEquals(await cache.compareAndSet("a", null, "4", MINUTE_MS), true);
    assertEquals(await cache.get("a"), "4");
  });

  if (isShared) {
    test("replicas whose clocks differ see the same records", async ({ cache, other }) => {
      await cache.put("a", "1", MINUTE_MS);
      const [seen, taken, swept] = await ahead(60 * MINUTE_MS, async () => [
        await other.get("a"),
        await other.compareAndSet("a", null, "2", MINUTE_MS),
        await other.sweep(),
      ]);
      assertEquals([seen, taken, swept], ["1", false, 0]);
      // What it keeps there has its time, no more.
      await ahead(-60 * MINUTE_MS, () => other.put("b", "1", MINUTE_MS));
      assertEquals(await cache.get("b"), "1");
    });
  }

  test("of many compareAndSet() at once one is kept", async ({ cache, other }) => {
    const caches = isShared ? [cache, other] : [cache];
    for (const expected of [null, "first"]) {
      const values = Array.from({ length: 20 }, (_, i) => `${expected}${i}`);
      const kept = await Promise.all(
        values.map((value, i) => caches[i % caches.length]!.compareAndSet("a", expected, value, MINUTE_MS)),
      );
      assertEquals(kept.filter((won) => won).length, 1);
      assertEquals(await cache.get("a"), values[kept.indexOf(true)]);
      await cache.put("a", "first", MINUTE_MS);
    }
  });

  test("add() raises counters that begin at 0, and only reads those that it adds 0 to", async ({ cache }) => {
    assertEquals(await cache.add([], MINUTE_MS), []);
    const first = [{ key: "b", by: 2 }, { key: "nothing", by: 0 }, { key: "a", by: 1 }];
    assertEquals(await cache.add(first, MINUTE_MS), [2, 0, 1]);
    assertEquals(await cache.add([{ key: "a", by: 40 }, { key: "b", by: 0 }], MINUTE_MS), [41, 2]);
    assertEquals(await cache.list(""), [{ key: "a", value: "41" }, { key: "b", value: "2" }]);
  });

  test("add() keeps a counter for its time from what was last added, and begins anew after it", async ({ cache, pass }) => {
    const add = async (by: number, ttlMs: number) => (await cache.add([{ key: "a", by }], ttlMs))[0];
    await add(1, 500);
    assertEquals(await add(2, 1_500), 3);
    await pass(700);
    // To look at it keeps it no longer.
    assertEquals(await add(0, MINUTE_MS), 3);
    await pass(1_000);
    assertEquals(await add(0, MINUTE_MS), 0);
    assertEquals(await add(4, MINUTE_MS), 4);
  });

  test("add() loses nothing of what many add at once, to many counters in any order", async ({ cache, other }) => {
    const caches = isShared ? [cache, other] : [cache];
    const keys = Array.from({ length: 100 }, (_, i) => `counter:${i}`);
    const rounds = Array.from({ length: 20 }, (_, round) => round);
    await Promise.all(rounds.map((round) => {
      const order = round % 3 === 0 ? keys.toReversed() : keys;
      return caches[round % caches.length]!.add(order.map((key) => ({ key, by: round + 1 })), MINUTE_MS);
    }));
    const sums = await cache.add(keys.map((key) => ({ key, by: 0 })), MINUTE_MS);
    assertEquals([...new Set(sums)], [rounds.length * (rounds.length + 1) / 2]);
  });

  test("list() gives the live records with a prefix, by key, whatever characters it has", async ({ cache }) => {
    const keys = ["replica:b", "replica:a", "replica:B", "replicas", "Replica:c", "repl*:x", "repl[a]:x"];
    for (const key of keys) await cache.put(key, JSON.stringify(key), MINUTE_MS);
    const listed = async (prefix: string) => (await cache.list(prefix)).map(({ key }) => key);
    assertEquals(await cache.list("replica:"), [
      { key: "replica:B", value: '"replica:B"' },
      { key: "replica:a", value: '"replica:a"' },
      { key: "replica:b", value: '"replica:b"' },
    ]);
    assertEquals([await listed("repl*"), await listed("repl[a]"), await listed("x")], [
      ["repl*:x"],
      ["repl[a]:x"],
      [],
    ]);
    assertEquals((await listed("")).length, keys.length);
  });

  test("list() finds all of several thousand records", async ({ cache }) => {
    const keys = Array.from({ length: 3_000 }, (_, i) => `many:${i}`);
    await Promise.all(keys.map((key) => cache.put(key, "{}", MINUTE_MS)));
    await cache.put("other", "{}", MINUTE_MS);
    assertEquals((await cache.list("many:")).length, keys.length);
  });

  test("sweep() frees what has expired and nothing else", async ({ cache, pass }) => {
    await cache.put("a", "1", 100);
    await cache.put("b", "1", 100);
    await cache.put("c", "1", MINUTE_MS);
    await pass(200);
    assertEquals([await cache.sweep(), await cache.sweep()], expiresAlone ? [0, 0] : [2, 0]);
    assertEquals((await cache.list("")).map(({ key }) => key), ["c"]);
  });

  const who = isShared ? "everybody" : "nobody else";
  test(`${who} sees and deletes what one has written`, async ({ cache, other }) => {
    await cache.put("a", "1", MINUTE_MS);
    assertEquals(await other.get("a"), isShared ? "1" : null);
    assertEquals(await other.delete("a"), isShared);
    assertEquals(await cache.get("a"), isShared ? null : "1");
  });
  return tests;
}
