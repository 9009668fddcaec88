import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MAX_TIMER_MS } from "../../base/clock.ts";
import { TokenExpiry } from "./token_expiry.ts";

Deno.test("TokenExpiry.watch() calls back once at each expiry, from one timer", async () => {
  const clock = new FakeClock();
  const expiry = new TokenExpiry(clock);
  const expired: string[] = [];
  const watch = (name: string, ms: number | null) =>
    expiry.watch({ expiresAt: ms === null ? null : clock.now() + ms }, () => expired.push(name));
  watch("late", 2_000);
  watch("early", 1_000);
  watch("never", null);
  watch("in a month", MAX_TIMER_MS + 1_000);
  watch("taken back", 500)();
  assertEquals(clock.timers, 1);
  await clock.tick(999);
  assertEquals(expired, []);
  await clock.tick(1);
  assertEquals(expired, ["early"]);
  await clock.tick(1_000);
  assertEquals(expired, ["early", "late"]);
  await clock.tick(MAX_TIMER_MS - 1_001);
  assertEquals(expired, ["early", "late"]);
  await clock.tick(1);
  assertEquals(expired, ["early", "late", "in a month"]);
  expiry.close();
  assertEquals(clock.timers, 0);
});
