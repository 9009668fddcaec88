import { assertAlmostEquals, assertEquals } from "@std/assert";
import { ExecutionMeter, joinedExecutions, newExecutions, type ToldExecutions } from "./executions.ts";
import { SharedNumbers } from "./shared_numbers.ts";

const HOUR_MS = 3_600_000;

function setUp(bytes = 4_096) {
  const shared = new SharedNumbers(SharedNumbers.memory(bytes));
  let lost = 0;
  return { shared, meter: new ExecutionMeter(shared, () => lost++), lost: () => lost };
}

/** By performance.now(). */
const hourAt = (hour: number) => hour * HOUR_MS - performance.timeOrigin;

Deno.test("newExecutions() gives what is new since the last reading, with the least and greatest of the hour", () => {
  const { shared, meter } = setUp();
  const told: ToldExecutions = new WeakMap();
  const hour = Math.ceil(performance.timeOrigin / HOUR_MS);
  const ended = (seconds: number, at: number, isFailure = false) =>
    meter.ended("tool", "a", seconds, hourAt(at), isFailure);
  ended(3, hour);
  ended(1, hour, true);
  ended(2, hour);
  const [first] = newExecutions(shared, told);
  assertEquals([first!.kind, first!.id, first!.hour], ["tool", "a", hour]);
  assertEquals([first!.count, first!.failed, first!.seconds, first!.least, first!.greatest], [3, 1, 6, 1, 3]);
  assertAlmostEquals(first!.lastMs, hour * HOUR_MS, 1);
  assertEquals(newExecutions(shared, told), []);
  ended(2.5, hour);
  const [second] = newExecutions(shared, told);
  assertEquals([second!.count, second!.failed, second!.least, second!.greatest], [1, 0, 1, 3]);
  // The next hour knows nothing of this one.
  ended(2, hour + 1);
  const [third] = newExecutions(shared, told);
  assertEquals([third!.hour, third!.count, third!.least, third!.greatest], [hour + 1, 1, 2, 2]);
  const both = joinedExecutions(first!, second!);
  assertEquals([both.count, both.seconds, both.least, both.greatest], [4, 8.5, 1, 3]);
});

Deno.test("ExecutionMeter counts what it has no room for", () => {
  const { shared, meter, lost } = setUp(150);
  for (const id of ["a", "b", "b", "a"]) meter.ended("server", id, 1, 1, false);
  assertEquals([lost(), newExecutions(shared, new WeakMap())[0]!.count], [2, 2]);
});
