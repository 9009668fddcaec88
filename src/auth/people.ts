// Who may do what, in memory: the users, teams and roles of the database, as one immutable snapshot. A caller with a user record has
// what the record's roles grant, and the token only narrows that. A caller without a record has the rights of its token, so that
// tokens of `sluice token` and of other issuers need no records.
import { SluiceError } from "../base/errors.ts";
import { NO_TEAM } from "../store/tokens/token_rows.ts";
import type { PeopleRows, StandingRow, TeamRole } from "../store/people/person_rows.ts";
import { LayeredMap } from "./layered_map.ts";
import {
  BUILT_IN_ROLES,
  EVERY_PERMISSION,
  needsAdministrator,
  PERMISSIONS,
  type RoleScope,
} from "./permission_table.ts";
import { type Grants, operatorOf, type Principal, type ScopedGrant } from "./principal.ts";

export interface PeopleOptions {
  /** This user is always an administrator (PLATFORM_ADMIN_EMAIL). */
  readonly platformAdminEmail: string;
  /** Tokens of callers without a user record are refused (REQUIRE_USER_IN_DB). */
  readonly requireUser: boolean;
  /** Wall clock, ms since the epoch: roles can end. */
  readonly now: () => number;
}

interface Person {
  readonly row: StandingRow;
  /** The role by team id, as JSON. */
  readonly memberships: string;
  readonly assignments: readonly PeopleRows["assignments"][number][];
  /** Made when the person first calls, and again when one of the roles has ended, or custom roles have changed. */
  rights?: Rights;
  /** The custom roles that `rights` were made of. */
  rolesOfRights?: Roles;
}

type Roles = LayeredMap<PeopleRows["roles"][number]>;
type Team = PeopleRows["teams"][number];

interface Records {
  readonly byId: LayeredMap<Person>;
  readonly byEmail: LayeredMap<Person>;
  /** Custom ones, by id. */
  readonly roles: Roles;
  /** By name. */
  readonly roleIds: LayeredMap<string>;
  readonly teams: LayeredMap<Team>;
  /** By slug and id. */
  readonly teamIds: LayeredMap<string>;
}

/** What the records grant, before a token narrows it. */
interface Rights extends Grants {
  readonly standing: string;
  readonly isAdmin: boolean;
  readonly teams: readonly string[];
}

/** Every user has this role everywhere, as in ContextForge (DEFAULT_USER_ROLE). */
const ROLE_OF_USERS = BUILT_IN_ROLES.platform_viewer;

/** Members of a team have these roles in it, as in ContextForge (DEFAULT_TEAM_OWNER_ROLE, DEFAULT_TEAM_MEMBER_ROLE). */
const ROLE_OF_MEMBERS = { owner: BUILT_IN_ROLES.team_admin, member: BUILT_IN_ROLES.viewer } as const;

/** What a caller without a user record has without being an administrator. */
const OPEN = PERMISSIONS.filter((permission) => !needsAdministrator(permission));

const NO_RECORDS: Records = {
  byId: LayeredMap.of<Person>([]),
  byEmail: LayeredMap.of<Person>([]),
  roles: LayeredMap.of<PeopleRows["roles"][number]>([]),
  roleIds: LayeredMap.of<string>([]),
  teams: LayeredMap.of<Team>([]),
  teamIds: LayeredMap.of<string>([]),
};

const NO_MEMBERSHIPS = "{}";
const NO_ASSIGNMENTS: Person["assignments"] = [];

export class People {
  readonly version: number;
  readonly #options: PeopleOptions;
  readonly #records: Records;

  /** @param former has what the rows lack, if they are those that have changed */
  constructor(rows: PeopleRows, options: PeopleOptions, former: People | null = null) {
    this.version = rows.version;
    this.#options = options;
    this.#records = recordsOf(rows, former === null ? null : former.#records);
  }

  get hasUsers(): boolean {
    return !this.#records.byEmail.isEmpty;
  }

