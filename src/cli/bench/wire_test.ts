import { assertEquals } from "@std/assert";
import { callForm, checkAnswer, requestForm, userHeaders } from "./wire.ts";

const fault = (
  answer: unknown,
  { status = 200, id = 7, method = "tools/call", expect = null as string | null } = {},
) =>
  checkAnswer(typeof answer === "string" ? answer : JSON.stringify(answer), status, id, method, expect).fault;

Deno.test("checkAnswer() takes a result with the id of the request", () => {
  const right = { jsonrpc: "2.0", id: 7, result: { content: [{ type: "text", text: 'it is "09:00"' }] } };
  assertEquals(fault(right), null);
  assertEquals(fault(right, { expect: '"09:00"' }), null);
  assertEquals(fault({ jsonrpc: "2.0", id: 7, result: { tools: [] } }, { method: "tools/list" }), null);
});

Deno.test("checkAnswer() says what is wrong, in the same words for equal failures", () => {
  const result = { content: [{ type: "text", text: "it is late" }] };
  assertEquals(fault({ jsonrpc: "2.0", id: 8, result }), "the id of another request");
  assertEquals(fault({ jsonrpc: "2.0", id: "7", result }), "the id of another request");
  assertEquals(fault({ jsonrpc: "2.0", id: 7, result }, { expect: "early" }), "not the expected text");
  assertEquals(
    fault({ jsonrpc: "2.0", id: 7, result: { ...result, isError: true } }),
    "the tool failed: it is late",
  );
  assertEquals(
    fault({ jsonrpc: "2.0", id: 7, result: { resultType: "input_required" } }),
    "the tool asks for input",
  );
  const overloaded = { jsonrpc: "2.0", id: null, error: { code: -31530, message: "at capacity, id 123456" } };
  assertEquals(fault(overloaded, { status: 503 }), "HTTP 503, JSON-RPC error -31530: at capacity, id …");
  assertEquals(
    fault({ jsonrpc: "2.0", id: 7, error: { code: -32601, message: "No" } }),
    "JSON-RPC error -32601: No",
  );
  assertEquals(fault({ detail: "no token" }, { status: 401 }), 'HTTP 401: {"detail":"no token"}');
  assertEquals(fault("<html>", { status: 502 }), "HTTP 502: no JSON: <html>");
  assertEquals(fault("", { status: 202 }), "HTTP 202: no body");
  assertEquals(fault({ jsonrpc: "2.0", id: 7 }), 'no JSON-RPC answer: {"jsonrpc":"2.0","id":7}');
});

Deno.test("callForm() makes bodies with ids and payloads of any length of a range", () => {
  const call = { name: "echo", args: '{"message":"{payload}!"}' };
  const lengths = [0, 0.5, 0.999].map((random) => {
    const body = JSON.parse(callForm("rpc", call, { min: 0, max: 10 }, () => random).body(3));
    assertEquals([body.id, body.method, body.params.name], [3, "tools/call", "echo"]);
    return body.params.arguments.message;
  });
  assertEquals(lengths, ["!", "xxxxx!", "xxxxxxxxxx!"]);
});

Deno.test("forms of the stateless revision carry its claims and headers, others do not", () => {
  const call = callForm("2026-07-28", { name: "日本語", args: "{}" }, null);
  const { params } = JSON.parse(call.body(1));
  assertEquals(params._meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
  assertEquals(call.headers, [["mcp-method", "tools/call"], ["mcp-name", "=?base64?5pel5pys6Kqe?="]]);
  const list = requestForm("2026-07-28", "tools/list", undefined);
  assertEquals(Object.keys(JSON.parse(list.body(1)).params), ["_meta"]);
  assertEquals(JSON.parse(requestForm("2025-11-25", "tools/list", undefined).body(1)).params, undefined);
});

Deno.test("userHeaders() lets a given header replace its own", () => {
  const headers = [["accept", "*/*"], ["x-team", "a"], ["x-team", "b"]] as const;
  assertEquals(userHeaders({ protocol: "rpc", headers }, "t"), [
    ["content-type", "application/json"],
    ["authorization", "Bearer t"],
    ["accept", "*/*"],
    ["x-team", "a"],
    ["x-team", "b"],
  ]);
  const stateless = userHeaders({ protocol: "2026-07-28", headers: [] }, null);
  assertEquals(stateless.map(([name]) => name), ["content-type", "accept", "mcp-protocol-version"]);
});
