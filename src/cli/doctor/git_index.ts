// Whether a repository of git has a file, read from its index without git.
import { existsSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

/** Does the repository around the file have it? */
export function isCommitted(path: string): boolean {
  const file = resolve(path);
  for (let folder = dirname(file);; folder = dirname(folder)) {
    if (existsSync(`${folder}/.git`)) {
      const index = `${gitFolder(folder)}/index`;
      return existsSync(index) && hasEntry(Deno.readFileSync(index), relative(folder, file));
    }
    if (folder === dirname(folder)) return false;
  }
}

/** In a worktree or a submodule, .git is a file that names the folder. https://git-scm.com/docs/gitrepository-layout */
function gitFolder(folder: string): string {
  const git = `${folder}/.git`;
  if (Deno.statSync(git).isDirectory) return git;
  const [, elsewhere] = /^gitdir: (.+)$/m.exec(Deno.readTextFileSync(git)) ?? [];
  return elsewhere === undefined ? git : resolve(folder, elsewhere);
}

/** The bit of an entry's flags that says that two more bytes of flags follow. */
const EXTENDED = 0x40;

/**
 * Does an index (version 2 or 3) have an entry of this path? The path ends with a zero byte. The flags before it hold its length in
 * twelve bits, which tells `.env` from the end of `examples/.env`. https://git-scm.com/docs/index-format
 */
export function hasEntry(index: Uint8Array, path: string): boolean {
  const name = new TextEncoder().encode(path);
  const [text, wanted] = [index, name].map((bytes) => new TextDecoder("latin1").decode(bytes));
  const hasLength = (at: number) => ((index[at]! & 0x0f) << 8 | index[at + 1]!) === name.length;
  for (let at = text!.indexOf(`${wanted}\0`); at !== -1; at = text!.indexOf(`${wanted}\0`, at + 1)) {
    if (hasLength(at - 2) || ((index[at - 4]! & EXTENDED) !== 0 && hasLength(at - 4))) return true;
  }
  return false;
}
