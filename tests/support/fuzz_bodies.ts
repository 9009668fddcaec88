// Bodies that no client should send: valid JSON-RPC messages, damaged in every way that a message can be.

import { concat } from "./bytes.ts";
import type { Prng } from "./prng.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Message = { [key: string]: Json };

const text = new TextEncoder();

/** Valid messages to start from: the tools are those of the fast upstream, registered under the name `time`. */
const SEEDS: readonly Message[] = [
  request("tools/call", {
    name: "time-convert-time",
    arguments: { time: "09:00", source_timezone: "Europe/Berlin", target_timezone: "UTC" },
    _meta: { progressToken: "p1" },
  }),
  request("tools/call", { name: "time-echo", arguments: { message: "grüße 🐟" } }),
  request("convert_time", { time: "09:00", source_timezone: "UTC", target_timezone: "Asia/Tokyo" }),
  request("tools/list", { cursor: "abc" }),
  request("tools/list", {}),
  request("resources/list", {}),
  request("resources/read", { uri: "file:///etc/passwd" }),
  request("prompts/get", { name: "p", arguments: { a: "b" } }),
  request("completion/complete", {
    ref: { type: "ref/prompt", name: "p" },
    argument: { name: "a", value: "b" },
  }),
  request("logging/setLevel", { level: "debug" }),
  request("ping", {}),
  request("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: { sampling: {}, roots: { listChanged: true } },
    clientInfo: { name: "fuzz", version: "1" },
  }),
  sessionless("tools/call", { name: "time-echo", arguments: { message: "m" } }),
  sessionless("tools/call", {
    name: "time-echo",
    arguments: {},
    inputResponses: { "input-1": { action: "accept", content: {} } },
    requestState: "sluice.aaaa",
  }),
  sessionless("server/discover", {}),
  sessionless("resources/read", { uri: "file:///etc/passwd" }),
  { jsonrpc: "2.0", method: "notifications/initialized" },
  { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7, reason: "r" } },
  { jsonrpc: "2.0", id: 3, result: { content: [] } },
  { jsonrpc: "2.0", id: "x", error: { code: -1, message: "no" } },
];

/** A request of revision 2026-07-28. */
function sessionless(method: string, params: { [key: string]: Json }): Message {
  return request(method, {
    ...params,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
      "io.modelcontextprotocol/logLevel": "debug",
    },
  });
}

const POLLUTING_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "then",
  "length",
  "",
];

const WRONG_VALUES: readonly ((random: Prng) => Json)[] = [
  () => null,
  () => true,
  () => -0,
  () => 1e308,
  () => Number.MAX_SAFE_INTEGER + 2,
  () => 0.1,
  () => "",
  () => "\u0000",
  () => "\ud800",
  () => "../../../etc/passwd",
  () => "2026-07-28",
  () => [],
  () => ({}),
  () => [[[[]]]],
  () => ({ ["__proto__"]: { admin: true } }),
  (random) => "x".repeat(random.int(20_000)),
  (random) => "🐟".repeat(random.int(2_000)),
  (random) => Array.from({ length: random.int(500) }, (_, index) => index),
  (random) => Object.fromEntries(Array.from({ length: random.int(300) }, (_, index) => [`k${index}`, index])),
];

