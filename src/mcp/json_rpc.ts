// Room `mcp`: the Model Context Protocol on the wire, as text and without I/O.
// This file handles JSON-RPC 2.0 messages. A message is classified once and then spliced instead of re-serialised, so that
// unknown members survive.
import { SluiceError } from "../base/errors.ts";

export type JsonRpcId = string | number;

export type JsonObject = { readonly [key: string]: unknown };

/** A message and its text; `params` is the parsed value, never normalised. */
export type Message =
  | {
    readonly kind: "request";
    readonly id: JsonRpcId;
    readonly method: string;
    readonly params: unknown;
    readonly text: string;
  }
  | {
    readonly kind: "notification";
    readonly method: string;
    readonly params: unknown;
    readonly text: string;
  }
  | {
    readonly kind: "response";
    readonly id: JsonRpcId | null;
    readonly value: JsonObject;
    readonly text: string;
  };

export type RequestMessage = Extract<Message, { kind: "request" }>;

/** Parses a body. @throws {SluiceError} PARSE_ERROR, BODY_TOO_DEEP */
export function parseJson(text: string, maxDepth: number): unknown {
  if (exceedsDepth(text, maxDepth)) throw new SluiceError("BODY_TOO_DEEP", { limit: maxDepth });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SluiceError("PARSE_ERROR", {}, { cause });
  }
}

