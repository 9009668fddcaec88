// Backups of a SQLite database. A backup is one SQLite file: a copy of the database, and a table of its own with the secrets.
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { fileReason, readFault, writeFault } from "../../base/file_error.ts";
import { VERSION } from "../../version.ts";
import { MIGRATIONS } from "../sql/migrations.ts";
import { createPrivately, draftOf, removeIfThere, replacePrivately } from "./private_file.ts";
import { faultOf, isBusy, isDiskFull, isNoDatabase, isSqliteError } from "./sqlite_errors.ts";

export interface Backup {
  /** ISO 8601. */
  readonly createdAt: string;
  /** The version of Sluice that made it. */
  readonly madeBy: string;
  /** The text of the secrets file; null: the gateway had none, because its secrets were settings. */
  readonly secrets: string | null;
  readonly upstreams: number;
  readonly tools: number;
  readonly servers: number;
}

/** The table that makes a database a backup. The database that is restored from it has no such table. */
const TABLE = "sluice_backup";

/** The byte of a database file that says how to read it, and its value with a write-ahead log (sqlite.org/fileformat2.html, 1.3). */
const READ_VERSION = 19;
const WRITE_AHEAD_LOG = 2;

/** As many pages as the database has. */
const ALL_PAGES = -1;

/** How long a copy waits for the lock of another process. */
const BUSY_TIMEOUT_MS = 5_000;

/** A gateway holds its lock for as long as it runs, so that nothing is gained by waiting. */
const IN_USE_TIMEOUT_MS = 500;

/**
 * Writes a consistent copy of the database at `path` to `file`, which only its owner may read. Gateways may use the database
 * meanwhile. A file of that name is replaced once the copy is complete.
 * @param secrets the text of the secrets file; null: there is none
 * @throws {SluiceError} CANNOT_BACK_UP
 */
export async function writeBackup(path: string, file: string, secrets: string | null): Promise<void> {
  const draft = draftOf(file);
  try {
    await copyDatabase(open(path), draft);
    withDatabase(open(draft), (copy) => {
      copy.exec(`CREATE TABLE ${TABLE} (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)`);
      const insert = copy.prepare(`INSERT INTO ${TABLE} (name, value) VALUES (?, ?)`);
      insert.run("created_at", new Date().toISOString());
      insert.run("made_by", VERSION);
      if (secrets !== null) insert.run("secrets", secrets);
    });
    Deno.renameSync(draft, file);
  } catch (error) {
    throw new SluiceError("CANNOT_BACK_UP", { file, reason: reasonFor(error, file) });
  } finally {
    removeIfThere(draft);
  }
}

/**
 * Reads a backup and checks it: its format, its pages, its references, the version of its schema.
 * @throws {SluiceError} CANNOT_RESTORE
 */
export function readBackup(file: string): Backup {
  try {
    return withDatabase(openBackup(file), (copy) => check(copy, file));
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    if (isNoDatabase(error)) throw noBackup(file);
    throw cannotRestore(file, isSqliteError(error) ? `it is damaged: ${reasonOf(error)}` : readFault(error));
  }
}

/**
 * Puts the database of a backup in the place of the one at `path`. A process that opens the database at this moment has either
 * the old one or the restored one, and no third.
 * @throws {SluiceError} CANNOT_RESTORE, also if another process has the database open
 */
export async function restoreDatabase(file: string, path: string): Promise<void> {
  const draft = draftOf(path);
  try {
    const isThere = canWriteOver(path, file);
    await copyDatabase(openBackup(file), draft);
    const copy = open(draft);
    try {
      // The secrets must leave no trace in the database.
      copy.exec(`PRAGMA secure_delete = ON; DROP TABLE ${TABLE}`);
      if (isThere) await backup(copy, path);
    } finally {
      copy.close();
    }
    if (!isThere) putInPlace(draft, path);
  } catch (error) {
    throw error instanceof SluiceError ? error : cannotRestore(file, reasonFor(error, path));
  } finally {
    removeIfThere(draft);
  }
}

/** Writes the secrets of a backup. @throws {SluiceError} CANNOT_RESTORE */
export function restoreSecrets(file: string, secrets: string, path: string): void {
  try {
    replacePrivately(path, secrets);
  } catch (error) {
    throw cannotRestore(file, `the secrets file ${path} cannot be written: ${writeFault(error)}`);
  }
}

