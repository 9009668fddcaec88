// What a rate limit costs a request: whose it is, and whether it is let in. Without limits it is one comparison with null.
import { systemClock } from "../src/base/clock.ts";
import { callerOf, tierOf } from "../src/http/limits/rate_tiers.ts";
import { limiterOf, principal, SERVED } from "../tests/support/fakes.ts";

const UNLIMITED = Number.MAX_SAFE_INTEGER;
const ENDPOINT = { speaks: "json-rpc" } as const;
const CALLERS = Array.from({ length: 10_000 }, (_, i) => principal({ subject: `user${i}@example.com` }));

for (const count of [1, 10_000]) {
  const limiter = limiterOf(UNLIMITED, systemClock);
  let next = 0;
  Deno.bench(`a request that is let in, ${count} callers`, () => {
    limiter.take(tierOf(ENDPOINT, "/rpc")!, callerOf(CALLERS[next++ % count]!, SERVED));
  });
}

const full = limiterOf(1, systemClock);
Deno.bench("a request that is refused", () => {
  try {
    full.take("medium", callerOf(CALLERS[0]!, SERVED));
  } catch {
    // That is what is measured.
  }
});

const shared = limiterOf(UNLIMITED, systemClock);
Deno.bench("what is told of 1,000 callers, each 250 ms at most", (bench) => {
  for (let i = 0; i < 1_000; i++) shared.take("medium", callerOf(CALLERS[i]!, SERVED));
  bench.start();
  for (const count of shared.takeNews()) shared.learn(count, 0);
  bench.end();
});
