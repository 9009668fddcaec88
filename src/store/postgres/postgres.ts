// PostgreSQL by npm:postgres, directly or through PgBouncer in any mode: it never relies on what a session keeps.
import { backoffMs } from "../../base/backoff.ts";
import { type Clock, sleep, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { type ConnectOptions, PostgresConnection } from "./postgres_connection.ts";
import { isWorthWaiting, rootOf } from "./postgres_errors.ts";
import { type PoolSettings, PostgresPool } from "./postgres_pool.ts";
import { readTlsOptions } from "./postgres_socket.ts";
import { type Frame, inTransaction, textOf } from "./postgres_transaction.ts";
import { locationOf, type PostgresTarget } from "./postgres_url.ts";
import type { Database, SqlQuery, TransactionOptions } from "../sql/sql.ts";

export interface PostgresOptions {
  readonly pool: PoolSettings;
  /** How long connecting and logging in may take, ms. */
  readonly connectTimeoutMs: number;
  /** How long a statement may take, waiting for locks included, ms. */
  readonly statementTimeoutMs: number;
  /** How often `openPostgres` tries again while the database does not answer. */
  readonly maxRetries: number;
  /** Before the first repetition, ms; it doubles up to MAX_RETRY_INTERVAL_MS. */
  readonly retryIntervalMs: number;
  /** Told in words why it is waiting for the database. */
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
}

const MAX_RETRY_INTERVAL_MS = 10_000;

/**
 * "sluice" in ASCII. Who writes in a transaction holds this lock until its end: writers come one after the other, as
 * SQLite has it, so what they read before they write stays true, and none can meet another in a deadlock. It is a
 * transaction's lock, not a session's, so it works through PgBouncer too.
 */
const WRITER_LOCK = 0x736c75696365;

/**
 * Opens the database, waiting for one that is not up yet.
 * @throws {SluiceError} STORE_CANNOT_OPEN with the reason, at once where waiting cannot help (login, name, certificate)
 */
export async function openPostgres(target: PostgresTarget, options: PostgresOptions): Promise<Database> {
  const connect = await connectorTo(target, options);
  const location = locationOf(target);
  const pool = new PostgresPool(connect, { location, settings: options.pool, clock: options.clock });
  try {
    let encoding: unknown;
    const ask = async () => {
      const { rows } = await pool.use((connection) => connection.execute("SHOW server_encoding"));
      encoding = rows[0]!.server_encoding;
    };
    await waitUntilThere(ask, location, options);
    checkEncoding(encoding, location);
    return new PostgresDatabase(pool, location, options.statementTimeoutMs);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** Others have no room for what upstreams write: a description with an emoji in it would fail, long after the start. */
function checkEncoding(encoding: unknown, location: string): void {
  if (encoding === "UTF8" || encoding === "SQL_ASCII") return;
  const reason =
    `its encoding is ${encoding}; make it with: CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8'`;
  throw new SluiceError("STORE_CANNOT_OPEN", { path: location, reason });
}

/** What opens connections to the target. @throws {SluiceError} STORE_CANNOT_OPEN */
export async function connectorTo(
  target: PostgresTarget,
  options: Pick<PostgresOptions, "connectTimeoutMs" | "statementTimeoutMs" | "clock">,
): Promise<() => Promise<PostgresConnection>> {
  const connectOptions: ConnectOptions = {
    target,
    tls: await readTlsOptions(target),
    connectTimeoutMs: target.connectTimeoutMs ?? options.connectTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    clock: options.clock,
  };
  return () => PostgresConnection.open(connectOptions);
}

async function waitUntilThere(
  attempt: () => Promise<unknown>,
  location: string,
  { maxRetries, retryIntervalMs, warn, clock = systemClock }: PostgresOptions,
): Promise<void> {
  const backoff = { baseMs: retryIntervalMs, maxMs: Math.max(retryIntervalMs, MAX_RETRY_INTERVAL_MS) };
  for (let tries = 0;; tries++) {
    try {
      await attempt();
      return;
    } catch (error) {
      const reason = reasonOf(rootOf(error));
      const isLast = tries >= maxRetries;
      if (isLast || !isWorthWaiting(error)) {
        const after = isLast && maxRetries > 0 ? ` (tried ${maxRetries + 1} times, DB_MAX_RETRIES)` : "";
        throw new SluiceError("STORE_CANNOT_OPEN", { path: location, reason: reason + after }, {
          cause: error,
        });
      }
      const delayMs = backoffMs(tries, backoff);
      warn?.(`the database ${location} is not there yet (${reason}), next try in ${delayMs} ms`);
      await sleep(clock, delayMs);
    }
  }
}

/** Every statement and every transaction has a connection of the pool for itself. */
class PostgresDatabase implements Database {
  readonly dialect = "postgres";
  readonly location: string;
  readonly #pool: PostgresPool<PostgresConnection>;
  readonly #readFrame: Frame;
  readonly #writeFrame: Frame;

  constructor(pool: PostgresPool<PostgresConnection>, location: string, statementTimeoutMs: number) {
    this.#pool = pool;
    this.location = location;
    // The server frees the locks of one whose gateway has vanished; both end with the transaction.
    const limits = `SET LOCAL statement_timeout = ${statementTimeoutMs};
      SET LOCAL idle_in_transaction_session_timeout = ${statementTimeoutMs}`;
    const end = { commit: "COMMIT", rollback: "ROLLBACK" };
    this.#readFrame = { begin: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${limits}`, ...end };
    this.#writeFrame = { begin: `BEGIN; ${limits}; SELECT pg_advisory_xact_lock(${WRITER_LOCK})`, ...end };
  }

  query<T>(query: SqlQuery): Promise<T[]> {
    return this.#pool.use(async (connection) => {
      const { rows } = await connection.execute(textOf(query), query.values);
      return rows as T[];
    });
  }

  run(query: SqlQuery): Promise<{ changes: number }> {
    return this.#pool.use(async (connection) => {
      const { count } = await connection.execute(textOf(query), query.values);
      return { changes: count };
    });
  }

  transaction<T>(
    fn: (tx: Database) => Promise<T>,
    { readOnly = false }: TransactionOptions = {},
  ): Promise<T> {
    const frame = readOnly ? this.#readFrame : this.#writeFrame;
    return this.#pool.use((connection) => inTransaction(connection, frame, fn));
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
