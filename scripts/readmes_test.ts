import { assertEquals } from "@std/assert";
import { TOPICS } from "../src/help/topics.ts";
import { FLOORS, ROOMS } from "./check_layers.ts";

const ROOT = new URL("../", import.meta.url);
const PAGES = [
  ...["README.md", "src/README.md", "bench/README.md", "tests/README.md"],
  ...["CONTRIBUTING", "SECURITY", "CHANGELOG"].map((name) => `.github/${name}.md`),
  ...TOPICS.map(({ name }) => `src/help/${name}.md`),
];

/** Paths of files in backticks, and relative targets of links, as the page's reader would follow them. */
function pathsIn(text: string): string[] {
  const quoted = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:tsx?|md|sh|lua))`/g)].map(([, path]) =>
    path!
  );
  const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, path]) => path!);
  return [...quoted, ...linked];
}

async function exists(url: URL): Promise<boolean> {
  return await Deno.stat(url).then(() => true, () => false);
}

Deno.test("every file that a README names is there", async () => {
  const missing: string[] = [];
  for (const page of PAGES) {
    const url = new URL(page, ROOT);
    if (!await exists(url)) continue;
    for (const path of pathsIn(await Deno.readTextFile(url))) {
      if (!await exists(new URL(path, url)) && !await exists(new URL(path, ROOT))) {
        missing.push(`${page}: ${path}`);
      }
    }
  }
  assertEquals(missing, []);
});

Deno.test("src/README.md names every floor and every room", async () => {
  const text = await Deno.readTextFile(new URL("src/README.md", ROOT));
  const names = [...FLOORS.flat(), ...Object.values(ROOMS).flat(2)].filter((name) => name !== ".");
  assertEquals(names.filter((name) => !text.includes(`\`${name}\``)), []);
});
