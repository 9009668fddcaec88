// Users, teams, roles and revoked tokens of a ContextForge, as items of an import.
import { BUILT_IN_ROLES, EVERY_PERMISSION, isPermission } from "../../auth/permission_table.ts";
import { isTokenId, TOKEN_ID_RULE } from "../../auth/token_id.ts";
import type { AssignmentRow, MemberRow, RoleRow, UserRow } from "../../store/people/person_rows.ts";
import { slugOf } from "../../store/people/teams.ts";
import { normalEmail } from "../../store/people/users.ts";
import type { RevokedTokenRow } from "../../store/registry/revoked_tokens.ts";
import { email } from "../rest/people_schemas.ts";
import type { Bundle, Item, LeftOut, TeamItem } from "../transfer/bundle.ts";
import { isId, noteUnfit, timeOf, Unfit } from "../transfer/item_fields.ts";
import { tokenOfSource } from "./tokens_of_source.ts";
import type { SourceRow, SourceTables } from "./source_tables.ts";
import { fitting, hexOf, isTrue, labelOf, listOf, requireWhole, textFitting } from "./source_values.ts";

export type PeopleItems = Pick<
  Bundle,
  "users" | "teams" | "members" | "roles" | "assignments" | "tokens" | "revocations"
>;

export function peopleOfSource(tables: SourceTables, leftOut: LeftOut[], now: Date): PeopleItems {
  return new PeopleReader(tables, leftOut, now).read();
}

class PeopleReader {
  /** By the normal form of the address. */
  readonly #users = new Map<string, Item<UserRow>>();
  readonly #teams = new Map<string, TeamItem>();
  readonly #time: string;

  constructor(
    private readonly tables: SourceTables,
    private readonly leftOut: LeftOut[],
    private readonly now: Date,
  ) {
    this.#time = now.toISOString();
  }

