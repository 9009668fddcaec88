import { assertEquals } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { errorTypeOf, saysError, thrownTypeOf } from "./outcome.ts";

Deno.test("saysError() finds a result's own isError, and none of what the result contains", () => {
  const texts: [text: string, says: boolean][] = [
    ['{"content":[]}', false],
    ['{"content":[],"isError":false}', false],
    ['{"content":[],"isError" : false}', false],
    ['{"content":[],"isError":true}', true],
    ['{"isError": true,"content":[]}', true],
    ['{"structuredContent":{"isError":true}}', false],
    ['{"structuredContent":{"isError":false},"isError":true}', true],
    ['{"structuredContent":{"isError":true},"isError":false}', false],
    ['{"content":[{"type":"text","text":"\\"isError\\":true"}]}', false],
  ];
  for (const [text, says] of texts) assertEquals([text, saysError(text)], [text, says]);
});

Deno.test("errorTypeOf() gives the gateway's code, known numbers of JSON-RPC, and one name for the rest", () => {
  const of = (error: unknown) => errorTypeOf({ failed: true, text: JSON.stringify(error) }, true);
  assertEquals(of({ code: -32001, data: { source: "downstream", code: "FORBIDDEN" } }), "FORBIDDEN");
  assertEquals(of({ code: -32602, message: "x" }), "-32602");
  assertEquals(of({ code: -31337, data: { code: "FORBIDDEN" } }), "_OTHER");
  assertEquals(errorTypeOf({ failed: false, text: '{"isError":true}' }, true), "tool_error");
  assertEquals(errorTypeOf({ failed: false, text: '{"isError":true}' }, false), "");
});

Deno.test("thrownTypeOf() tells a client that has left from a fault", () => {
  assertEquals(thrownTypeOf(new Error("aborted"), true), "REQUEST_CANCELLED");
  assertEquals(thrownTypeOf(new Error("fault"), false), "INTERNAL");
  assertEquals(thrownTypeOf(new SluiceError("FORBIDDEN", {}), true), "FORBIDDEN");
});
