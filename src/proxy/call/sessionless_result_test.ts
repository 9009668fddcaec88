import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { completed } from "./sessionless_result.ts";

const INFO = '{"name":"sluice","version":"1"}';
const STAMP = { "io.modelcontextprotocol/serverInfo": { name: "sluice", version: "1" } };
const ok = (method: string, text: string) =>
  JSON.parse(completed(method, { text, failed: false }, INFO).text);

Deno.test("completed() adds what older upstreams do not say, and leaves alone what is there", () => {
  assertEquals(ok("tools/call", '{"content":[]}'), { content: [], resultType: "complete", _meta: STAMP });
  assertEquals(ok("tools/list", '{"tools":[]}'), {
    tools: [],
    ttlMs: 60_000,
    cacheScope: "private",
    resultType: "complete",
    _meta: STAMP,
  });
  const theirs = {
    contents: [],
    resultType: "complete",
    ttlMs: 5,
    cacheScope: "public",
    _meta: { "io.modelcontextprotocol/serverInfo": { name: "theirs" }, other: 1 },
  };
  assertEquals(ok("resources/read", JSON.stringify(theirs)), theirs);
});

Deno.test("completed() adds nothing to what is no object", () => {
  for (const text of ["[1,2]", "null", '"done"', "1.0"]) {
    assertEquals(completed("tools/call", { text, failed: false }, INFO).text, text);
  }
});

Deno.test("completed() takes a lifetime below zero, or of no number, for none, and an unknown scope for the narrow one", () => {
  for (const ttlMs of [-1, 0.5, "5", null]) {
    const { ttlMs: given, cacheScope } = ok("resources/read", JSON.stringify({ ttlMs, cacheScope: "team" }));
    assertEquals([given, cacheScope], [0, "private"], String(ttlMs));
  }
});

Deno.test("completed() gives what a client is asked for no freshness", () => {
  const asked = { resultType: "input_required", inputRequests: {}, requestState: "x" };
  assertEquals(ok("resources/read", JSON.stringify(asked)), { ...asked, _meta: STAMP });
});

Deno.test("completed() renumbers the error codes that older revisions alone know", () => {
  const failed = (error: unknown) =>
    completed("resources/read", { text: JSON.stringify(error), failed: true }, INFO);
  assertEquals(failed({ code: -32002, message: "no", data: { uri: "x" } }), {
    text: '{"code":-32602,"message":"no","data":{"uri":"x"}}',
    failed: true,
  });
  assertEquals(failed({ code: -32042, message: "sign in" }).text, '{"code":-32603,"message":"sign in"}');
});

Deno.test("completed() asks for the visits that an older upstream wants first", () => {
  const elicitations = [{ mode: "url", url: "https://a.example", elicitationId: "1", message: "Sign in" }];
  const error = { code: -32042, message: "sign in", data: { elicitations } };
  const answered = (method: string, capabilities?: string) =>
    completed(method, { text: JSON.stringify(error), failed: true }, INFO, capabilities);
  const answer = answered("tools/call", '{"elicitation":{"url":{}}}');
  assertEquals([answer.failed, JSON.parse(answer.text)], [false, {
    resultType: "input_required",
    inputRequests: { "visit-1": { method: "elicitation/create", params: elicitations[0] } },
    _meta: STAMP,
  }]);
  for (const capabilities of [undefined, "{}", '{"elicitation":{}}']) {
    const { code, data } = assertThrows(() => answered("tools/call", capabilities), SluiceError);
    const requiredCapabilities = { elicitation: { url: {} } };
    assertEquals([code, data], ["MISSING_CLIENT_CAPABILITY", { requiredCapabilities }]);
  }
  elicitations.push(...Array(100).fill(elicitations[0]));
  assertEquals(answered("tools/call", '{"elicitation":{"url":{}}}').failed, true);
  // The results of other requests cannot require input.
  assertEquals(JSON.parse(answered("completion/complete", "{}").text).code, -32603);
});
