import { assertEquals } from "@std/assert";
import { isEmailAddress } from "./email_address.ts";

Deno.test("isEmailAddress() takes addresses in any script, and no look-alikes of others", () => {
  for (const text of ["ann@example.com", "Åsa@exämple.org", "安@例え.jp", "a+b@x", "o'hara@x.org"]) {
    assertEquals([text, isEmailAddress(text)], [text, true]);
  }
  const faulty = ["", "ann", "@x", "ann@", "a@b@c", "a b@x", "a\u0000@x", `${"a".repeat(255)}@x`];
  // A zero-width space, a soft hyphen, a turn of direction, a combining accent, a full-width dot, a ligature, the Kelvin sign.
  const alike = ["ann\u200b@x.org", "a\u00adnn@x.org", "\u202eann@x.org", "e\u0301@x.org", "ann@x\uff0eorg"];
  for (const text of [...faulty, ...alike, "\ufb01n@x.org", "\u212Aate@x.org"]) {
    assertEquals([text, isEmailAddress(text)], [text, false]);
  }
});
