import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { type Rate, scheduleOf } from "./schedule.ts";

/** All arrivals within `durationMs`. */
function arrivals(rate: Rate, durationMs: number, random?: () => number): number[] {
  const schedule = scheduleOf(rate, durationMs, random);
  const times: number[] = [];
  for (let at = schedule.next(); at < durationMs; at = schedule.next()) times.push(at);
  return times;
}

Deno.test("scheduleOf() spaces constant arrivals evenly, from the start", () => {
  assertEquals(arrivals({ from: 4, to: 4, arrivals: "constant" }, 1_000), [0, 250, 500, 750]);
});

Deno.test("scheduleOf() lets a rate grow and fall linearly", () => {
  const growing = arrivals({ from: 0, to: 200, arrivals: "constant" }, 10_000);
  assertEquals(growing.length, 1_000);
  // The integral of a rate that grows from 0: a quarter of all has come at half-time.
  assertEquals(growing.filter((at) => at < 5_000).length, 250);
  const falling = arrivals({ from: 200, to: 0, arrivals: "constant" }, 10_000);
  assertEquals(falling.filter((at) => at < 4_999).length, 750);
  assertAlmostEquals(falling.length, 1_000, 1);
  assertEquals(growing, growing.toSorted((a, b) => a - b));
});

Deno.test("scheduleOf() spaces poisson arrivals exponentially, at the rate in the mean", () => {
  let state = 1;
  // A multiplicative congruential generator, so that the test always sees the same arrivals.
  const random = () => (state = state * 48_271 % 2_147_483_647) / 2_147_483_647;
  const times = arrivals({ from: 1_000, to: 1_000, arrivals: "poisson" }, 20_000, random);
  assert(Math.abs(times.length - 20_000) < 600, `${times.length}`);
  const gaps = times.slice(1).map((at, index) => at - times[index]!);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  assertAlmostEquals(Math.sqrt(variance) / mean, 1, 0.05);
});
