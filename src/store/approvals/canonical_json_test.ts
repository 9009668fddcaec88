import { assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { canonicalText, withoutRepeatedMembers } from "./canonical_json.ts";

Deno.test("canonicalText() is the same for the same value, however its text is written", () => {
  fc.assert(fc.property(fc.json(), (text) => {
    const value = JSON.parse(text);
    const canonical = canonicalText(value);
    assertEquals(JSON.parse(canonical), value);
    assertEquals(canonicalText(JSON.parse(JSON.stringify(value, null, 2))), canonical);
  }));
  assertEquals(
    canonicalText({ b: [1, { d: null, c: "\u00e9" }], a: true }),
    '{"a":true,"b":[1,{"c":"é","d":null}]}',
  );
});

Deno.test("canonicalText() keeps a member named __proto__", () => {
  assertNotEquals(canonicalText(JSON.parse('{"__proto__":{"a":1}}')), canonicalText({}));
});

Deno.test("withoutRepeatedMembers() changes a text only if it repeats a member", () => {
  const odd = '{ "a:b": "c:\\"d:", "n": 18446744073709551615, "l": [{"x":{}}, {"x":1.50}] }';
  assertEquals(withoutRepeatedMembers(odd), odd);
  assertEquals(withoutRepeatedMembers('{"d":"evil","d":"good"}'), '{"d":"good"}');
  assertEquals(withoutRepeatedMembers('[{"z":{"d":1,"d":2}}]'), '[{"z":{"d":2}}]');
  fc.assert(fc.property(fc.json(), (text) => assertEquals(withoutRepeatedMembers(text), text)));
});
