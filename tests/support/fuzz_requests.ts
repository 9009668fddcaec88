// Whole HTTP requests for fuzzing: right ones, odd heads around them, and bytes that are no HTTP at all.

import { concat } from "./bytes.ts";
import { malformedBody, validBody } from "./fuzz_bodies.ts";
import type { Prng } from "./prng.ts";

/** What the target is: a bearer token that it accepts, and a live session of /mcp. */
export interface FuzzTarget {
  readonly token: string;
  readonly sessionId: string;
}

export interface FuzzRequest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** GET's answer may be a stream without end, HEAD's has no body. */
  readonly headOnly: boolean;
}

type Headers = [name: string, value: string][];

const latin1 = (value: string) => Uint8Array.from(value, (character) => character.charCodeAt(0) & 0xff);

const METHODS = ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "post"];
const PATHS = [
  "/mcp",
  "/rpc",
  "/rpc/",
  "/mcp?a=b",
  "/rpc?%00",
  "//rpc",
  "/servers/none/mcp",
  "/servers/%2e%2e/mcp",
  "/mcp/%ff",
  "/x",
];
const CONTENT_TYPES = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/json; charset=utf-16",
  "application/json;charset=utf-8",
  "APPLICATION/JSON",
  "application/jsonp",
  "application/json, text/plain",
  ";",
  "",
  "a".repeat(4_000),
];
const ACCEPTS = [
  "",
  "*/*",
  "text/html",
  "application/json",
  "text/event-stream",
  "application/json;q=0",
  ",;=",
  "a/b,".repeat(500),
];
const ENCODINGS = ["gzip", "br", "deflate, gzip", "identity", "none-such", ""];
const BEARERS = [
  "Bearer",
  "Bearer ",
  "Basic YWRtaW46YWRtaW4=",
  "Bearer a.b.c",
  `Bearer ${btoa('{"alg":"none"}')}.${btoa('{"sub":"admin@example.com","is_admin":true}')}.`,
  `Bearer ${"x".repeat(8_000)}`,
  "Bearer \u00ff\u00fe",
];
const REVISIONS = [
  "2024-11-05",
  "2025-03-26",
  "2025-06-18",
  "2026-07-28",
  "1900-01-01",
  "",
  "x".repeat(2_000),
  "2025-11-25, 2025-11-25",
];
const ODD_HEADERS: Headers = [
  ["origin", "https://evil.example"],
  ["origin", "null"],
  ["host", "evil.example"],
  ["host", ""],
  ["last-event-id", "'; drop table sessions; --"],
  ["x-forwarded-for", "1.2.3.4, ".repeat(300)],
  ["cookie", "a=".repeat(2_000)],
  ["expect", "100-continue"],
  ["upgrade", "websocket"],
  ["range", "bytes=0-1"],
  ["if-none-match", "*"],
  ["mcp-method", "tools/call"],
  ["mcp-name", "=?base64?!!!?="],
  ["x-odd", "\u0001\u00ff"],
  ["__proto__", "x"],
  ["constructor", "x"],
  ["traceparent", "00-zz-zz-zz"],
];

/** A request in whole HTTP: what is wrong with it is its body, its headers, its method or its path, and mostly one of them. */
export function oddRequest(random: Prng, target: FuzzTarget): FuzzRequest {
  const what = random.next();
  const body = what < 0.7 ? malformedBody(random) : validBody(random);
  const headers = usualHeaders(random, target);
  let method = "POST";
  let path = random.pick(["/rpc", "/mcp"]);
  if (what >= 0.6) {
    for (let count = 1 + random.int(3); count > 0; count--) oddHeader(random, headers, target);
  }
  if (what >= 0.92) method = random.pick(METHODS);
  if (what >= 0.96) path = random.pick(PATHS);
  return {
    bytes: assembled(`${method} ${path} HTTP/1.1`, headers, body, random.chance(0.1)),
    headOnly: method === "GET" || method === "HEAD",
  };
}

