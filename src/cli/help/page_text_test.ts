import { assertEquals } from "@std/assert";
import { parsePage } from "../../help/page.ts";
import { pageText } from "./page_text.ts";

function shown(markdown: string, columns = 40): string[] {
  const style = { columns, bold: (text: string) => `*${text}*` };
  return pageText("tokens", parsePage(markdown).blocks, style).split("\n");
}

Deno.test("pageText() shows headings, paragraphs, code and lists", () => {
  const page =
    "# A page\n\nSome **words** that need\nmore than one line, and `a b c`.\n\n## More\n\n### Small\n\n" +
    "```sh\ncurl -s \\\n  http://x\n\nls\n```\n\n- one\n- two\n  - below, with a line that is too long for one\n\n" +
    "1. first\n\n   again\n2. second\n\n> said\n\n<!-- unseen -->\n";
  assertEquals(shown(page), [
    "*A PAGE*",
    "",
    "  Some words that need more than one",
    "  line, and `a b c`.",
    "",
    "*More*",
    "",
    " *Small*",
    "",
    "    curl -s \\",
    "      http://x",
    "",
    "    ls",
    "",
    "  - one",
    "  - two",
    "    - below, with a line that is too",
    "      long for one",
    "",
    "  1. first",
    "",
    "     again",
    "",
    "  2. second",
    "",
    "  | said",
  ]);
});

Deno.test("pageText() says where links lead", () => {
  const links =
    "[Errors](errors.md#all) and [this](#here), [file](../README.md), [site](https://example.com/), " +
    "<https://example.com/>";
  assertEquals(shown(links, 60), [
    "  Errors (sluice help errors#all) and this",
    "  (sluice help tokens#here), file, site",
    "  <https://example.com/>, https://example.com/",
  ]);
});

Deno.test("pageText() shows a table in columns if it fits, else as a paragraph for each row", () => {
  assertEquals(shown("| a | what |\n|---|---|\n| `x` | one |\n| y | two |"), [
    "  *a  what*",
    "  -  ----",
    "  x  one",
    "  y  two",
  ]);
  assertEquals(
    shown("| a | what |\n|---|---|\n| x | a text of several words, for two lines |\n| y | two |"),
    [
      "  *a  what*",
      "  -  -----------------------------------",
      "  x  a text of several words, for two",
      "     lines",
      "",
      "  y  two",
    ],
  );
  assertEquals(shown(`| a | b |\n|---|---|\n| x | ${"y".repeat(40)} |`), [
    "  *x*",
    `    ${"y".repeat(36)}`,
    "    yyyy",
  ]);
  const long = "A_NAME_THAT_IS_LONG_FOR_A_TERMINAL";
  assertEquals(
    shown(`| setting | default | what |\n|---|---|---|\n| \`${long}\` | \`1\` | a text |\n| b | | two |`),
    [
      `  *${long}*`,
      "    default: 1",
      "    what: a text",
      "",
      "  *b*",
      "    what: two",
    ],
  );
});