  read(): PeopleItems {
    const { email_users, email_teams, email_team_members, roles, user_roles } = this.tables;
    for (const row of email_users) {
      for (const item of this.#taken("user", row, () => this.#user(row))) {
        this.#users.set(item.row.email, item);
      }
    }
    for (const row of email_teams) {
      for (const item of this.#taken("team", row, () => this.#team(row))) this.#teams.set(item.row.id, item);
    }
    const customRoles = roles.flatMap((row) =>
      isBuiltIn(row) ? [] : this.#taken("role", row, () => this.#role(row))
    );
    const roleIds = new Map([
      ...roles.filter(isBuiltIn).map((row): [string, string] => [row.id!, row.name!]),
      ...customRoles.map(({ row }): [string, string] => [row.id, row.id]),
    ]);
    const tokens = this.#tokens();
    return {
      users: [...this.#users.values()],
      teams: [...this.#teams.values()],
      members: email_team_members.flatMap((row) => this.#taken("member", row, () => this.#member(row))),
      roles: customRoles,
      assignments: user_roles.flatMap((row) =>
        this.#taken("assignment", row, () => this.#assignment(row, roleIds))
      ),
      tokens,
      revocations: this.#revocations(new Set(tokens.map(({ row }) => row.id))),
    };
  }

  #taken<Made>(kind: LeftOut["kind"], row: SourceRow, make: () => Made): Made[] {
    try {
      requireWhole(row);
      return [make()];
    } catch (error) {
      noteUnfit(this.leftOut, kind, labelOf(row), error);
      return [];
    }
  }

  #user(row: SourceRow): Item<UserRow> {
    const address = normalEmail(row.email ?? "");
    if (!email.safeParse(address).success) throw new Unfit("its address is no email address");
    if (this.#users.has(address)) throw new Unfit("another user has this address");
    // ContextForge 1.0.0-RC1 to RC3 know no ids: there, tokens name the address.
    const id = row.id === null ? hexOf(crypto.randomUUID()) : hexOf(row.id);
    if (!/^[0-9a-f]{32}$/.test(id)) throw new Unfit("its id is no UUID");
    const notes: string[] = [];
    const hash = row.password_hash ?? "";
    const isUsable = /^\$argon2id\$[\x21-\x7e]{20,250}$/.test(hash);
    if (!isUsable) notes.push("has no password here: its hash is not argon2id");
    const createdAt = timeOf(row.created_at) ?? this.#time;
    const user: UserRow = {
      id,
      email: address,
      fullName: fitting(row.full_name, notes, "full name"),
      passwordHash: isUsable ? hash : null,
      isAdmin: isTrue(row.is_admin ?? null),
      isActive: isTrue(row.is_active ?? null),
      passwordChangeRequired: isTrue(row.password_change_required ?? null),
      failedAttempts: 0,
      lockedUntil: null,
      tokensValidFrom: null,
      lastLogin: timeOf(row.last_login),
      createdAt,
      updatedAt: timeOf(row.updated_at) ?? createdAt,
    };
    return { row: user, label: address, notes };
  }

  #team(row: SourceRow): TeamItem {
    if (!isTrue(row.is_active ?? null)) throw new Unfit("it is deleted in ContextForge");
    if (!isId(row.id)) throw new Unfit("its id is none");
    const notes: string[] = [];
    const name = fitting(row.name, notes, "name")?.trim() ?? "";
    if (name === "") throw new Unfit("it has no name that can be used");
    const isPersonal = isTrue(row.is_personal ?? null);
    const owner = this.#users.get(normalEmail(row.created_by ?? ""));
    if (isPersonal && owner === undefined) throw new Unfit("it is the personal team of nobody");
    const createdAt = timeOf(row.created_at) ?? this.#time;
    return {
      row: {
        id: row.id,
        name,
        slug: slugOf(name),
        description: textFitting(row.description, notes),
        isPersonal,
        visibility: row.visibility === "public" ? "public" : "private",
        maxMembers: row.max_members === null ? null : Math.max(1, Number(row.max_members) || 1),
        createdBy: normalEmail(row.created_by ?? ""),
        createdAt,
        updatedAt: timeOf(row.updated_at) ?? createdAt,
      },
      label: name,
      notes,
      personOf: isPersonal ? owner!.row.id : null,
    };
  }

  #member(row: SourceRow): Item<MemberRow> {
    if (!isTrue(row.is_active ?? null)) throw new Unfit("the membership has ended in ContextForge");
    const team = this.#teams.get(row.team_id ?? "");
    const user = this.#users.get(normalEmail(row.user_email ?? ""));
    if (team === undefined || user === undefined) throw new Unfit("the team or the user is left out");
    const role = row.role === "owner" ? "owner" : "member";
    return {
      row: {
        teamId: team.row.id,
        userId: user.row.id,
        role,
        joinedAt: timeOf(row.joined_at) ?? this.#time,
        source: null,
      },
      label: `${user.label} in ${team.label}`,
      notes: row.role === role ? [] : [`is a member; ContextForge says ${String(row.role).slice(0, 50)}`],
    };
  }

  #role(row: SourceRow): Item<RoleRow> {
    if (!isTrue(row.is_active ?? null)) throw new Unfit("it is switched off in ContextForge");
    if (!isId(row.id)) throw new Unfit("its id is none");
    if (row.scope !== "global" && row.scope !== "team") {
      throw new Unfit(`there are no roles of scope ${String(row.scope).slice(0, 50)} here`);
    }
    const notes: string[] = [];
    const name = fitting(row.name, notes, "name")?.trim() ?? "";
    if (name === "") throw new Unfit("it has no name that can be used");
    const all = this.#permissionsOf(row);
    const permissions = all.filter((each) => each === EVERY_PERMISSION || isPermission(each));
    const unknown = all.filter((each) => each !== EVERY_PERMISSION && !isPermission(each));
    if (unknown.length > 0) {
      notes.push(`permissions that do not exist here: ${unknown.slice(0, 20).join(", ")}`);
    }
    const createdAt = timeOf(row.created_at) ?? this.#time;
    return {
      row: {
        id: row.id,
        name,
        description: textFitting(row.description, notes) ?? "",
        scope: row.scope,
        permissions,
        createdBy: row.created_by ?? "",
        createdAt,
        updatedAt: timeOf(row.updated_at) ?? createdAt,
      },
      label: name,
      notes,
    };
  }

