// Room `store`: everything that the gateway keeps: the registry, secrets, leases, and records that expire. Other rooms use
// `Registry` and `Database`. This file opens the database of a DATABASE_URL.
import type { Clock } from "../base/clock.ts";
import type { Config } from "../config/schema.ts";
import { parseDatabaseUrl } from "./database_url.ts";
import type { PoolSettings } from "./postgres/postgres_pool.ts";
import type { PostgresTarget } from "./postgres/postgres_url.ts";
import type { Database } from "./sql/sql.ts";
import { modeWarning } from "./sqlite/file_mode.ts";
import { openSqlite } from "./sqlite/sqlite.ts";

/** The settings of SQLite and PostgreSQL. */
export type DatabaseSettings = Pick<
  Config,
  | "dbSqliteBusyTimeoutMs"
  | "dbPoolClass"
  | "dbPoolPrePing"
  | "dbPoolSize"
  | "dbMaxOverflow"
  | "dbPoolTimeoutMs"
  | "dbPoolRecycleMs"
  | "dbConnectTimeoutMs"
  | "dbStatementTimeoutMs"
  | "dbMaxRetries"
  | "dbRetryIntervalMs"
>;

export interface OpenOptions {
  readonly settings: DatabaseSettings;
  /** Receives the reason for waiting, as a sentence. */
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
}

/**
 * Opens the database. It waits for a PostgreSQL server that is not up yet; DB_MAX_RETRIES limits the wait.
 * @throws {SluiceError} STORE_CANNOT_OPEN with the mistake in the URL, or the reason of the database
 */
export async function openDatabase(databaseUrl: string, options: OpenOptions): Promise<Database> {
  const { settings, warn, clock } = options;
  const location = parseDatabaseUrl(databaseUrl);
  if (location.kind === "sqlite") {
    return await openSqlite(location.path, { busyTimeoutMs: settings.dbSqliteBusyTimeoutMs, clock });
  }
  // Loaded only with PostgreSQL: other workers save the memory.
  const { openPostgres } = await import("./postgres/postgres.ts");
  return await openPostgres(location, { ...postgresOptions(location, settings), warn, clock });
}

/**
 * A warning if other users can read a database file, or if our settings do not fit those of a pooler; null if there is nothing to warn
 * of, or if that is not known.
 */
export async function databaseWarning(
  databaseUrl: string,
  settings: DatabaseSettings,
): Promise<string | null> {
  const location = parseDatabaseUrl(databaseUrl);
  if (location.kind === "sqlite") return modeWarning(location.path);
  const { poolerWarning } = await import("./postgres/pooler.ts");
  return await poolerWarning(location, postgresOptions(location, settings));
}

function postgresOptions(target: PostgresTarget, settings: DatabaseSettings) {
  return {
    pool: poolSettings(target, settings),
    connectTimeoutMs: settings.dbConnectTimeoutMs,
    statementTimeoutMs: settings.dbStatementTimeoutMs,
    maxRetries: settings.dbMaxRetries,
    retryIntervalMs: settings.dbRetryIntervalMs,
  };
}

/** The meaning of DB_POOL_CLASS and DB_POOL_PRE_PING, as in ContextForge. */
export function poolSettings({ isPgbouncer }: PostgresTarget, settings: DatabaseSettings): PoolSettings {
  const { dbPoolClass, dbPoolPrePing, dbPoolSize, dbMaxOverflow } = settings;
  const keeps = dbPoolClass === "auto" ? !isPgbouncer : dbPoolClass === "queue";
  return {
    keep: keeps ? dbPoolSize : 0,
    limit: dbPoolSize + dbMaxOverflow,
    timeoutMs: settings.dbPoolTimeoutMs,
    recycleMs: settings.dbPoolRecycleMs,
    prePing: dbPoolPrePing === "auto" ? keeps && !isPgbouncer : dbPoolPrePing === "true",
  };
}
