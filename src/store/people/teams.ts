// Teams, their members, and invitations to them. The last owner of a team is neither removed nor made a mere member here.
import { SluiceError } from "../../base/errors.ts";
import { NOW_MS } from "../sql/database_clock.ts";
import { newId } from "../sql/new_id.ts";
import { BYTE_ORDER, type Database, sql, type SqlQuery } from "../sql/sql.ts";
import { revokeTokensOfTeam } from "../tokens/api_tokens.ts";
import { tellPeopleChanged } from "./people_changes.ts";
import type { InvitationRow, MemberRow, TeamRole, TeamRow } from "./person_rows.ts";
import { INVITATIONS, MEMBERS, TEAMS } from "./person_tables.ts";
import { writePeople } from "./write_people.ts";

export type NewTeam = Pick<TeamRow, "name" | "description" | "visibility" | "maxMembers" | "createdBy">;
export type TeamChanges = Partial<Pick<TeamRow, "name" | "description" | "visibility" | "maxMembers">>;
export type NewInvitation = Omit<InvitationRow, "id" | "invitedAt" | "expiresAt">;

/** Limits of a membership. */
export interface MemberLimits {
  /** Members of the team. */
  readonly members: number;
  /** Shared teams of the user (MAX_TEAMS_PER_USER). */
  readonly teams: number;
}

/** A member of a team, with the user's address and name. */
export interface ShownMember extends MemberRow {
  readonly email: string;
  readonly fullName: string | null;
}

/** Which teams, and which part of them. */
export interface TeamPage {
  /** Ids; null: all shared teams. */
  readonly only: readonly string[] | null;
  /** Ids of teams that are left out. */
  readonly without?: readonly string[];
  /** true: without personal teams. */
  readonly isShared?: boolean;
  readonly isPublic?: boolean;
  /** Each is a part of the name, in upper or lower case. */
  readonly words?: readonly string[];
  readonly skip: number;
  readonly limit: number;
}

export type CountedTeam = TeamRow & { readonly memberCount: number };

export class Teams {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /**
   * Creates a team with its first owner.
   * @param owner null: an administrator without a user record creates the team, which has no member yet
   * @throws {SluiceError} CONFLICT if a team has the name, or if the owner has too many
   */
  async insert(
    given: NewTeam,
    owner: { readonly id: string; readonly maxTeams: number } | null,
  ): Promise<TeamRow> {
    const time = this.now().toISOString();
    const row: TeamRow = {
      ...given,
      id: newId(),
      slug: slugOf(given.name),
      isPersonal: false,
      createdAt: time,
      updatedAt: time,
    };
    await writePeople(
      this.database,
      { teams: [row.id], users: owner === null ? [] : [owner.id] },
      `A team named "${given.name}" exists already (names are compared as "${row.slug}")`,
      async (tx) => {
        if (owner !== null) await requireFewerTeams(tx, owner.id, owner.maxTeams);
        for (const statement of TEAMS.inserts([row])) await tx.run(statement);
        if (owner === null) return;
        const member: MemberRow = {
          teamId: row.id,
          userId: owner.id,
          role: "owner",
          joinedAt: time,
          source: null,
        };
        for (const statement of MEMBERS.inserts([member])) await tx.run(statement);
      },
    );
    return row;
  }

