import { assertEquals } from "@std/assert";
import { claimsRevision } from "./request_meta.ts";

Deno.test("claimsRevision() sees the claim, whatever it says", () => {
  const key = "io.modelcontextprotocol/protocolVersion";
  assertEquals(claimsRevision({ _meta: { [key]: 7 } }), true);
  for (const params of [undefined, [], {}, { _meta: [] }, { _meta: { progressToken: 1 } }]) {
    assertEquals(claimsRevision(params), false);
  }
});
