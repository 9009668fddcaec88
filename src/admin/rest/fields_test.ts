import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as z from "zod";
import { SluiceError } from "../../base/errors.ts";
import { fault, refusal } from "./faults.ts";
import { type ExtraField, readFields, withMisspelt, withWarnings } from "./fields.ts";
import { gatewayCreate, promptUpdate, resourceUpdate, serverCreate, toolUpdate } from "./schemas.ts";

const KNOWN = { schema: z.object({ name: z.string(), display_name: z.string() }), withoutEffect: ["old"] };

Deno.test("readFields() takes both forms of a name, the snake_case one first", () => {
  const extra: ExtraField[] = [];
  const given = { displayName: "camel", display_name: "snake", name: "n" };
  assertEquals(readFields({ extra }, given, ["body"], KNOWN), { display_name: "snake", name: "n" });
  assertEquals(readFields({ extra }, { displayName: "camel" }, ["body"], KNOWN), { display_name: "camel" });
  assertEquals(extra, []);
  for (const value of [undefined, null, [], "text"]) {
    assertThrows(() => readFields({ extra }, value, ["body"], KNOWN), SluiceError);
  }
});

Deno.test("withWarnings() leaves answers that are no object, and those without a warning", () => {
  const extra: ExtraField[] = [];
  readFields({ extra }, { old: null, name: "n" }, ["body"], KNOWN);
  for (const body of [null, undefined, [1], { a: 1 }]) assertEquals(withWarnings(body, extra), body);
});

Deno.test("withWarnings() names a hundred fields, and counts the others", () => {
  const extra: ExtraField[] = [];
  const given = Object.fromEntries(Array.from({ length: 103 }, (_, i) => [`other_${i}`, 1]));
  readFields({ extra }, given, ["body"], KNOWN);
  const { warnings } = withWarnings({}, extra) as { warnings: { loc: unknown; msg: string }[] };
  assertEquals([warnings.length, warnings[99]!.loc], [101, ["body", "other_99"]]);
  assertEquals(warnings[100]!.msg, "3 more unknown fields were ignored");
});

Deno.test("withMisspelt() names the unknown fields that look like a missing one, and no others", () => {
  const extra: ExtraField[] = [];
  readFields({ extra }, { urll: "http://a", nmae: "b", other: 1 }, ["body"], { schema: gatewayCreate });
  const missing = fault(["body", "url"], "Field required", "missing");
  assertEquals(withMisspelt(refusal([missing]), extra).data, [
    missing,
    fault(["body", "urll"], '"urll" is not a known field; did you mean "url"?', "unknown_field"),
  ]);
  const bare = new SluiceError("VALIDATION_FAILED", { reason: "no" });
  assertEquals(withMisspelt(bare, extra), bare);
});

Deno.test("withWarnings() suggests the field that was meant for every likely misspelling of it", () => {
  const nouns = { gatewayCreate, toolUpdate, resourceUpdate, promptUpdate, serverCreate };
  const typo = fc.constantFrom(...Object.values(nouns)).chain((schema) =>
    fc.tuple(fc.constant(schema), fc.constantFrom(...Object.keys(schema.shape)))
  ).chain(([schema, field]) => fc.tuple(fc.constant(schema), fc.constant(field), fc.nat(field.length - 2)))
    .map(([schema, field, at]) => ({
      schema,
      field,
      written: field.slice(0, at) + field[at + 1] + field[at] + field.slice(at + 2),
    })).filter(({ schema, written }) => !Object.hasOwn(schema.shape, written));
  fc.assert(fc.property(typo, ({ schema, field, written }) => {
    const extra: ExtraField[] = [];
    readFields({ extra }, { [written]: 1 }, ["body"], { schema });
    const { warnings } = withWarnings({}, extra) as { warnings: Array<{ loc: string[]; msg: string }> };
    assertEquals(warnings[0].loc, ["body", written]);
    assertEquals(warnings[0].msg.endsWith(`did you mean "${field}"?`), true, warnings[0].msg);
  }));
});
