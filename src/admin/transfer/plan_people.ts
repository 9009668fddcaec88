// The plan for users, teams and roles of an import. It comes first: the entities belong to teams.
import { BUILT_IN_ROLES } from "../../auth/permission_table.ts";
import { newId } from "../../store/sql/new_id.ts";
import type { Everybody } from "../../store/people/everybody.ts";
import type { AssignmentRow, MemberRow, RoleRow, TeamRow, UserRow } from "../../store/people/person_rows.ts";
import { MAX_ASSIGNMENTS_PER_USER, MAX_ROLES } from "../../store/people/roles.ts";
import { slugOf } from "../../store/people/teams.ts";
import type { RevokedTokenRow } from "../../store/registry/revoked_tokens.ts";
import type { ApiTokenChanges, ImportedToken } from "../../store/tokens/api_tokens.ts";
import { type ApiTokenRow, NO_TEAM } from "../../store/tokens/token_rows.ts";
import type { Bundle, Item, ItemKind, TeamItem } from "./bundle.ts";
import { decide, differencesOf, fieldsOf, freeName, isNameOf, type Planning, takenAs } from "./planning.ts";

/** The new rows, the changes, and where the ids of the source lead. */
export interface PeoplePlan {
  readonly users: UserRow[];
  readonly teams: TeamRow[];
  readonly members: MemberRow[];
  readonly roles: RoleRow[];
  readonly assignments: AssignmentRow[];
  readonly changedUsers: { readonly email: string; readonly changes: Partial<UserRow> }[];
  readonly changedTeams: { readonly id: string; readonly changes: Partial<TeamRow> }[];
  readonly changedMembers: MemberRow[];
  readonly changedRoles: { readonly id: string; readonly changes: Partial<RoleRow> }[];
  readonly tokens: ImportedToken[];
  readonly changedTokens: { readonly id: string; readonly changes: ApiTokenChanges }[];
  /** Tokens that are here, and that the source has revoked meanwhile. */
  readonly revokedTokens: ImportedToken[];
  /** Tokens that are left out, and that the source refuses. */
  readonly refusedTokens: Item<RevokedTokenRow>[];
  /** The id here by the id of the source. */
  readonly teamIds: ReadonlyMap<string, string>;
}

const USER_FIELDS = ["fullName", "isAdmin", "isActive"] as const;
const TEAM_FIELDS = ["description", "visibility", "maxMembers"] as const;
const TOKEN_FIELDS = [
  ...["description", "serverId", "permissions", "ipRestrictions", "timeRestrictions"] as const,
  ...["usageLimits", "tags", "isActive"] as const,
];
const ROLE_FIELDS = ["description", "scope", "permissions"] as const;

interface PresentPeople extends Everybody {
  readonly tokens: readonly ApiTokenRow[];
}

/** What people may do comes last: roles and tokens can be for one virtual server, whose id here the plan of the servers decides. */
export function planPeople(
  bundle: Bundle,
  present: PresentPeople,
  planning: Planning,
): { readonly people: PeoplePlan; readonly planRights: (serverIds: ReadonlyMap<string, string>) => void } {
  const planner = new PeoplePlanner(bundle, present, planning);
  return { people: planner.plan(), planRights: (serverIds) => planner.planRights(serverIds) };
}

