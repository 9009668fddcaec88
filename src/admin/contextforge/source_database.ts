// Opens the database of a ContextForge for reading. Nothing in it is changed; a SQLite file may be in use.
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import { type DatabaseSettings, openDatabase } from "../../store/open_database.ts";
import { readSqliteFile } from "../../store/sqlite/read_only.ts";
import { faultOf, isNoDatabase, isSqliteError } from "../../store/sqlite/sqlite_errors.ts";
import { readSource, type Source, UnusableSource } from "./source_tables.ts";

/**
 * @param place the path of a SQLite file, or a URL of SQLAlchemy's form
 * @throws {SluiceError} SOURCE_UNUSABLE; SETTINGS_INVALID for a malformed URL
 */
export async function readSourceDatabase(place: string, settings: DatabaseSettings): Promise<Source> {
  const location = parseDatabaseUrl(urlOf(place));
  if (location.kind === "sqlite") return readFile(location.path);
  const database = await openDatabase(place, {
    settings: { ...settings, dbMaxRetries: 0, dbPoolSize: 1, dbMaxOverflow: 0 },
  });
  try {
    return await database.transaction(async (tx) => {
      const reading = readSource("postgres");
      let step = reading.next();
      while (!step.done) step = reading.next(await tx.query(step.value));
      return step.value;
    }, { readOnly: true });
  } catch (error) {
    throw error instanceof UnusableSource ? unusable(database.location, error.message, error) : error;
  } finally {
    await database.close();
  }
}

/** A text without a scheme is a path. */
export function urlOf(place: string): string {
  return /^[a-z][a-z0-9+_]*:/i.test(place) ? place : `sqlite:///${place}`;
}

function readFile(path: string): Source {
  try {
    const source = readSqliteFile(path, (reader) => {
      const reading = readSource("sqlite");
      let step = reading.next();
      while (!step.done) step = reading.next(reader.query(step.value));
      return step.value;
    }, { mayLeaveLog: true });
    if (source !== null) return source;
  } catch (error) {
    if (error instanceof UnusableSource) throw unusable(path, error.message, error);
    if (isNoDatabase(error)) throw unusable(path, "it is no SQLite database", error);
    throw unusable(path, isSqliteError(error) ? faultOf(error) : reasonOf(error), error);
  }
  throw unusable(path, isThere(path) ? "the file is empty" : "there is no such file. Correct the path");
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function unusable(source: string, reason: string, cause?: unknown): SluiceError {
  return new SluiceError("SOURCE_UNUSABLE", { source, reason }, { cause });
}
