// The tables of the migration "history and draining of gateways".
import { sql, type SqlQuery } from "./sql.ts";

export const GATEWAY_HISTORY_TABLES: readonly SqlQuery[] = [
  sql`ALTER TABLE gateways ADD COLUMN draining_since TEXT`,
  sql`CREATE TABLE gateway_events (
    gateway_id TEXT NOT NULL REFERENCES gateways (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (gateway_id, number))`,
];
