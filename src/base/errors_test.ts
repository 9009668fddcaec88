import { assert, assertEquals } from "@std/assert";
import { type ErrorCode, ERRORS, isError, reasonOf, SluiceError, toSluiceError } from "./errors.ts";

const ROWS = Object.entries(ERRORS);

const isOurs = (rpc: number) => rpc < -32768 || rpc > -32000;

// JSON-RPC 2.0, section 5.1; MCP 2025-11-25, resources, "Error Handling", and elicitation, "URL Elicitation Required Error"; MCP 2026-07-28, basic, "Error Codes". -32000 is what servers
// of earlier revisions use.
const SPECIFIED = new Set([
  -32700,
  -32600,
  -32601,
  -32602,
  -32603,
  -32000,
  -32002,
  -32020,
  -32021,
  -32022,
  -32042,
]);

Deno.test("ERRORS own JSON-RPC codes lie outside the reserved range, the others are the specification's", () => {
  for (const [code, { rpc }] of ROWS) assert(isOurs(rpc) || SPECIFIED.has(rpc), `${code} has ${rpc}`);
});

Deno.test("ERRORS an own JSON-RPC code means one thing", () => {
  const seen = new Map<number, string>();
  for (const [code, { rpc }] of ROWS) {
    if (!isOurs(rpc)) continue;
    assertEquals(seen.get(rpc), undefined, `${code} shares ${rpc}`);
    seen.set(rpc, code);
  }
});

Deno.test("ERRORS no two rows say the same", () => {
  // A text that is nothing but its parameter is said by whoever throws.
  const texts = ROWS.map(([, { text }]) => text).filter((text) => !/^\{\w+\}$/.test(text));
  assertEquals(texts.length, new Set(texts).size);
});

Deno.test("ERRORS the HTTP status fits whose fault it is", () => {
  for (const [code, { source, http }] of ROWS) {
    // RFC 9110, section 15.6.6: a 5xx that the client alone can cure.
    if (code === "HTTP_VERSION_REFUSED") assertEquals([source, http], ["downstream", 505]);
    else if (source === "downstream") assert(http >= 400 && http < 500, `${code} has ${http}`);
    else assert(http >= 500 && http < 600, `${code} has ${http}`);
  }
});

Deno.test("ERRORS who may try later gets a status that says so", () => {
  // 429 where the caller has done too much (RFC 6585, section 4), 503 where we are not able to.
  for (const [code, { retry, source, http }] of ROWS) {
    if (retry === "later") assertEquals(http, source === "downstream" ? 429 : 503, code);
  }
});

Deno.test("ERRORS placeholders are words in braces, and every upstream row names the upstream where one is known", () => {
  for (const [code, { source, text }] of ROWS) {
    assertEquals(text.replace(/\{[a-z][A-Za-z]*\}/g, "").match(/[{}]/), null, code);
    if (source === "upstream" && !code.endsWith("POOL_TIMEOUT") && code !== "SESSION_POOL_FULL") {
      assert(text.includes('"{upstream}"'), code);
    }
  }
});

Deno.test("SluiceError fills every placeholder of every row", () => {
  for (const [code, { text }] of ROWS) {
    const names = [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const params = Object.fromEntries(names.map((name) => [name, `<${name}>`]));
    const error = new SluiceError(code as ErrorCode, params);
    assertEquals(error.message, text.replace(/\{(\w+)\}/g, "<$1>"), code);
    assertEquals(error.row, ERRORS[code as ErrorCode]);
  }
});

Deno.test("SluiceError takes a parameter as it is, also one that looks like a placeholder or a replacement pattern", () => {
  assertEquals(new SluiceError("TOOL_NOT_FOUND", { name: "$& {name}" }).message, "Unknown tool: $& {name}");
  assertEquals(new SluiceError("BODY_TOO_DEEP", { limit: 0 }).message.includes("than 0 levels"), true);
});

Deno.test("SluiceError keeps cause and data out of the words", () => {
  const error = new SluiceError("INTERNAL", {}, { cause: new Error("secret"), data: { faults: 1 } });
  assertEquals(error.message, "Internal error");
  assertEquals(error.data, { faults: 1 });
  assertEquals(reasonOf(error.cause), "secret");
});

Deno.test("toSluiceError() leaves a catalogue error alone and wraps everything else as INTERNAL", () => {
  const known = new SluiceError("FORBIDDEN", { reason: "no" });
  assertEquals(toSluiceError(known), known);
  for (const thrown of [new TypeError("x"), "words", undefined, { code: "FORBIDDEN" }]) {
    const error = toSluiceError(thrown);
    assertEquals([error.code, error.cause], ["INTERNAL", thrown]);
  }
});

Deno.test("isError() matches the code of catalogue errors only", () => {
  assertEquals(isError(new SluiceError("NOT_FOUND", { what: "x" }), "NOT_FOUND"), true);
  assertEquals(isError(new SluiceError("NOT_FOUND", { what: "x" }), "CONFLICT"), false);
  assertEquals(isError({ code: "NOT_FOUND" }, "NOT_FOUND"), false);
});

Deno.test("reasonOf() gives an error's words without its stack", () => {
  assertEquals(reasonOf(new Error("why")), "why");
  assertEquals(reasonOf(42), "42");
});
