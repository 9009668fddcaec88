import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { RespawnPolicy } from "./respawn_policy.ts";

Deno.test("RespawnPolicy.died() waits longer each time and gives a crash loop up", async () => {
  const clock = new FakeClock();
  const policy = new RespawnPolicy(clock, true);
  const delays: number[] = [];
  for (let death = 1; death < 10; death++) {
    const respawn = policy.died();
    delays.push(respawn.kind === "after" ? respawn.delayMs : -1);
  }
  assert(delays[0]! <= 100 && delays[8]! >= 5_000);
  assertEquals(policy.died(), { kind: "crash_loop" });
  await clock.tick(60_001);
  const rested = policy.died();
  assert(rested.kind === "after" ? rested.delayMs <= 100 : false);
});

Deno.test("RespawnPolicy.died() replaces nothing where RESPAWN_FAILED is false", () => {
  assertEquals(new RespawnPolicy(new FakeClock(), false).died(), { kind: "never" });
});
