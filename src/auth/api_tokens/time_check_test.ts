import { assertEquals } from "@std/assert";
import { readLimits } from "../token_limits.ts";
import { isAllowedTime } from "./time_check.ts";

Deno.test("isAllowedTime() goes by the clock of the time zone, also where that changes", () => {
  const allowed = (written: unknown, time: string) =>
    isAllowedTime(readLimits({ time_restrictions: written })!.times!, Date.parse(time));
  const berlin = { start_time: "09:00", end_time: "17:00", timezone: "Europe/Berlin" };
  // Winter: UTC+1. Summer: UTC+2.
  assertEquals(allowed(berlin, "2026-01-15T07:59:59Z"), false);
  assertEquals(allowed(berlin, "2026-01-15T08:00:00Z"), true);
  assertEquals(allowed(berlin, "2026-01-15T15:59:59Z"), true);
  assertEquals(allowed(berlin, "2026-01-15T16:00:00Z"), false);
  assertEquals(allowed(berlin, "2026-07-15T07:00:00Z"), true);
  assertEquals(allowed(berlin, "2026-07-15T15:00:00Z"), false);

  const night = { start_time: "22:00", end_time: "06:00", days: ["Fri"] };
  assertEquals(allowed(night, "2026-11-27T23:00:00Z"), true);
  assertEquals(allowed(night, "2026-11-27T12:00:00Z"), false);
  assertEquals(allowed(night, "2026-11-28T05:00:00Z"), false);
  assertEquals(allowed(night, "2026-11-27T00:00:00Z"), true);

  assertEquals(allowed({ weekdays_only: true }, "2026-11-29T12:00:00Z"), false);
  assertEquals(
    allowed({ weekdays_only: true, timezone: "Pacific/Kiritimati" }, "2026-11-29T12:00:00Z"),
    true,
  );
  assertEquals(allowed({ business_hours_only: true }, "2026-11-29T12:00:00Z"), true);
});
