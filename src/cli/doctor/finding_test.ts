import { assert, assertEquals } from "@std/assert";
import { parsePage, sectionOf } from "../../help/page.ts";
import { isTopic, readTopic } from "../../help/topics.ts";
import { sentence } from "./finding.ts";

const FOLDERS = [".", "./servers/"].map((folder) => new URL(folder, import.meta.url));

Deno.test("every finding names a page of the manual, and a section that the page has", async () => {
  const pages = new Set<string>();
  const files = FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(folder)].map(({ name }) => new URL(name, folder))
  )
    .filter(({ pathname }) => pathname.endsWith("_checks.ts"));
  for (const file of files) {
    const source = Deno.readTextFileSync(file);
    for (const [, page] of source.matchAll(/"([a-z]+#[a-z-]+)"|page: "([a-z]+)"/g)) if (page) pages.add(page);
  }
  assert(pages.size > 5);
  const missing: string[] = [];
  for (const page of pages) {
    const [topic, slug] = page.split("#");
    if (!isTopic(topic) || sectionOf(parsePage(await readTopic(topic)), slug) === null) missing.push(page);
  }
  assertEquals(missing, []);
});

Deno.test("sentence() gives a text its capital and its full stop", () => {
  assertEquals(["the key is old", "Did you mean PORT?", "It is."].map(sentence), [
    "The key is old.",
    "Did you mean PORT?",
    "It is.",
  ]);
});
