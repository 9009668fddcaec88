// Reads a SQLite file without changing it. Opening a file for use switches it to WAL, and creates files beside it.
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { type DatabaseContents, refuseForeign } from "../sql/foreign_database.ts";

const MAX_TRIES = 20;

/** Accepts also a file that cannot be read. @throws {SluiceError} STORE_CANNOT_OPEN if the database belongs to another program */
export function refuseForeignFile(path: string): void {
  const contents = contentsOf(path);
  if (contents !== null) refuseForeign(contents, path);
}

/** null if there is no file, or if it cannot be read. `openSqlite` reports the reason. */
function contentsOf(path: string): DatabaseContents | null {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const before = stateOf(path);
    if (before === null) return null;
    try {
      const contents = read(path, before.hasWal);
      // An immutable read does not notice writes of other processes. Repeat it if the file has changed meanwhile.
      if (stateOf(path)?.mark === before.mark) return contents;
    } catch {
      return null;
    }
  }
  return null;
}

/** An immutable read creates no files, but ignores a WAL. If there is a WAL, the file is opened read-only. */
function read(path: string, hasWal: boolean): DatabaseContents {
  const url = pathToFileURL(path);
  if (!hasWal) url.searchParams.set("immutable", "1");
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    const rows = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const tables = new Set(rows.map(({ name }) => String(name)));
    if (!tables.has("schema_migrations")) return { tables, steps: 0 };
    const counted = database.prepare("SELECT COUNT(*) AS steps FROM schema_migrations").get();
    return { tables, steps: Number(counted?.steps) };
  } finally {
    database.close();
  }
}

/** A mark that changes with every write; null if there is no file, or an empty one. */
function stateOf(path: string): { hasWal: boolean; mark: string } | null {
  try {
    const { size, mtime } = Deno.statSync(path);
    if (size === 0) return null;
    const hasWal = exists(`${path}-wal`);
    return { hasWal, mark: hasWal ? "wal" : `${size} ${mtime?.getTime()}` };
  } catch {
    return null;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
