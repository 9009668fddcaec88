// Reads the arguments of `sluice bench`: what load, on what, and what has to hold.
import { isHttpUrl } from "../commands/flag_values.ts";
import type { BenchArgs } from "../commands/bench_commands.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import { isSessionRevision, LATEST_SESSION_REVISION, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { type Assertion, parseAssertion } from "./report/assertions.ts";
import type { Rate } from "./schedule.ts";

/** "rpc": JSON-RPC without MCP's headers and sessions. Otherwise a revision of MCP. */
export type Protocol = "rpc" | string;

export type Pace =
  | { readonly kind: "rate"; readonly rate: Rate }
  /** Closed loop: each user pauses after an answer, for a random time of this mean. */
  | { readonly kind: "think"; readonly meanMs: number };

export interface Share {
  readonly method: string;
  readonly weight: number;
}

/** From `min` to `max`, both included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export interface Plan {
  readonly url: URL;
  readonly users: number;
  readonly pace: Pace;
  readonly durationMs: number;
  readonly warmupMs: number;
  readonly timeoutMs: number;
  readonly protocol: Protocol;
  readonly sessions: "each" | "one";
  /** Requests in a session; 0: no limit. */
  readonly churn: number;
  /** How many users keep an event stream open. */
  readonly streams: number;
  readonly mix: readonly Share[];
  /** null: found by the tools' annotations. */
  readonly tool: string | null;
  /** JSON text of the arguments; null: made from the tool's schema. */
  readonly args: string | null;
  readonly payload: Range | null;
  readonly expect: string | null;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly assertions: readonly Assertion[];
}

/** The text in arguments that a payload replaces. */
export const PAYLOAD_MARK = "{payload}";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const MAX_RATE = 1_000_000;
const MAX_DURATION_MS = 24 * 3_600_000;
const MAX_PAYLOAD = 64 * 1024 * 1024;
/** Methods that need no parameters. */
const METHODS = [
  "tools/call",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "ping",
];