/** Classifies a parsed value. @throws {SluiceError} INVALID_REQUEST */
export function classify(value: unknown, text: string): Message {
  if (!isObject(value)) throw invalid("a message is a JSON object");
  if (value.jsonrpc !== "2.0") throw invalid('"jsonrpc" must be "2.0"');
  // Some clients write null for "no params".
  if (value.params === null) return classify({ ...value, params: undefined }, removeMember(text, "params"));
  const { id, method, params } = value;
  if (method === undefined) {
    if (!("result" in value) && !("error" in value)) throw invalid('"method" is missing');
    // An error without id answers a request whose id could not be read (2025-11-25, "Responses").
    const of = id === undefined && "error" in value ? null : id;
    if (!isId(of) && of !== null) throw invalid('"id" must be a string or a number');
    return { kind: "response", id: of, value, text };
  }
  if (typeof method !== "string") throw invalid('"method" must be a string');
  if (params !== undefined && typeof params !== "object") {
    throw invalid('"params" must be an object or an array');
  }
  if (id === undefined) return { kind: "notification", method, params, text };
  if (!isId(id)) throw invalid('"id" must be a string or a number');
  return { kind: "request", id, method, params, text };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is JsonRpcId {
  return typeof value === "string" || (typeof value === "number" && Number.isFinite(value));
}

function invalid(reason: string): SluiceError {
  return new SluiceError("INVALID_REQUEST", { reason });
}

/** The id for the response. Numbers beyond 2^53 keep the client's digits. */
export function idText(message: RequestMessage): string {
  const { id } = message;
  if (typeof id === "string" || Number.isSafeInteger(id)) return JSON.stringify(id);
  const range = findMember(message.text, "id");
  return range === null ? JSON.stringify(id) : message.text.slice(range.start, range.end);
}

/** Builds a success response from a result text. */
export function resultText(id: string, result: string): string {
  return `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
}

/** Builds an error response from an error object text. */
export function errorText(id: string, error: string): string {
  return `{"jsonrpc":"2.0","id":${id},"error":${error}}`;
}

export function requestText(id: number, method: string, params: string | undefined): string {
  return params === undefined
    ? `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}}`
    : `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`;
}

export function notificationText(method: string, params?: string): string {
  return params === undefined
    ? `{"jsonrpc":"2.0","method":${JSON.stringify(method)}}`
    : `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params}}`;
}

export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the value of a member of the outermost object. `text` must be valid JSON. Of a repeated key the last one counts, as
 * in `JSON.parse`.
 */
export function findMember(text: string, key: string): TextRange | null {
  return mayHaveMember(text, key) ? scanMember(text, key, false) : null;
}

/** Much cheaper than a look at the members. Any letter of a key can be written as `\u`, and some have escapes of their own. */
function mayHaveMember(text: string, key: string): boolean {
  return text.includes(key) || text.includes("\\u") || HAS_ESCAPES.test(key) && text.includes("\\");
}

/** Quotes, both slashes, and control characters (RFC 8259, 7). */
const HAS_ESCAPES = /["\\/\p{Cc}]/u;

/**
 * Refuses an ambiguous object whose member decides what the call may do; see replaceSoleMember. @throws {SluiceError}
 * INVALID_REQUEST
 */
export function requireSoleMember(text: string, key: string): void {
  scanMember(text, key, true);
}

/**
 * Replaces the value of a member that decides what the call may do.
 * @throws {SluiceError} INVALID_REQUEST if the key occurs twice, or also in another case. A reader that takes another
 *  occurrence (the first, or Go's "Name") would bypass our checks
 */
export function replaceSoleMember(text: string, key: string, value: string): string {
  const range = scanMember(text, key, true)!;
  return text.slice(0, range.start) + value + text.slice(range.end);
}

function scanMember(text: string, key: string, sole: boolean): TextRange | null {
  let found: TextRange | null = null;
  eachMember(text, (keyStart, keyEnd, start, end) => {
    const hit = keyEquals(text, keyStart + 1, keyEnd - 1, key);
    if (sole && (hit ? found !== null : keyResembles(text, keyStart + 1, keyEnd - 1, key))) {
      throw invalid(`"${key}" is there more than once`);
    }
    if (hit) found = { start, end };
  });
  return found;
}

/** Visits the members of the outermost object, with the ranges of the quoted key and of the value. */
function eachMember(
  text: string,
  visit: (keyStart: number, keyEnd: number, start: number, end: number) => void,
): void {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== BRACE_OPEN) return;
  at = skipSpace(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = skipString(text, at);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = skipValue(text, start);
    visit(at, keyEnd, start, end);
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== COMMA) break;
    at = skipSpace(text, at + 1);
  }
}

/** The texts of an array's elements; empty if the text is no array. `text` must be valid JSON. */
export function elementTexts(text: string): string[] {
  return [...eachElement(text)];
}

/** The same one by one, for callers that may stop early. */
export function* eachElement(text: string): Generator<string> {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== BRACKET_OPEN) return;
  at = skipSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) !== BRACKET_CLOSE) {
    const end = skipValue(text, at);
    yield text.slice(at, end);
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
}

/** Splits a peer's payload into messages with their own texts: one message, or those of a batch (2025-03-26, "Batching"). */
export function piecesOf(value: unknown, text: string): readonly (readonly [value: unknown, text: string])[] {
  if (!Array.isArray(value) || value.length === 0) return [[value, text]];
  const texts = elementTexts(text);
  return value.map((piece, i) => [piece, texts[i]!] as const);
}

/** The text of a member's value, or undefined. See findMember. */
export function memberText(text: string, key: string): string | undefined {
  const range = findMember(text, key);
  return range === null ? undefined : text.slice(range.start, range.end);
}

/**
 * The texts of all members by key. Of a repeated key the last one counts. Time is linear, unlike many calls of `memberText`.
 * `text` must be valid JSON.
 */
export function memberTexts(text: string): Map<string, string> {
  const texts = new Map<string, string>();
  eachMember(text, (keyStart, keyEnd, start, end) => {
    texts.set(JSON.parse(text.slice(keyStart, keyEnd)), text.slice(start, end));
  });
  return texts;
}

/** A member's value; null: absent. */
export function memberValue(text: string, key: string): unknown {
  return JSON.parse(memberText(text, key) ?? "null");
}

/** Replaces a member's value, or appends an absent member. */
export function replaceMember(text: string, key: string, value: string): string {
  const range = findMember(text, key);
  if (range !== null) return text.slice(0, range.start) + value + text.slice(range.end);
  const open = skipSpace(text, 0) + 1;
  const empty = text.charCodeAt(skipSpace(text, open)) === BRACE_CLOSE;
  return `${text.slice(0, open)}${JSON.stringify(key)}:${value}${empty ? "" : ","}${text.slice(open)}`;
}

/** Adds a member to an object text, unless the key exists. `value` is JSON text. */
export function addMember(text: string, key: string, value: string): string {
  return findMember(text, key) === null ? replaceMember(text, key, value) : text;
}

/** Removes all occurrences of a member. */
export function removeMember(text: string, key: string): string {
  return removeMembers(text, [key]);
}

/** Removes all occurrences of several members. */
export function removeMembers(text: string, keys: readonly string[]): string {
  const kept: string[] = [];
  let isThere = false;
  eachMember(text, (keyStart, keyEnd, _start, end) => {
    if (keys.some((key) => keyEquals(text, keyStart + 1, keyEnd - 1, key))) isThere = true;
    else kept.push(text.slice(keyStart, end));
  });
  return isThere ? `{${kept.join(",")}}` : text;
}

/**
 * Rebuilds an object from its members. Time is linear, unlike many calls of `replaceMember`.
 * @param map returns the new text of a value, or null to leave the member out
 */
export function mapMembers(text: string, map: (key: string, value: string) => string | null): string {
  const kept: string[] = [];
  let isSame = true;
  eachMember(text, (keyStart, keyEnd, start, end) => {
    const value = text.slice(start, end);
    const mapped = map(JSON.parse(text.slice(keyStart, keyEnd)), value);
    isSame &&= mapped === value;
    if (mapped !== null) {
      kept.push(mapped === value ? text.slice(keyStart, end) : `${text.slice(keyStart, start)}${mapped}`);
    }
  });
  return isSame ? text : `{${kept.join(",")}}`;
}

/** Whether a number has more digits in a row. `text` must be valid JSON. */
export function hasLongNumber(text: string, maxDigits: number): boolean {
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = skipString(text, at) - 1;
    digits = code >= DIGIT_0 && code <= DIGIT_9 ? digits + 1 : 0;
    if (digits > maxDigits) return true;
  }
  return false;
}

/**
 * Whether the text is nested deeper than `limit` objects and arrays. It is checked before parsing, so it may be invalid JSON.
 */
export function exceedsDepth(text: string, limit: number): boolean {
  if (!hasMoreBracketsThan(text, limit)) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at) - 1;
    } else if (code === BRACE_OPEN || code === BRACKET_OPEN) {
      if (++depth > limit) return true;
    } else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) depth--;
  }
  return false;
}

/** Counts opening brackets, including those in strings. Most texts have too few for a full check. */
function hasMoreBracketsThan(text: string, limit: number): boolean {
  let left = limit;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (--left < 0) return true;
    }
  }
  return false;
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;

function skipSpace(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

/** Returns the position after the closing quote. */
function skipString(text: string, at: number): number {
  let end = at;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
}

function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return skipString(text, at);
  if (first !== BRACE_OPEN && first !== BRACKET_OPEN) {
    while (at < text.length && !ENDS_SCALAR.has(text.charCodeAt(at))) at++;
    return at;
  }
  let depth = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = skipString(text, at) - 1;
    else if (code === BRACE_OPEN || code === BRACKET_OPEN) depth++;
    else if ((code === BRACE_CLOSE || code === BRACKET_CLOSE) && --depth === 0) return at + 1;
  }
  return at;
}

const ENDS_SCALAR: ReadonlySet<number> = new Set([COMMA, BRACE_CLOSE, BRACKET_CLOSE, 0x20, 0x0a, 0x0d, 0x09]);

function keyEquals(text: string, start: number, end: number, key: string): boolean {
  if (end - start === key.length && text.startsWith(key, start)) return true;
  // Only the key is searched. A search of the remaining text for every key would take quadratic time.
  const written = text.slice(start, end);
  return written.includes("\\") && JSON.parse(`"${written}"`) === key;
}

/** Whether a key is another spelling of `key`, in another case or with escapes. */
function keyResembles(text: string, start: number, end: number, key: string): boolean {
  const written = text.slice(start, end);
  if (written.length !== key.length && !/[\\\u0080-\uffff]/.test(written)) return false;
  return foldCase(JSON.parse(`"${written}"`)) === foldCase(key);
}

/**
 * Readers that ignore case also take other letters for those of ASCII: Go takes U+017F for "s" and U+212A for "k", others a dotless or
 * dotted "i" (U+0131, U+0130, the latter with U+0307 after it in lower case).
 */
export function foldCase(key: string): string {
  return key.toUpperCase().toLowerCase().replaceAll("\u0307", "");
}
