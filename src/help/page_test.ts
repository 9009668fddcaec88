import { assertEquals } from "@std/assert";
import type { Tokens } from "marked";
import { parsePage, plainText, sectionOf } from "./page.ts";
import { isTopic, readTopic, TOPICS } from "./topics.ts";

const PAGE = `# The \`page\`

Intro.

## Private CA, and *more*

First.

### Below

Second.

## Private CA, and more

Third.
`;

Deno.test("parsePage() finds the title and the headings with the anchors of GitHub", () => {
  const { title, headings } = parsePage(PAGE);
  assertEquals(title, "The page");
  assertEquals(headings.map(({ depth, slug }) => [depth, slug]), [
    [1, "the-page"],
    [2, "private-ca-and-more"],
    [3, "below"],
    [2, "private-ca-and-more-1"],
  ]);
});

Deno.test("sectionOf() gives a heading with all that stands below it", () => {
  const page = parsePage(PAGE);
  const raw = (slug: string) => sectionOf(page, slug)?.map((block) => block.raw.trim());
  assertEquals(raw("private-ca-and-more"), ["## Private CA, and *more*", "First.", "### Below", "Second."]);
  assertEquals(raw("below"), ["### Below", "Second."]);
  assertEquals(raw("private-ca-and-more-1")?.at(-1), "Third.");
  assertEquals(raw("nowhere"), undefined);
});

Deno.test("plainText() leaves marks out, and keeps what stands in code as it is", () => {
  const { blocks: [block] } = parsePage("A **b** [c](d.md)\nand `x < &lt; y`<!-- no -->  \nz");
  assertEquals(plainText((block as Tokens.Paragraph).tokens), "A b c and x < &lt; y z");
});

Deno.test("every topic has a page with one title", async () => {
  for (const { name } of TOPICS) {
    const { headings } = parsePage(await readTopic(name));
    assertEquals([name, headings.filter(({ depth }) => depth === 1).map(({ at }) => at)], [name, [0]]);
  }
  assertEquals(["tokens", "toString", "help"].map(isTopic), [true, false, false]);
});
