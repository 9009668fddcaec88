// The tables of single sign-on, as the step of the schema that makes them. It is never edited.
import { sql, type SqlQuery } from "./sql.ts";

export const SSO_TABLES: readonly SqlQuery[] = [
  // Who a user is at an identity provider.
  sql`CREATE TABLE sso_identities (
        provider TEXT NOT NULL,
        subject TEXT NOT NULL,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        created_at TEXT NOT NULL,
        PRIMARY KEY (provider, subject))`,
  sql`CREATE INDEX sso_identities_user_id ON sso_identities (user_id)`,
  // The login tokens of sessions at a provider, which its logout ends.
  sql`CREATE TABLE sso_sessions (
        jti TEXT NOT NULL PRIMARY KEY,
        provider TEXT NOT NULL,
        subject TEXT NOT NULL,
        sid TEXT,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        id_token TEXT,
        expires_at BIGINT NOT NULL)`,
  sql`CREATE INDEX sso_sessions_subject ON sso_sessions (provider, subject)`,
  sql`CREATE INDEX sso_sessions_sid ON sso_sessions (provider, sid)`,
  sql`CREATE INDEX sso_sessions_user_id ON sso_sessions (user_id)`,
  // What works once: the state of a sign-in, a provider's logout token.
  sql`CREATE TABLE sso_used (id TEXT NOT NULL PRIMARY KEY, expires_at BIGINT NOT NULL)`,
  // What a sign-in has made, and the next one takes away again; null: a person has made it.
  sql`ALTER TABLE team_members ADD COLUMN source TEXT`,
];
