// The tables of the authorization server, as the step of the schema that makes them. It is never edited. Secrets are stored as hashes.
import { sql, type SqlQuery } from "../sql.ts";

export const OAUTH_TABLES: readonly SqlQuery[] = [
  // Clients that have registered themselves.
  sql`CREATE TABLE oauth_clients (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        uri TEXT,
        redirect_uris TEXT NOT NULL,
        grant_types TEXT NOT NULL,
        secret_hash TEXT,
        is_used INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        expires_at BIGINT NOT NULL)`,
  sql`CREATE INDEX oauth_clients_expires_at ON oauth_clients (is_used, expires_at)`,
  // What a user has allowed a client at a resource.
  sql`CREATE TABLE oauth_consents (
        id TEXT NOT NULL PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        client_id TEXT NOT NULL,
        client_name TEXT NOT NULL,
        client_host TEXT,
        resource TEXT NOT NULL,
        scope TEXT NOT NULL,
        created_at TEXT NOT NULL,
        used_at TEXT,
        UNIQUE (user_id, client_id, resource))`,
  // A code is new, taken by one request, redeemed for tokens, or replayed.
  sql`CREATE TABLE oauth_codes (
        code_hash TEXT NOT NULL PRIMARY KEY,
        consent_id TEXT NOT NULL REFERENCES oauth_consents (id) ON DELETE CASCADE,
        issuer TEXT NOT NULL,
        redirect_uri TEXT NOT NULL,
        challenge TEXT NOT NULL,
        scope TEXT NOT NULL,
        state TEXT NOT NULL,
        grant_id TEXT NOT NULL,
        expires_at BIGINT NOT NULL)`,
  sql`CREATE INDEX oauth_codes_consent_id ON oauth_codes (consent_id)`,
  // One login of a client, with the hashes of its present refresh token and of former ones.
  sql`CREATE TABLE oauth_grants (
        id TEXT NOT NULL PRIMARY KEY,
        consent_id TEXT NOT NULL REFERENCES oauth_consents (id) ON DELETE CASCADE,
        issuer TEXT NOT NULL,
        scope TEXT NOT NULL,
        refresh_hash TEXT NOT NULL,
        former_tokens TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL)`,
  sql`CREATE INDEX oauth_grants_consent_id ON oauth_grants (consent_id)`,
  // Logins of terminals, which a person allows at another device.
  sql`CREATE TABLE oauth_device_codes (
        device_hash TEXT NOT NULL PRIMARY KEY,
        user_code TEXT NOT NULL UNIQUE,
        client_id TEXT NOT NULL,
        issuer TEXT NOT NULL,
        resource TEXT NOT NULL,
        scope TEXT NOT NULL,
        state TEXT NOT NULL,
        consent_id TEXT REFERENCES oauth_consents (id) ON DELETE CASCADE,
        polled_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL)`,
  sql`CREATE INDEX oauth_device_codes_consent_id ON oauth_device_codes (consent_id)`,
];

/** A terminal that is allowed before a change of the password gets no tokens after it. */
export const DEVICES_ALLOWED_AT: readonly SqlQuery[] = [
  sql`ALTER TABLE oauth_device_codes ADD COLUMN allowed_at BIGINT`,
];
