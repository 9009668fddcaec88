// Reads the state of a SQLite database and its folder. A database that is not there yet is not made.
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { fileReason } from "../../base/file_error.ts";
import { latestBackup } from "../../store/sqlite/backup_file.ts";
import { refuseForeignFile } from "../../store/sqlite/sqlite_contents.ts";
import { readSecrets, secretsFile } from "../../store/secrets.ts";
import { type FileSystem, fileSystemOf } from "../../supervisor/kernel/libc.ts";

export interface SqliteFacts {
  /** The absolute path. */
  readonly path: string;
  /** The id of the user that runs the command, who should be the gateway's; null: the system has no ids. */
  readonly uid: number | null;
  /** Why files cannot be made in the folder; null: they can. */
  readonly folderFault: string | null;
  /** Why the database cannot be used; null: it can, or there is none yet. */
  readonly fileFault: string | null;
  /** Of the folder; null: unknown. */
  readonly fileSystem: FileSystem | null;
  /** The database and the secrets that are there, with their modes (null: the system has none). */
  readonly files: readonly { readonly path: string; readonly mode: number | null }[];
  /** Why the secrets file cannot be used; null: it can, or there is none. */
  readonly secretsFault: string | null;
  /** Age of the database, ms; null: there is none, or the system does not tell. */
  readonly ageMs: number | null;
  /** How long ago the database was written, ms; null: as above. Below 0 the clock was set back. */
  readonly writtenAgoMs: number | null;
  /** Age of the latest `sluice backup`, ms; null: none was made here. */
  readonly backupAgeMs: number | null;
}

export async function readSqlite(path: string, databaseUrl: string): Promise<SqliteFacts> {
  const folder = dirname(path);
  const secrets = secretsFile(databaseUrl)!;
  const folderFault = faultOf(() => tryFolder(folder));
  const files = folderFault === null || existsSync(path)
    ? [path, secrets].filter((each) => existsSync(each) && Deno.statSync(each).isFile).map((each) => ({
      path: each,
      mode: modeOf(each),
    }))
    : [];
  const secretsMode = files.find((file) => file.path === secrets)?.mode ?? null;
  return withAges({
    path,
    uid: Deno.uid(),
    folderFault,
    fileFault: existsSync(path) ? faultOf(() => tryFile(path)) : null,
    fileSystem: fileSystemOf(folder),
    files,
    // Reading secrets closes a file that is open to others, and this command changes nothing.
    secretsFault: secretsMode === null || (secretsMode & 0o077) !== 0
      ? null
      : await secretsFaultOf(databaseUrl),
    ageMs: null,
    writtenAgoMs: null,
    backupAgeMs: null,
  });
}

/** The facts with the ages of now. */
export function withAges(facts: SqliteFacts): SqliteFacts {
  const backedUpAt = latestBackup(facts.path);
  return {
    ...facts,
    ageMs: ageOf(facts.path, "birthtime"),
    writtenAgoMs: ageOf(facts.path, "mtime"),
    backupAgeMs: backedUpAt === null ? null : Date.now() - backedUpAt,
  };
}

function ageOf(path: string, time: "birthtime" | "mtime"): number | null {
  const at = existsSync(path) ? Deno.statSync(path)[time] : null;
  return at === null ? null : Date.now() - at.getTime();
}

function tryFolder(folder: string): void {
  const trial = `${folder}/.sluice-doctor-${crypto.randomUUID()}`;
  Deno.writeTextFileSync(trial, "", { createNew: true, mode: 0o600 });
  Deno.removeSync(trial);
}

/** With which each database begins. An empty file is a new one. https://www.sqlite.org/fileformat2.html#magic_header_string */
const MAGIC = "SQLite format 3\0";

function tryFile(path: string): void {
  {
    using file = Deno.openSync(path, { read: true, write: true });
    const beginning = new Uint8Array(MAGIC.length);
    const length = file.readSync(beginning);
    if (length !== null && new TextDecoder("latin1").decode(beginning) !== MAGIC) {
      throw new Error("it is not a SQLite database");
    }
  }
  refuseForeignFile(path);
}

async function secretsFaultOf(databaseUrl: string): Promise<string | null> {
  return await readSecrets(databaseUrl).then(() => null, reasonOf);
}

function modeOf(path: string): number | null {
  const { mode } = Deno.statSync(path);
  return mode === null ? null : mode & 0o777;
}

function faultOf(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return error instanceof SluiceError ? String(error.params.reason ?? error.message) : fileReason(error);
  }
}
