// Room `postgres`: the driver for PostgreSQL, by npm:postgres. `open_database.ts` uses `openPostgres`. Nothing relies on session
// state, so the driver works through PgBouncer in its modes session and transaction; the mode statement refuses transactions.
import { backoffMs } from "../../base/backoff.ts";
import { type Clock, sleep, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { type ConnectOptions, PostgresConnection } from "./postgres_connection.ts";
import { connectReason, connectRemedy, isWorthWaiting } from "./postgres_errors.ts";
import { type PoolSettings, PostgresPool } from "./postgres_pool.ts";
import { readTlsOptions } from "./postgres_socket.ts";
import { type Frame, inTransaction, textOf } from "./postgres_transaction.ts";
import { locationOf, type PostgresTarget } from "./postgres_url.ts";
import type { Database, SqlQuery, TransactionOptions } from "../sql/sql.ts";

export interface PostgresOptions {
  readonly pool: PoolSettings;
  /** Time for connecting, and again for logging in, ms. */
  readonly connectTimeoutMs: number;
  /** Time that a statement may take, including waits for locks, ms. */
  readonly statementTimeoutMs: number;
  /** How often `openPostgres` tries again while the database does not answer. */
  readonly maxRetries: number;
  /** The wait before the first retry, ms. It doubles up to MAX_RETRY_INTERVAL_MS. */
  readonly retryIntervalMs: number;
  /** Receives the reason for waiting, as a sentence. */
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
}

const MAX_RETRY_INTERVAL_MS = 10_000;

/**
 * "sluice" in ASCII. A writing transaction holds this advisory lock until its end, so writing transactions run one at a time, as
 * in SQLite: what a transaction reads stays valid until it writes, and deadlocks are impossible. The lock belongs to a
 * transaction, not to a session, so it works through PgBouncer.
 */
const WRITER_LOCK = 0x736c75696365;

/**
 * Opens the database, and waits for a server that is not up yet.
 * @throws {SluiceError} STORE_CANNOT_OPEN with the reason; immediately if waiting cannot help (login, name, certificate)
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

/** Refuses other encodings at the start: storing a description with an emoji would fail later. */
function checkEncoding(encoding: unknown, location: string): void {
  if (encoding === "UTF8" || encoding === "SQL_ASCII") return;
  const reason =
    `its encoding is ${encoding}. Make it with: CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8'`;
  throw new SluiceError("STORE_CANNOT_OPEN", { path: location, reason });
}

/** A function that opens connections to the target. @throws {SluiceError} STORE_CANNOT_OPEN */
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
      const reason = connectReason(error, location);
      const isLast = tries >= maxRetries;
      if (isLast || !isWorthWaiting(error)) {
        const after = isLast && maxRetries > 0 ? ` (tried ${maxRetries + 1} times, DB_MAX_RETRIES)` : "";
        const remedy = connectRemedy(error);
        throw new SluiceError("STORE_CANNOT_OPEN", {
          path: location,
          reason: `${reason}${after}${remedy === "" ? "" : `. ${remedy}`}`,
        }, { cause: error });
      }
      const delayMs = backoffMs(tries, backoff);
      warn?.(`The database ${location} does not answer yet (${reason}). Next try in ${delayMs} ms`);
      await sleep(clock, delayMs);
    }
  }
}

/** Each statement and each transaction uses one connection of the pool. */
class PostgresDatabase implements Database {
  readonly dialect = "postgres";
  readonly location: string;
  readonly #pool: PostgresPool<PostgresConnection>;
  readonly #readFrame: Frame;
  readonly #writeFrame: Frame;

  constructor(pool: PostgresPool<PostgresConnection>, location: string, statementTimeoutMs: number) {
    this.#pool = pool;
    this.location = location;
    // If the gateway vanishes, the server ends the idle transaction and frees its locks. Both settings end with the transaction.
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
