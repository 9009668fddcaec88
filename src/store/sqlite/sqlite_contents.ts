// Looks into a SQLite file without leaving a trace: opening a file for use switches it to WAL and puts files beside it.
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { type DatabaseContents, refuseForeign } from "../sql/foreign_database.ts";

const MAX_TRIES = 20;

/** @throws {SluiceError} STORE_CANNOT_OPEN when the file is another program's database; a file that cannot be read passes */
export function refuseForeignFile(path: string): void {
  const contents = contentsOf(path);
  if (contents !== null) refuseForeign(contents, path);
}

/** null: there is no file, or none that can be read; whoever opens it says why. */
function contentsOf(path: string): DatabaseContents | null {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const before = stateOf(path);
    if (before === null) return null;
    try {
      const contents = read(path, before.hasWal);
      // Another process may have written meanwhile, and an immutable read would not have noticed.
      if (stateOf(path)?.mark === before.mark) return contents;
    } catch {
      return null;
    }
  }
  return null;
}

/** With a WAL beside it the file alone is out of date. Without one, an immutable read makes neither a WAL nor a lock. */
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

/** What changes with every write to the database; null: there is no file, or an empty one. */
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
