import { assertEquals, assertThrows } from "@std/assert";
import { convertTime, timeIn } from "./time_zones.ts";

const WINTER = Date.UTC(2026, 0, 15, 12);
const SUMMER = Date.UTC(2026, 6, 15, 12);

function conversion(time: string, source: string, target: string, nowMs: number): [string, string, string] {
  const answer = convertTime(time, source, target, nowMs);
  return [answer.source.datetime, answer.target.datetime, answer.time_difference];
}

Deno.test("convertTime() converts a time of day on today's date in the source zone", () => {
  assertEquals(conversion("09:00", "Europe/Berlin", "Europe/Dublin", WINTER), [
    "2026-01-15T09:00:00+01:00",
    "2026-01-15T08:00:00+00:00",
    "-1.0h",
  ]);
  // 20:00 UTC on the 15th is already the 16th in Tokyo.
  assertEquals(conversion("7:05:09", "Asia/Tokyo", "UTC", Date.UTC(2026, 0, 15, 20)), [
    "2026-01-16T07:05:09+09:00",
    "2026-01-15T22:05:09+00:00",
    "-9.0h",
  ]);
});

Deno.test("convertTime() follows daylight saving where the two zones change on different days", () => {
  assertEquals(conversion("09:00", "America/New_York", "Europe/London", WINTER)[2], "+5.0h");
  assertEquals(conversion("09:00", "America/New_York", "Europe/London", Date.UTC(2026, 2, 15))[2], "+4.0h");
  assertEquals(conversion("09:00", "America/New_York", "Australia/Sydney", SUMMER)[2], "+14.0h");
  assertEquals(conversion("09:00", "America/New_York", "Australia/Sydney", WINTER)[2], "+16.0h");
});

Deno.test("convertTime() tells half and quarter hours and crosses the day", () => {
  assertEquals(conversion("20:00", "UTC", "Asia/Kolkata", WINTER), [
    "2026-01-15T20:00:00+00:00",
    "2026-01-16T01:30:00+05:30",
    "+5.5h",
  ]);
  assertEquals(conversion("00:10", "Asia/Kathmandu", "America/St_Johns", WINTER), [
    "2026-01-15T00:10:00+05:45",
    "2026-01-14T14:55:00-03:30",
    "-9.25h",
  ]);
  assertEquals(conversion("12:00", "UTC", "UTC", WINTER)[2], "+0.0h");
});

Deno.test("convertTime() moves a skipped local time forward and takes the first of a repeated one", () => {
  assertEquals(conversion("2026-03-29T02:30", "Europe/Berlin", "UTC", WINTER).slice(0, 2), [
    "2026-03-29T03:30:00+02:00",
    "2026-03-29T01:30:00+00:00",
  ]);
  assertEquals(conversion("2026-10-25T02:30", "Europe/Berlin", "UTC", WINTER).slice(0, 2), [
    "2026-10-25T02:30:00+02:00",
    "2026-10-25T00:30:00+00:00",
  ]);
});

Deno.test("convertTime() reads an ISO time with an offset as a moment, without one as local to the source zone", () => {
  for (
    const [time, source, target, expected] of [
      ["2026-07-01T09:00:00Z", "Europe/Berlin", "UTC", "2026-07-01T09:00:00+00:00"],
      ["2026-07-01T09:00:00.250-03:00", "UTC", "Europe/Berlin", "2026-07-01T14:00:00+02:00"],
      ["2026-07-01 09:00:00", "Europe/Berlin", "UTC", "2026-07-01T07:00:00+00:00"],
    ] as const
  ) {
    assertEquals(conversion(time, source, target, WINTER)[1], expected);
  }
});

Deno.test("convertTime() refuses unreadable times and unknown zones in words", () => {
  for (const time of ["", "25:00", "09:60", "noon", "2026-01-01", "2026-13-01T00:00", "9", "09:00[UTC]"]) {
    assertThrows(() => convertTime(time, "UTC", "UTC", WINTER), RangeError, `Cannot read time "${time}"`);
  }
  const unknown = 'Unknown source_timezone "Mars/Olympus"';
  assertThrows(() => convertTime("09:00", "Mars/Olympus", "UTC", WINTER), RangeError, unknown);
  assertThrows(() => convertTime("09:00", "UTC", "", WINTER), RangeError, 'Unknown target_timezone ""');
});

Deno.test("timeIn() names the day and says whether daylight saving holds", () => {
  assertEquals(timeIn("Europe/Berlin", SUMMER), {
    timezone: "Europe/Berlin",
    datetime: "2026-07-15T14:00:00+02:00",
    day_of_week: "Wednesday",
    is_dst: true,
  });
  assertEquals(timeIn("Europe/Berlin", WINTER).is_dst, false);
  // South of the equator the summer is in January.
  assertEquals(timeIn("Australia/Sydney", WINTER).is_dst, true);
  assertEquals(timeIn("Asia/Kolkata", SUMMER).is_dst, false);
});
