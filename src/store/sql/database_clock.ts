// The database's clock, as SQL. Shared records expire by this clock, so that the clocks of replicas need not agree.
import { type Database, sql, type SqlQuery } from "./sql.ts";

/** ms since the epoch at the start of the statement (not of its transaction). The value is constant, so an index can be used. */
export const NOW_MS: Readonly<Record<Database["dialect"], SqlQuery>> = {
  sqlite: sql`CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
  postgres: sql`CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)`,
};
