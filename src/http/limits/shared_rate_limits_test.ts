import { assertEquals, assertThrows } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MemorySink } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Cache } from "../../cache/cache.ts";
import { MemoryCache } from "../../cache/memory_cache.ts";
import { MINUTE_MS } from "./rate_limit.ts";
import { createLog } from "../../telemetry/log.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { type RateLimitParts, RateLimits, SHARE_EVERY_MS } from "./shared_rate_limits.ts";

const CONFIG = {
  rateLimitingEnabled: true,
  rateLimitHighRpm: 3,
  rateLimitHighBurst: 0,
  rateLimitMediumRpm: 10,
  rateLimitMediumBurst: 0,
  rateLimitLowRpm: 10,
  rateLimitLowBurst: 0,
};

interface Given {
  readonly cacheType?: "redis" | "database" | "memory" | "none";
  readonly cache?: (clock: FakeClock) => Pick<Cache, "add">;
}

/** Two workers that count together. */
async function two({ cacheType = "redis", cache = (clock) => new MemoryCache(clock) }: Given = {}) {
  const clock = new FakeClock();
  const sink = new MemorySink();
  const shared = cache(clock);
  const workers: RateLimits[] = [];
  let questions = 0;
  const readWorkers: RateLimitParts["readWorkers"] = (names) => {
    questions++;
    return Promise.resolve([...workers.map((worker) => worker.ownOf(names)), null]);
  };
  const log = createLog({ level: "INFO", format: "json", sink });
  for (const _ of [0, 1]) {
    const metrics = new Metrics();
    workers.push(new RateLimits({ config: { ...CONFIG, cacheType }, clock, log, metrics, readWorkers }));
  }
  for (const worker of workers) worker.shareOver(shared);
  await clock.tick(MINUTE_MS - clock.now() % MINUTE_MS);
  const [one, other] = workers as [RateLimits, RateLimits];
  return {
    ...{ one, other, clock },
    share: () => clock.tick(SHARE_EVERY_MS),
    /** How many of a caller's requests a worker lets in now. */
    room: ({ limiter }: RateLimits, caller = "ann") => {
      for (let count = 0;; count++) {
        try {
          limiter.take("medium", caller);
        } catch {
          return count;
        }
      }
    },
    take: ({ limiter }: RateLimits, count: number, caller = "ann") => limiter.take("medium", caller, count),
    logged: () => sink.lines.map((line) => JSON.parse(line).event),
    questions: () => questions,
    close: () => workers.forEach((worker) => worker.close()),
  };
}

for (const cacheType of ["redis", "database", "memory", "none"] as const) {
  Deno.test(`RateLimits, CACHE_TYPE=${cacheType}: workers learn of each other's requests, whoever is asked`, async () => {
    const { one, other, take, room, share, close, clock } = await two({ cacheType });
    take(one, 4);
    take(other, 1);
    await share();
    take(other, 1);
    take(one, 1, "bob");
    await share();
    assertEquals([room(other), room(other, "bob")], [4, 10]);
    take(one, 1);
    await share();
    await share();
    // 11 were let in before they knew: now neither lets in any more.
    assertEquals([room(one), room(other)], [0, 0]);
    await clock.tick(MINUTE_MS * 1.5 - clock.now() % MINUTE_MS);
    assertEquals([room(one), room(other, "bob")], [4, 4]);
    close();
  });
}

Deno.test("RateLimits tells a worker that sees a caller first what others let in during the minute before", async () => {
  const { one, other, take, room, share, close, clock } = await two();
  take(one, 10);
  await share();
  await clock.tick(MINUTE_MS - SHARE_EVERY_MS);
  take(other, 1);
  await share();
  assertEquals(room(other), 0);
  close();
});

Deno.test("RateLimits asks nobody while nobody is let in", async () => {
  const { one, take, room, clock, close, questions } = await two({ cacheType: "memory" });
  await clock.tick(10 * SHARE_EVERY_MS);
  assertEquals(questions(), 0);
  take(one, 10);
  await clock.tick(SHARE_EVERY_MS);
  assertEquals(questions(), 1);
  // Once more, for what others let in at the same time.
  await clock.tick(SHARE_EVERY_MS);
  assertEquals(questions(), 2);
  for (let i = 0; i < 10; i++) {
    assertEquals(room(one), 0);
    await clock.tick(SHARE_EVERY_MS);
  }
  assertEquals(questions(), 2);
  close();
});

Deno.test("RateLimits goes on where the cache is away, says so once, and tells all when it is back", async () => {
  let isAway = true;
  const { one, other, take, room, share, close, logged } = await two({
    cache: (clock) => {
      const cache = new MemoryCache(clock);
      return {
        add: (...args) => isAway ? Promise.reject(new SluiceError("CACHE_UNAVAILABLE")) : cache.add(...args),
      };
    },
  });
  take(one, 3);
  take(other, 4);
  for (let i = 0; i < 3; i++) await share();
  take(one, 2);
  assertEquals(logged(), Array(2).fill("rate limits are not shared: each worker counts alone"));
  isAway = false;
  await share();
  take(one, 1);
  await share();
  assertEquals(room(one), 0);
  assertEquals(logged().slice(2), Array(2).fill("rate limits are shared with the other workers again"));
  close();
});

Deno.test("RateLimits keeps what it knows where the cache comes back empty", async () => {
  let cache: Cache;
  const { one, other, take, room, share, close } = await two({
    cache: (clock) => {
      cache = new MemoryCache(clock);
      return { add: (...args) => cache.add(...args) };
    },
  });
  take(one, 4);
  await share();
  take(other, 4);
  await share();
  for (const { key } of await cache!.list("")) await cache!.delete(key);
  take(other, 1);
  await share();
  assertEquals(room(other), 1);
  close();
});

Deno.test("RateLimits shares the counts of thousands in steps, under names that tell nobody's", async () => {
  const steps: number[] = [];
  const keys = new Set<string>();
  const { one, other, take, room, share, close } = await two({
    cache: (clock) => {
      const cache = new MemoryCache(clock);
      return {
        add: (increments, ttlMs) => {
          steps.push(increments.length);
          for (const { key } of increments) keys.add(key);
          return cache.add(increments, ttlMs);
        },
      };
    },
  });
  for (let i = 0; i < 1_200; i++) take(one, 10, `mcpgateway\nüser ${i}@example.com`);
  await share();
  assertEquals(steps, [1_000, 1_000, 400]);
  assertEquals([...keys].filter((key) => !/^rate:medium:[0-9a-f]{32}:\d+$/.test(key)), []);
  assertEquals(keys.size, 2_400);
  const last = "mcpgateway\nüser 1199@example.com";
  take(other, 1, last);
  await share();
  assertEquals(room(other, last), 0);
  close();
});

Deno.test("RateLimits counts what it refuses by tier", () => {
  const metrics = new Metrics();
  const clock = new FakeClock();
  const log = createLog({ level: "INFO", format: "json", sink: new MemorySink() });
  const config = { ...CONFIG, cacheType: "none" } as const;
  const readWorkers = () => Promise.resolve([]);
  const { limiter } = new RateLimits({ config, clock, log, metrics, readWorkers });
  limiter.take("high", "ann", 3);
  for (let i = 0; i < 2; i++) assertThrows(() => limiter.take("high", "ann"), SluiceError);
  const values = metrics.snapshot().map(({ name, values }) => [name, values]);
  assertEquals(values, [
    ["sluice_rate_limited_total", [["low", [0]], ["medium", [0]], ["high", [2]]]],
    ["sluice_rate_limit_callers", [["", [1]]]],
  ]);
});
