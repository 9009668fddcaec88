// The teams and roles that the groups of an identity provider give a user. A sign-in sets them; what a person gave stays.
import { newId } from "../sql/new_id.ts";
import { type Database, sql } from "../sql/sql.ts";
import type { AssignmentRow, MemberRow, TeamRole } from "./person_rows.ts";
import { ASSIGNMENTS, MEMBERS } from "./person_tables.ts";
import type { MemberLimits } from "./teams.ts";
import { writePeople } from "./write_people.ts";

export interface GivenMembership {
  /** The slug or id of a shared team. */
  readonly team: string;
  readonly role: TeamRole;
}

export interface GivenRole {
  /** The name of a built-in role, or the id of a custom one. */
  readonly roleId: string;
  /** The slug or id of the team in which the role counts; null: everywhere. */
  readonly team: string | null;
}

export interface GivenRights {
  readonly memberships: readonly GivenMembership[];
  readonly roles: readonly GivenRole[];
}

/** What a sign-in has changed, for the log. */
export interface RightsSet {
  readonly hasChanged: boolean;
  /** Teams that are named and do not exist. */
  readonly unknownTeams: readonly string[];
  /** Teams that the user cannot join, because a limit is reached. */
  readonly fullTeams: readonly string[];
}

/** @param limitsOf the limits of a team, by its own limit of members */
export async function setGivenRights(
  database: Database,
  { userId, source, given, limitsOf, now }: {
    readonly userId: string;
    /** `sso:<provider>` */
    readonly source: string;
    readonly given: GivenRights;
    readonly limitsOf: (maxMembers: number | null) => MemberLimits;
    readonly now: () => Date;
  },
): Promise<RightsSet> {
  const present = await planOf(database, userId, source, given, limitsOf, now().getTime());
  // Most sign-ins change nothing. The workers then read nothing again.
  if (isEmpty(present)) return resultOf(present);
  return await writePeople(database, { users: [userId] }, "", async (tx) => {
    const plan = await planOf(tx, userId, source, given, limitsOf, now().getTime());
    const time = now().toISOString();
    for (const teamId of plan.leave) {
      await tx.run(
        sql`DELETE FROM role_assignments WHERE user_id = ${userId} AND scope = 'team' AND scope_id = ${teamId}`,
      );
      await tx.run(sql`DELETE FROM team_members WHERE team_id = ${teamId} AND user_id = ${userId}`);
    }
    for (const { teamId, role } of plan.change) {
      await tx.run(
        sql`UPDATE team_members SET role = ${role} WHERE team_id = ${teamId} AND user_id = ${userId}`,
      );
    }
    const members: MemberRow[] = plan.join.map((each) => ({ ...each, userId, joinedAt: time, source }));
    const assigned: AssignmentRow[] = plan.assign.map((each) => ({
      ...each,
      id: newId(),
      userId,
      grantedBy: source,
      grantedAt: time,
      expiresAt: null,
    }));
    await tx.run(
      sql`DELETE FROM role_assignments WHERE user_id = ${userId} AND expires_at <= ${now().getTime()}`,
    );
    for (const id of plan.revoke) await tx.run(sql`DELETE FROM role_assignments WHERE id = ${id}`);
    if (members.length > 0) { for (const statement of MEMBERS.inserts(members)) await tx.run(statement); }
    if (assigned.length > 0) {
      for (const statement of ASSIGNMENTS.inserts(assigned)) await tx.run(statement);
    }
    return resultOf(plan);
  });
}

interface Plan {
  readonly join: readonly { readonly teamId: string; readonly role: TeamRole }[];
  readonly change: readonly { readonly teamId: string; readonly role: TeamRole }[];
  /** Ids of teams. */
  readonly leave: readonly string[];
  readonly assign: readonly Pick<AssignmentRow, "roleId" | "scope" | "scopeId">[];
  /** Ids of assignments. */
  readonly revoke: readonly string[];
  readonly unknownTeams: readonly string[];
  readonly fullTeams: readonly string[];
}

