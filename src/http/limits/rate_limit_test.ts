import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { MINUTE_MS, RateLimiter, type TierLimit } from "./rate_limit.ts";
import type { Tier } from "./rate_tiers.ts";

const LIMITS = {
  high: { rpm: 3, burst: 0 },
  medium: { rpm: 8, burst: 2 },
  low: { rpm: 100, burst: 0 },
};

async function setUp(
  { medium = LIMITS.medium, maxCallers }: { medium?: TierLimit; maxCallers?: number } = {},
) {
  const clock = new FakeClock();
  const limited: Tier[] = [];
  const limiter = new RateLimiter({
    limits: { ...LIMITS, medium },
    clock,
    countLimited: (tier) => limited.push(tier),
    maxCallers,
  });
  /** Moves the clock to `part` of a minute that nobody has seen. */
  const nextMinute = (part = 0) => clock.tick(MINUTE_MS - clock.now() % MINUTE_MS + part * MINUTE_MS);
  await nextMinute();
  /** @returns 0 where they are let in, else the wait in seconds */
  const take = (tier: Tier, caller: string, count?: number, counted?: number): number => {
    try {
      limiter.take(tier, caller, count, counted);
      return 0;
    } catch (error) {
      if (!isError(error, "RATE_LIMITED")) throw error;
      return error.params.waitS as number;
    }
  };
  /** How many requests are let in now. */
  const room = (tier: Tier, caller: string) => {
    let count = 0;
    while (take(tier, caller) === 0) count++;
    return count;
  };
  return { clock, limiter, limited, nextMinute, take, room };
}

Deno.test("RateLimiter lets in RPM and BURST of a minute, for each caller and each tier by itself", async () => {
  const { room, limited } = await setUp();
  assertEquals([room("medium", "ann"), room("medium", "ann")], [10, 0]);
  assertEquals([room("medium", "bob"), room("high", "ann"), room("low", "ann")], [10, 3, 100]);
  assertEquals(limited, ["medium", "medium", "medium", "high", "low"]);
});

Deno.test("RateLimiter's minute slides: of the minute before counts what still lies in it", async () => {
  const { room, nextMinute, clock } = await setUp();
  assertEquals(room("medium", "ann"), 10);
  await nextMinute();
  assertEquals(room("medium", "ann"), 0);
  await clock.tick(MINUTE_MS / 2);
  assertEquals(room("medium", "ann"), 5);
  await nextMinute(0.2);
  // The 10 of two minutes before count no more, the 5 of the last one by four fifths.
  assertEquals(room("medium", "ann"), 6);
  await nextMinute();
  await nextMinute();
  assertEquals(room("medium", "ann"), 10);
});

Deno.test("RateLimiter tells when the request would be let in, and counts nothing of what it refuses", async () => {
  const { limiter, take, room, clock } = await setUp();
  room("medium", "ann");
  const error = assertThrows(() => limiter.take("medium", "ann"), SluiceError);
  assertEquals(
    error.message,
    "More than 10 requests in a minute (RATE_LIMIT_MEDIUM_RPM and _BURST); retry in 66 s",
  );
  // One of ten has faded after a tenth of the next minute.
  assertEquals(take("medium", "ann"), 66);
  await clock.tick(65_000);
  for (let i = 0; i < 100; i++) assertEquals(take("medium", "ann"), 1);
  await clock.tick(1_000);
  assertEquals([take("medium", "ann"), take("medium", "ann")], [0, 6]);
});