/** Changes one place of the message's value. */
const VALUE_MUTATIONS: readonly ((random: Prng, message: Message) => Json)[] = [
  (random, message) =>
    atRandomPlace(random, message, (parent, key) => parent[key] = random.pick(WRONG_VALUES)(random)),
  (random, message) => atRandomPlace(random, message, (parent, key) => delete parent[key]),
  (random, message) =>
    atRandomPlace(random, message, (parent) => {
      Object.defineProperty(parent, random.pick(POLLUTING_KEYS), {
        value: random.pick(WRONG_VALUES)(random),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }),
  (random, message) => ({
    ...message,
    id: random.pick<Json>([null, true, 1.5, {}, [], "", -1, 1e300, "x".repeat(5_000)]),
  }),
  (random, message) => ({ ...message, jsonrpc: random.pick<Json>(["1.0", 2, null, "2.0 ", ["2.0"]]) }),
  (random, message) => ({
    ...message,
    method: random.pick<Json>([null, 7, "", "rpc.x", "__proto__", "tools/call/", "a".repeat(9_999)]),
  }),
  (random, message) => ({ ...message, params: random.pick<Json>([null, 7, "x", [], [1, 2], true]) }),
  () => [],
  (random, message) => Array.from({ length: 1 + random.int(150) }, () => message),
  (random, message) => [message, random.pick(WRONG_VALUES)(random), [message]],
  (random) => random.pick(WRONG_VALUES)(random),
];

/** Changes the message's JSON text or its bytes. */
const BYTE_MUTATIONS: readonly ((random: Prng, json: string) => Uint8Array<ArrayBuffer>)[] = [
  (random, json) => text.encode(json.slice(0, random.int(json.length))),
  (random, json) => text.encode(json.slice(random.int(json.length))),
  (random, json) => {
    const bytes = text.encode(json);
    for (let flips = 1 + random.int(8); flips > 0; flips--) {
      bytes[random.int(bytes.length)] ^= 1 << random.int(8);
    }
    return bytes;
  },
  (random, json) => spliced(random, text.encode(json), random.bytes(1 + random.int(20))),
  // Overlong and lone bytes, a surrogate, a byte that UTF-8 never has.
  (random, json) =>
    spliced(random, text.encode(json), random.pick([[0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xff], [0x80]])),
  (_, json) => text.encode(`\uFEFF${json}`),
  (_, json) => text.encode(json + json),
  (_, json) => text.encode(`${json}garbage`),
  (_, json) => text.encode(json.replace("{", '{"method":"ping","method":"tools/list","id":1,"id":2,')),
  (_, json) => text.encode(json.replace(/"id":[^,}]+/, '"id":1e999')),
  (random, json) => text.encode(json.replace(/"id":[^,}]+/, `"id":${"9".repeat(1 + random.int(2_000))}`)),
  (_, json) => text.encode(json.replace(/"id":[^,}]+/, String.raw`"id":"\ud800"`)),
  (_, json) => text.encode(json.replaceAll('"', "'")),
  (_, json) => Uint8Array.from(json, (character) => character.charCodeAt(0)).reverse(),
  (_, json) => new Uint8Array(Uint16Array.from(json, (character) => character.charCodeAt(0)).buffer),
  (random) => text.encode(nested(random, "[", "]")),
  (random) => text.encode(nested(random, '{"params":', "}")),
  (random) =>
    text.encode(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${nested(random, '{"a":', "}")}}`),
  (random) => random.bytes(random.int(2_000)),
  () => new Uint8Array(0),
];

/** A message that is in order, as JSON. */
export function validBody(random: Prng): Uint8Array<ArrayBuffer> {
  return text.encode(JSON.stringify(random.pick(SEEDS)));
}

/** A damaged message. */
export function malformedBody(random: Prng): Uint8Array<ArrayBuffer> {
  const seed = structuredClone(random.pick(SEEDS));
  if (random.chance(0.5)) return text.encode(JSON.stringify(random.pick(VALUE_MUTATIONS)(random, seed)));
  return random.pick(BYTE_MUTATIONS)(random, JSON.stringify(seed));
}

function request(method: string, params: Message): Message {
  return { jsonrpc: "2.0", id: 1, method, params };
}

type Container = Record<string, Json>;

function atRandomPlace(
  random: Prng,
  message: Message,
  change: (parent: Container, key: string) => unknown,
): Message {
  const places: [Container, string][] = [];
  const visit = (value: Json) => {
    if (typeof value !== "object" || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Container, key]);
      visit((value as Container)[key]);
    }
  };
  visit(message);
  change(...random.pick(places));
  return message;
}

function nested(random: Prng, open: string, close: string): string {
  const depth = random.pick([50, 500, 5_000, 20_000]);
  return open.repeat(depth) + "1" + (random.chance(0.5) ? close.repeat(depth) : "");
}

function spliced(random: Prng, bytes: Uint8Array, inserted: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const at = random.int(bytes.length);
  return concat([bytes.subarray(0, at), Uint8Array.from(inserted), bytes.subarray(at)]);
}
