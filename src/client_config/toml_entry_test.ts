import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { withTable } from "./toml_entry.ts";

const TABLE = { url: "http://h/mcp", http_headers: { Authorization: 'Bearer "x"' } };
const OWN = [
  "[mcp_servers.sluice]",
  'url = "http://h/mcp"',
  'http_headers = { Authorization = "Bearer \\"x\\"" }',
];

Deno.test("withTable() adds a table, and replaces the one of an earlier run with everything below it", () => {
  const before = [
    'model = "x" # mine',
    "",
    "# The files",
    "[mcp_servers.files]",
    'command = "npx"',
    'args = ["-y", """',
    "[mcp_servers.sluice]",
    '"""]',
    "",
  ];
  const added = withTable(before.join("\n"), ["mcp_servers", "sluice"], TABLE);
  assertEquals(added.split("\n"), [...before, ...OWN, ""]);
  assertEquals(withTable("", ["mcp_servers", "sluice"], TABLE).split("\n"), [...OWN, ""]);

  const old = [
    ...[
      "a = 1",
      "",
      "[mcp_servers.sluice]",
      'url = "old"',
      "",
      "[mcp_servers.sluice.http_headers]",
      'X = "1"',
      "",
    ],
    ...["# The next", "[other]", "b = 2"],
  ];
  assertEquals(withTable(old.join("\r\n"), ["mcp_servers", "sluice"], TABLE).split("\r\n"), [
    ...["a = 1", "", "", "# The next", "[other]", "b = 2", "", ...OWN, ""],
  ]);
});

Deno.test("withTable() refuses a text that is wrong, or that it could not change without loss", () => {
  for (
    const [text, words] of [
      ["a = ", /./],
      ["mcp_servers = { sluice = { url = 'x' } }", /cannot be replaced/],
      ["[mcp_servers]\nsluice = { url = 'x' }", /cannot be replaced/],
    ] as const
  ) {
    const error = assertThrows(() => withTable(text, ["mcp_servers", "sluice"], TABLE), SluiceError);
    assertEquals([error.code, words.test(error.message)], ["CONFIG_TEXT_INVALID", true], error.message);
  }
});
