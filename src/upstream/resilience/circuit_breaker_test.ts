import { assertEquals, assertThrows } from "@std/assert";
import { CircuitBreaker, CircuitBreakers } from "./circuit_breaker.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";

const LIMITS = { threshold: 3, resetMs: 1_000 };

function breakerAt() {
  const clock = new FakeClock();
  let trips = 0;
  const breaker = new CircuitBreaker(() => LIMITS, clock, () => breaker.state === "open" && trips++);
  const fail = (times: number) => {
    for (let i = 0; i < times; i++) breaker.enter().failed();
  };
  return { clock, breaker, fail, trips: () => trips };
}

Deno.test("CircuitBreaker opens at the threshold, and not before", () => {
  const { breaker, fail, trips } = breakerAt();
  fail(2);
  assertEquals([breaker.state, breaker.waitMs(), trips()], ["closed", 0, 0]);
  fail(1);
  assertEquals([breaker.state, breaker.waitMs(), trips()], ["open", 1_000, 1]);
  assertThrows(() => breaker.enter());
});

Deno.test("CircuitBreaker counts failures in a row: a success between them starts the count again", () => {
  const { breaker, fail } = breakerAt();
  fail(2);
  breaker.enter().succeeded();
  fail(2);
  assertEquals([breaker.state, breaker.failures], ["closed", 2]);
});

Deno.test("CircuitBreaker leaves the count alone when a try is abandoned", () => {
  const { breaker, fail } = breakerAt();
  fail(2);
  breaker.enter().abandoned();
  assertEquals([breaker.state, breaker.failures], ["closed", 2]);
  fail(1);
  assertEquals(breaker.state, "open");
});

Deno.test("CircuitBreaker lets exactly one probe through after the reset", async () => {
  const { clock, breaker, fail } = breakerAt();
  fail(3);
  await clock.tick(999);
  assertEquals([breaker.state, breaker.waitMs()], ["open", 1]);
  await clock.tick(1);
  assertEquals([breaker.state, breaker.waitMs(), breaker.openUntilMs], ["half_open", 0, null]);
  const probe = breaker.enter();
  assertEquals([breaker.state, breaker.waitMs() > 0], ["half_open", true]);
  probe.succeeded();
  assertEquals([breaker.state, breaker.waitMs(), breaker.failures], ["closed", 0, 0]);
});

Deno.test("CircuitBreaker opens again at once when the probe fails", async () => {
  const { clock, breaker, fail, trips } = breakerAt();
  fail(3);
  await clock.tick(1_000);
  breaker.enter().failed();
  assertEquals([breaker.state, breaker.waitMs(), trips()], ["open", 1_000, 2]);
});

Deno.test("CircuitBreaker lets the next one probe when the probe is abandoned", async () => {
  const { clock, breaker, fail } = breakerAt();
  fail(3);
  await clock.tick(1_000);
  breaker.enter().abandoned();
  assertEquals([breaker.state, breaker.waitMs()], ["half_open", 0]);
  breaker.enter().succeeded();
  assertEquals(breaker.state, "closed");
});

Deno.test("CircuitBreaker ignores a failure or an end of a try that began before it opened", async () => {
  const { clock, breaker, fail, trips } = breakerAt();
  const [slow, left] = [breaker.enter(), breaker.enter()];
  fail(3);
  await clock.tick(1_000);
  const probe = breaker.enter();
  slow.failed();
  assertEquals([breaker.state, trips()], ["half_open", 1]);
  left.abandoned();
  assertEquals(breaker.waitMs() > 0, true, "an old try does not end the probe");
  probe.succeeded();
  assertEquals(breaker.state, "closed");
});

Deno.test("CircuitBreaker closes on a success that began before it opened", () => {
  const { breaker, fail } = breakerAt();
  const slow = breaker.enter();
  fail(3);
  slow.succeeded();
  assertEquals([breaker.state, breaker.waitMs(), breaker.failures], ["closed", 0, 0]);
});

Deno.test("CircuitBreaker counts the first verdict on a try only", () => {
  const { breaker } = breakerAt();
  const attempt = breaker.enter();
  for (let i = 0; i < 5; i++) attempt.failed();
  assertEquals([breaker.state, breaker.failures], ["closed", 1]);
});

/** A URL that one upstream is registered with. */
function at(url: string, upstreamId = url) {
  return { url, upstreamId };
}

Deno.test("CircuitBreakers keep URLs apart, are bounded, and drop closed circuits first", () => {
  const breakers = new CircuitBreakers(() => ({ threshold: 1, resetMs: 1_000 }), new FakeClock(), {
    maxUrls: 2,
  });
  const states = () => [...breakers.entries()].map(([url, { state }]) => `${url} ${state}`);
  breakers.of(at("a")).enter().failed();
  assertEquals([breakers.of(at("b")).state, breakers.trips], ["closed", 1]);
  breakers.of(at("c"));
  assertEquals(states(), ["a open", "c closed"]);
  breakers.of(at("c")).enter().failed();
  breakers.of(at("d"));
  assertEquals(states(), ["c open", "d closed"]);
});

Deno.test("CircuitBreakers.forget() starts afresh with the URLs of an upstream", () => {
  const breakers = new CircuitBreakers(() => ({ threshold: 1, resetMs: 1_000 }), new FakeClock());
  breakers.of(at("a", "1")).enter().failed();
  breakers.of(at("b", "2")).enter().failed();
  assertEquals(breakers.of(at("a", "3")).state, "open", "of one URL, whoever calls");
  breakers.forget("3");
  assertEquals([breakers.of(at("a", "1")).state, breakers.of(at("b", "2")).state], ["closed", "open"]);
});

Deno.test("CircuitBreakers tell once that a circuit has opened, whatever its probes come to, and once that it has closed", async () => {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const breakers = new CircuitBreakers(() => ({ threshold: 2, resetMs: 1_000 }), clock, {
    onTurn: ({ upstreamIds, ...turn }) => told.push({ upstreams: [...upstreamIds], ...turn }),
  });
  breakers.of(at("a", "1"));
  const breaker = breakers.of(at("a", "2"));
  breaker.enter().failed();
  assertEquals(told.splice(0), []);
  breaker.enter().failed();
  assertEquals(told.splice(0), [{ upstreams: ["1", "2"], isOpen: true, failures: 2 }]);
  await clock.tick(1_000);
  breaker.enter().failed();
  assertEquals([told.splice(0), breakers.trips], [[], 2]);
  await clock.tick(1_000);
  breaker.enter().succeeded();
  assertEquals(told, [{ upstreams: ["1", "2"], isOpen: false, failures: 0 }]);
});
