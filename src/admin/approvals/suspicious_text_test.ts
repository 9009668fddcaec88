import { assertEquals } from "@std/assert";
import { suspicionsIn, visible } from "./suspicious_text.ts";

Deno.test("visible() shows what cannot be seen, and leaves the rest alone", () => {
  const plain = "Grüße, שלום, 你好 🎉 ❤️ 1️⃣\n\tdone";
  assertEquals(visible(plain), plain);
  const hidden: [string, string][] = [
    ["a\u200Bb", "a\\u{200B}b"],
    ["\u202Eevil\u202C", "\\u{202E}evil\\u{202C}"],
    ["\x1b[8mhidden\x1b[0m", "\\u{001B}[8mhidden\\u{001B}[0m"],
    ["x\u{E0041}\u{E0042}", "x\\u{E0041}\\u{E0042}"],
    ["a\uFE0Fb\u{E0100}", "a\\u{FE0F}b\\u{E0100}"],
    ["a\r\u2028\u00AD\u3164\u{F0000}", "a\\u{000D}\\u{2028}\\u{00AD}\\u{3164}\\u{F0000}"],
  ];
  for (const [text, shown] of hidden) assertEquals(visible(text), shown);
});

Deno.test("suspicionsIn() finds hiding text in every string and name of a value", () => {
  const kinds = (value: unknown) => suspicionsIn(value).map(({ kind, count }) => `${kind} ${count}`);
  assertEquals(kinds({ description: "Adds numbers. ❤️", n: 1, l: [null, true] }), []);
  assertEquals(kinds({ a: { "b\u200B": ["\u{E0041}\u{E0042}", "\u202E"] } }), [
    "invisible 1",
    "tag 2",
    "bidi 1",
  ]);
  assertEquals(kinds("\x1b[8m"), ["control 1"]);
  assertEquals(kinds(`ok${" ".repeat(60)}evil`), ["blank_run 1"]);
  assertEquals(kinds(`ok${"\n".repeat(30)}evil`), ["blank_run 1"]);
  assertEquals(kinds("word ".repeat(1_000)), ["long_line 1"]);
});
