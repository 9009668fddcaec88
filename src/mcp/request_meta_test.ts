import { assertEquals } from "@std/assert";
import { claimsRevision, withMember } from "./request_meta.ts";

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
