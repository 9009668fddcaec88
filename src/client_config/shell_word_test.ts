import { assertEquals } from "@std/assert";
import { shellWord } from "./shell_word.ts";

Deno.test("shellWord() quotes what a shell would read as more than a word", () => {
  for (const plain of ["/data/mcp.db", "http://a:1/mcp", "a@b=c"]) assertEquals(shellWord(plain), plain);
  assertEquals(shellWord(""), "''");
  assertEquals(shellWord("my keys/a.pem"), "'my keys/a.pem'");
  assertEquals(shellWord("http://a/$(id);x"), "'http://a/$(id);x'");
  assertEquals(shellWord("it's"), `'it'\\''s'`);
});
