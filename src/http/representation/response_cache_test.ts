import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type CacheStatus, type Representation, ResponseCache } from "./response_cache.ts";

function setUp({ maxEntries = 10, maxBytes = 1_000 } = {}) {
  const state = { version: 1, made: 0 };
  const counted: CacheStatus[] = [];
  const cache = new ResponseCache({
    version: () => Promise.resolve(state.version),
    maxEntries,
    maxBytes,
    count: (status) => counted.push(status),
  });
  const make = (length = 10): Promise<Representation> => {
    state.made++;
    return Promise.resolve({ bytes: new Uint8Array(length), etag: `"${state.made}"` });
  };
  /** How the key is answered, and by which making. */
  const ask = async (key: string, length?: number) => {
    const { representation, status } = await cache.answer(key, () => make(length));
    return [status, representation.etag];
  };
  return { cache, state, counted, ask };
}

Deno.test("ResponseCache.answer() makes an answer once for each key and version", async () => {
  const { state, counted, ask } = setUp();
  assertEquals(await ask("a"), ["MISS", '"1"']);
  assertEquals(await ask("a"), ["HIT", '"1"']);
  assertEquals(await ask("b"), ["MISS", '"2"']);
  state.version++;
  assertEquals(await ask("a"), ["MISS", '"3"']);
  assertEquals(await ask("b"), ["MISS", '"4"']);
  assertEquals(counted, ["MISS", "HIT", "MISS", "MISS", "MISS"]);
});

Deno.test("ResponseCache.answer() keeps nothing that was being made when a change was heard of", async () => {
  const { cache, state, ask } = setUp();
  const slow = Promise.withResolvers<Representation>();
  const begun = Promise.withResolvers<void>();
  const asked = cache.answer("a", () => (begun.resolve(), slow.promise));
  await begun.promise;
  state.version++;
  // Another is made and kept while the slow one is under way.
  assertEquals(await ask("b"), ["MISS", '"1"']);
  slow.resolve({ bytes: new Uint8Array(1), etag: '"old"' });
  assertEquals((await asked).representation.etag, '"old"');
  assertEquals(await ask("a"), ["MISS", '"2"']);
  assertEquals(await ask("b"), ["HIT", '"1"']);
});

Deno.test("ResponseCache.answer() gives nothing that was kept before a question was asked that overtook a later one", async () => {
  const state = { asked: [] as PromiseWithResolvers<number>[] };
  const cache = new ResponseCache({
    version: () => {
      state.asked.push(Promise.withResolvers<number>());
      return state.asked.at(-1)!.promise;
    },
    maxEntries: 10,
    maxBytes: 1_000,
    count: () => {},
  });
  const representation = (etag: string) => ({ bytes: new Uint8Array(1), etag });
  const early = cache.answer("a", () => Promise.resolve(representation("1")));
  const late = cache.answer("a", () => Promise.resolve(representation("2")));
  state.asked[1]!.resolve(2);
  assertEquals((await late).status, "MISS");
  state.asked[0]!.resolve(1);
  assertEquals((await early).status, "MISS");
  const third = cache.answer("a", () => Promise.resolve(representation("3")));
  state.asked[2]!.resolve(2);
  assertEquals((await third).representation.etag, "3");
});

Deno.test("ResponseCache.answer() gives nothing where nobody can say which version the data has", async () => {
  const { cache, ask } = setUp();
  await ask("a");
  const away = new ResponseCache({
    version: () => Promise.reject(new Error("away")),
    maxEntries: 1,
    maxBytes: 100,
    count: () => {},
  });
  await assertRejects(() => away.answer("a", () => Promise.reject(new Error("not asked"))), Error, "away");
  assertEquals(cache.size, 1);
});

Deno.test("ResponseCache.answer() keeps no failure", async () => {
  const { cache, ask } = setUp();
  await assertRejects(() => cache.answer("a", () => Promise.reject(new Error("away"))), Error, "away");
  assertEquals([cache.size, cache.bytes], [0, 0]);
  assertEquals(await ask("a"), ["MISS", '"1"']);
});

Deno.test("ResponseCache lets the least recently used go when there are too many", async () => {
  const { ask } = setUp({ maxEntries: 2 });
  await ask("a");
  await ask("b");
  await ask("a");
  await ask("c");
  assertEquals((await ask("a"))[0], "HIT");
  assertEquals((await ask("b"))[0], "MISS");
});

Deno.test("ResponseCache keeps nothing that is larger than all that it may keep, and lets nothing else go for it", async () => {
  const { ask } = setUp({ maxBytes: 100 });
  await ask("a");
  await ask("b", 101);
  assertEquals((await ask("b", 101))[0], "MISS");
  assertEquals((await ask("a"))[0], "HIT");
});

Deno.test("ResponseCache never holds more than its entries and bytes, and counts what it holds, in whatever order it is asked", async () => {
  const question = fc.record({
    key: fc.constantFrom("a", "bb", "ccc", "dddd", "e"),
    length: fc.nat(60),
    /** Others who ask the same at the same time. */
    others: fc.nat(2),
    isChange: fc.nat(9).map((n) => n === 0),
  });
  await fc.assert(fc.asyncProperty(fc.array(question, { maxLength: 40 }), async (questions) => {
    const { cache, state, ask } = setUp({ maxEntries: 3, maxBytes: 100 });
    const held = new Map<string, number>();
    for (const { key, length, others, isChange } of questions) {
      if (isChange) {
        state.version++;
        held.clear();
      }
      const answers = await Promise.all(Array.from({ length: 1 + others }, () => ask(key, length)));
      if (answers[0][0] === "MISS") held.set(key, length + 2 * key.length);
      else assert(held.has(key), "a hit on what was never kept");
      assert(cache.size <= 3 && cache.bytes <= 100, `${cache.size} entries, ${cache.bytes} bytes`);
      assert(cache.bytes <= [...held.values()].reduce((sum, each) => sum + each, 0));
      if (cache.size === 0) assertEquals(cache.bytes, 0);
    }
  }));
});
