import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { answeredBy, edgesOf } from "./overlong_response.ts";

const LONG = "x".repeat(1_000);

Deno.test("answeredBy() finds the request whatever the order of an answer's members, and whatever is in it", () => {
  const member = fc.record({ jsonrpc: fc.constant("2.0"), id: fc.nat() }, { requiredKeys: ["id"] });
  const outcome = fc.oneof(
    fc.record({ result: fc.object() }),
    fc.record({ result: fc.constantFrom({ id: 7 }, { a: LONG, id: 7 }, `,"id":7}`, `{"method":"`) }),
    fc.record({ error: fc.record({ code: fc.integer(), message: fc.string(), data: fc.object() }) }),
  );
  fc.assert(
    fc.property(member, outcome, fc.constantFrom(0, 1), fc.boolean(), (head, body, indent, isFirst) => {
      const message = isFirst ? { ...head, ...body } : { ...body, ...head };
      assertEquals(answeredBy(edgesOf(JSON.stringify(message, null, indent))), head.id);
    }),
  );
  assertEquals(answeredBy(edgesOf(`{"result":"${LONG}","id":3,"jsonrpc":"2.0"}`)), 3);
});

Deno.test("answeredBy() knows what is no answer, and does not guess", () => {
  for (const head of ['"jsonrpc":"2.0",', ""]) {
    for (const id of ['"id":3,', '"id":"a",', ""]) {
      assertEquals(answeredBy(edgesOf(`{${head}${id}"method":"m","params":{"a":"${LONG}","id":7}}`)), null);
    }
  }
  for (
    const text of [
      LONG,
      `{"_meta":{"a":"${LONG}"},"id":3}`,
      `{"result":"${LONG}`,
      `{"jsonrpc":"2.0","result":{"a":"${LONG}","id":7}}`,
      `{"id":"3","result":"${LONG}"}`,
    ]
  ) {
    assertEquals(answeredBy(edgesOf(text)), undefined, text.slice(0, 40));
  }
});
