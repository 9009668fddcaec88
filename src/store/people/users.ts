// Users: who they are, and how they log in. A user gets a personal team, which ends with the user.
import { SluiceError } from "../../base/errors.ts";
import { newId } from "../sql/new_id.ts";
import { BYTE_ORDER, type Database, sql } from "../sql/sql.ts";
import { tellPeopleChanged } from "./people_changes.ts";
import type { UserRow } from "./person_rows.ts";
import { MEMBERS, TEAMS, USERS } from "./person_tables.ts";
import { endTokensOfUser } from "../upstream_tokens/ended_tokens.ts";
import { writePeople } from "./write_people.ts";
import { revokeImportedTokensOf } from "../tokens/api_tokens.ts";

export type NewUser =
  & Pick<UserRow, "email" | "fullName" | "passwordHash" | "isAdmin" | "isActive" | "passwordChangeRequired">
  & { readonly id?: string };

/** The fields of a login. They concern the login alone, so workers read nothing again. */
export type LoginChanges = Partial<
  Pick<UserRow, "failedAttempts" | "lockedUntil" | "lastLogin" | "passwordHash">
>;

export type UserChanges =
  & LoginChanges
  & Partial<
    Pick<UserRow, "fullName" | "isAdmin" | "isActive" | "passwordChangeRequired" | "tokensValidFrom">
  >;

export interface UserPage {
  readonly limit: number;
  /** The email address after which the page begins. */
  readonly after?: string;
}

export class Users {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /** @throws {SluiceError} CONFLICT if the email address is in use */
  async insert(given: NewUser): Promise<UserRow> {
    const time = this.now().toISOString();
    const email = normalEmail(given.email);
    const row: UserRow = {
      ...given,
      id: given.id ?? newId(),
      email,
      failedAttempts: 0,
      lockedUntil: null,
      tokensValidFrom: null,
      lastLogin: null,
      createdAt: time,
      updatedAt: time,
    };
    const teamId = newId();
    const statements = [
      ...USERS.inserts([row]),
      ...TEAMS.inserts([{
        id: teamId,
        name: `${given.fullName ?? email}'s team`,
        slug: `personal-${row.id}`,
        description: null,
        isPersonal: true,
        visibility: "private",
        maxMembers: 1,
        createdBy: email,
        createdAt: time,
        updatedAt: time,
      }]),
      ...MEMBERS.inserts([{ teamId, userId: row.id, role: "owner", joinedAt: time, source: null }]),
    ];
    await writePeople(
      this.database,
      { users: [row.id] },
      `A user with the email address ${email} exists already`,
      async (tx) => {
        for (const statement of statements) await tx.run(statement);
      },
    );
    return row;
  }

  async get(email: string): Promise<UserRow | null> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM users WHERE email = ${normalEmail(email)}`,
    );
    return records.length === 0 ? null : USERS.decode(records[0]);
  }

  async getById(id: string): Promise<UserRow | null> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM users WHERE id = ${id}`,
    );
    return records.length === 0 ? null : USERS.decode(records[0]);
  }

  /** In the order of their email addresses, by code units. */
  async list({ limit, after = "" }: UserPage): Promise<UserRow[]> {
    const key = sql`email ${BYTE_ORDER[this.database.dialect]}`;
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM users WHERE ${key} > ${after} ORDER BY ${key} LIMIT ${limit}`,
    );
    return records.map((record) => USERS.decode(record));
  }

  async count(): Promise<number> {
    const [row] = await this.database.query<{ amount: number }>(sql`SELECT COUNT(*) AS amount FROM users`);
    return Number(row.amount);
  }

  /** Is there an active administrator: by the record, or by the role everywhere? */
  async hasAdministrator(): Promise<boolean> {
    const rows = await this.database.query(
      sql`SELECT id FROM users WHERE is_active = 1 AND (is_admin = 1 OR id IN (
            SELECT user_id FROM role_assignments WHERE role_id = 'platform_admin' AND scope = 'global'
              AND (expires_at IS NULL OR expires_at > ${this.now().getTime()}))) LIMIT 1`,
    );
    return rows.length > 0;
  }

  /**
   * Runs a change of users or roles, in a transaction of the caller.
   * @throws {SluiceError} CONFLICT if the change takes away the last active administrator of the users who remain
   */
  async keepingAdministrator<T>(change: () => Promise<T>): Promise<T> {
    const hadOne = await this.hasAdministrator();
    const result = await change();
    if (!hadOne || await this.hasAdministrator() || await this.count() === 0) return result;
    throw new SluiceError("CONFLICT", {
      reason: "No active administrator would remain; make another user one first",
    });
  }

  /** @throws {SluiceError} NOT_FOUND */
  async update(email: string, changes: UserChanges): Promise<UserRow> {
    return await this.database.transaction(async (tx) => {
      const row = await this.#update(tx, email, changes);
      if (row === null) throw new SluiceError("NOT_FOUND", { what: `User ${email}` });
      if (changes.isActive === false) await endTokensOfUser(tx, row.email);
      await tellPeopleChanged(tx, { users: [row.id] });
      return row;
    });
  }

  /** Notes the outcome of a login. A user that is gone stays gone. */
  async noteLogin(email: string, changes: LoginChanges): Promise<void> {
    await this.#update(this.database, email, changes);
  }

  /**
   * Counts a wrong password, in one statement: concurrent logins count each.
   * @returns the number of wrong passwords since the last login
   */
  async countFailure(email: string): Promise<number> {
    const [row] = await this.database.query<{ failed_attempts: number }>(
      sql`UPDATE users SET failed_attempts = failed_attempts + 1 WHERE email = ${normalEmail(email)}
          RETURNING failed_attempts`,
    );
    return row === undefined ? 0 : Number(row.failed_attempts);
  }

  /** Deletes the user, the personal team and all memberships. @returns false if there was no such user */
  async delete(email: string): Promise<boolean> {
    return await this.database.transaction(async (tx) => {
      await revokeImportedTokensOf(tx, { email: normalEmail(email), at: this.now() });
      await tx.run(
        sql`DELETE FROM teams WHERE is_personal = 1 AND id IN (
              SELECT team_id FROM team_members JOIN users ON users.id = team_members.user_id
              WHERE users.email = ${normalEmail(email)})`,
      );
      const deleted = await tx.query<{ id: string }>(
        sql`DELETE FROM users WHERE email = ${normalEmail(email)} RETURNING id`,
      );
      // The logins at upstreams are the person's, not the address's: somebody else may get it.
      await endTokensOfUser(tx, normalEmail(email));
      if (deleted.length > 0) await tellPeopleChanged(tx, { users: deleted.map(({ id }) => id) });
      return deleted.length > 0;
    });
  }

  async #update(tx: Database, email: string, changes: UserChanges): Promise<UserRow | null> {
    const assignments = USERS.assignments({ ...changes, updatedAt: this.now().toISOString() });
    const records = await tx.query<Record<string, unknown>>(
      sql`UPDATE users SET ${assignments} WHERE email = ${normalEmail(email)} RETURNING *`,
    );
    return records.length === 0 ? null : USERS.decode(records[0]);
  }
}

/** Email addresses are compared without regard to case and outer blanks, as in ContextForge. */
export function normalEmail(email: string): string {
  return email.trim().toLowerCase();
}
