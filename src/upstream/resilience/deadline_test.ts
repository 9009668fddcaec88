import { assertEquals, assertRejects } from "@std/assert";
import { Cancellation, unlessAborted } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { Deadline, inTime } from "./deadline.ts";

const never = new Promise<never>(() => {});

function setUp(work: Promise<string> = never) {
  const clock = new FakeClock();
  const stop = new Cancellation();
  const deadline = new Deadline(1_000, "A_SETTING", clock.now());
  const timed = { upstream: "up", phase: "open a session", signal: stop, clock };
  const outcome = inTime(deadline, timed, (giveUp) => unlessAborted(work, giveUp));
  outcome.catch(() => {});
  return { clock, stop, outcome };
}

Deno.test("inTime() gives what the work gives, and leaves no timer behind", async () => {
  const { clock, outcome } = setUp(Promise.resolve("done"));
  assertEquals([await outcome, clock.timers], ["done", 0]);
  const failed = setUp(Promise.reject(new Error("broken")));
  await assertRejects(() => failed.outcome, Error, "broken");
  assertEquals(failed.clock.timers, 0);
});

Deno.test("inTime() ends work at its deadline with UPSTREAM_TIMEOUT", async () => {
  const { clock, outcome } = setUp();
  await clock.tick(999);
  assertEquals(clock.timers, 1);
  await clock.tick(1);
  const error = await assertRejects(() => outcome, SluiceError);
  assertEquals(
    [error.code, error.message],
    ["UPSTREAM_TIMEOUT", 'Upstream "up" did not open a session within 1000 ms (A_SETTING)'],
  );
});

Deno.test("inTime() ends work with the reason of the outer signal, also if that was aborted before", async () => {
  const { clock, stop, outcome } = setUp();
  stop.cancel("enough");
  assertEquals(await outcome.catch((reason) => reason), "enough");
  const late = inTime(
    new Deadline(1, "X"),
    { upstream: "up", phase: "x", signal: stop, clock },
    (giveUp) => unlessAborted(never, giveUp),
  );
  assertEquals([await late.catch((reason) => reason), clock.timers], ["enough", 0]);
});

Deno.test("unlessAborted() disposes of a result that comes too late", async () => {
  const [work, stop, late] = [Promise.withResolvers<string>(), new Cancellation(), [] as string[]];
  const outcome = unlessAborted(work.promise, stop, (value) => late.push(value)).catch((reason) => reason);
  stop.cancel("enough");
  work.resolve("a socket");
  assertEquals(await outcome, "enough");
  await settled();
  assertEquals(late, ["a socket"]);
});
