// Files that only their owner may read: databases and secrets that a command puts in a gateway's folder.
import { dirname } from "node:path";

/** Makes a file with mode 600. Root makes it for the owner of the folder: a gateway that runs as another user must read it. */
export function createPrivately(path: string, text = ""): void {
  Deno.writeTextFileSync(path, text, { createNew: true, mode: 0o600 });
  if (Deno.uid() !== 0) return;
  const { uid, gid } = Deno.statSync(dirname(path));
  if (uid !== null && gid !== null) Deno.chownSync(path, uid, gid);
}

/** Writes the file whole or not at all, with mode 600. */
export function replacePrivately(path: string, text: string): void {
  const draft = draftOf(path);
  try {
    createPrivately(draft, text);
    Deno.renameSync(draft, path);
  } finally {
    removeIfThere(draft);
  }
}

/** A name in the same folder, for a file that becomes `path` once it is complete. */
export function draftOf(path: string): string {
  return `${path}.${crypto.randomUUID()}`;
}

export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
