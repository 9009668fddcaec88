import { cacheContract } from "../../tests/support/cache_contract.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { MemoryCache } from "./memory_cache.ts";

cacheContract("memory", () => {
  const clock = new FakeClock();
  const cache = new MemoryCache(clock);
  return Promise.resolve({
    cache,
    other: new MemoryCache(clock),
    pass: (ms) => clock.tick(ms),
    dispose: () => Promise.resolve(),
  });
}, { isShared: false }).forEach((each) => Deno.test(each));