  /**
   * The caller of a verified token, with what its user record grants.
   * @throws {SluiceError} UNAUTHENTICATED if the user is not active, was logged out everywhere, or has no record but needs one, and
   *  for an API token that is refused
   */
  resolve(verified: Principal): Principal {
    const person = this.#personOf(verified);
    const { apiToken } = verified;
    if (apiToken !== null) {
      if (apiToken.refusal !== null) throw refused(apiToken.refusal);
      if (person?.row.id !== apiToken.ownerId) throw refused("the user who owns the API token was deleted");
    }
    if (person === undefined) {
      if (verified.resource !== undefined) throw refused("the user of the access token was deleted");
      if (!this.#needsRecord(verified)) return withoutRecord(this.#withGiven(verified));
      throw refused(
        verified.loggedInAt === undefined
          ? "the token's user is not known here, and REQUIRE_USER_IN_DB refuses such tokens"
          : "the user who logged in was deleted",
      );
    }
    const { email, isActive, tokensValidFrom } = person.row;
    if (!isActive) throw refused("the token's user is deactivated");
    if (tokensValidFrom !== null && (verified.issuedAt ?? 0) < tokensValidFrom) {
      throw refused("the token is older than the user's last change of password or logout; log in again");
    }
    const rights = this.#rightsOf(person);
    const { teams: memberOf } = rights;
    const isAdmin = rights.isAdmin || email === this.#options.platformAdminEmail.toLowerCase();
    const teamId = apiToken?.teamId ?? null;
    if (teamId !== null && teamId !== NO_TEAM && !isAdmin && !memberOf.includes(teamId)) {
      throw refused(`the user who owns the API token is no member of its team ${teamId} any more`);
    }
    const teams = teamsOf(this.#withTeamIds(verified), memberOf, isAdmin);
    const caller = { ...verified, subject: email, email, teams };
    const { everywhere, inTeams, onServers, endsAt, standing } = rights;
    const grants = { everywhere, inTeams: within(inTeams, teams ?? memberOf), onServers, endsAt, standing };
    if (teams === null || !namesTeams(verified)) return { ...caller, isAdmin, grants };
    const general = isAdmin ? [EVERY_PERMISSION] : everywhere;
    const narrowed = inItsTeams(teams, grants, general, ROLE_OF_USERS.permissions);
    return { ...caller, isAdmin: false, grants: narrowed };
  }

  /** The user as a caller whose token narrows nothing; null: there is no such user, or the user is not active. */
  callerOf(email: string): Principal | null {
    const person = this.#records.byEmail.get(email);
    if (person?.row.isActive !== true) return null;
    return this.resolve({ ...operatorOf(email), isAdmin: false, isLogin: true, issuedAt: Infinity });
  }

  /** Has the caller's record changed since it was resolved, or has the caller a record now? The operator has no token, and no record. */
  isOutdated(principal: Principal): boolean {
    if (principal.kind === "anonymous" || principal.issuer === null) return false;
    const person = this.#personOf(principal);
    if (person === undefined && principal.given !== undefined) {
      const now = this.#withGiven(principal);
      if (standingOf(now) !== standingOf(principal)) return true;
    } else {
      const standing = person === undefined ? null : this.#rightsOf(person).standing;
      if (standing !== (principal.grants?.standing ?? null)) return true;
    }
    return person === undefined && (principal.resource !== undefined || this.#needsRecord(principal));
  }

  /** A caller without a user record, with what the groups of its token give. */
  #withGiven(verified: Principal): Principal {
    const { given, email } = verified;
    if (given === undefined) return verified;
    const named = this.#withTeamIds(verified);
    if (given.roles === null) return named;
    const memberships = given.teams.flatMap(({ team, role }) => {
      const teamId = this.#records.teamIds.get(team);
      return teamId === undefined ? [] : [[teamId, role === "owner" ? "owner" : "member"]];
    });
    const assigned = (role: string, scope: RoleScope, scopeId = "") => ({
      ...{ userId: "", roleId: this.#records.roleIds.get(role) ?? role, scope, scopeId, expiresAt: null },
    });
    const person: Person = {
      row: { id: "", email, isAdmin: given.isAdmin, isActive: true, tokensValidFrom: null },
      memberships: JSON.stringify(Object.fromEntries(memberships)),
      assignments: [
        ...given.roles.map((role) => assigned(role, "global")),
        ...given.teams.filter(({ role }) => role !== "owner" && role !== "member")
          .map(({ team, role }) => assigned(role, "team", this.#records.teamIds.get(team))),
      ],
    };
    const { isAdmin, teams: _teams, ...grants } = this.#makeRights(person, this.#options.now());
    return { ...named, isAdmin, teams: isAdmin ? null : named.teams, grants };
  }

  /** The teams of another issuer's token are named by slug or id. */
  #withTeamIds(verified: Principal): Principal {
    const { given } = verified;
    if (given === undefined) return verified;
    const teams = distinct(given.teams.map(({ team }) => this.#records.teamIds.get(team) ?? team));
    return { ...verified, teams: given.isAdmin ? null : teams };
  }

  /** A login is a record's, so that its token does not outlive the record. */
  #needsRecord({ kind, subject, loggedInAt, recordId }: Principal): boolean {
    if (recordId !== undefined) return true;
    return kind === "user" && subject !== this.#options.platformAdminEmail &&
      (this.#options.requireUser || loggedInAt !== undefined);
  }

  /**
   * A token that names a record is that record's alone, also if another user has its address now. ContextForge's login tokens have the
   * user's id as their subject.
   */
  #personOf({ kind, email, subject, recordId }: Principal): Person | undefined {
    if (kind === "anonymous" || this.#records.byEmail.isEmpty) return undefined;
    if (recordId !== undefined) return this.#records.byId.get(recordId);
    return this.#records.byEmail.get(email.toLowerCase()) ??
      this.#records.byId.get(subject.replaceAll("-", ""));
  }

  #rightsOf(person: Person): Rights {
    const now = this.#options.now();
    const { rights, rolesOfRights } = person;
    const isCurrent = rights !== undefined && rolesOfRights === this.#records.roles &&
      (rights.endsAt === null || rights.endsAt > now);
    if (isCurrent) return rights;
    person.rolesOfRights = this.#records.roles;
    return person.rights = this.#makeRights(person, now);
  }

  #makeRights({ row, memberships: text, assignments }: Person, now: number): Rights {
    const memberships = membershipsIn(text);
    const current = assignments.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
    const granted = (scope: RoleScope, scopeId = "") =>
      current.filter((each) => each.scope === scope && each.scopeId === scopeId)
        .flatMap(({ roleId }) => this.#permissionsOf(roleId));
    const everywhere = distinct([...ROLE_OF_USERS.permissions, ...granted("global")]);
    // A role in a team counts as long as its holder is a member.
    const inTeams = grouped(memberships.map(({ teamId, role }) => [
      teamId,
      distinct([...ROLE_OF_MEMBERS[role].permissions, ...granted("team", teamId)]),
    ]));
    const servers = current.filter(({ scope }) => scope === "server").map(({ scopeId }) => scopeId);
    const onServers = grouped(distinct(servers).map((id) => [id, distinct(granted("server", id))]));
    const endsAt = current.reduce<number | null>(
      (first, { expiresAt }) => first === null ? expiresAt : Math.min(first, expiresAt ?? first),
      null,
    );
    const isAdmin = row.isAdmin || everywhere.includes(EVERY_PERMISSION);
    const standing = JSON.stringify([
      row.id,
      row.isActive,
      row.tokensValidFrom,
      isAdmin,
      everywhere,
      inTeams,
      onServers,
      endsAt,
    ]);
    return {
      isAdmin,
      teams: memberships.map(({ teamId }) => teamId),
      everywhere,
      inTeams,
      onServers,
      endsAt,
      standing,
    };
  }

  /** An assignment of a role that is gone grants nothing. */
  #permissionsOf(roleId: string): readonly string[] {
    return isBuiltIn(roleId)
      ? BUILT_IN_ROLES[roleId].permissions
      : this.#records.roles.get(roleId)?.permissions ?? [];
  }
}

/** For a gateway whose database has no users. */
export const NOBODY = new People(
  { version: 0, changed: null, users: [], members: [], teams: [], roles: [], assignments: [] },
  { platformAdminEmail: "", requireUser: false, now: () => 0 },
);

/** @param former has what the rows lack, if they are those that have changed */
function recordsOf(
  { changed, users, members, teams, roles, assignments }: PeopleRows,
  former: Records | null,
): Records {
  const { byId, byEmail, ...others } = changed === null || former === null ? NO_RECORDS : former;
  const gone = changed ?? { users: [], teams: [], roles: [] };
  const membershipsOf = new Map(members.map(({ userId, memberships }) => [userId, memberships]));
  const assignmentsOf = Map.groupBy(assignments, ({ userId }) => userId);
  const people = users.map((row): Person => ({
    row,
    memberships: membershipsOf.get(row.id) ?? NO_MEMBERSHIPS,
    assignments: assignmentsOf.get(row.id) ?? NO_ASSIGNMENTS,
  }));
  return {
    byId: byId.with(gone.users, people.map((person) => [person.row.id, person])),
    byEmail: byEmail.with(
      gone.users.flatMap((id) => byId.get(id)?.row.email ?? []),
      people.map((person) => [person.row.email, person]),
    ),
    roles: others.roles.with(gone.roles, roles.map((role) => [role.id, role])),
    roleIds: others.roleIds.with(
      gone.roles.flatMap((id) => others.roles.get(id)?.name ?? []),
      roles.map(({ id, name }) => [name, id]),
    ),
    teams: others.teams.with(gone.teams, teams.map((team) => [team.id, team])),
    teamIds: others.teamIds.with(
      gone.teams.flatMap((id) => [id, others.teams.get(id)?.slug ?? []]).flat(),
      teams.flatMap(({ id, slug }): [string, string][] => [[slug, id], [id, id]]),
    ),
  };
}

function standingOf({ teams, grants }: Principal): string {
  return JSON.stringify([teams, grants?.standing ?? null]);
}

/**
 * Does the token name teams, so that it counts in these alone? A token only narrows (ContextForge's layer 1): what roles grant
 * everywhere, administration included, it then grants for the entries of its teams. Everybody's rights to read stay, and what is read
 * is limited by visibility.
 */
function namesTeams({ isLogin, teams, teamsLimitSight }: Principal): boolean {
  return !isLogin && teams !== null && teamsLimitSight === undefined;
}

/** An administrator without a user record whose token names teams. */
function withoutRecord(caller: Principal): Principal {
  const { isAdmin, teams } = caller;
  if (!isAdmin || teams === null || !namesTeams(caller)) return caller;
  const none: Grants = { everywhere: [], inTeams: [], onServers: [], endsAt: null, standing: null };
  return { ...caller, isAdmin: false, grants: inItsTeams(teams, none, [EVERY_PERMISSION], OPEN) };
}

/** @param general what is granted everywhere, and now in the teams only. @param kept what stays everywhere */
function inItsTeams(
  teams: readonly string[],
  grants: Grants,
  general: readonly string[],
  kept: readonly string[],
): Grants {
  const inTeams = grouped(teams.map((teamId) => [
    teamId,
    distinct([
      ...general,
      ...grants.inTeams.flatMap(({ ids, permissions }) => ids.includes(teamId) ? permissions : []),
    ]),
  ]));
  return { ...grants, everywhere: kept, inTeams };
}

/** The teams whose entries the caller sees: those of the token, as far as the user is a member of them. */
function teamsOf(
  { isLogin, teams }: Principal,
  memberOf: readonly string[],
  isAdmin: boolean,
): readonly string[] | null {
  if (isAdmin) return isLogin ? null : teams;
  return isLogin ? memberOf : memberOf.filter((id) => teams?.includes(id) === true);
}

/** In the order of the team ids: the rights of the same memberships are the same text. */
function membershipsIn(text: string): { readonly teamId: string; readonly role: TeamRole }[] {
  return Object.entries<TeamRole>(JSON.parse(text))
    .map(([teamId, role]) => ({ teamId, role }))
    .sort((a, b) => a.teamId < b.teamId ? -1 : 1);
}

/** One grant for each list of permissions: most members of many teams have the same role in most of them. */
function grouped(grants: readonly (readonly [id: string, permissions: readonly string[]])[]): ScopedGrant[] {
  const groups = Map.groupBy(grants, ([, permissions]) => JSON.stringify(permissions));
  return [...groups.values()].map((same) => ({ ids: same.map(([id]) => id), permissions: same[0][1] }));
}

function within(grants: readonly ScopedGrant[], teams: readonly string[]): ScopedGrant[] {
  return grants
    .map(({ ids, permissions }) => ({ ids: ids.filter((id) => teams.includes(id)), permissions }))
    .filter(({ ids }) => ids.length > 0);
}

function isBuiltIn(roleId: string): roleId is keyof typeof BUILT_IN_ROLES {
  return Object.hasOwn(BUILT_IN_ROLES, roleId);
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function refused(reason: string): SluiceError {
  return new SluiceError("UNAUTHENTICATED", { reason, token: "invalid" });
}
