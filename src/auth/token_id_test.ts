import { assertEquals } from "@std/assert";
import { isTokenId } from "./token_id.ts";

Deno.test("isTokenId() accepts texts that a URL, a database and a command line can hold", () => {
  for (const id of [crypto.randomUUID(), "a", "7", "a b", "a/b", "a.b", "…", "é", "x".repeat(255), "null"]) {
    assertEquals([id, isTokenId(id)], [id, true]);
  }
});

Deno.test("isTokenId() refuses whatever no revocation could match", () => {
  const controls = ["a\nb", "a\0", "a\x7f", "a\x85b", "a\x9bb"];
  const texts = ["", " ", " a", "a\u00a0", ".", "..", "\ud800", "x".repeat(256), ...controls];
  for (const value of [...texts, 12345, 0, null, undefined, true, {}, { a: "b" }, ["a"]]) {
    assertEquals([value, isTokenId(value)], [value, false]);
  }
});
