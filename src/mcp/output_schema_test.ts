import { assertEquals } from "@std/assert";
import { assertComparable } from "../../tests/support/growth.ts";
import { isCompilable } from "./output_schema.ts";

const pattern = (text: string) => isCompilable({ type: "string", pattern: text });

Deno.test("isCompilable() accepts the patterns that the engine compiles, up to a length", () => {
  for (
    const text of ["^[a-z]+$", "\\p{L}", "[\\p{Lu}\\P{Script=Greek}_]", "\\\\p", "😀", "a".repeat(1_000)]
  ) {
    assertEquals(pattern(text), true, text);
  }
  for (
    const text of ["(", "\\p{Nothing}", "\\p{L", "\\p{}", "\\\\p{L}", "[\\p{L}-z]", "\\", "a".repeat(1_001)]
  ) {
    assertEquals(pattern(text), false, text);
  }
});

Deno.test("isCompilable() needs no longer for Unicode properties than for other characters", () => {
  let count = 0;
  // The engine remembers a pattern, so each has a number.
  const all = (piece: string) => () => {
    for (let i = 0; i < 20; i++) assertEquals(pattern(piece.repeat(150) + count++), true);
  };
  assertComparable(all("\\p{L}"), all("\\d"), 50);
});