  /** With those of the roles that it inherits from. @throws {Unfit} if these lead back to it */
  #permissionsOf(row: SourceRow): string[] {
    const found = new Set<string>();
    const seen = new Set<string>();
    for (let each: SourceRow | undefined = row; each !== undefined;) {
      if (seen.has(each.id!)) throw new Unfit("it inherits from itself");
      seen.add(each.id!);
      for (const permission of listOf(each.permissions)) {
        if (typeof permission === "string") found.add(permission.slice(0, 100));
      }
      const parent: string | null = each.inherits_from;
      each = parent === null ? undefined : this.tables.roles.find(({ id }) => id === parent);
    }
    return [...found];
  }

  #assignment(row: SourceRow, roleIds: ReadonlyMap<string, string>): Item<AssignmentRow> {
    if (!isTrue(row.is_active ?? null)) throw new Unfit("it has been revoked in ContextForge");
    const end = timeOf(row.expires_at);
    if (row.expires_at !== null && end === null) throw new Unfit("its end is no time");
    const expiresAt = end === null ? null : Date.parse(end);
    if (expiresAt !== null && expiresAt <= this.now.getTime()) throw new Unfit("it has ended");
    const user = this.#users.get(normalEmail(row.user_email ?? ""));
    const roleId = roleIds.get(row.role_id ?? "");
    if (user === undefined || roleId === undefined) throw new Unfit("the user or the role is left out");
    if (row.scope !== "global" && row.scope !== "team") {
      throw new Unfit(`there are no roles of scope ${String(row.scope).slice(0, 50)} here`);
    }
    const team = row.scope === "team" ? this.#teams.get(row.scope_id ?? "") : undefined;
    if (row.scope === "team" && team === undefined) throw new Unfit("its team is left out, or it names none");
    const role = this.tables.roles.find(({ id }) => id === row.role_id)?.name ?? roleId;
    return {
      row: {
        id: isId(row.id) ? row.id : hexOf(crypto.randomUUID()),
        userId: user.row.id,
        roleId,
        scope: row.scope,
        scopeId: team?.row.id ?? "",
        grantedBy: row.granted_by ?? "",
        grantedAt: timeOf(row.granted_at) ?? this.#time,
        expiresAt,
      },
      label: `${role} for ${user.label}${team === undefined ? "" : ` in ${team.label}`}`,
      notes: [],
    };
  }

  #tokens(): Bundle["tokens"] {
    const revocations = new Map(this.tables.token_revocations.map((row) => [row.jti, row]));
    return this.tables.email_api_tokens.flatMap((row) =>
      this.#taken("token", row, () =>
        tokenOfSource(row, {
          owner: this.#users.get(normalEmail(row.user_email ?? "")) ?? null,
          revocation: revocations.get(row.jti) ?? null,
          now: this.now,
        }))
    );
  }

  /** Also API tokens that are switched off, and not taken: ContextForge refuses them. */
  #revocations(taken: ReadonlySet<string>): Item<RevokedTokenRow>[] {
    const made = new Map<string, Item<RevokedTokenRow>>();
    const add = (row: SourceRow, expiry: string | null, revokedAt: string | null) =>
      this.#taken("revocation", row, () => {
        const jti = row.jti ?? "";
        if (!isTokenId(jti)) throw new Unfit(`its id is not ${TOKEN_ID_RULE}`);
        const end = timeOf(expiry);
        const expiresAt = end === null ? null : Date.parse(end);
        if (made.has(jti) || expiresAt !== null && expiresAt < this.now.getTime()) return;
        const notes: string[] = [];
        const reason = fitting(row.reason ?? null, notes, "reason");
        made.set(jti, {
          row: {
            jti,
            revokedAt: revokedAt ?? this.#time,
            revokedBy: row.revoked_by ?? null,
            reason,
            expiresAt,
          },
          label: jti,
          notes,
        });
      });
    const expiries = new Map(this.tables.email_api_tokens.map(({ jti, expires_at }) => [jti, expires_at]));
    for (const row of this.tables.token_revocations) {
      add(row, row.token_expiry ?? expiries.get(row.jti) ?? null, timeOf(row.revoked_at));
    }
    for (const row of this.tables.email_api_tokens) {
      if (!isTrue(row.is_active ?? null) && !taken.has(row.jti ?? "")) {
        add({ ...row, reason: "switched off" }, row.expires_at, null);
      }
    }
    return [...made.values()];
  }
}

function isBuiltIn({ name, is_system_role: isSystem }: SourceRow): boolean {
  return isTrue(isSystem ?? null) && Object.hasOwn(BUILT_IN_ROLES, name ?? "");
}
