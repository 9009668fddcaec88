// Room `people`: users, teams and their members, roles and who has them. The REST API and the command line write them; workers read
// what decides who may do what all at once. Other rooms use `PeopleStore` and the rows.
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";
import { changedSince } from "./people_changes.ts";
import type { PeopleRows } from "./person_rows.ts";
import { ASSIGNMENTS, ROLES } from "./person_tables.ts";
import { type Everybody, readEverybody } from "./everybody.ts";
import { OneTimeTokens } from "./one_time_tokens.ts";
import { type RightsSet, setGivenRights } from "./given_rights.ts";
import { Roles } from "./roles.ts";
import { SsoSessions } from "./sso_sessions.ts";
import { JoinRequests } from "./join_requests.ts";
import { Teams } from "./teams.ts";
import { Users } from "./users.ts";

export interface PeopleStore {
  readonly users: Users;
  readonly teams: Teams;
  readonly joinRequests: JoinRequests;
  readonly roles: Roles;
  readonly oneTimeTokens: OneTimeTokens;
  readonly sso: SsoSessions;
  /** Gives a user the teams and roles of an identity provider's groups, and takes away those that are gone. */
  setGivenRights(rights: Omit<Parameters<typeof setGivenRights>[1], "now">): Promise<RightsSet>;
  /**
   * What decides who may do what. Reads within one transaction to be consistent.
   * @param known the version that the reader has: only the rows that have changed since are read, if that is known
   */
  read(known?: number): Promise<PeopleRows>;
  readVersion(): Promise<number>;
  /** Everything but one-time tokens and invitations. Reads within one transaction to be consistent. */
  readEverybody(): Promise<Everybody>;
}

interface StandingRecord {
  readonly id: string;
  readonly email: string;
  readonly is_admin: number;
  readonly is_active: number;
  readonly tokens_valid_from: number | string | null;
}

/** The roles of a user by team id, as one text: a row for each membership would cost a large installation seconds at each write. */
const MEMBERSHIPS: Readonly<Record<Database["dialect"], SqlQuery>> = {
  sqlite: sql`json_group_object(team_id, role)`,
  postgres: sql`json_object_agg(team_id, role)::text`,
};

export function createPeopleStore(database: Database, now: () => Date): PeopleStore {
  const readVersion = async () => {
    const [row] = await database.query<{ people_version: number }>(
      sql`SELECT people_version FROM catalog_version`,
    );
    return Number(row.people_version);
  };
  return {
    users: new Users(database, now),
    teams: new Teams(database, now),
    joinRequests: new JoinRequests(database, now),
    roles: new Roles(database, now),
    oneTimeTokens: new OneTimeTokens(database),
    sso: new SsoSessions(database, now),
    setGivenRights: (rights) => setGivenRights(database, { ...rights, now }),
    readVersion,
    readEverybody: () => readEverybody(database),
    async read(known) {
      const version = await readVersion();
      const changed = known === undefined ? null : await changedSince(database, known, version);
      const only = (column: string, kind: "user" | "team" | "role") =>
        changed === null ? sql.empty : sql`AND ${sql.id(column)} IN (
            SELECT id FROM people_changes WHERE version > ${known!} AND kind = ${kind})`;
      // Not by Table.decode(), which looks at every column of the table: there may be many users.
      const users = await database.query<StandingRecord>(
        sql`SELECT id, email, is_admin, is_active, tokens_valid_from FROM users
            WHERE 1 = 1 ${only("id", "user")}`,
      );
      const members = await database.query<{ user_id: string; memberships: string }>(
        sql`SELECT user_id, ${MEMBERSHIPS[database.dialect]} AS memberships FROM team_members
            WHERE 1 = 1 ${only("user_id", "user")} GROUP BY user_id`,
      );
      const teams = await database.query<{ id: string; slug: string }>(
        sql`SELECT id, slug FROM teams WHERE is_personal = 0 ${only("id", "team")}`,
      );
      const roles = await database.query<Record<string, unknown>>(
        sql`SELECT id, name, permissions FROM roles WHERE 1 = 1 ${only("id", "role")}`,
      );
      const assignments = await database.query<Record<string, unknown>>(
        sql`SELECT user_id, role_id, scope, scope_id, expires_at FROM role_assignments
            WHERE 1 = 1 ${only("user_id", "user")} ORDER BY id`,
      );
      return {
        version,
        changed,
        users: users.map((record) => ({
          id: record.id,
          email: record.email,
          isAdmin: Number(record.is_admin) !== 0,
          isActive: Number(record.is_active) !== 0,
          tokensValidFrom: record.tokens_valid_from === null ? null : Number(record.tokens_valid_from),
        })),
        members: members.map(({ user_id, memberships }) => ({ userId: user_id, memberships })),
        teams,
        roles: roles.map((record) => {
          const { id, name, permissions } = ROLES.decode(record);
          return { id, name, permissions };
        }),
        assignments: assignments.map((record) => {
          const { userId, roleId, scope, scopeId, expiresAt } = ASSIGNMENTS.decode(record);
          return { userId, roleId, scope, scopeId, expiresAt };
        }),
      };
    },
  };
}