  async get(id: string): Promise<TeamRow | null> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM teams WHERE id = ${id}`,
    );
    return records.length === 0 ? null : TEAMS.decode(records[0]);
  }

  /**
   * Teams by name, then id.
   * @param memberId only the teams of this user, the personal one too; absent: all shared teams
   */
  async list(memberId?: string): Promise<TeamRow[]> {
    const records = await this.database.query<Record<string, unknown>>(
      memberId === undefined
        ? sql`SELECT * FROM teams WHERE is_personal = 0`
        : sql`SELECT teams.* FROM teams JOIN team_members ON team_members.team_id = teams.id
              WHERE team_members.user_id = ${memberId}`,
    );
    return records.map((record) => TEAMS.decode(record)).sort((a, b) =>
      a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1
    );
  }

  /** A part of the teams, in the order of `list()`, each with the number of its members; `total` counts all that fit. */
  async page(
    { only, without = [], isShared = false, isPublic = false, words = [], skip, limit }: TeamPage,
  ): Promise<{ readonly teams: readonly CountedTeam[]; readonly total: number }> {
    if (only?.length === 0) return { teams: [], total: 0 };
    const conditions = [
      ...(only === null ? [] : [sql`id IN ${sql.list(only)}`]),
      ...(only === null || isShared ? [sql`is_personal = 0`] : []),
      ...(without.length === 0 ? [] : [sql`id NOT IN ${sql.list(without)}`]),
      ...(isPublic ? [sql`visibility = 'public'`] : []),
      ...words.map((word) => this.#isNamed(word)),
    ];
    const where = sql.join(conditions, " AND ");
    const name = sql`name ${BYTE_ORDER[this.database.dialect]}`;
    const [{ amount }] = await this.database.query<{ amount: number }>(
      sql`SELECT COUNT(*) AS amount FROM teams WHERE ${where}`,
    );
    const records = await this.database.query<Record<string, unknown> & { member_count: number }>(
      sql`SELECT teams.*, (SELECT COUNT(*) FROM team_members WHERE team_id = teams.id) AS member_count
          FROM teams WHERE ${where} ORDER BY ${name}, id LIMIT ${limit} OFFSET ${skip}`,
    );
    return {
      teams: records.map(({ member_count, ...record }) => ({
        ...TEAMS.decode(record),
        memberCount: Number(member_count),
      })),
      total: Number(amount),
    };
  }

  /** LOWER() of SQLite changes ASCII alone. The slug is in lower case by Unicode, and has the letters and digits of the name. */
  #isNamed(word: string): SqlQuery {
    const position = sql.id(this.database.dialect === "sqlite" ? "instr" : "strpos");
    const lower = word.toLowerCase();
    const inName = sql`${position}(LOWER(name), ${lower}) > 0`;
    return /^[\p{L}\p{N}]+$/u.test(lower) ? sql`(${inName} OR ${position}(slug, ${lower}) > 0)` : inName;
  }

  /** @throws {SluiceError} NOT_FOUND, CONFLICT */
  async update(id: string, changes: TeamChanges): Promise<TeamRow> {
    const slug = changes.name === undefined ? undefined : slugOf(changes.name);
    const conflict = `A team named "${changes.name}" exists already`;
    return await writePeople(this.database, { teams: [id] }, conflict, async (tx) => {
      const assignments = TEAMS.assignments({ ...changes, slug, updatedAt: this.now().toISOString() });
      const records = await tx.query<Record<string, unknown>>(
        sql`UPDATE teams SET ${assignments} WHERE id = ${id} RETURNING *`,
      );
      if (records.length === 0) throw new SluiceError("NOT_FOUND", { what: `Team ${id}` });
      return TEAMS.decode(records[0]);
    });
  }

  /** Deletes the team with its memberships, invitations and role assignments. Its entries stay, for administrators. */
  async delete(id: string): Promise<boolean> {
    return await this.database.transaction(async (tx) => {
      const members = await tx.query<{ user_id: string }>(
        sql`SELECT user_id FROM team_members WHERE team_id = ${id}`,
      );
      const { changes } = await tx.run(sql`DELETE FROM teams WHERE id = ${id}`);
      if (changes === 0) return false;
      const holders = await tx.query<{ user_id: string }>(
        sql`DELETE FROM role_assignments WHERE scope = 'team' AND scope_id = ${id} RETURNING user_id`,
      );
      const users = [...members, ...holders].map(({ user_id }) => user_id);
      await tellPeopleChanged(tx, { teams: [id], users });
      await revokeTokensOfTeam(tx, { teamId: id, at: this.now() });
      return true;
    });
  }

  /** The members of a team, by email address. */
  async members(teamId: string): Promise<ShownMember[]> {
    const records = await this.database.query<
      Record<string, unknown> & { email: string; full_name: string | null }
    >(
      sql`SELECT team_members.*, users.email, users.full_name FROM team_members
          JOIN users ON users.id = team_members.user_id WHERE team_members.team_id = ${teamId}`,
    );
    return records
      .map((record) => ({ ...MEMBERS.decode(record), email: record.email, fullName: record.full_name }))
      .sort((a, b) => a.email < b.email ? -1 : 1);
  }

  async hasMember(teamId: string, userId: string): Promise<boolean> {
    const rows = await this.database.query(
      sql`SELECT user_id FROM team_members WHERE team_id = ${teamId} AND user_id = ${userId}`,
    );
    return rows.length > 0;
  }

  /** @throws {SluiceError} CONFLICT if the user is a member already, or a limit is reached */
  async addMember(teamId: string, userId: string, role: TeamRole, limits: MemberLimits): Promise<MemberRow> {
    return await writePeople(
      this.database,
      { users: [userId] },
      "The user is a member of the team already",
      (tx) => this.#add(tx, teamId, userId, role, limits),
    );
  }

  /** @throws {SluiceError} NOT_FOUND if the user is no member, CONFLICT if the team would lose its last owner */
  async changeMember(teamId: string, userId: string, role: TeamRole): Promise<MemberRow> {
    return await writePeople(this.database, { users: [userId] }, "", async (tx) => {
      const member = sql`team_id = ${teamId} AND user_id = ${userId}`;
      const former = await tx.query<{ role: TeamRole }>(sql`SELECT role FROM team_members WHERE ${member}`);
      if (former.length === 0) throw new SluiceError("NOT_FOUND", { what: "Member" });
      const [record] = await tx.query<Record<string, unknown>>(
        sql`UPDATE team_members SET role = ${role} WHERE ${member} RETURNING *`,
      );
      if (former[0].role === "owner") await requireOwner(tx, teamId);
      return MEMBERS.decode(record);
    });
  }

  /** Also takes away the roles that the user was assigned in the team. @throws {SluiceError} NOT_FOUND, CONFLICT */
  async removeMember(teamId: string, userId: string): Promise<void> {
    await writePeople(this.database, { users: [userId] }, "", async (tx) => {
      const removed = await tx.query<{ role: TeamRole }>(
        sql`DELETE FROM team_members WHERE team_id = ${teamId} AND user_id = ${userId} RETURNING role`,
      );
      if (removed.length === 0) throw new SluiceError("NOT_FOUND", { what: "Member" });
      if (removed[0].role === "owner") await requireOwner(tx, teamId);
      await tx.run(
        sql`DELETE FROM role_assignments WHERE user_id = ${userId} AND scope = 'team' AND scope_id = ${teamId}`,
      );
    });
  }

  /**
   * Invites an address, and drops an older invitation of it and invitations that have expired.
   * @param limit of the team's open invitations. @throws {SluiceError} CONFLICT
   */
  async invite(given: NewInvitation, ttlMs: number, limit: number): Promise<InvitationRow> {
    return await this.database.transaction(async (tx) => {
      const now = NOW_MS[tx.dialect];
      await tx.run(
        sql`DELETE FROM team_invitations WHERE team_id = ${given.teamId}
            AND (email = ${given.email} OR expires_at <= ${now})`,
      );
      const [{ amount }] = await tx.query<{ amount: number }>(
        sql`SELECT COUNT(*) AS amount FROM team_invitations WHERE team_id = ${given.teamId}`,
      );
      if (Number(amount) >= limit) {
        throw new SluiceError("CONFLICT", {
          reason: `The team has ${limit} open invitations; cancel one first`,
        });
      }
      const row: InvitationRow = {
        ...given,
        id: newId(),
        invitedAt: this.now().toISOString(),
        expiresAt: 0,
      };
      for (const statement of INVITATIONS.inserts([row])) await tx.run(statement);
      // By the database's clock, which also decides whether the invitation has expired.
      const [record] = await tx.query<Record<string, unknown>>(
        sql`UPDATE team_invitations SET expires_at = ${now} + ${ttlMs} WHERE id = ${row.id} RETURNING *`,
      );
      return INVITATIONS.decode(record);
    });
  }

  /** The invitations that can be accepted, by email address. */
  async invitations(teamId: string): Promise<InvitationRow[]> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM team_invitations WHERE team_id = ${teamId}
          AND expires_at > ${NOW_MS[this.database.dialect]}`,
    );
    return records.map((record) => INVITATIONS.decode(record)).sort((a, b) => a.email < b.email ? -1 : 1);
  }

  async invitation(id: string): Promise<InvitationRow | null> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM team_invitations WHERE id = ${id}`,
    );
    return records.length === 0 ? null : INVITATIONS.decode(records[0]);
  }

  /** @returns false if there was no such invitation */
  async cancel(id: string): Promise<boolean> {
    const { changes } = await this.database.run(sql`DELETE FROM team_invitations WHERE id = ${id}`);
    return changes > 0;
  }

  /**
   * Uses an invitation up, and makes its user a member.
   * @throws {SluiceError} NOT_FOUND if no such invitation is open for the user, CONFLICT
   */
  async accept(
    tokenHash: string,
    user: { readonly id: string; readonly email: string },
    limitsOf: (team: TeamRow) => MemberLimits,
  ): Promise<MemberRow> {
    const changed = { users: [user.id] };
    return await writePeople(this.database, changed, "You are a member of the team already", async (tx) => {
      const records = await tx.query<Record<string, unknown>>(
        sql`DELETE FROM team_invitations WHERE token_hash = ${tokenHash} AND email = ${user.email}
            AND expires_at > ${NOW_MS[tx.dialect]} RETURNING *`,
      );
      if (records.length === 0) throw new SluiceError("NOT_FOUND", { what: "Invitation" });
      const { teamId, role } = INVITATIONS.decode(records[0]);
      const [team] = await tx.query<Record<string, unknown>>(sql`SELECT * FROM teams WHERE id = ${teamId}`);
      return await this.#add(tx, teamId, user.id, role, limitsOf(TEAMS.decode(team)));
    });
  }

  #add(
    tx: Database,
    teamId: string,
    userId: string,
    role: TeamRole,
    limits: MemberLimits,
  ): Promise<MemberRow> {
    const joinedAt = this.now().toISOString();
    return insertMember(tx, { teamId, userId, role, joinedAt, source: null }, limits);
  }
}

/** @throws {SluiceError} CONFLICT if a limit is reached; ConstraintError if the user is a member already */
export async function insertMember(tx: Database, row: MemberRow, limits: MemberLimits): Promise<MemberRow> {
  const [{ amount }] = await tx.query<{ amount: number }>(
    sql`SELECT COUNT(*) AS amount FROM team_members WHERE team_id = ${row.teamId}`,
  );
  if (Number(amount) >= limits.members) {
    throw new SluiceError("CONFLICT", { reason: `The team has ${limits.members} members, its limit` });
  }
  await requireFewerTeams(tx, row.userId, limits.teams);
  for (const statement of MEMBERS.inserts([row])) await tx.run(statement);
  return row;
}

async function requireFewerTeams(tx: Database, userId: string, limit: number): Promise<void> {
  const [{ amount }] = await tx.query<{ amount: number }>(
    sql`SELECT COUNT(*) AS amount FROM team_members JOIN teams ON teams.id = team_members.team_id
        WHERE team_members.user_id = ${userId} AND teams.is_personal = 0`,
  );
  if (Number(amount) < limit) return;
  throw new SluiceError("CONFLICT", {
    reason: `The user is in ${limit} teams, the limit of MAX_TEAMS_PER_USER`,
  });
}

/** @throws {SluiceError} CONFLICT if the change has taken the team's last owner */
async function requireOwner(tx: Database, teamId: string): Promise<void> {
  const owners = await tx.query(
    sql`SELECT user_id FROM team_members WHERE team_id = ${teamId} AND role = 'owner' LIMIT 1`,
  );
  if (owners.length === 0) {
    throw new SluiceError("CONFLICT", {
      reason: "The team would have no owner; make another member the owner first",
    });
  }
}

/** The unique form of a team's name. */
export function slugOf(name: string): string {
  const slug = name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-+|-+$/g, "");
  return slug === "" ? newId() : slug;
}
