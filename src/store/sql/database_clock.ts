// The database's own clock, as SQL: what replicas share that expires goes by it, so that their own clocks need not agree.
import { type Database, sql, type SqlQuery } from "./sql.ts";

/** ms since the epoch at the statement's begin: not at its transaction's, and one value for all its rows, so an index serves. */
export const NOW_MS: Readonly<Record<Database["dialect"], SqlQuery>> = {
  sqlite: sql`CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
  postgres: sql`CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)`,
};
