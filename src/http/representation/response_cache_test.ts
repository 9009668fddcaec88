import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type CacheStatus, type Representation, ResponseCache } from "./response_cache.ts";

interface Asking {
  readonly length?: number;
  readonly freshMs?: number;
  readonly isKept?: boolean;
}

function setUp({ maxBytes = 100_000 } = {}) {
  const time = { ms: 0 };
  const state = { version: 1, isKnown: true, made: 0 };
  const counted: CacheStatus[] = [];
  const cache = new ResponseCache({
    version: () => Promise.resolve(state.isKnown ? `${state.version}` : null),
    clock: { now: () => time.ms },
    maxBytes,
    count: (status) => counted.push(status),
  });
  /** How the key is answered, and by which making. */
  const ask = async (key: string, { length = 10, freshMs = Infinity, isKept = true }: Asking = {}) => {
    const make = () => {
      const etag = `"${++state.made}"`;
      return Promise.resolve({
        representation: { bytes: new Uint8Array(length), coding: null, etag },
        isKept,
      });
    };
    const { representation, status } = await cache.answer({ key, caller: "ann", make, freshMs });
    return [status, representation.etag];
  };
  return { cache, time, state, counted, ask };
}

/** A making that waits. */
function slow() {
  const made = Promise.withResolvers<{ representation: Representation; isKept: boolean }>();
  const begun = Promise.withResolvers<void>();
  const make = () => (begun.resolve(), made.promise);
  const finish = (etag: string, isKept = true) =>
    made.resolve({ representation: { bytes: new Uint8Array(1), coding: null, etag }, isKept });
  return { make, begun: begun.promise, finish, fail: made.reject };
}

const never = () => Promise.reject(new Error("asked for nothing"));

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

Deno.test("ResponseCache.answer() makes one answer for all who ask at the same time, and none is older than its question", async () => {
  const { cache, state, ask } = setUp();
  const first = slow();
  const freshMs = Infinity;
  const asked = [0, 1, 2].map((i) =>
    cache.answer({ caller: "ann", key: "a", make: i === 0 ? first.make : never, freshMs })
  );
  await first.begun;
  // The others wait for the first one's answer.
  for (let i = 0; i < 20; i++) await Promise.resolve();
  state.version++;
  // Who asks after a change does not wait for an answer that began before it.
  assertEquals(await ask("a"), ["MISS", '"1"']);
  first.finish('"old"');
  assertEquals(
    (await Promise.all(asked)).map(({ status, representation }) => [status, representation.etag]),
    [["MISS", '"old"'], ["HIT", '"old"'], ["HIT", '"old"']],
  );
  assertEquals(await ask("a"), ["HIT", '"1"']);
});

Deno.test("ResponseCache.answer() lets each make its own where another's fails, or is for the other alone", async () => {
  for (const end of ["fails", "is not kept"]) {
    const { cache, ask } = setUp();
    const first = slow();
    const asked = cache.answer({ caller: "ann", key: "a", make: first.make, freshMs: Infinity });
    await first.begun;
    const other = ask("a");
    if (end === "fails") first.fail(new Error("away"));
    else first.finish('"first"', false);
    if (end === "fails") await assertRejects(() => asked, Error, "away");
    else assertEquals((await asked).representation.etag, '"first"');
    assertEquals(await other, ["MISS", '"1"']);
    assertEquals([cache.size, cache.bytes], [0, 0]);
  }
});

Deno.test("ResponseCache.answer() gives an old answer while one new one is made, and none that is older than twice its time", async () => {
  const { cache, time, state, counted, ask } = setUp();
  const freshMs = 5_000;
  assertEquals(await ask("a", { freshMs }), ["MISS", '"1"']);
  time.ms += 4_999;
  assertEquals(await ask("a", { freshMs }), ["HIT", '"1"']);
  time.ms += 1;
  const next = slow();
  assertEquals((await cache.answer({ caller: "ann", key: "a", make: next.make, freshMs })).status, "STALE");
  assertEquals((await cache.answer({ caller: "ann", key: "a", make: never, freshMs })).status, "STALE");
  next.finish('"2"');
  await next.begun;
  state.made = 2;
  let status;
  while (status !== "HIT") [status] = await ask("a", { freshMs });
  assertEquals(await ask("a", { freshMs }), ["HIT", '"2"']);
  time.ms += 10_000;
  assertEquals(await ask("a", { freshMs }), ["MISS", '"3"']);
  // A failure in the background reaches nobody, and a change of the data makes every answer old.
  time.ms += 5_000;
  assertEquals((await cache.answer({ caller: "ann", key: "a", make: never, freshMs })).status, "STALE");
  state.version++;
  assertEquals(await ask("a", { freshMs }), ["MISS", '"4"']);
  assertEquals(new Set(counted), new Set(["MISS", "HIT", "STALE"]));
});