Deno.test("RateLimiter lets in after the wait that it names, and not a second before, whatever came", async () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 40_000 }),
    count: fc.integer({ min: 1, max: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 9 }),
      async (steps, count) => {
        const { clock, take, room } = await setUp();
        for (const { afterMs, count } of steps) {
          await clock.tick(afterMs);
          if (count <= 10) take("medium", "ann", count);
          else room("medium", "ann");
        }
        const waitS = take("medium", "ann", count);
        if (waitS === 0) return;
        await clock.tick((waitS - 1) * 1000);
        assert(take("medium", "ann", count) === 1, "a second before");
        await clock.tick(1000);
        assertEquals(take("medium", "ann", count), 0);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("RateLimiter counts a batch as its messages, all or none, less what was counted before", async () => {
  const { limiter, take, room } = await setUp();
  assertEquals(take("medium", "ann", 7), 0);
  assertEquals(take("medium", "ann"), 0);
  assertEquals(take("medium", "ann", 4, 1) > 0, true);
  assertEquals(take("medium", "ann", 3, 1), 0);
  assertEquals(room("medium", "ann"), 0);
  // Retrying would never help.
  const error = assertThrows(() => limiter.take("medium", "bob", 11, 1), SluiceError);
  assertEquals([error.code, error.params.limit], ["BATCH_TOO_LONG", 10]);
  assertEquals(take("medium", "bob", 10), 0);
});

Deno.test("RateLimiter forgets who does not count any more, and the earliest of too many", async () => {
  const { limiter, room, take, nextMinute, clock } = await setUp({ maxCallers: 3 });
  for (const caller of ["a", "b", "c"]) room("medium", caller);
  room("high", "a");
  assertEquals(limiter.size, 4);
  assertEquals(take("medium", "d"), 0);
  assertEquals([limiter.size, take("medium", "c") > 0], [4, true]);
  // "a" begins anew, in the place of "b".
  assertEquals([take("medium", "a"), limiter.size], [0, 4]);
  await nextMinute();
  limiter.sweep();
  assertEquals(limiter.size, 4);
  assertEquals(take("medium", "c") > 0, true);
  await clock.tick(MINUTE_MS);
  limiter.sweep();
  // Of "c", who was there lately, refused or not, more is remembered.
  assertEquals(limiter.size, 1);
  await clock.tick(MINUTE_MS);
  limiter.sweep();
  assertEquals(limiter.size, 0);
});

Deno.test("RateLimiter counts what the others have let in, and forgets none of it", async () => {
  const { limiter, room, take, nextMinute } = await setUp();
  take("medium", "ann", 2);
  const [current, previous] = limiter.takeNews();
  limiter.learn(current!, 5);
  limiter.learn(previous!, 0);
  take("medium", "ann");
  limiter.learn(current!, 1);
  assertEquals(room("medium", "ann"), 2);
  await nextMinute(0.5);
  // 5 of its own, 5 of theirs.
  assertEquals(room("medium", "ann"), 5);
});

Deno.test("RateLimiter takes a minute's late news of others into account when it is the one before", async () => {
  const { limiter, room, take, nextMinute } = await setUp();
  take("medium", "ann");
  const [count] = limiter.takeNews();
  await nextMinute(0.5);
  take("medium", "ann");
  limiter.learn(count!, 9);
  assertEquals(room("medium", "ann"), 4);
});

Deno.test("RateLimiter has news of whom it has let in, twice, and again where nobody was told", async () => {
  const { limiter, room, take, nextMinute } = await setUp();
  const names = () => limiter.takeNews().map(({ caller, own }) => `${caller} ${own}`);
  assertEquals(names(), []);
  take("medium", "ann");
  take("medium", "ann");
  take("low", "ann");
  assertEquals(names(), ["ann 2", "ann 0", "ann 1", "ann 0"]);
  take("low", "ann");
  assertEquals(names(), ["ann 2", "ann 0", "ann 2", "ann 0"]);
  assertEquals(names(), ["ann 2", "ann 0"]);
  assertEquals(names(), []);
  room("medium", "ann");
  names();
  const news = limiter.takeNews();
  assertEquals(room("medium", "ann"), 0);
  assertEquals(names(), []);
  limiter.keepNews(news);
  limiter.keepNews(news);
  await nextMinute();
  assertEquals(names(), ["ann 10", "ann 0"]);
});

Deno.test("RateLimiter has one count of a caller's minute to tell, also of one that it had forgotten", async () => {
  const { limiter, take } = await setUp({ maxCallers: 1 });
  take("medium", "ann", 3);
  take("medium", "bob", 3);
  take("medium", "ann", 2);
  assertEquals(limiter.takeNews().map(({ caller, own }) => [caller, own]), [["ann", 2], ["ann", 0]]);
});

Deno.test("RateLimiter tells what it has let in itself, of this minute and the one before", async () => {
  const { limiter, take, nextMinute, clock } = await setUp();
  const minute = clock.now() / MINUTE_MS;
  const own = (minute: number, caller = "ann") => limiter.ownOf({ tier: "medium", caller, minute });
  take("medium", "ann", 3);
  limiter.learn(limiter.takeNews()[0]!, 4);
  await nextMinute();
  take("medium", "ann", 2);
  assertEquals([own(minute - 1), own(minute), own(minute + 1), own(minute, "bob")], [0, 3, 2, 0]);
});

Deno.test("RateLimiter goes on in the minute that has begun when the clock is set back a little, else begins anew", () => {
  let now = 10 * MINUTE_MS;
  const clock = { now: () => now, setTimeout: () => 0, clearTimeout: () => {} };
  const limiter = new RateLimiter({ limits: LIMITS, clock, countLimited: () => {} });
  for (let i = 0; i < 10; i++) limiter.take("medium", "ann");
  now -= MINUTE_MS / 2;
  const error = assertThrows(() => limiter.take("medium", "ann"), SluiceError);
  assertEquals(error.params.waitS, 30 + 60 + 6);
  // An hour is no minute that anybody should wait for.
  now -= 60 * MINUTE_MS;
  limiter.take("medium", "ann");
});
