// The table of the tokens for upstreams, as the step of the schema that makes it. It is never edited.
import { sql, type SqlQuery } from "../sql.ts";

export const UPSTREAM_TOKEN_TABLES: readonly SqlQuery[] = [
  sql`CREATE TABLE upstream_tokens (
        gateway_id TEXT NOT NULL REFERENCES gateways (id) ON DELETE CASCADE,
        owner TEXT NOT NULL,
        version TEXT NOT NULL,
        sealed TEXT,
        holder TEXT NOT NULL,
        claimed_until BIGINT NOT NULL,
        PRIMARY KEY (gateway_id, owner))`,
];
