// Opens the database that DATABASE_URL names, whichever kind it is.
import type { Clock } from "../base/clock.ts";
import { parseDatabaseUrl } from "./database_url.ts";
import type { Database } from "./sql.ts";
import { openSqlite } from "./sqlite.ts";

export interface OpenOptions {
  /** How long a statement waits for another connection's lock, ms. */
  readonly busyTimeoutMs: number;
  readonly clock?: Clock;
}

/** @throws {SluiceError} STORE_CANNOT_OPEN, saying what is wrong with the URL or the database */
export function openDatabase(databaseUrl: string, options: OpenOptions): Promise<Database> {
  return openSqlite(parseDatabaseUrl(databaseUrl).path, options);
}
