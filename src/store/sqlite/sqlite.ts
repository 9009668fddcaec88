// Room `sqlite`: the driver for SQLite, by node:sqlite. `open_database.ts` uses `openSqlite`. All callers of a worker share one
// connection.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { dirname } from "node:path";
import { backoffMs } from "../../base/backoff.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { type Clock, sleep, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { fileReason, writeFault } from "../../base/file_error.ts";
import type { Database, SqlQuery, TransactionOptions } from "../sql/sql.ts";
import { refuseForeignFile } from "./sqlite_contents.ts";
import { faultOf, isBusy, isCannotOpen, translateSqliteError, unavailable } from "./sqlite_errors.ts";

export interface SqliteOptions {
  /** Time that a statement waits for another connection's lock, ms. */
  readonly busyTimeoutMs: number;
  readonly clock?: Clock;
}

/** node:sqlite waits synchronously, which blocks the worker. After this time the statement is retried asynchronously instead. */
const BLOCKING_WAIT_MS = 5;
const MAX_CACHED_STATEMENTS = 128;

/**
 * Pages of the write-ahead log above which a commit copies them into the file itself, and syncs both: 64 MiB. The supervisor does this
 * long before (see `Checkpointer`), because a slow disk takes up to a second, in which a worker answers nobody.
 */
const MAX_LOG_PAGES = 16_384;

/**
 * Opens the file for reading and writing, and creates it if there is none. A file of another program stays unchanged.
 * @throws {SluiceError} STORE_CANNOT_OPEN with the path and the reason
 */
export async function openSqlite(path: string, options: SqliteOptions): Promise<Database> {
  const cannotOpen = (reason: string, cause?: unknown) =>
    new SluiceError("STORE_CANNOT_OPEN", { path, reason }, { cause });
  const folder = dirname(path);
  const fault = await folderFault(folder);
  if (fault !== null) throw cannotOpen(fault);
  if (await isDirectory(path)) throw cannotOpen("it is a directory. Name a file in DATABASE_URL");
  refuseForeignFile(path);
  createIfMissing(path);
  let connection: Connection | undefined;
  try {
    connection = new Connection(path, new DatabaseSync(path), options);
    await connection.prepareForUse();
    return new Scope(connection, 0);
  } catch (error) {
    connection?.close();
    if (error instanceof SluiceError && error.code === "STORE_CANNOT_OPEN") throw error;
    const root = rootOf(error) ?? error;
    throw cannotOpen(isCannotOpen(root) ? await openFault(path) : faultOf(root), error);
  }
}

/** SQLite makes the files beside the database with the mode of the database. A failure is reported by SQLite. */
function createIfMissing(path: string): void {
  try {
    Deno.writeFileSync(path, new Uint8Array(), { createNew: true, mode: 0o600 });
  } catch {
    // The file exists, or SQLite cannot create it either.
  }
}

