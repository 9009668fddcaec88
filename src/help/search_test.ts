import { assertEquals } from "@std/assert";
import { parsePage } from "./page.ts";
import { search } from "./search.ts";

const PAGES = [
  [
    "one",
    parsePage(
      "# One\n\nA private CA.\n\n## Two\n\n- An item\n- Another *private* item, of a CA\n\n| a | b |\n|---|---|\n| CA | `private` |\n\n```sh\nprivate CA\n```\n",
    ),
  ],
  ["other", parsePage("# Other\n\n## The private CA\n\nNothing of the kind.\n")],
] as const;

Deno.test("search() finds the sections where all words occur in one place, those with a fitting heading first", () => {
  assertEquals(search(PAGES, ["private", "ca"]), [
    { topic: "other", heading: "The private CA", slug: "the-private-ca", texts: [] },
    { topic: "one", heading: "One", slug: "one", texts: ["A private CA."] },
    {
      topic: "one",
      heading: "Two",
      slug: "two",
      texts: ["Another private item, of a CA", "CA | private", "private CA"],
    },
  ]);
  assertEquals(search(PAGES, ["item", "kind"]), []);
  assertEquals(search(PAGES, ["ivate"]), []);
  assertEquals(search(PAGES, ["it", "-"]), []);
});
