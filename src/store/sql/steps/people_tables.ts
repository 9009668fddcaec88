// Further steps of the schema of people. A step is never edited.
import { sql, type SqlQuery } from "../sql.ts";

/** The ids that each version of `people_version` has changed. */
export const PEOPLE_CHANGES: readonly SqlQuery[] = [
  sql`CREATE TABLE people_changes (
        version BIGINT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        PRIMARY KEY (version, kind, id))`,
];

/**
 * Who a user is at an identity provider, by the issuer of its tokens: a subject is unique there (OpenID Connect Core 1.0, section 2),
 * and the id of a provider is a word of the settings. Rows from before have `provider:ID` in place of the issuer, until somebody signs in
 * at this provider.
 */
export const IDENTITIES_BY_ISSUER: readonly SqlQuery[] = [
  sql`CREATE TABLE sso_identities_by_issuer (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        provider TEXT NOT NULL,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        created_at TEXT NOT NULL,
        PRIMARY KEY (issuer, subject))`,
  sql`INSERT INTO sso_identities_by_issuer (issuer, subject, provider, user_id, created_at)
      SELECT 'provider:' || provider, subject, provider, user_id, created_at FROM sso_identities`,
  sql`DROP TABLE sso_identities`,
  sql`ALTER TABLE sso_identities_by_issuer RENAME TO sso_identities`,
  sql`CREATE INDEX sso_identities_user_id ON sso_identities (user_id)`,
  // The look-up column of records; the records themselves stay as they are.
  sql`UPDATE audit_records SET email = LOWER(email) WHERE email <> LOWER(email)`,
];

/** Users who ask to become members of a public team. */
export const JOIN_REQUESTS_TABLE: readonly SqlQuery[] = [
  sql`CREATE TABLE team_join_requests (
        id TEXT NOT NULL PRIMARY KEY,
        team_id TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        message TEXT,
        requested_at TEXT NOT NULL,
        expires_at BIGINT NOT NULL,
        UNIQUE (team_id, user_id))`,
  sql`CREATE INDEX team_join_requests_user_id ON team_join_requests (user_id)`,
];
