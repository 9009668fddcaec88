// Recognizes a SQLite file of another program before it is opened for use.
import { type DatabaseContents, refuseForeign } from "../sql/foreign_database.ts";
import { sql } from "../sql/sql.ts";
import { readSqliteFile, type SqliteReader } from "./read_only.ts";

/** Accepts also a file that cannot be read. @throws {SluiceError} STORE_CANNOT_OPEN if the database belongs to another program */
export function refuseForeignFile(path: string): void {
  const contents = contentsOf(path);
  if (contents !== null) refuseForeign(contents, path);
}

/** null if there is no file, or if it cannot be read. `openSqlite` reports the reason. */
function contentsOf(path: string): DatabaseContents | null {
  try {
    return readSqliteFile(path, read, { mayLeaveLog: false });
  } catch {
    return null;
  }
}

function read(reader: SqliteReader): DatabaseContents {
  const rows = reader.query<{ name: string }>(sql`SELECT name FROM sqlite_master WHERE type = 'table'`);
  const tables = new Set(rows.map(({ name }) => name));
  if (!tables.has("schema_migrations")) return { tables, steps: 0 };
  const [counted] = reader.query<{ steps: number }>(sql`SELECT COUNT(*) AS steps FROM schema_migrations`);
  return { tables, steps: Number(counted?.steps) };
}