function check(copy: DatabaseSync, file: string): Backup {
  const one = (query: string) => Object.values(copy.prepare(query).get() ?? {})[0];
  if (one(`SELECT COUNT(*) FROM sqlite_master WHERE name = '${TABLE}'`) === 0) throw noBackup(file);
  const fault = one("PRAGMA integrity_check(1)");
  if (fault !== "ok") throw cannotRestore(file, `it is damaged: ${fault}`);
  if (one("PRAGMA foreign_key_check") !== undefined) {
    throw cannotRestore(file, "it is damaged: entries refer to others that are missing");
  }
  const said = new Map(
    copy.prepare(`SELECT name, value FROM ${TABLE}`).all().map(({ name, value }) => [name, String(value)]),
  );
  const madeBy = said.get("made_by") ?? "an unknown version";
  const version = Number(one("SELECT MAX(version) FROM schema_migrations"));
  if (version > MIGRATIONS.length) {
    const reason =
      `its schema is version ${version}, of Sluice ${madeBy}; this program knows versions up to ` +
      `${MIGRATIONS.length}. Restore it with Sluice ${madeBy} or later`;
    throw cannotRestore(file, reason);
  }
  return {
    createdAt: said.get("created_at") ?? "at an unknown time",
    madeBy,
    secrets: said.get("secrets") ?? null,
    upstreams: Number(one("SELECT COUNT(*) FROM gateways")),
    tools: Number(one("SELECT COUNT(*) FROM tools")),
    servers: Number(one("SELECT COUNT(*) FROM servers")),
  };
}

/**
 * Closes `source`. All pages are copied in one step, so that writers cannot make the copy begin anew. `VACUUM INTO` would attach
 * a database, which Deno forbids to a process without all permissions.
 */
async function copyDatabase(source: DatabaseSync, to: string): Promise<void> {
  try {
    createPrivately(to);
    await backup(source, to, { rate: ALL_PAGES });
  } finally {
    source.close();
  }
  // The header is copied too. With a write-ahead log, the copy would not be one file.
  withDatabase(open(to), (copy) => copy.exec("PRAGMA journal_mode = DELETE"));
}

/** A link, because a rename would replace a database that a gateway has made at this moment. */
function putInPlace(draft: string, path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) removeIfThere(path + suffix);
  Deno.linkSync(draft, path);
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  return database;
}

/**
 * Opens a backup to read it. The file is the whole backup: a database with a write-ahead log is none, and SQLite would make files
 * beside it.
 * @throws {SluiceError} CANNOT_RESTORE
 */
function openBackup(file: string): DatabaseSync {
  const header = new Uint8Array(20);
  using opened = Deno.openSync(file);
  opened.readSync(header);
  if (header[READ_VERSION] === WRITE_AHEAD_LOG) throw noBackup(file);
  return new DatabaseSync(file, { readOnly: true });
}

function withDatabase<T>(database: DatabaseSync, use: (database: DatabaseSync) => T): T {
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/**
 * Is there a database at `path` that can be written over? A damaged one cannot. Every connection to a database in WAL mode holds a
 * lock for its lifetime, and the mode changes only without other connections.
 * @throws {SluiceError} CANNOT_RESTORE if another process has the database open
 */
function canWriteOver(path: string, file: string): boolean {
  if (!existsSync(path)) return false;
  try {
    withDatabase(open(path), (database) => {
      database.exec(`PRAGMA busy_timeout = ${IN_USE_TIMEOUT_MS}`);
      database.prepare("PRAGMA journal_mode = DELETE").get();
    });
    return true;
  } catch (error) {
    if (isBusy(error)) throw cannotRestore(file, `a gateway or another program uses ${path}. Stop it first`);
    if (!isSqliteError(error)) throw error;
    return false;
  }
}

/** SQLite and Deno name a missing folder as they do a missing file. */
function reasonFor(error: unknown, file: string): string {
  const folder = dirname(file);
  try {
    if (Deno.statSync(folder).isDirectory) return isDiskFull(error) ? faultOf(error) : fileReason(error);
  } catch {
    // There is no such folder.
  }
  return `there is no folder ${folder}. Create it`;
}

function noBackup(file: string): SluiceError {
  return cannotRestore(file, "it is not a backup made by `sluice backup`");
}

function cannotRestore(file: string, reason: string): SluiceError {
  return new SluiceError("CANNOT_RESTORE", { file, reason });
}

/** Notes beside the database that a backup was made: `sluice doctor` tells its age. */
export function noteBackup(database: string, now: Date): void {
  try {
    Deno.writeTextFileSync(backupNoteOf(database), `${now.toISOString()}\n`, { mode: 0o600 });
  } catch {
    // The backup is whole without the note.
  }
}

/** When the latest backup was made, ms since the epoch; null: none was noted. */
export function latestBackup(database: string): number | null {
  try {
    const at = Date.parse(Deno.readTextFileSync(backupNoteOf(database)).trim());
    return Number.isNaN(at) ? null : at;
  } catch {
    return null;
  }
}

/** Beside a database: when it was backed up. */
export function backupNoteOf(database: string): string {
  return `${database}.last-backup`;
}
