// Steps of the schema for the version of the catalog. A step is never edited.
import { sql, type SqlQuery } from "../sql.ts";

/** The write that has made each version. */
export const CATALOG_WRITES: readonly SqlQuery[] = [
  sql`ALTER TABLE catalog_version ADD COLUMN write_id TEXT NOT NULL DEFAULT ''`,
  sql`CREATE TABLE catalog_writes (version BIGINT NOT NULL PRIMARY KEY, write_id TEXT NOT NULL)`,
];
