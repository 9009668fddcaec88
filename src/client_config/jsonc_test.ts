import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { parseJsonc, withValue } from "./jsonc.ts";

Deno.test("comments, trailing commas and a byte order mark are accepted", () => {
  const text = '\uFEFF// mine\n{\n  "a": [1, 2,], /* two */\n  "b": "// not a comment",\n}\n';
  assertEquals(parseJsonc(text), { a: [1, 2], b: "// not a comment" });
});

Deno.test("the first mistake is named with its line and column", () => {
  for (
    const [text, reason] of [
      ["", "the file is empty"],
      ["  \n", "the file is empty"],
      ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: a "," is missing'],
      ["{'a': 1}", "line 1, column 2: a value that JSON does not have"],
      ['{"a": ', "line 1, column 7: a value is missing"],
      ["[".repeat(100_000), "it is nested deeper than 50 levels"],
    ] as const
  ) {
    const error = assertThrows(() => parseJsonc(text), SluiceError);
    assertEquals([error.code, error.params.reason], ["CONFIG_TEXT_INVALID", reason]);
  }
});

Deno.test("a value is put into a text that stays as it is otherwise", () => {
  const text = [
    "// My servers",
    "{",
    '\t"theme": "dark", // keep',
    '\t"mcpServers": {',
    "\t\t/* the files */",
    '\t\t"files": { "command": "npx" },',
    "\t},",
    "}",
    "",
  ].join("\r\n");
  const after = withValue(text, ["mcpServers", "sluice"], { url: "http://h/mcp" });
  assertEquals(parseJsonc(after), {
    theme: "dark",
    mcpServers: { files: { command: "npx" }, sluice: { url: "http://h/mcp" } },
  });
  for (const kept of ["// My servers", "// keep", "/* the files */", '"files": { "command": "npx" }']) {
    assertEquals(after.includes(kept), true, kept);
  }
  assertEquals(after.replaceAll("\r\n", "").includes("\n"), false);
  const again = withValue(after, ["mcpServers", "sluice"], { url: "http://h/other" });
  assertEquals(again.split("sluice").length, 2);
  assertEquals(withValue(again, ["mcpServers", "sluice"], { url: "http://h/mcp" }), after);
});

Deno.test("a member is added wherever its object is, and a comment stays at the line that it is about", () => {
  for (
    const [text, after] of [
      ["{}", '{\n  "a": {\n    "b": 1\n  }\n}'],
      ['{\n    "x": 1 // one\n}\n', '{\n    "x": 1, // one\n    "a": {\n        "b": 1\n    }\n}\n'],
      ['{"a": {"c": 2}}', '{"a": {"c": 2,\n  "b": 1\n}}'],
      [
        '{\n  "a": {\n    "c": 2, // two, and more\n  },\n}',
        '{\n  "a": {\n    "c": 2, // two, and more\n    "b": 1\n  },\n}',
      ],
      ['{\n  "a": {\n    // none yet\n  }\n}', '{\n  "a": {\n    // none yet\n    "b": 1\n  }\n}'],
      ['{\n  "a": { "b": [2] } // old\n}', '{\n  "a": { "b": 1 } // old\n}'],
    ] as const
  ) assertEquals(withValue(text, ["a", "b"], 1), after);
});

Deno.test("a text in which the place is not an object is refused", () => {
  for (
    const [text, reason] of [
      ["[]", "it is not an object"],
      ['{"mcpServers": []}', '"mcpServers" is not an object'],
    ] as const
  ) {
    const error = assertThrows(() => withValue(text, ["mcpServers", "sluice"], {}), SluiceError);
    assertEquals(error.params.reason, reason);
  }
});
