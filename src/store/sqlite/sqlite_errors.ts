// Translates errors of node:sqlite to the errors that both drivers share.
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { ConstraintError } from "../sql/sql.ts";

// Primary result codes, https://www.sqlite.org/rescode.html. The low byte of an extended code is its primary code.
const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_CONSTRAINT = 19;
const SQLITE_MISUSE = 21;
const SQLITE_RANGE = 25;
const SQLITE_NOTADB = 26;
const SQLITE_CONSTRAINT_FOREIGNKEY = 787;
const SQLITE_CONSTRAINT_PRIMARYKEY = 1555;
const SQLITE_CONSTRAINT_UNIQUE = 2067;

/** Does another connection hold a lock that the statement needs? Then the statement can be tried again. */
export function isBusy(error: unknown): boolean {
  const code = errcode(error);
  return code !== null && ((code & 0xff) === SQLITE_BUSY || (code & 0xff) === SQLITE_LOCKED);
}

/** Is the file not a SQLite database? */
export function isNoDatabase(error: unknown): boolean {
  return errcode(error) === SQLITE_NOTADB;
}

/** Is the error from node:sqlite? */
export function isSqliteError(error: unknown): boolean {
  return errcode(error) !== null;
}

/** The error to throw instead of node:sqlite's. An error in a statement is returned unchanged. */
export function translateSqliteError(error: unknown, path: string): unknown {
  const code = errcode(error);
  if (code === null) return error;
  switch (code & 0xff) {
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return error;
    case SQLITE_CONSTRAINT:
      return new ConstraintError(constraintKind(code), reasonOf(error), { cause: error });
    default:
      return unavailable(path, faultOf(error), error);
  }
}

/** Why the file cannot be used, and the remedy where there is one; for operators. */
export function faultOf(error: unknown): string {
  return FAULTS.get((errcode(error) ?? 0) & 0xff) ?? reasonOf(error);
}

const LOCKED =
  "another program keeps it locked for longer than DB_SQLITE_BUSY_TIMEOUT. Stop that program, or raise the limit";

const FAULTS: ReadonlyMap<number, string> = new Map([
  [SQLITE_BUSY, LOCKED],
  [SQLITE_LOCKED, LOCKED],
  [
    SQLITE_READONLY,
    "it is read-only. Give the user that runs Sluice write access to the file and to its folder",
  ],
  [SQLITE_CORRUPT, "the file is damaged. Restore it from a backup"],
  [SQLITE_FULL, "the disk is full. Free space on it"],
  [SQLITE_NOTADB, "it is not a SQLite database. Move the file away, or change DATABASE_URL"],
]);

export function isDiskFull(error: unknown): boolean {
  return ((errcode(error) ?? 0) & 0xff) === SQLITE_FULL;
}

/** Did SQLite fail to open a file? It does not say why: the operating system does. */
export function isCannotOpen(error: unknown): boolean {
  const code = errcode(error);
  return code === null
    ? /unable to open database file/.test(reasonOf(error))
    : (code & 0xff) === SQLITE_CANTOPEN;
}

/** STORE_UNAVAILABLE. Its cause names the path and the reason, for the log. */
export function unavailable(path: string, reason: string, error?: unknown): SluiceError {
  return new SluiceError("STORE_UNAVAILABLE", {}, {
    cause: new Error(`${path}: ${reason}`, error === undefined ? undefined : { cause: error }),
  });
}

function constraintKind(code: number): ConstraintError["kind"] {
  if (code === SQLITE_CONSTRAINT_UNIQUE || code === SQLITE_CONSTRAINT_PRIMARYKEY) return "unique";
  return code === SQLITE_CONSTRAINT_FOREIGNKEY ? "foreign_key" : "other";
}

function errcode(error: unknown): number | null {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code : null;
}
