// SQLite by node:sqlite: one connection, shared by every async caller of a worker.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { dirname } from "node:path";
import { backoffMs } from "../../base/backoff.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { type Clock, sleep, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { Database, SqlQuery, TransactionOptions } from "../sql/sql.ts";
import { refuseForeignFile } from "./sqlite_contents.ts";
import { isBusy, translateSqliteError, unavailable } from "./sqlite_errors.ts";

export interface SqliteOptions {
  /** How long a statement waits for another connection's lock, ms. */
  readonly busyTimeoutMs: number;
  readonly clock?: Clock;
}

/** node:sqlite waits inside the call, which stops the whole worker; beyond this the wait is ours, between tries. */
const BLOCKING_WAIT_MS = 5;
const MAX_CACHED_STATEMENTS = 128;

/**
 * Opens the file, creating it where there is none, for reading and writing.
 * @throws {SluiceError} STORE_CANNOT_OPEN with the path and the reason; another program's file is left as it is
 */
export async function openSqlite(path: string, options: SqliteOptions): Promise<Database> {
  const cannotOpen = (reason: string, cause?: unknown) =>
    new SluiceError("STORE_CANNOT_OPEN", { path, reason }, { cause });
  if (!await isDirectory(dirname(path))) throw cannotOpen(`there is no directory ${dirname(path)}`);
  if (await isDirectory(path)) throw cannotOpen("it is a directory");
  refuseForeignFile(path);
  let connection: Connection | undefined;
  try {
    connection = new Connection(path, new DatabaseSync(path), options);
    await connection.prepareForUse();
    return new Scope(connection, 0);
  } catch (error) {
    connection?.close();
    if (error instanceof SluiceError && error.code === "STORE_CANNOT_OPEN") throw error;
    throw cannotOpen(reasonOf(rootOf(error) ?? error), error);
  }
}

/** The one connection: statements run at once, whole, in the order in which they come. */
class Connection {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #busyTimeoutMs: number;
  readonly #clock: Clock;
  /** By text, the longest unused first. */
  readonly #statements = new BoundedMap<string, StatementSync>({
    maxEntries: MAX_CACHED_STATEMENTS,
    ageFrom: "get",
  });
  #isOpen = true;

  constructor(path: string, database: DatabaseSync, { busyTimeoutMs, clock = systemClock }: SqliteOptions) {
    this.path = path;
    this.#database = database;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#clock = clock;
  }

  async prepareForUse(): Promise<void> {
    this.execute(`PRAGMA busy_timeout = ${Math.min(BLOCKING_WAIT_MS, this.#busyTimeoutMs)}`);
    // Two starters may switch to WAL at the same moment, and only one gets the lock at once.
    const [{ journal_mode: mode }] = await this.patiently(() =>
      this.all({ parts: ["PRAGMA journal_mode = WAL"], values: [] }) as { journal_mode: string }[]
    );
    if (mode !== "wal") {
      throw new SluiceError("STORE_CANNOT_OPEN", {
        path: this.path,
        reason: `its file system cannot share it between workers (journal mode is ${mode}, not wal)`,
      });
    }
    this.execute("PRAGMA synchronous = NORMAL");
    this.execute("PRAGMA foreign_keys = ON");
    await this.patiently(() => this.execute("BEGIN IMMEDIATE"));
    this.execute("PRAGMA user_version = 1"); // fails where the file is read-only; BEGIN alone does not
    this.execute("ROLLBACK");
  }

  all(query: SqlQuery): unknown[] {
    return this.#guarded(() => this.#statement(query.parts.join("?")).all(...query.values));
  }

  run(query: SqlQuery): { changes: number } {
    const { changes } = this.#guarded(() => this.#statement(query.parts.join("?")).run(...query.values));
    return { changes: Number(changes) };
  }

  /** `BEGIN` and its like; through a statement, because only that tells the result code of a failure. */
  execute(text: string): void {
    this.#guarded(() => this.#statement(text).run());
  }

  /** Tries again for as long as the database is locked, at most the busy timeout; other callers go on meanwhile. */
  async patiently<T>(attempt: () => T | Promise<T>): Promise<T> {
    const deadline = this.#clock.now() + this.#busyTimeoutMs;
    for (let tries = 0;; tries++) {
      try {
        return await attempt();
      } catch (error) {
        const leftMs = deadline - this.#clock.now();
        if (!isBusy(rootOf(error)) || leftMs <= 0) throw error;
        await sleep(this.#clock, Math.min(leftMs, backoffMs(tries, { baseMs: 2, maxMs: 50 })));
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
 * The connection outside of transactions (depth 0), or one transaction on it. While a transaction is open in a scope, the
 * scope's other callers wait, in order: their statements must not fall into it.
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
        this.#unlock(); // not held while we wait: reads go on
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
      // SQLite rolls back by itself on some failures (disk full, I/O); what was thrown first says more.
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

  /** Inside a transaction the lock is ours already: a busy database is then no matter of waiting. */
  #retryable<T>(attempt: () => Promise<T>): Promise<T> {
    return this.#depth === 0 ? this.#connection.patiently(attempt) : attempt();
  }

  /** Waits for statements that were given to the transaction but not awaited by its function. */
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

  /** Hands the lock to who waits longest. */
  #unlock(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next();
    else this.#isLocked = false;
  }
}

/** node:sqlite's own error under ours. */
function rootOf(error: unknown): unknown {
  return error instanceof SluiceError ? (error.cause as Error | undefined)?.cause : error;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}
