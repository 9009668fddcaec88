import { assertEquals } from "@std/assert";
import { headerText } from "./header_text.ts";

Deno.test("headerText() leaves plain text alone and encodes what HTTP would change", () => {
  for (const plain of ["", "get_weather", "a b", "file:///x?y=1", "=?base64?x", "x?="]) {
    assertEquals(headerText(plain), plain);
  }
  for (const text of [" a", "a ", "\t", "日本", "a\nb", "é", "=?base64?eA==?=", "\x7f"]) {
    const written = headerText(text);
    const base64 = /^=\?base64\?([A-Za-z0-9+/=]*)\?=$/.exec(written)![1]!;
    assertEquals(new TextDecoder().decode(Uint8Array.fromBase64(base64)), text);
  }
});
