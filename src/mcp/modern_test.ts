import { assertEquals } from "@std/assert";
import { claimsRevision, decodeHeaderValue, encodeHeaderValue, withMember } from "./modern.ts";

Deno.test("encodeHeaderValue() carries any text, and plain ones as they are", () => {
  for (const plain of ["get_weather", "a b", "x://1?y=%20", "~"]) {
    assertEquals(encodeHeaderValue(plain), plain);
  }
  for (const text of ["", " padded ", "\u00e9t\u00e9", "\u{1f600}", "line\nbreak", "=?base64?eA==?="]) {
    const value = encodeHeaderValue(text);
    assertEquals(/^=\?base64\?[\x21-\x7e]*\?=$/.test(value), true, value);
    assertEquals(decodeHeaderValue(value), text);
  }
});

Deno.test("decodeHeaderValue() tells broken base64 and broken UTF-8 from text", () => {
  assertEquals(decodeHeaderValue("=?base64?SGk=?="), "Hi");
  assertEquals(decodeHeaderValue("=?base64?SGk?="), null, "without padding");
  assertEquals(decodeHeaderValue("=?base64?SG!k?="), null, "other characters");
  assertEquals(decodeHeaderValue("=?base64?/w==?="), null);
  assertEquals(decodeHeaderValue("=?BASE64?SGk=?="), "=?BASE64?SGk=?=", "another spelling is a text");
});

Deno.test("claimsRevision() sees the claim, whatever it says", () => {
  const key = "io.modelcontextprotocol/protocolVersion";
  assertEquals(claimsRevision({ _meta: { [key]: 7 } }), true);
  for (const params of [undefined, [], {}, { _meta: [] }, { _meta: { progressToken: 1 } }]) {
    assertEquals(claimsRevision(params), false);
  }
});

Deno.test("withMember() adds a member once", () => {
  assertEquals(withMember('{"a":1}', "b", "2"), '{"b":2,"a":1}');
  assertEquals(withMember('{ "b" : 1.0 }', "b", "2"), '{ "b" : 1.0 }');
  assertEquals(withMember("{}", "b", "2"), '{"b":2}');
});
