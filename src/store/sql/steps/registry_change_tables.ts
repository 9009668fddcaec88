// Steps of the schema for changes of the registry. A step is never edited.
import { sql, type SqlQuery } from "../sql.ts";

/** The ids that each change of upstreams and virtual servers concerns. */
export const REGISTRY_CHANGES: readonly SqlQuery[] = [
  sql`CREATE TABLE registry_changes (
        version BIGINT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        PRIMARY KEY (version, kind, id))`,
];
