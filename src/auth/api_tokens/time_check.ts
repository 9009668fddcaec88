// Does a time of the week, by the clock of a time zone, belong to those that a token allows?
import type { AllowedTimes } from "../principal.ts";

/** A formatter takes longer to make than to use. There are about 600 time zones. */
const formatters = new Map<string, Intl.DateTimeFormat>();

const DAY_NAMES = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** @param now ms since the epoch */
export function isAllowedTime({ timeZone, days, windows }: AllowedTimes, now: number): boolean {
  const { day, seconds } = localTime(timeZone, now);
  return days.includes(day) &&
    windows.every(({ start, end }) =>
      start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end
    );
}

function localTime(timeZone: string, now: number): { readonly day: number; readonly seconds: number } {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      ...{ weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
    });
    formatters.set(timeZone, formatter);
  }
  const parts = Object.fromEntries(formatter.formatToParts(now).map(({ type, value }) => [type, value]));
  return {
    day: DAY_NAMES.indexOf(parts.weekday),
    seconds: Number(parts.hour) * 3600 + Number(parts.minute) * 60 + Number(parts.second),
  };
}
