// The tables of API tokens, and of what they are used for.
import { sql, type SqlQuery } from "./sql.ts";

export const API_TOKEN_TABLES: readonly SqlQuery[] = [
  sql`ALTER TABLE catalog_version ADD COLUMN tokens_version BIGINT NOT NULL DEFAULT 0`,
  sql`CREATE TABLE api_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    team_id TEXT,
    name TEXT NOT NULL,
    description TEXT,
    token_hash TEXT NOT NULL,
    server_id TEXT,
    permissions TEXT NOT NULL,
    ip_restrictions TEXT NOT NULL,
    time_restrictions TEXT NOT NULL,
    usage_limits TEXT NOT NULL,
    tags TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    revoked_by TEXT,
    revocation_reason TEXT,
    change BIGINT NOT NULL)`,
  // The name of a token that is revoked can be given again.
  sql`CREATE UNIQUE INDEX api_tokens_name ON api_tokens (user_id, COALESCE(team_id, ''), name)
      WHERE revoked_at IS NULL`,
  sql`CREATE INDEX api_tokens_user_id ON api_tokens (user_id, created_at)`,
  sql`CREATE INDEX api_tokens_team_id ON api_tokens (team_id)`,
  sql`CREATE INDEX api_tokens_change ON api_tokens (change)`,
  sql`CREATE INDEX api_tokens_created_at ON api_tokens (created_at)`,
  // What tokens are used for has no reference to them: a batch of counts must not fail for a token that was deleted meanwhile.
  sql`CREATE TABLE api_token_totals (
    token_id TEXT NOT NULL PRIMARY KEY,
    last_used BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    hour_requests BIGINT NOT NULL,
    day BIGINT NOT NULL,
    day_requests BIGINT NOT NULL,
    requests BIGINT NOT NULL)`,
  sql`CREATE TABLE api_token_days (
    token_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    requests BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    ms BIGINT NOT NULL,
    PRIMARY KEY (token_id, day, endpoint))`,
  sql`CREATE INDEX api_token_days_day ON api_token_days (day)`,
  sql`CREATE TABLE api_token_addresses (
    token_id TEXT NOT NULL,
    address TEXT NOT NULL,
    last_used BIGINT NOT NULL,
    PRIMARY KEY (token_id, address))`,
];
