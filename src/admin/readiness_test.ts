import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { checkReadiness, untilStarted } from "./readiness.ts";

Deno.test("checkReadiness() names every service that cannot be used, and waits two seconds for none", async () => {
  const clock = new FakeClock();
  assertEquals(await checkReadiness({ a: () => Promise.resolve(1) }, clock), { ready: true, reasons: [] });
  const asked = checkReadiness({
    database: () => Promise.reject(new Error("gone")),
    other: () => Promise.resolve(),
    redis: () => new Promise(() => {}),
  }, clock);
  await clock.tick(2_000);
  assertEquals(await asked, { ready: false, reasons: ["database: gone", "redis: no answer within 2000 ms"] });
  assertEquals(clock.timers, 0);
});

Deno.test("untilStarted() asks for what the start waits until it waits for nothing", async () => {
  const answers = ["the demo", null];
  const start = untilStarted(() => Promise.resolve(answers.shift()!));
  const reasons = async () => (await checkReadiness({ start })).reasons;
  assertEquals([await reasons(), await reasons(), await reasons()], [["start: the demo"], [], []]);
});
