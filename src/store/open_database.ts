// Opens the database that DATABASE_URL names, whichever kind it is.
import type { Clock } from "../base/clock.ts";
import type { Config } from "../config/schema.ts";
import { parseDatabaseUrl } from "./database_url.ts";
import type { PoolSettings } from "./postgres/postgres_pool.ts";
import type { PostgresTarget } from "./postgres/postgres_url.ts";
import type { Database } from "./sql/sql.ts";
import { openSqlite } from "./sqlite/sqlite.ts";

/** The settings of both kinds; a Config has them all. */
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
  /** Told in words why it is waiting for the database. */
  readonly warn?: (message: string) => void;
  readonly clock?: Clock;
}

/**
 * Waits for a PostgreSQL server that is not up yet, as long as DB_MAX_RETRIES says.
 * @throws {SluiceError} STORE_CANNOT_OPEN, saying what is wrong with the URL or the database
 */
export async function openDatabase(databaseUrl: string, options: OpenOptions): Promise<Database> {
  const { settings, warn, clock } = options;
  const location = parseDatabaseUrl(databaseUrl);
  if (location.kind === "sqlite") {
    return await openSqlite(location.path, { busyTimeoutMs: settings.dbSqliteBusyTimeoutMs, clock });
  }
  // Loaded on use: every worker would carry it otherwise.
  const { openPostgres } = await import("./postgres/postgres.ts");
  return await openPostgres(location, { ...postgresOptions(location, settings), warn, clock });
}

/** A sentence about settings that do not go together with the server's, where it can be known; else null. */
export async function databaseWarning(
  databaseUrl: string,
  settings: DatabaseSettings,
): Promise<string | null> {
  const location = parseDatabaseUrl(databaseUrl);
  if (location.kind === "sqlite") return null;
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

/** What DB_POOL_CLASS and DB_POOL_PRE_PING stand for, as ContextForge has it. */
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
