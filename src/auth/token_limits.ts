// When and from where a token may be used, and how often: how tokens and requests write it, in ContextForge's fields, and how the
// gateway reads it. A limit that cannot be read is refused, because a limit that is left out would open more than its author meant.
import { parseNetwork } from "../base/egress/egress_guard_address.ts";
import { withoutMapping } from "../base/egress/trusted_proxies.ts";
import { isObject } from "../mcp/json_rpc.ts";
import type { AllowedTimes, TimeWindow, TokenLimits, UsageLimits } from "./principal.ts";

/** The fields as they are written. */
export interface WrittenLimits {
  readonly ip_restrictions?: unknown;
  readonly time_restrictions?: unknown;
  readonly usage_limits?: unknown;
}

/** A field that cannot be read. The message goes on after the field's name. */
export class LimitFault extends Error {
  constructor(readonly field: keyof WrittenLimits, message: string) {
    super(message);
    this.name = "LimitFault";
  }
}

/** More would slow every request of the token. */
const MAX_NETWORKS = 100;

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const WORK_DAYS = [1, 2, 3, 4, 5];

/** ContextForge's business hours. */
const BUSINESS_HOURS: TimeWindow = { start: 9 * 3600, end: 17 * 3600 };

/** null: nothing is limited. @throws {LimitFault} */
export function readLimits(written: WrittenLimits): TokenLimits | null {
  const networks = readNetworks(written.ip_restrictions);
  const times = readTimes(written.time_restrictions);
  const usage = readUsage(written.usage_limits);
  return networks === null && times === null && usage === null ? null : { networks, times, usage };
}

/** The times in words, for refusals: "09:00 to 17:00 on Monday, Friday (Europe/Berlin)". */
export function timesText({ timeZone, days, windows }: AllowedTimes): string {
  const hours = windows.map(({ start, end }) => `${clockText(start)} to ${clockText(end)}`).join(" and ");
  const when = days.length === 7 ? "" : `on ${days.map((day) => DAYS[day]).join(", ")}`;
  return `${[hours, when].filter((text) => text !== "").join(" ")} (${timeZone})`;
}

/** Does a field limit nothing? Tokens write that in several ways. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function readNetworks(written: unknown): readonly string[] | null {
  if (isEmpty(written)) return null;
  const fault = (message: string) => new LimitFault("ip_restrictions", message);
  if (!Array.isArray(written) || written.length > MAX_NETWORKS) {
    throw fault(`must be a list of at most ${MAX_NETWORKS} addresses and networks`);
  }
  return written.map((text) => {
    const network = typeof text === "string" ? withoutMapping(text.trim()) : "";
    if (parseNetwork(network) === null) {
      throw fault(
        `has "${String(text).slice(0, 50)}", which is no IP address or network such as 192.0.2.0/24`,
      );
    }
    return network;
  });
}

function readTimes(written: unknown): AllowedTimes | null {
  if (isEmpty(written)) return null;
  const fault = (message: string) => new LimitFault("time_restrictions", message);
  if (!isObject(written)) throw fault("must be an object");
  const { start_time, end_time, timezone = "UTC", days, business_hours_only, weekdays_only, ...others } =
    written;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw fault(
      `has "${unknown.slice(0, 50)}"; known are start_time, end_time, timezone, days, business_hours_only, ` +
        "weekdays_only",
    );
  }
  if (typeof timezone !== "string" || !isTimeZone(timezone)) {
    throw fault("has a timezone that is no name of the IANA database, such as Europe/Berlin");
  }
  for (const flag of [business_hours_only, weekdays_only]) {
    if (flag !== undefined && flag !== null && typeof flag !== "boolean") {
      throw fault("has a business_hours_only or weekdays_only that is not true or false");
    }
  }
  if (isEmpty(start_time) !== isEmpty(end_time)) throw fault("needs both start_time and end_time");
  const windows: TimeWindow[] = business_hours_only === true ? [BUSINESS_HOURS] : [];
  if (!isEmpty(start_time)) {
    const [start, end] = [secondsOf(start_time), secondsOf(end_time)];
    if (start === null || end === null || start === end) {
      throw fault("needs a start_time and an end_time such as 09:00, which differ");
    }
    windows.push({ start, end });
  }
  let allowed = EVERY_DAY;
  if (!isEmpty(days)) {
    if (!Array.isArray(days)) throw fault("has days that are no list");
    allowed = days.map((name) => {
      const day = typeof name === "string" && name.length >= 3
        ? DAYS.findIndex((each) => each.toLowerCase().startsWith(name.toLowerCase()))
        : -1;
      if (day === -1) throw fault(`has the day "${String(name).slice(0, 50)}"; write Monday or Mon`);
      return day;
    });
  }
  if (weekdays_only === true) allowed = allowed.filter((day) => WORK_DAYS.includes(day));
  const sorted = EVERY_DAY.filter((day) => allowed.includes(day));
  if (sorted.length === 7 && windows.length === 0) return null;
  return { timeZone: timezone, days: sorted, windows };
}

function readUsage(written: unknown): UsageLimits | null {
  if (isEmpty(written)) return null;
  const fault = (message: string) => new LimitFault("usage_limits", message);
  if (!isObject(written)) throw fault("must be an object");
  const { requests_per_hour, requests_per_day, requests_total, ...others } = written;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw fault(
      `has "${unknown.slice(0, 50)}"; known are requests_per_hour, requests_per_day, requests_total`,
    );
  }
  const [perHour, perDay, inAll] = [requests_per_hour, requests_per_day, requests_total].map((value) => {
    if (value === undefined || value === null) return null;
    if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
    throw fault("needs whole numbers of at least 1");
  });
  return perHour === null && perDay === null && inAll === null ? null : { perHour, perDay, inAll };
}

function secondsOf(text: unknown): number | null {
  const [, hours, minutes, seconds = "0"] =
    /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(String(text)) ?? [];
  return hours === undefined ? null : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

function clockText(seconds: number): string {
  const part = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const text = `${part(seconds / 3600)}:${part(seconds / 60 % 60)}`;
  return seconds % 60 === 0 ? text : `${text}:${part(seconds % 60)}`;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
