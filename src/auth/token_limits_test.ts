import { assertEquals, assertThrows } from "@std/assert";
import { LimitFault, readLimits, timesText } from "./token_limits.ts";

Deno.test("readLimits() reads ContextForge's fields, and takes what limits nothing for no limit", () => {
  assertEquals(readLimits({}), null);
  assertEquals(readLimits({ ip_restrictions: [], time_restrictions: {}, usage_limits: null }), null);
  assertEquals(readLimits({ time_restrictions: { timezone: "Europe/Berlin" } }), null);
  assertEquals(
    readLimits({
      ip_restrictions: [" 10.0.0.0/8 ", "2001:db8::1", "::ffff:192.0.2.7"],
      time_restrictions: {
        start_time: "22:00",
        end_time: "6:30",
        days: ["monday", "Fri", "Sunday"],
        timezone: "Europe/Berlin",
        weekdays_only: true,
        business_hours_only: true,
      },
      usage_limits: { requests_per_hour: 5, requests_total: null },
    }),
    {
      networks: ["10.0.0.0/8", "2001:db8::1", "192.0.2.7"],
      times: {
        timeZone: "Europe/Berlin",
        days: [1, 5],
        windows: [{ start: 32_400, end: 61_200 }, { start: 79_200, end: 23_400 }],
      },
      usage: { perHour: 5, perDay: null, inAll: null },
    },
  );
});

Deno.test("readLimits() refuses every limit that it cannot read, and names the field", () => {
  const wrong: readonly [field: keyof Parameters<typeof readLimits>[0], values: readonly unknown[]][] = [
    ["ip_restrictions", ["10.0.0.0/8", ["10.0.0.0/33"], ["here"], [7], [""], Array(101).fill("10.0.0.1")]],
    ["time_restrictions", [
      ...["9-17", [1], { start: "09:00" }, { start_time: "09:00" }, { start_time: "9", end_time: "10" }],
      ...[{ start_time: "24:00", end_time: "01:00" }, { start_time: "09:00", end_time: "09:00" }],
      ...[{ days: "Monday" }, { days: ["Mo"] }, { days: [1] }, { timezone: "Berlin" }, { timezone: 1 }],
      ...[{ weekdays_only: "yes" }, { start_time: 9, end_time: 17 }],
    ]],
    ["usage_limits", [5, { requests_per_minute: 5 }, { requests_per_hour: 0 }, { requests_per_day: "5" }, {
      requests_total: 1.5,
    }]],
  ];
  for (const [field, values] of wrong) {
    for (const value of values) {
      const fault = assertThrows(() => readLimits({ [field]: value }), LimitFault);
      assertEquals([value, fault.field], [value, field]);
    }
  }
});

Deno.test("timesText() says the times in words", () => {
  const text = (written: unknown) => timesText(readLimits({ time_restrictions: written })!.times!);
  assertEquals(text({ start_time: "08:05", end_time: "18:00:30" }), "08:05 to 18:00:30 (UTC)");
  assertEquals(
    text({ days: ["Mon", "Fri"], business_hours_only: true, timezone: "Europe/Berlin" }),
    "09:00 to 17:00 on Monday, Friday (Europe/Berlin)",
  );
});
