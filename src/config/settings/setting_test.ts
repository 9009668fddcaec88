import { assertEquals } from "@std/assert";
import { bool, headerName, int, type Kind, list, oneOf, seconds, type Unit } from "./setting.ts";

/** The value of a text; "refused" if the kind does not accept the text. */
function read<T>(kind: Kind<T, Unit>, text: string): T | "refused" {
  const result = kind.schema.safeParse(text);
  return result.success ? result.data : "refused";
}

Deno.test("bool() reads the usual words in any case", () => {
  for (const text of ["true", "1", "yes", "on", "TRUE", " On "]) {
    assertEquals([text, read(bool(), text)], [text, true]);
  }
  for (const text of ["false", "0", "no", "off", "False"]) {
    assertEquals([text, read(bool(), text)], [text, false]);
  }
  for (const text of ["", "2", "y", "tru", "truefalse"]) {
    assertEquals([text, read(bool(), text)], [text, "refused"]);
  }
});

Deno.test("int() reads whole numbers within its bounds, both included", () => {
  const kind = int({ min: 1, max: 10 });
  const rows = [["1", 1], ["10", 10], ["+3", 3], ["5.0", 5], ["0", "refused"], ["11", "refused"], [
    "5.5",
    "refused",
  ]];
  for (const [text, value] of rows) assertEquals([text, read(kind, String(text))], [text, value]);
  for (const text of ["", "1e1", "0x1", "1_0", "Infinity", "one"]) {
    assertEquals([text, read(kind, text)], [text, "refused"]);
  }
});

Deno.test("seconds() gives whole milliseconds that a timer can wait", () => {
  const rows = [
    ["30", 30_000],
    ["0.5", 500],
    ["0.0015", 2],
    ["2073600", 2_073_600_000],
    ["0", "refused"],
    [
      "0.0004",
      "refused",
    ],
    ["2073601", "refused"],
    ["-1", "refused"],
    ["30s", "refused"],
  ];
  for (const [text, value] of rows) assertEquals([text, read(seconds(), String(text))], [text, value]);
  assertEquals([read(seconds({ min: 0 }), "0"), 2_073_600_000 < 2 ** 31], [0, true]);
});

Deno.test("oneOf() gives the word as listed, synonyms included", () => {
  const kind = oneOf(["INFO", "WARNING"], { WARN: "WARNING" });
  assertEquals(["info", "WARNING", "warn", "debug"].map((text) => read(kind, text)), [
    "INFO",
    "WARNING",
    "WARNING",
    "refused",
  ]);
});

Deno.test("list() reads commas and JSON, drops empty items and repeats", () => {
  const kind = list("header names", headerName);
  const rows: ReadonlyArray<[text: string, items: readonly string[] | "refused"]> = [
    ["a, b ,c", ["a", "b", "c"]],
    ['["a", "b"]', ["a", "b"]],
    ["a,,a,", ["a"]],
    ["[]", []],
    ["a b", "refused"],
    ["[1]", "refused"],
    ['["a"', "refused"],
    ['["a\\r\\nb"]', "refused"],
  ];
  for (const [text, items] of rows) assertEquals([text, read(kind, text)], [text, items]);
});