/** @returns the mistakes, if there are any */
export function planOf(args: BenchArgs): Plan | readonly string[] {
  const mistakes: string[] = [];
  const mistake = (flag: string, wanted: string, given: string) => {
    mistakes.push(`--${flag} must be ${wanted}, not "${given}"`);
    return null;
  };
  const time = (flag: "duration" | "warmup" | "timeout" | "think", otherwise: string, min: number) => {
    const text = args[flag] ?? otherwise;
    const ms = durationMs(text);
    if (ms !== null && ms >= min && ms <= MAX_DURATION_MS) return ms;
    mistake(flag, `a time from ${min} ms to 24h, such as 500ms, 30s or 5m`, text);
    return min;
  };
  const word = <W extends string>(flag: "arrivals" | "sessions", words: readonly W[]): W => {
    const given = args[flag] ?? words[0]!;
    if ((words as readonly string[]).includes(given)) return given as W;
    mistake(flag, words.join(" or "), given);
    return words[0]!;
  };

  if (!isHttpUrl(args.url)) mistakes.push(`URL must be an http:// or https:// address, not "${args.url}"`);
  if (args.rate !== null && args.think !== null) mistakes.push("--rate and --think exclude each other");
  if (args.arrivals !== null && args.think !== null) {
    mistakes.push("--arrivals and --think exclude each other");
  }
  const users = args.users ?? 10;
  if (users === 0) mistake("users", "at least 1", "0");
  const rate = rangeOf(args.rate ?? "100", MAX_RATE);
  if (rate === null || Math.max(rate.from, rate.to) === 0) {
    mistake("rate", `a number above 0, or A..B, up to ${MAX_RATE}`, args.rate!);
  }
  const arrivals = word("arrivals", ["constant", "poisson"]);
  const pace: Pace = args.think === null
    ? { kind: "rate", rate: { from: rate?.from ?? 1, to: rate?.to ?? 1, arrivals } }
    : { kind: "think", meanMs: time("think", "0", 0) };
  const payload = args.payload === null ? null : rangeOf(args.payload, MAX_PAYLOAD);
  if (args.payload !== null && (payload === null || payload.from > payload.to)) {
    mistake("payload", `a number of bytes, or A..B, up to ${MAX_PAYLOAD}`, args.payload);
  }
  const mix = mixOf(args.mix ?? "tools/call=1");
  if (mix === null) mistake("mix", `METHOD=WEIGHT,… of ${METHODS.join(", ")}`, args.mix!);
  if (args.args !== null && argumentsOf(args.args) === null) mistake("args", "a JSON object", args.args);
  if (args.args !== null && args.tool === null) mistakes.push("--args needs --tool");
  if (args.args !== null && payload !== null && !args.args.includes(PAYLOAD_MARK)) {
    mistakes.push(`--payload has no place: write ${PAYLOAD_MARK} into a text of --args`);
  }
  if (args.args?.includes(PAYLOAD_MARK) && args.payload === null) {
    mistakes.push(`${PAYLOAD_MARK} in --args needs --payload`);
  }
  const protocol = protocolOf(args);
  if (protocol === null) {
    const known = `rpc, ${LATEST_SESSION_REVISION}, 2025-06-18, 2025-03-26 or ${STATELESS_REVISION}`;
    mistake("protocol", known, args.protocol!);
  }
  if (protocol === STATELESS_REVISION && mix?.some(({ method }) => method === "ping")) {
    mistakes.push(`${STATELESS_REVISION} has no ping: leave it out of --mix`);
  }
  const hasSessions = isSessionRevision(protocol);
  if ((args.churn ?? 0) > 0 && !hasSessions) mistakes.push("--churn needs a --protocol with sessions");
  if ((args.streams ?? 0) > 0 && protocol === "rpc") {
    mistakes.push("--streams needs a --protocol other than rpc");
  }
  if ((args.streams ?? 0) > users) mistake("streams", `at most --users (${users})`, String(args.streams));
  const sessions = word("sessions", ["each", "one"]);
  if (sessions === "one" && (args.churn ?? 0) > 0) {
    mistakes.push("--churn and --sessions one exclude each other");
  }
  const headers = args.headers.map((text) => {
    const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(text) ?? [];
    if (name === undefined) mistake("header", "NAME:VALUE", text.split(/[:=]/)[0]!);
    return [name?.toLowerCase() ?? "", value ?? ""] as const;
  });
  const assertions = args.asserts.map((text) => {
    const assertion = parseAssertion(text);
    if (typeof assertion === "string") mistakes.push(assertion);
    else if (assertion.isShare && !["errors", "unsent"].includes(assertion.metric)) {
      mistakes.push(`--assert "${text}": only errors and unsent have a share of the requests`);
    }
    return assertion;
  });
  const times = { durationMs: time("duration", "10s", 1), warmupMs: time("warmup", "1s", 0) };
  const timeoutMs = time("timeout", "30s", 1);
  if (mistakes.length > 0) return mistakes;
  return {
    url: new URL(args.url),
    users,
    pace,
    ...times,
    timeoutMs,
    protocol: protocol!,
    sessions,
    churn: args.churn ?? 0,
    streams: args.streams ?? 0,
    mix: mix!,
    tool: args.tool,
    args: args.args,
    payload: payload === null ? null : { min: payload.from, max: payload.to },
    expect: args.expect,
    headers,
    assertions: assertions as Assertion[],
  };
}

/** "500ms", "1.5s", "2m", "1h", "10" (seconds) -> ms; null: none of these. */
export function durationMs(text: string): number | null {
  const [, number, unit = "s"] = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?$/.exec(text) ?? [];
  return number === undefined ? null : Number(number) * UNITS[unit]!;
}

/** The value of `--args` as an object; null: it is none. */
export function argumentsOf(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function protocolOf({ protocol, url }: BenchArgs): Protocol | null {
  if (protocol === null) {
    return /\/rpc\/?$/.test(URL.parse(url)?.pathname ?? "") ? "rpc" : LATEST_SESSION_REVISION;
  }
  // 2024-11-05 has no Streamable HTTP.
  const isKnown = protocol === "rpc" || protocol === STATELESS_REVISION ||
    (isSessionRevision(protocol) && protocol !== "2024-11-05");
  return isKnown ? protocol : null;
}

/** "5" or "5..10". */
function rangeOf(text: string, max: number): { readonly from: number; readonly to: number } | null {
  const [, from, to = from] = /^(\d{1,9}(?:\.\d{1,6})?)(?:\.\.(\d{1,9}(?:\.\d{1,6})?))?$/.exec(text) ?? [];
  if (from === undefined || Math.max(Number(from), Number(to)) > max) return null;
  return { from: Number(from), to: Number(to) };
}

function mixOf(text: string): Share[] | null {
  const shares = text.split(",").map((part) => {
    const [, method, weight = "1"] = /^([a-z/]+)(?:=(\d{1,6}))?$/.exec(part.trim()) ?? [];
    return { method: method ?? "", weight: Number(weight) };
  });
  const isFine = shares.every(({ method }) => METHODS.includes(method)) &&
    new Set(shares.map(({ method }) => method)).size === shares.length &&
    shares.some(({ weight }) => weight > 0);
  return isFine ? shares.filter(({ weight }) => weight > 0) : null;
}
