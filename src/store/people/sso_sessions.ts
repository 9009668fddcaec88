// Who users are at identity providers, and the login tokens of their sessions there.
import { NOW_MS } from "../sql/database_clock.ts";
import { type Database, sql } from "../sql/sql.ts";
import { SSO_SESSIONS, USERS } from "./person_tables.ts";
import type { SsoSessionRow, UserRow } from "./person_rows.ts";

/** Sessions of one user that are kept. Above this number, the login token that expires first is to be revoked. */
export const MAX_SESSIONS_PER_USER = 50;

/** The sessions that a provider ends: one (`sid`), or all of a subject. */
export interface SessionsOf {
  readonly provider: string;
  readonly subject: string | null;
  readonly sid: string | null;
}

/** Somebody at an identity provider: the subject of an issuer's tokens, and the id of the provider that the settings give. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly provider: string;
}

export class SsoSessions {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /** The user that signs in as this subject; null: nobody yet. */
  async userOf({ issuer, subject }: Identity): Promise<UserRow | null> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT users.* FROM users JOIN sso_identities ON sso_identities.user_id = users.id
          WHERE sso_identities.issuer = ${issuer} AND sso_identities.subject = ${subject}`,
    );
    return records.length === 0 ? null : USERS.decode(records[0]);
  }

  /** Identities that were stored by a provider's id alone become those of its issuer. */
  async adopt(provider: string, issuer: string): Promise<void> {
    await this.database.run(
      sql`UPDATE sso_identities SET issuer = ${issuer} WHERE issuer = ${`provider:${provider}`}
          AND NOT EXISTS (SELECT 1 FROM sso_identities AS known
            WHERE known.issuer = ${issuer} AND known.subject = sso_identities.subject)`,
    );
  }

  /** The provider where each of these users signs in, by the user's id; the one that came first, if there are several. */
  async providersOf(userIds: readonly string[]): Promise<Map<string, string>> {
    if (userIds.length === 0) return new Map();
    const rows = await this.database.query<{ user_id: string; provider: string }>(
      sql`SELECT user_id, provider FROM sso_identities WHERE user_id IN ${sql.list(userIds)}
          ORDER BY created_at DESC, provider`,
    );
    return new Map(rows.map(({ user_id, provider }) => [user_id, provider]));
  }

  /** Does another subject of the issuer sign in as this user? */
  async isTaken({ issuer, subject }: Identity, userId: string): Promise<boolean> {
    const rows = await this.database.query(
      sql`SELECT subject FROM sso_identities
          WHERE issuer = ${issuer} AND user_id = ${userId} AND subject <> ${subject} LIMIT 1`,
    );
    return rows.length > 0;
  }

  /** From now on the subject signs in as this user. A subject that does already stays with its user. */
  async identify({ issuer, subject, provider }: Identity, userId: string): Promise<void> {
    await this.database.run(
      sql`INSERT INTO sso_identities (issuer, subject, provider, user_id, created_at)
          VALUES (${issuer}, ${subject}, ${provider}, ${userId}, ${this.now().toISOString()})
          ON CONFLICT (issuer, subject) DO NOTHING`,
    );
  }

  /** Keeps a session. @returns the user's sessions beyond MAX_SESSIONS_PER_USER, which are kept no longer */
  async insert(row: SsoSessionRow): Promise<SsoSessionRow[]> {
    return await this.database.transaction(async (tx) => {
      for (const statement of SSO_SESSIONS.inserts([row])) await tx.run(statement);
      const records = await tx.query<Record<string, unknown>>(
        sql`SELECT * FROM sso_sessions WHERE user_id = ${row.userId} ORDER BY expires_at DESC, jti`,
      );
      const beyond = records.map((record) => SSO_SESSIONS.decode(record)).slice(MAX_SESSIONS_PER_USER);
      for (const { jti } of beyond) await tx.run(sql`DELETE FROM sso_sessions WHERE jti = ${jti}`);
      return beyond;
    });
  }

  /** Users who sign in at a provider, have never logged in, and are not active: they wait for an administrator. The oldest first. */
  async waiting(limit: number): Promise<{ readonly user: UserRow; readonly provider: string }[]> {
    const records = await this.database.query<Record<string, unknown> & { provider: string }>(
      sql`SELECT users.*, sso_identities.provider FROM users
          JOIN sso_identities ON sso_identities.user_id = users.id
          WHERE users.is_active = 0 AND users.last_login IS NULL AND users.password_hash IS NULL
          ORDER BY users.created_at, users.id LIMIT ${limit}`,
    );
    return records.map(({ provider, ...record }) => ({ user: USERS.decode(record), provider }));
  }

  async find(jti: string): Promise<SsoSessionRow | null> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM sso_sessions WHERE jti = ${jti}`,
    );
    return records.length === 0 ? null : SSO_SESSIONS.decode(records[0]);
  }

  /** Takes the session of a login token. @returns null if there is none */
  async take(jti: string): Promise<SsoSessionRow | null> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`DELETE FROM sso_sessions WHERE jti = ${jti} RETURNING *`,
    );
    return records.length === 0 ? null : SSO_SESSIONS.decode(records[0]);
  }

  /** Takes the sessions that a provider ends. */
  async takeAll({ provider, subject, sid }: SessionsOf): Promise<SsoSessionRow[]> {
    const bySubject = subject === null ? sql`` : sql`AND subject = ${subject}`;
    const bySid = sid === null ? sql`` : sql`AND sid = ${sid}`;
    const records = await this.database.query<Record<string, unknown>>(
      sql`DELETE FROM sso_sessions WHERE provider = ${provider} ${bySubject} ${bySid} RETURNING *`,
    );
    return records.map((record) => SSO_SESSIONS.decode(record));
  }

  /** Uses up what works once. @returns false if it was used before. The database's clock decides when it is forgotten. */
  async use(id: string, ttlMs: number): Promise<boolean> {
    const { changes } = await this.database.run(
      sql`INSERT INTO sso_used (id, expires_at) VALUES (${id}, ${NOW_MS[this.database.dialect]} + ${ttlMs})
          ON CONFLICT (id) DO NOTHING`,
    );
    return changes > 0;
  }

  /** Deletes sessions whose tokens have expired, and what was used so long ago that it would be refused anyway. */
  async sweep(): Promise<void> {
    const now = NOW_MS[this.database.dialect];
    await this.database.run(sql`DELETE FROM sso_sessions WHERE expires_at <= ${now}`);
    await this.database.run(sql`DELETE FROM sso_used WHERE expires_at <= ${now}`);
  }
}