/** The connection. Each statement runs synchronously, in the order of the calls. */
class Connection {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #busyTimeoutMs: number;
  readonly #clock: Clock;
  /** Prepared statements by text, the least recently used first. */
  readonly #statements = new BoundedMap<string, StatementSync>({
    maxEntries: MAX_CACHED_STATEMENTS,
    ageFrom: "get",
  });
  /** While the database is locked by another connection: settles when it is time to try again. */
  #locked: Promise<void> | null = null;
  #isOpen = true;

  constructor(path: string, database: DatabaseSync, { busyTimeoutMs, clock = systemClock }: SqliteOptions) {
    this.path = path;
    this.#database = database;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#clock = clock;
  }

  async prepareForUse(): Promise<void> {
    this.execute(`PRAGMA busy_timeout = ${Math.min(BLOCKING_WAIT_MS, this.#busyTimeoutMs)}`);
    // If two processes switch to WAL at the same time, one of them has to wait for the lock.
    const [{ journal_mode: mode }] = await this.patiently(() =>
      this.all({ parts: ["PRAGMA journal_mode = WAL"], values: [] }) as { journal_mode: string }[]
    );
    if (mode !== "wal") {
      throw new SluiceError("STORE_CANNOT_OPEN", {
        path: this.path,
        reason: `its file system cannot share it between workers (journal mode is ${mode}, not wal). ` +
          "Put it on a local disk",
      });
    }
    this.execute("PRAGMA synchronous = NORMAL");
    this.execute(`PRAGMA wal_autocheckpoint = ${MAX_LOG_PAGES}`);
    this.execute("PRAGMA foreign_keys = ON");
    await this.patiently(() => this.execute("BEGIN IMMEDIATE"));
    this.execute("PRAGMA user_version = 1"); // fails if the file is read-only, which BEGIN does not
    this.execute("ROLLBACK");
  }

  all(query: SqlQuery): unknown[] {
    return this.#guarded(() => this.#statement(query.parts.join("?")).all(...query.values));
  }

  run(query: SqlQuery): { changes: number } {
    const { changes } = this.#guarded(() => this.#statement(query.parts.join("?")).run(...query.values));
    return { changes: Number(changes) };
  }

  /** Runs `BEGIN` and the like, as a prepared statement: only its errors have a result code. */
  execute(text: string): void {
    this.#guarded(() => this.#statement(text).run());
  }

  /** Retries while the database is locked, for at most the busy timeout. Other callers can continue meanwhile. */
  async patiently<T>(attempt: () => T | Promise<T>): Promise<T> {
    const deadline = this.#clock.now() + this.#busyTimeoutMs;
    for (let tries = 0;; tries++) {
      try {
        return await attempt();
      } catch (error) {
        const leftMs = deadline - this.#clock.now();
        if (!isBusy(rootOf(error)) || leftMs <= 0) throw error;
        // One pause for all that wait: each attempt blocks the worker for a moment.
        this.#locked ??= sleep(this.#clock, Math.min(leftMs, backoffMs(tries, { baseMs: 2, maxMs: 50 })))
          .finally(() => this.#locked = null);
        await this.#locked;
      }
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#statements.clear();
    this.#database.close();
  }

  #statement(text: string): StatementSync {
    const cached = this.#statements.get(text);
    if (cached !== undefined) return cached;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  #guarded<T>(attempt: () => T): T {
    if (!this.#isOpen) throw unavailable(this.path, "it is closed");
    try {
      return attempt();
    } catch (error) {
      throw translateSqliteError(error, this.path);
    }
  }
}

/**
 * The connection outside transactions (depth 0), or a transaction on it. While a transaction is open, other callers of the outer
 * scope wait in order: their statements must not become part of the transaction.
 */
class Scope implements Database {
  readonly dialect = "sqlite";
  readonly #connection: Connection;
  readonly #depth: number;
  readonly #waiting: (() => void)[] = [];
  #isLocked = false;
  #isOver = false;

  constructor(connection: Connection, depth: number) {
    this.#connection = connection;
    this.#depth = depth;
  }

  get location(): string {
    return this.#connection.path;
  }

  query<T>(query: SqlQuery): Promise<T[]> {
    return this.#statement(() => this.#connection.all(query) as T[]);
  }

  run(query: SqlQuery): Promise<{ changes: number }> {
    return this.#statement(() => this.#connection.run(query));
  }

  async transaction<T>(fn: (tx: Database) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    await this.#begin(options);
    const tx = new Scope(this.#connection, this.#depth + 1);
    try {
      const result = await fn(tx);
      await tx.#finish();
      this.#connection.execute(this.#depth === 0 ? "COMMIT" : `RELEASE s${this.#depth}`);
      return result;
    } catch (error) {
      await tx.#finish();
      this.#undo();
      throw error;
    } finally {
      this.#unlock();
    }
  }

  async close(): Promise<void> {
    if (this.#depth > 0) throw new Error("a transaction is not closed; it ends with its function");
    await this.#lock();
    this.#connection.close();
    this.#unlock();
  }

  #begin({ readOnly = false }: TransactionOptions): Promise<void> {
    const begin = readOnly ? "BEGIN" : "BEGIN IMMEDIATE";
    return this.#retryable(async () => {
      await this.#lock();
      try {
        this.#refuseWhenOver();
        this.#connection.execute(this.#depth === 0 ? begin : `SAVEPOINT s${this.#depth}`);
      } catch (error) {
        this.#unlock(); // reads can continue during the wait
        throw error;
      }
    });
  }

  #undo(): void {
    try {
      if (this.#depth === 0) this.#connection.execute("ROLLBACK");
      else {
        this.#connection.execute(`ROLLBACK TO s${this.#depth}`);
        this.#connection.execute(`RELEASE s${this.#depth}`);
      }
    } catch {
      // After some failures (disk full, I/O) SQLite has already rolled back. The first error tells more.
    }
  }

  #statement<T>(statement: () => T): Promise<T> {
    return this.#retryable(async () => {
      if (this.#isLocked || this.#waiting.length > 0) {
        await this.#lock();
        try {
          this.#refuseWhenOver();
          return statement();
        } finally {
          this.#unlock();
        }
      }
      this.#refuseWhenOver();
      return statement();
    });
  }

  /** A transaction has the lock already, so its statements are not retried. */
  #retryable<T>(attempt: () => Promise<T>): Promise<T> {
    return this.#depth === 0 ? this.#connection.patiently(attempt) : attempt();
  }

  /** Waits for statements that the transaction's function did not await. */
  async #finish(): Promise<void> {
    await this.#lock();
    this.#isOver = true;
    this.#unlock();
  }

  #refuseWhenOver(): void {
    if (this.#isOver) throw new Error("a statement came to a transaction that has ended");
  }

  #lock(): Promise<void> {
    if (!this.#isLocked) {
      this.#isLocked = true;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Passes the lock to the caller that has waited longest. */
  #unlock(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next();
    else this.#isLocked = false;
  }
}

/** The error of node:sqlite in the cause of ours. */
function rootOf(error: unknown): unknown {
  return error instanceof SluiceError ? (error.cause as Error | undefined)?.cause : error;
}

/** What is wrong with the folder; null: nothing that can be seen without writing to it. */
async function folderFault(folder: string): Promise<string | null> {
  const remedy = "or change DATABASE_URL";
  try {
    if ((await Deno.stat(folder)).isDirectory) return null;
    return `${folder} is not a folder. Make it one, ${remedy}`;
  } catch (error) {
    // The process gave up looking at folders when it had opened the database for the first time.
    if (error instanceof Deno.errors.NotCapable) return null;
    if (error instanceof Deno.errors.NotFound) return `there is no folder ${folder}. Create it, ${remedy}`;
    return `the folder ${folder} cannot be entered: ${
      fileReason(error)
    }. Give the user that runs Sluice access, ${remedy}`;
  }
}

/** What the operating system says when the file is opened as SQLite opens it. */
async function openFault(path: string): Promise<string> {
  const exists = await Deno.stat(path).then(() => true, () => false);
  try {
    (await Deno.open(path, { read: true, write: true, create: true })).close();
    if (!exists) await Deno.remove(path);
    return "SQLite cannot open it. Give the user that runs Sluice write access to its folder";
  } catch (error) {
    if (!exists) return writeFault(error);
    return `${fileReason(error)}. Give the user that runs Sluice read and write access to it`;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}
