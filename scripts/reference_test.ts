import { assertEquals } from "@std/assert";
import { replacePart } from "./reference.ts";

Deno.test("replacePart() replaces what is between the markers, and twice gives the same", () => {
  const before = "# Title\n<!-- settings:begin -->\nold $& text\n<!-- settings:end -->\ntail\n";
  const after = replacePart(before, "settings", "new $& text")!;
  assertEquals(after, "# Title\n<!-- settings:begin -->\n\nnew $& text\n\n<!-- settings:end -->\ntail\n");
  assertEquals(replacePart(after, "settings", "new $& text"), after);
});

Deno.test("replacePart() gives null where a marker is missing or they stand the wrong way round", () => {
  for (
    const text of [
      "",
      "<!-- settings:begin -->",
      "<!-- settings:end -->",
      "<!-- settings:end --><!-- settings:begin -->",
      "<!-- errors:begin --><!-- errors:end -->",
    ]
  ) assertEquals([text, replacePart(text, "settings", "x")], [text, null]);
});
