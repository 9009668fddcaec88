import { assertEquals } from "@std/assert";
import { hasEntry, isCommitted } from "./git_index.ts";

/** An index of version 2, or 3 for entries with more flags. */
function indexOf(paths: readonly string[], { isExtended = false } = {}): Uint8Array {
  const bytes: number[] = [
    ...new TextEncoder().encode("DIRC"),
    0,
    0,
    0,
    isExtended ? 3 : 2,
    0,
    0,
    0,
    paths.length,
  ];
  for (const path of paths) {
    const name = [...new TextEncoder().encode(path)];
    const [high, low] = [name.length >> 8, name.length & 0xff];
    const flags = isExtended ? [high | 0x40, low, 0x40, 0] : [high, low];
    const entry = [...new Uint8Array(60), ...flags, ...name];
    bytes.push(...entry, ...new Uint8Array(8 - entry.length % 8));
  }
  return new Uint8Array(bytes);
}

Deno.test("hasEntry() finds a path, and takes no other path for it that ends alike", () => {
  for (const isExtended of [false, true]) {
    const has = (paths: readonly string[], path: string) => hasEntry(indexOf(paths, { isExtended }), path);
    assertEquals(has(["README.md", ".env", "src/main.ts"], ".env"), true);
    assertEquals(has(["examples/.env", "prod.env"], ".env"), false);
    assertEquals(has(["examples/.env", ".env"], ".env"), true);
    assertEquals(has(["deploy/größe/.env"], "deploy/größe/.env"), true);
    assertEquals(has([".env.example"], ".env"), false);
  }
});

Deno.test("isCommitted() looks into the repository that a worktree belongs to", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/main/.git/worktrees/other`, { recursive: true });
    await Deno.mkdir(`${folder}/other`);
    await Deno.writeTextFile(`${folder}/other/.git`, `gitdir: ${folder}/main/.git/worktrees/other\n`);
    assertEquals(isCommitted(`${folder}/other/.env`), false);
    await Deno.writeFile(`${folder}/main/.git/worktrees/other/index`, indexOf([".env"]));
    assertEquals(isCommitted(`${folder}/other/.env`), true);
    assertEquals(isCommitted(`${folder}/main/.env`), false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
