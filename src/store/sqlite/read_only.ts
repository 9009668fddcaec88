// Reads a SQLite file without changing it. Opening a file for use switches it to WAL, and creates files beside it.
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { SqlQuery } from "../sql/sql.ts";

const MAX_TRIES = 20;

export interface SqliteReader {
  query<T>(query: SqlQuery): T[];
}

/**
 * Gives `read` one consistent state of the file.
 * @param mayLeaveLog SQLite may leave an empty log beside the file
 * @returns null if there is no file, or an empty one
 * @throws {Error} the reason of SQLite; or that the file does not hold still
 */
export function readSqliteFile<T>(
  path: string,
  read: (reader: SqliteReader) => T,
  { mayLeaveLog }: { readonly mayLeaveLog: boolean },
): T | null {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const before = stateOf(path);
    if (before === null) return null;
    const result = attempt(() => withReader(path, before.isShared || mayLeaveLog, read));
    // An immutable read does not notice writes of other processes. Repeat it if the file has changed meanwhile.
    if (!before.isShared && markOf(path) !== before.mark) continue;
    if ("error" in result) throw result.error;
    return result.value;
  }
  throw new Error("another program writes to it again and again");
}

function attempt<T>(run: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

/**
 * Reading a file that keeps a log creates one. An immutable read creates no files, but ignores a log, so it is for a file without one. It
 * needs a URL, which Deno takes for a path unless the process was given `--allow-read` without a folder.
 */
function withReader<T>(path: string, mayLeaveLog: boolean, read: (reader: SqliteReader) => T): T {
  const url = pathToFileURL(path);
  url.searchParams.set("immutable", "1");
  const database = new DatabaseSync(mayLeaveLog || !keepsLog(path) ? path : url, { readOnly: true });
  try {
    database.exec("BEGIN");
    return read({
      query: <Row>({ parts, values }: SqlQuery) =>
        database.prepare(parts.join("?")).all(...values) as unknown as Row[],
    });
  } finally {
    database.close();
  }
}

/** Is the file in WAL mode? Byte 18 of its header says so: https://www.sqlite.org/fileformat2.html#file_format_version_numbers */
function keepsLog(path: string): boolean {
  using file = Deno.openSync(path);
  const header = new Uint8Array(19);
  return file.readSync(header) === header.length && header[18] === 2;
}

/** null if there is no file, or an empty one. */
function stateOf(path: string): { readonly isShared: boolean; readonly mark: string } | null {
  const mark = markOf(path);
  if (mark === null) return null;
  return { isShared: exists(`${path}-wal`) || exists(`${path}-journal`), mark };
}

/** Changes with every write to the file itself. */
function markOf(path: string): string | null {
  try {
    const { size, mtime } = Deno.statSync(path);
    return size === 0 ? null : `${size} ${mtime?.getTime()}`;
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
