import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const PAGES = ["README.md", "src/README.md", "bench/README.md", "tests/README.md"];

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
