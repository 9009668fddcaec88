// The tables of the tokens for upstreams, as the steps of the schema that make them. A step is never edited.
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

/** Logins of people. */
export const UPSTREAM_CONNECTION_TABLES: readonly SqlQuery[] = [
  sql`ALTER TABLE upstream_tokens ADD COLUMN connected_at BIGINT`,
  sql`ALTER TABLE upstream_tokens ADD COLUMN expires_at BIGINT`,
  sql`ALTER TABLE upstream_tokens ADD COLUMN is_renewable INTEGER NOT NULL DEFAULT 0`,
  sql`ALTER TABLE upstream_tokens ADD COLUMN fault TEXT`,
  sql`ALTER TABLE upstream_tokens ADD COLUMN wanted_scope TEXT`,
  sql`CREATE TABLE upstream_clients (
        gateway_id TEXT NOT NULL REFERENCES gateways (id) ON DELETE CASCADE,
        version TEXT NOT NULL,
        sealed TEXT NOT NULL,
        PRIMARY KEY (gateway_id))`,
];

/** Tokens that their authorization servers are still to forget. */
export const ENDED_UPSTREAM_TOKENS: readonly SqlQuery[] = [
  sql`CREATE TABLE ended_upstream_tokens (
        gateway_id TEXT NOT NULL,
        owner TEXT NOT NULL,
        sealed TEXT NOT NULL,
        upstream TEXT NOT NULL,
        url TEXT NOT NULL,
        ca_certificate TEXT,
        auth_secret TEXT,
        due_at BIGINT NOT NULL,
        tries INTEGER NOT NULL)`,
  sql`CREATE INDEX ended_upstream_tokens_gateway ON ended_upstream_tokens (gateway_id)`,
];

/** A client for each redirect URI. The gateway registers the clients again. */
export const UPSTREAM_CLIENTS_BY_VERSION: readonly SqlQuery[] = [
  sql`DROP TABLE upstream_clients`,
  sql`CREATE TABLE upstream_clients (
        gateway_id TEXT NOT NULL REFERENCES gateways (id) ON DELETE CASCADE,
        version TEXT NOT NULL,
        sealed TEXT NOT NULL,
        PRIMARY KEY (gateway_id, version))`,
];