/** Bytes that break HTTP itself. The connection is of no use afterwards. */
export function brokenHttp(random: Prng, target: FuzzTarget): Uint8Array<ArrayBuffer> {
  const whole = oddRequest(random, target).bytes;
  const withHead = (head: string, body = "{}") =>
    latin1(`POST /rpc HTTP/1.1\r\nhost: a\r\n${head}\r\n\r\n${body}`);
  return random.pick<() => Uint8Array<ArrayBuffer>>([
    () => random.bytes(1 + random.int(500)),
    () => whole.slice(0, random.int(whole.length)),
    () => {
      for (let flips = 20; flips > 0; flips--) {
        whole[random.int(Math.min(whole.length, 300))] ^= 1 << random.int(8);
      }
      return whole;
    },
    () => withHead("content-length: 1000"),
    () => withHead("content-length: -1"),
    () => withHead("content-length: 2\r\ncontent-length: 9"),
    () => withHead(`content-length: ${"9".repeat(40)}`),
    () => withHead("content-length: 2\r\ntransfer-encoding: chunked", "0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
    () => withHead("transfer-encoding: chunked", "ZZ\r\n{}\r\n0\r\n\r\n"),
    () => withHead("transfer-encoding: chunked", "ffffffffffffffff\r\n{}"),
    () => withHead("transfer-encoding: chunked, chunked", "2\r\n{}\r\n0\r\n\r\n"),
    () => withHead("no colon here\r\ncontent-length: 2"),
    () => withHead("x: \0\r\ncontent-length: 2"),
    () => withHead(`x: ${"y".repeat(random.pick([9_000, 70_000, 500_000]))}\r\ncontent-length: 2`),
    () => withHead(`${"x: y\r\n".repeat(random.pick([90, 200, 5_000]))}content-length: 2`),
    () => latin1(`POST /${"a".repeat(random.pick([9_000, 70_000]))} HTTP/1.1\r\nhost: a\r\n\r\n`),
    () => latin1("POST /rpc HTTP/9.9\r\nhost: a\r\n\r\n"),
    () => latin1("GET /rpc\r\n\r\n"),
    () => latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\0\0\0\0\0\0"),
    () => latin1("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    () => latin1("CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n"),
    () => latin1("GET http://evil.example/rpc HTTP/1.1\r\nhost: evil.example\r\n\r\n"),
    () => concat([whole, random.bytes(30), whole]),
  ])();
}

function usualHeaders(random: Prng, { token, sessionId }: FuzzTarget): Headers {
  const headers: Headers = [
    ["host", "127.0.0.1"],
    ["authorization", `Bearer ${token}`],
    ["content-type", "application/json"],
    ["accept", "application/json, text/event-stream"],
  ];
  const kind = random.pick(["session", "sessionless", "none"]);
  if (kind === "session") headers.push(["mcp-session-id", sessionId], ["mcp-protocol-version", "2025-11-25"]);
  if (kind === "sessionless") {
    headers.push(
      ["mcp-protocol-version", "2026-07-28"],
      ["mcp-method", random.pick(["tools/call", "server/discover", "resources/read"])],
      ["mcp-name", random.pick(["time-echo", "=?base64?dGltZS1lY2hv?=", "=?base64?!?="])],
    );
  }
  return headers;
}

function oddHeader(random: Prng, headers: Headers, { sessionId }: FuzzTarget): void {
  const replace = (name: string, value: string) => {
    const at = headers.findIndex(([known]) => known === name);
    if (at >= 0 && random.chance(0.8)) headers[at] = [name, value];
    else headers.push([name, value]);
  };
  switch (random.int(8)) {
    case 0:
      return void headers.splice(random.int(headers.length), 1);
    case 1:
      return replace("content-type", random.pick(CONTENT_TYPES));
    case 2:
      return replace("accept", random.pick(ACCEPTS));
    case 3:
      return replace("content-encoding", random.pick(ENCODINGS));
    case 4:
      return replace("authorization", random.pick(BEARERS));
    case 5:
      return replace("mcp-session-id", oddSessionId(random, sessionId));
    case 6:
      return replace("mcp-protocol-version", random.pick(REVISIONS));
    default:
      return replace(...random.pick(ODD_HEADERS));
  }
}

function oddSessionId(random: Prng, valid: string): string {
  const at = random.int(valid.length);
  return random.pick([
    "",
    "x",
    valid.slice(0, at),
    valid + valid,
    valid.slice(0, at) + (valid[at] === "a" ? "b" : "a") + valid.slice(at + 1),
    crypto.randomUUID(),
    "../../etc",
    "\u00e4\u00ff",
    "a".repeat(10_000),
  ]);
}

function assembled(
  line: string,
  headers: Headers,
  body: Uint8Array,
  chunked: boolean,
): Uint8Array<ArrayBuffer> {
  const framing: Headers = [
    chunked ? ["transfer-encoding", "chunked"] : ["content-length", String(body.length)],
  ];
  const head = [...headers, ...framing].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const parts = [latin1(`${line}\r\n${head}\r\n`)];
  if (!chunked) return concat([...parts, body]);
  for (let at = 0; at < body.length; at += 1_000) {
    const piece = body.subarray(at, at + 1_000);
    parts.push(latin1(`${piece.length.toString(16)}\r\n`), Uint8Array.from(piece), latin1("\r\n"));
  }
  return concat([...parts, latin1("0\r\n\r\n")]);
}
