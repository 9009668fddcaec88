// The tables of executions: in all, and by hour and day.
import { sql, type SqlQuery } from "../sql.ts";

const NUMBERS = sql`
  calls BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  seconds DOUBLE PRECISION NOT NULL,
  least DOUBLE PRECISION NOT NULL,
  greatest DOUBLE PRECISION NOT NULL,
  last_ms BIGINT NOT NULL`;

export const EXECUTION_TABLES: readonly SqlQuery[] = [
  sql`CREATE TABLE execution_totals (
    kind TEXT NOT NULL, entity_id TEXT NOT NULL, ${NUMBERS},
    PRIMARY KEY (kind, entity_id))`,
  sql`CREATE TABLE execution_spans (
    kind TEXT NOT NULL, entity_id TEXT NOT NULL, span TEXT NOT NULL, start_at BIGINT NOT NULL, ${NUMBERS},
    PRIMARY KEY (kind, entity_id, span, start_at))`,
  sql`CREATE INDEX execution_spans_start ON execution_spans (span, start_at)`,
  // The last batch of each process that is in the tables.
  sql`CREATE TABLE execution_writers (
    writer TEXT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL, written_at BIGINT NOT NULL)`,
];