Deno.test("ResponseCache.answer() makes a new answer after the clock was set back", async () => {
  const { time, ask } = setUp();
  time.ms += 3_600_000;
  await ask("a", { freshMs: 5_000 });
  time.ms -= 3_600_000;
  assertEquals(await ask("a", { freshMs: 5_000 }), ["MISS", '"2"']);
});

Deno.test("ResponseCache.answer() keeps nothing that was being made when a change was heard of", async () => {
  const { cache, state, ask } = setUp();
  const old = slow();
  const asked = cache.answer({ caller: "ann", key: "a", make: old.make, freshMs: Infinity });
  await old.begun;
  state.version++;
  // Another is made and kept while the slow one is under way.
  assertEquals(await ask("b"), ["MISS", '"1"']);
  old.finish('"old"');
  assertEquals((await asked).representation.etag, '"old"');
  assertEquals(await ask("a"), ["MISS", '"2"']);
  assertEquals(await ask("b"), ["HIT", '"1"']);
});

Deno.test("ResponseCache.answer() asks for the version once for all who came meanwhile, after each of them", async () => {
  const readings: PromiseWithResolvers<string | null>[] = [];
  const cache = new ResponseCache({
    version: () => {
      readings.push(Promise.withResolvers<string | null>());
      return readings.at(-1)!.promise;
    },
    clock: { now: () => 0 },
    maxBytes: 10_000,
    count: () => {},
  });
  let made = 0;
  const ask = async () => {
    const representation = { bytes: new Uint8Array(1), coding: null, etag: String(++made) };
    const make = () => Promise.resolve({ representation, isKept: true });
    return (await cache.answer({ caller: "ann", key: "a", make, freshMs: Infinity })).representation.etag;
  };
  const first = ask();
  const later = [ask(), ask(), ask()];
  assertEquals(readings.length, 1);
  readings[0]!.resolve("1");
  assertEquals(await first, "1");
  while (readings.length < 2) await Promise.resolve();
  // The data has changed after the first reading, and before the second.
  readings[1]!.resolve("2");
  assertEquals(await Promise.all(later), ["2", "2", "2"]);
  assertEquals(readings.length, 2);
  const failing = ask();
  readings[2]!.reject(new Error("away"));
  await assertRejects(() => failing, Error, "away");
  const last = ask();
  readings[3]!.resolve("2");
  assertEquals(await last, "2");
});

Deno.test("ResponseCache.answer() keeps nothing where nobody can say which version the data has", async () => {
  const { cache, state, ask } = setUp();
  state.isKnown = false;
  assertEquals(await ask("a"), ["MISS", '"1"']);
  assertEquals(await ask("a"), ["MISS", '"2"']);
  assertEquals(cache.size, 0);
});

Deno.test("ResponseCache.answer() keeps no failure, and no answer for one request alone", async () => {
  const { cache, ask } = setUp();
  await assertRejects(
    () => cache.answer({ caller: "ann", key: "a", make: never, freshMs: 1 }),
    Error,
    "asked for nothing",
  );
  await ask("b", { isKept: false });
  assertEquals([cache.size, cache.bytes], [0, 0]);
  assertEquals(await ask("a"), ["MISS", '"2"']);
});

Deno.test("ResponseCache keeps nothing that is larger than all that it may keep, and lets nothing else go for it", async () => {
  const { ask } = setUp({ maxBytes: 2_000 });
  await ask("a");
  await ask("b", { length: 2_001 });
  assertEquals((await ask("b", { length: 2_001 }))[0], "MISS");
  assertEquals((await ask("a"))[0], "HIT");
});

Deno.test("ResponseCache never holds more than its bytes, drops the least recently used, and counts what it holds", async () => {
  const question = fc.record({
    key: fc.constantFrom("a", "bb", "ccc", "dddd", "e"),
    length: fc.nat(400),
    /** Others who ask the same at the same time. */
    others: fc.nat(2),
    isChange: fc.nat(9).map((n) => n === 0),
  });
  await fc.assert(fc.asyncProperty(fc.array(question, { maxLength: 40 }), async (questions) => {
    const { cache, state, ask } = setUp({ maxBytes: 2_000 });
    let last: string | null = null;
    const held = new Set<string>();
    for (const { key, length, others, isChange } of questions) {
      if (isChange) {
        state.version++;
        held.clear();
        last = null;
      }
      const answers = await Promise.all(Array.from({ length: 1 + others }, () => ask(key, { length })));
      if (key === last) assertEquals(answers[0]![0], "HIT");
      if (answers[0]![0] === "HIT") assert(held.has(key), "a hit on what was never kept");
      assert(answers.slice(1).every(([status]) => status === "HIT"));
      assert(cache.bytes <= 2_000 && cache.bytes >= 500 * cache.size, `${cache.bytes} of ${cache.size}`);
      held.add(last = key);
    }
  }));
});