class PeoplePlanner {
  readonly #userIds = new Map<string, string>();
  readonly #teamIds = new Map<string, string>();
  #serverIds: ReadonlyMap<string, string> = new Map();
  readonly #roleIds = new Map<string, string>(Object.keys(BUILT_IN_ROLES).map((name) => [name, name]));
  readonly #made = {
    users: [] as UserRow[],
    teams: [] as TeamRow[],
    members: [] as MemberRow[],
    roles: [] as RoleRow[],
    assignments: [] as AssignmentRow[],
    changedUsers: [] as PeoplePlan["changedUsers"],
    changedTeams: [] as PeoplePlan["changedTeams"],
    changedMembers: [] as MemberRow[],
    changedRoles: [] as PeoplePlan["changedRoles"],
    tokens: [] as ImportedToken[],
    changedTokens: [] as PeoplePlan["changedTokens"],
    revokedTokens: [] as ImportedToken[],
    refusedTokens: [] as PeoplePlan["refusedTokens"],
  };

  constructor(
    private readonly bundle: Bundle,
    private readonly present: PresentPeople,
    private readonly planning: Planning,
  ) {}

  plan(): PeoplePlan {
    this.#users();
    this.#teams();
    this.#members();
    this.#roles();
    return { ...this.#made, teamIds: this.#teamIds };
  }

  /** @param serverIds the ids here of the servers of the import, by their ids in the source */
  planRights(serverIds: ReadonlyMap<string, string>): void {
    this.#serverIds = serverIds;
    this.#assignments();
    this.#tokens();
  }

  /** A server that is left out keeps its id: what names it opens nothing. */
  #serverHere(id: string): string {
    return this.#serverIds.get(id) ?? id;
  }

  #leftOut(kind: ItemKind, label: string, reason: string): void {
    this.planning.lines.push({ kind, label, outcome: "left_out", reason, notes: [] });
  }

  /** Passwords are never compared or changed: a user may have another one here by now. */
  #users(): void {
    const { changedUsers, users } = this.#made;
    const byEmail = new Map(this.present.users.map((row) => [row.email, row]));
    const byId = new Map(this.present.users.map((row) => [row.id, row]));
    const personal = new Map(
      this.bundle.teams.flatMap((team) => team.personOf === null ? [] : [[team.personOf, team]]),
    );
    const ownerOf = new Map(this.present.members.map(({ teamId, userId }) => [teamId, userId]));
    const personalHere = new Map(
      this.present.teams.filter(({ isPersonal }) => isPersonal).map(({ id }) => [ownerOf.get(id) ?? "", id]),
    );
    const teamIdsHere = new Set(this.present.teams.map(({ id }) => id));
    for (const item of this.bundle.users) {
      const { row, label } = item;
      const found = byEmail.get(row.email);
      if (found === undefined && byId.has(row.id)) {
        this.#leftOut("user", label, `a user with this id has the address ${byId.get(row.id)!.email} here`);
        continue;
      }
      const decision = decide(this.planning, {
        kind: "user",
        item,
        found,
        differences: found === undefined ? [] : differencesOf(row, found, USER_FIELDS),
        canRename: false,
      });
      this.#userIds.set(row.id, found?.id ?? row.id);
      const team = personal.get(row.id);
      if (decision === "insert") {
        byEmail.set(row.email, row);
        byId.set(row.id, row);
        users.push(row);
        this.#personalTeam(row, team, teamIdsHere);
      } else {
        if (decision === "update") {
          changedUsers.push({ email: found!.email, changes: fieldsOf(row, USER_FIELDS) });
        }
        const here = personalHere.get(found!.id);
        if (team !== undefined && here !== undefined) this.#teamIds.set(team.row.id, here);
      }
    }
  }

  #personalTeam(user: UserRow, team: TeamItem | undefined, taken: Set<string>): void {
    const id = team === undefined || taken.has(team.row.id) ? newId() : team.row.id;
    taken.add(id);
    if (team !== undefined) this.#teamIds.set(team.row.id, id);
    const { createdAt } = user;
    this.#made.teams.push({
      id,
      name: team?.row.name ?? `${user.fullName ?? user.email}'s team`,
      slug: `personal-${user.id}`,
      description: team?.row.description ?? null,
      isPersonal: true,
      visibility: "private",
      maxMembers: 1,
      createdBy: user.email,
      createdAt,
      updatedAt: createdAt,
    });
    this.#made.members.push({
      teamId: id,
      userId: user.id,
      role: "owner",
      joinedAt: createdAt,
      source: null,
    });
  }

  #teams(): void {
    const { changedTeams, teams } = this.#made;
    const bySlug = new Map(this.present.teams.map((row) => [row.slug, row]));
    const byId = new Map(this.present.teams.map((row) => [row.id, row]));
    for (const item of this.bundle.teams.filter(({ personOf }) => personOf === null)) {
      const { row } = item;
      const found = byId.get(row.id) ?? bySlug.get(row.slug);
      const isOther = found !== undefined && found.id !== row.id;
      // A team of the same name may have other people, who must not see what this one has.
      const differences = found === undefined
        ? []
        : [...isOther ? ["id"] : nameFault(row, found), ...differencesOf(row, found, TEAM_FIELDS)];
      const isTwin = isOther && teams.includes(found);
      const decision = decide(this.planning, {
        ...{ kind: "team", item, found, differences, canRename: isOther, isTwin },
      });
      if (decision === "insert" || decision === "rename") {
        const name = decision === "insert"
          ? row.name
          : freeName(row.name, (name) => bySlug.has(slugOf(name)));
        if (decision === "rename") takenAs(this.planning, "team", item, name);
        const taken = { ...row, name, slug: slugOf(name) };
        bySlug.set(taken.slug, taken);
        byId.set(taken.id, taken);
        teams.push(taken);
      } else if (decision === "update") {
        changedTeams.push({ id: found!.id, changes: fieldsOf(row, TEAM_FIELDS) });
      }
      if (decision === "update" || decision === "same") this.#teamIds.set(row.id, found!.id);
      else if (decision !== "keep" || !isOther) this.#teamIds.set(row.id, row.id);
    }
  }

  #members(): void {
    const { changedMembers, members } = this.#made;
    const keyOf = ({ teamId, userId }: MemberRow) => `${teamId} ${userId}`;
    const present = new Map([...this.present.members, ...members].map((row) => [keyOf(row), row]));
    const personal = new Set(
      [...this.present.teams, ...this.#made.teams].filter(({ isPersonal }) => isPersonal).map(({ id }) => id),
    );
    for (const item of this.bundle.members) {
      const teamId = this.#teamIds.get(item.row.teamId);
      const userId = this.#userIds.get(item.row.userId);
      if (teamId === undefined || userId === undefined) {
        this.#leftOut("member", item.label, "the team or the user is left out");
        continue;
      }
      if (personal.has(teamId)) continue; // A personal team has its owner already, and nobody else.
      const row = { ...item.row, teamId, userId };
      const found = present.get(keyOf(row));
      const differences = found === undefined ? [] : differencesOf(row, found, ["role"]);
      const decision = decide(this.planning, { kind: "member", item, found, differences, canRename: false });
      if (decision === "update") changedMembers.push(row);
      if (decision !== "insert") continue;
      present.set(keyOf(row), row);
      members.push(row);
    }
  }

  #roles(): void {
    const { changedRoles, roles } = this.#made;
    const byName = new Map(this.present.roles.map((row) => [row.name, row]));
    const byId = new Map(this.present.roles.map((row) => [row.id, row]));
    const isTaken = (name: string) => byName.has(name) || Object.hasOwn(BUILT_IN_ROLES, name);
    for (const item of this.bundle.roles) {
      const { row, label } = item;
      const found = byId.get(row.id) ?? byName.get(row.name);
      if (found === undefined && byName.size >= MAX_ROLES) {
        this.#leftOut("role", label, `there are ${MAX_ROLES} custom roles`);
        continue;
      }
      const isOther = found !== undefined && found.id !== row.id;
      const differences = found === undefined
        ? []
        : [...isOther ? [] : nameFault(row, found), ...differencesOf(row, found, ROLE_FIELDS)];
      const isTwin = isOther && roles.includes(found);
      const decision = decide(this.planning, {
        ...{ kind: "role", item, found, differences, canRename: isOther, isTwin },
      });
      if (decision === "insert" || decision === "rename") {
        const name = decision === "insert" && !isTaken(row.name) ? row.name : freeName(row.name, isTaken);
        if (decision === "rename") takenAs(this.planning, "role", item, name);
        const taken = { ...row, name };
        byName.set(name, taken);
        byId.set(row.id, taken);
        roles.push(taken);
      } else if (decision === "update") {
        changedRoles.push({ id: found!.id, changes: fieldsOf(row, ["description", "permissions"]) });
      }
      this.#roleIds.set(row.id, decision === "insert" || decision === "rename" ? row.id : found!.id);
    }
  }

  #assignments(): void {
    const { assignments } = this.#made;
    const keyOf = (row: AssignmentRow) => [row.userId, row.roleId, row.scope, row.scopeId].join(" ");
    const present = new Map(this.present.assignments.map((row) => [keyOf(row), row]));
    const counts = new Map<string, number>();
    for (const { userId } of this.present.assignments) counts.set(userId, (counts.get(userId) ?? 0) + 1);
    for (const item of this.bundle.assignments) {
      const { scope } = item.row;
      const userId = this.#userIds.get(item.row.userId);
      const roleId = this.#roleIds.get(item.row.roleId);
      const scopeId = scope === "team"
        ? this.#teamIds.get(item.row.scopeId)
        : scope === "server"
        ? this.#serverHere(item.row.scopeId)
        : item.row.scopeId;
      if (userId === undefined || roleId === undefined || scopeId === undefined) {
        this.#leftOut("assignment", item.label, "the user, the role or the team is left out");
        continue;
      }
      const amount = counts.get(userId) ?? 0;
      if (amount >= MAX_ASSIGNMENTS_PER_USER) {
        this.#leftOut("assignment", item.label, `the user has ${MAX_ASSIGNMENTS_PER_USER} roles`);
        continue;
      }
      const row = { ...item.row, userId, roleId, scopeId };
      const found = present.get(keyOf(row));
      const judged = { kind: "assignment", item, found, differences: [], canRename: false } as const;
      if (decide(this.planning, judged) !== "insert") continue;
      present.set(keyOf(row), row);
      counts.set(userId, amount + 1);
      assignments.push(row);
    }
  }

  #tokens(): void {
    const { tokens, changedTokens, revokedTokens } = this.#made;
    const keyOf = ({ userId, teamId }: ApiTokenOwner, name: string) =>
      JSON.stringify([userId, teamId ?? NO_TEAM, name]);
    const byId = new Map<string, ApiTokenRow | ImportedToken>(
      this.present.tokens.map((row) => [row.id, row]),
    );
    const byName = new Map<string, ApiTokenRow | ImportedToken>(
      this.present.tokens.filter(({ revokedAt }) => revokedAt === null).map((
        row,
      ) => [keyOf(row, row.name), row]),
    );
    for (const item of this.bundle.tokens) {
      const row = this.#placedToken(item);
      if (row === null) continue;
      const found = byId.get(row.id);
      if (found !== undefined) {
        const differences = found.revokedAt === null ? differencesOf(row, found, TOKEN_FIELDS) : [];
        const judged = { kind: "token", item, found: row, differences, canRename: false } as const;
        if (decide(this.planning, judged) === "update") {
          changedTokens.push({ id: row.id, changes: fieldsOf(row, TOKEN_FIELDS) });
        }
        if (row.revokedAt !== null && found.revokedAt === null) revokedTokens.push(row);
        continue;
      }
      const twin = row.revokedAt === null ? byName.get(keyOf(row, row.name)) : undefined;
      const decision = decide(this.planning, {
        ...{ kind: "token", item, found: twin, differences: ["id"], canRename: true },
        // The name of a token is for people only: both tokens are taken.
        isTwin: twin !== undefined && this.planning.strategy !== "fail",
      });
      if (decision !== "insert" && decision !== "rename") continue;
      const name = decision === "insert"
        ? row.name
        : freeName(row.name, (candidate) => byName.has(keyOf(row, candidate)));
      if (decision === "rename") takenAs(this.planning, "token", item, name);
      const taken = { ...row, name };
      byId.set(taken.id, taken);
      if (taken.revokedAt === null) byName.set(keyOf(taken, name), taken);
      tokens.push(taken);
    }
  }

  /** The token with the ids that its owner and team have here; null: it is left out. */
  #placedToken(item: Item<ImportedToken>): ImportedToken | null {
    const { id, isActive, revokedAt, expiresAt } = item.row;
    const serverId = item.row.serverId === null ? null : this.#serverHere(item.row.serverId);
    const userId = this.#userIds.get(item.row.userId);
    const teamId = item.row.teamId === null || item.row.teamId === NO_TEAM
      ? item.row.teamId
      : this.#teamIds.get(item.row.teamId);
    if (userId !== undefined && teamId !== undefined) return { ...item.row, userId, teamId, serverId };
    const what = userId === undefined ? "its user" : "its team";
    if (!isActive || revokedAt !== null) {
      this.#leftOut("token", item.label, `${what} is left out; it is refused here too`);
      if (revokedAt !== null) return null; // Its revocation is imported.
      const reason = "switched off";
      this.#made.refusedTokens.push({
        row: { jti: id, revokedAt: new Date().toISOString(), revokedBy: null, reason, expiresAt },
        label: id,
        notes: [],
      });
      return null;
    }
    const end = `\`sluice token revoke ${id}\``;
    this.#leftOut("token", item.label, `${what} is left out; the token counts by its claims: ${end} ends it`);
    return null;
  }
}

type ApiTokenOwner = Pick<ApiTokenRow, "userId" | "teamId">;

function nameFault(row: { readonly name: string }, found: { readonly name: string }): string[] {
  return isNameOf(row.name, found.name) ? [] : ["name"];
}
