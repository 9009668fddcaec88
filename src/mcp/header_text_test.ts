import { assertEquals } from "@std/assert";
import { headerText, textOfHeader } from "./header_text.ts";

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

Deno.test("textOfHeader() reads what headerText() writes, and tells what is broken", () => {
  for (
    const text of ["get_weather", " padded ", "\u00e9t\u00e9", "\u{1f600}", "line\nbreak", "=?base64?eA==?="]
  ) {
    assertEquals(textOfHeader(headerText(text)), text);
  }
  assertEquals(textOfHeader("=?base64?SGk=?="), "Hi");
  assertEquals(textOfHeader("=?base64?SGk?="), null, "without padding");
  assertEquals(textOfHeader("=?base64?SG!k?="), null, "other characters");
  assertEquals(textOfHeader("=?base64?/w==?="), null, "no UTF-8");
  assertEquals(textOfHeader("=?BASE64?SGk=?="), "=?BASE64?SGk=?=", "another spelling is a text");
  for (const raw of ["\u00e9t\u00e9", "a\x7f", "a\x01b"]) {
    assertEquals(textOfHeader(raw), null, "not encoded");
  }
});
