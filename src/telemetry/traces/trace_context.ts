// The context of a trace as it travels between programs: W3C Trace Context (https://www.w3.org/TR/trace-context/), in HTTP headers and,
// under the same names, in the `_meta` of an MCP request (SEP-414).
import { Buffer } from "node:buffer";

/** A span of another program, or of another worker. Plain data. */
export interface TraceContext {
  /** 32 hexadecimal digits, in lower case. */
  readonly traceId: string;
  /** 16 hexadecimal digits, in lower case. */
  readonly spanId: string;
  /** The sender records the trace. */
  readonly isSampled: boolean;
  /** Data of tracing systems, which is passed on unchanged; null: none. */
  readonly state: string | null;
}

export const TRACEPARENT = "traceparent";
export const TRACESTATE = "tracestate";

/** Later versions may have more fields. Version ff is invalid. */
const FORM = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

const SAMPLED = 1;

/** The specification asks for at least 512 characters and 32 members; a longer state is dropped. */
const STATE_FORM = /^[\x20-\x7e]{1,512}$/;
const MAX_STATE_MEMBERS = 32;

/** Reads what a peer has sent. Null: it has sent no valid context, so that the trace begins here. */
export function readContext(traceparent: unknown, tracestate: unknown): TraceContext | null {
  const found = typeof traceparent === "string" ? FORM.exec(traceparent) : null;
  if (found === null) return null;
  const [, version, traceId, spanId, flags, more] = found;
  if (version === "00" && more !== undefined) return null;
  const isSampled = (parseInt(flags!, 16) & SAMPLED) !== 0;
  return { traceId: traceId!, spanId: spanId!, isSampled, state: readState(tracestate) };
}

export function traceparentOf({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

function readState(text: unknown): string | null {
  if (typeof text !== "string" || !STATE_FORM.test(text)) return null;
  return text.split(",").length > MAX_STATE_MEMBERS ? null : text;
}

/** Hexadecimal digits of a byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Random hexadecimal digits are made many at once: each id by itself would cost ten times as much. */
const POOL_BYTES = 1_024;
let pool = "";
let taken = 0;

function randomDigits(count: number): string {
  if (taken + count > pool.length) {
    pool = Buffer.from(crypto.getRandomValues(new Uint8Array(POOL_BYTES))).toString("hex");
    taken = 0;
  }
  return pool.slice(taken, taken += count);
}

/** The last digits of a trace id that samplers look at: as many as a number holds exactly. */
const RANDOM_DIGITS = 13;
const RANDOM_VALUES = 16 ** RANDOM_DIGITS;

const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

/** @param random 0 to 1: what `randomIn()` reads in the id */
export function newTraceId(random = Math.random()): string {
  const value = Math.floor(random * RANDOM_VALUES);
  // `value.toString(16)` takes ten times as long.
  const [high, low] = [Math.floor(value / 2 ** 28), value % 2 ** 28];
  const last = sixDigits(high) + sixDigits(low >>> 4) + HEX[low & 15]!.charAt(1);
  const id = randomDigits(NO_TRACE.length - RANDOM_DIGITS) + last;
  return id === NO_TRACE ? newTraceId() : id;
}

function sixDigits(value: number): string {
  return HEX[value >>> 16]! + HEX[value >>> 8 & 255]! + HEX[value & 255]!;
}

/** The part of a trace id that is random in all programs, 0 to 1. */
export function randomIn(traceId: string): number {
  return parseInt(traceId.slice(-RANDOM_DIGITS), 16) / RANDOM_VALUES;
}

export function newSpanId(): string {
  const id = randomDigits(NO_SPAN.length);
  return id === NO_SPAN ? newSpanId() : id;
}
