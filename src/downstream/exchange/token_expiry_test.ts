import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MAX_TIMER_MS } from "../../base/clock.ts";
import { TokenExpiry } from "./token_expiry.ts";

Deno.test("TokenExpiry.watch() calls back once at the end of each token or role, from one timer", async () => {
  const clock = new FakeClock();
  const expiry = new TokenExpiry(clock);
  const expired: string[] = [];
  const watch = (name: string, ms: number | null) =>
    expiry.watch(
      { expiresAt: ms === null ? null : clock.now() + ms, grants: null },
      () => expired.push(name),
    );
  const grants = {
    ...{ everywhere: [], inTeams: [], onServers: [], standing: "" },
    endsAt: clock.now() + 1_500,
  };
  expiry.watch({ expiresAt: null, grants }, () => expired.push("role"));
  expiry.watch({ expiresAt: clock.now() + 1_700, grants }, () => expired.push("role of a token"));
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
  assertEquals(expired, ["early", "role", "role of a token", "late"]);
  await clock.tick(MAX_TIMER_MS - 1_001);
  assertEquals(expired.length, 4);
  await clock.tick(1);
  assertEquals(expired.slice(4), ["in a month"]);
  expiry.close();
  assertEquals(clock.timers, 0);
});
