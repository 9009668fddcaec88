import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { validated } from "./faults.ts";
import { tags } from "./values.ts";

const refusalOf = (count: number) =>
  assertThrows(() => validated(tags, Array.from({ length: count }, () => 1), ["body"]), SluiceError);

Deno.test("validated() names a hundred faults at most", () => {
  const faults = refusalOf(500).data as { readonly msg: string }[];
  assertEquals(faults.length, 101);
  assertEquals(faults.at(-1)!.msg, "There are further faults, which are not named");
  assertEquals((refusalOf(100).data as unknown[]).length, 100);
});

Deno.test("validated() does not examine more tags than an entity may have", () => {
  assertEquals(refusalOf(1_001).message, "body: must have at most 1000 entries");
});