async function planOf(
  tx: Database,
  userId: string,
  source: string,
  given: GivenRights,
  limitsOf: (maxMembers: number | null) => MemberLimits,
  now: number,
): Promise<Plan> {
  const teams = await teamsNamed(tx, [
    ...given.memberships.map(({ team }) => team),
    ...given.roles.flatMap(({ team }) => team === null ? [] : [team]),
  ]);
  const wanted = new Map<string, TeamRole>();
  for (const { team, role } of given.memberships) {
    const id = teams.get(team)?.id;
    // The higher role counts, if several groups give a membership.
    if (id !== undefined && wanted.get(id) !== "owner") wanted.set(id, role);
  }
  const present = (await tx.query<Record<string, unknown>>(
    sql`SELECT * FROM team_members WHERE user_id = ${userId}`,
  )).map((record) => MEMBERS.decode(record));
  const here = new Map(present.map((member) => [member.teamId, member]));
  const own = present.filter((member) => member.source === source);

  const join: Plan["join"][number][] = [];
  const fullTeams: string[] = [];
  // The personal team does not count.
  let joined = present.length - 1;
  for (const [teamId, role] of wanted) {
    if (here.has(teamId)) continue;
    const team = [...teams.values()].find(({ id }) => id === teamId)!;
    const limits = limitsOf(team.maxMembers);
    if (team.members >= limits.members || joined >= limits.teams) fullTeams.push(team.slug);
    else {
      join.push({ teamId, role });
      joined++;
    }
  }
  const memberOf = new Set([...here.keys(), ...join.map(({ teamId }) => teamId)]);
  const leave = own.map(({ teamId }) => teamId).filter((id) => !wanted.has(id));

  const roles = new Map(
    given.roles.flatMap(({ roleId, team }) => {
      const scopeId = team === null ? "" : teams.get(team)?.id;
      if (scopeId === undefined || (team !== null && !memberOf.has(scopeId))) return [];
      const scope = team === null ? "global" as const : "team" as const;
      return [[`${scope} ${scopeId} ${roleId}`, { roleId, scope, scopeId }]];
    }),
  );
  const assignments = (await tx.query<Record<string, unknown>>(
    sql`SELECT * FROM role_assignments WHERE user_id = ${userId}`,
  )).map((record) => ASSIGNMENTS.decode(record));
  const keyOf = ({ scope, scopeId, roleId }: AssignmentRow) => `${scope} ${scopeId} ${roleId}`;
  const held = new Set(
    assignments.filter((each) => each.expiresAt === null || each.expiresAt > now).map(keyOf),
  );
  return {
    join,
    change: own.flatMap(({ teamId, role }) => {
      const next = wanted.get(teamId);
      return next === undefined || next === role ? [] : [{ teamId, role: next }];
    }),
    leave,
    assign: [...roles].filter(([key]) => !held.has(key)).map(([, role]) => role),
    revoke: assignments.filter((each) => each.grantedBy === source && !roles.has(keyOf(each)))
      .map(({ id }) => id),
    unknownTeams: [...new Set(given.memberships.map(({ team }) => team).filter((team) => !teams.has(team)))],
    fullTeams,
  };
}

interface NamedTeam {
  readonly id: string;
  readonly slug: string;
  readonly maxMembers: number | null;
  readonly members: number;
}

/** Shared teams by the slugs and ids that `names` has. */
async function teamsNamed(tx: Database, names: readonly string[]): Promise<Map<string, NamedTeam>> {
  if (names.length === 0) return new Map();
  const list = sql.join([...new Set(names)].map((name) => sql`${name}`));
  const rows = await tx.query<{ id: string; slug: string; max_members: number | null; members: number }>(
    sql`SELECT teams.id, teams.slug, teams.max_members,
          (SELECT COUNT(*) FROM team_members WHERE team_members.team_id = teams.id) AS members
        FROM teams WHERE is_personal = 0 AND (id IN (${list}) OR slug IN (${list}))`,
  );
  return new Map(rows.flatMap(({ id, slug, max_members, members }) => {
    const team = {
      id,
      slug,
      maxMembers: max_members === null ? null : Number(max_members),
      members: Number(members),
    };
    return [[id, team], [slug, team]];
  }));
}

function isEmpty({ join, change, leave, assign, revoke }: Plan): boolean {
  return [join, change, leave, assign, revoke].every((each) => each.length === 0);
}

function resultOf(plan: Plan): RightsSet {
  return {
    hasChanged: !isEmpty(plan),
    unknownTeams: plan.unknownTeams,
    fullTeams: plan.fullTeams,
  };
}
