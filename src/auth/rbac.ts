// Decides which entries a caller sees and which permissions it has. Pure functions of rows and principals.
import { SluiceError } from "../base/errors.ts";
import type { EntityRow } from "../store/registry/rows.ts";
import { EVERY_PERMISSION, isGlobal, needsAdministrator, type Permission } from "./permission_table.ts";
import type { Principal, ScopedGrant } from "./principal.ts";

/** The fields of an entry that decide who sees it. */
export type Visible = Pick<EntityRow, "visibility" | "teamId" | "ownerEmail">;

/**
 * Does the principal see the entry? Every principal sees public entries. An administrator with `teams: null` sees every entry. Any
 * other principal with teams also sees the entries of these teams, and its own private entries.
 */
export function canSee(principal: Principal, { visibility, teamId, ownerEmail }: Visible): boolean {
  if (visibility === "public") return true;
  const { teams } = principal;
  if (teams === null) return principal.isAdmin;
  if (teams.length === 0) return false;
  if (visibility === "team") return teamId !== null && teams.includes(teamId);
  return principal.kind === "user" && isAddressOf(principal, ownerEmail);
}

/** A key of what canSee() reads of a principal: principals with the same key see the same entries. */
export function visibilityKey({ kind, isAdmin, teams, email }: Principal): string {
  if (teams === null) return isAdmin ? "everything" : "public";
  if (teams.length === 0) return "public";
  return JSON.stringify([kind === "user" ? email : null, ...new Set(teams.toSorted())]);
}

/** Does the principal's token include `permission`? */
export function includesPermission({ permissions }: Principal, permission: Permission): boolean {
  return permissions === null || permissions.includes(EVERY_PERMISSION) || permissions.includes(permission);
}

/**
 * Checks that the principal has `permission` for something: its token includes it, and a role grants it somewhere. Without a user
 * record the caller needs no role, and is an administrator where the table of permissions wants one.
 * @param serverId the virtual server of the endpoint or path; null: none. A role for one virtual server counts there only.
 * @throws {SluiceError} FORBIDDEN
 */
export function requirePermission(
  principal: Principal,
  permission: Permission,
  serverId: string | null = null,
): void {
  if (!includesPermission(principal, permission)) {
    throw new SluiceError("FORBIDDEN", { reason: `the token does not include ${permission}` });
  }
  if (principal.isAdmin) return;
  const { grants, email } = principal;
  if (grants === null) {
    if (!needsAdministrator(permission)) return;
    throw new SluiceError("FORBIDDEN", { reason: `${permission} needs an administrator` });
  }
  if (has(grants.everywhere, permission)) return;
  if (!isGlobal(permission) && grantsAny(grants.inTeams, permission)) return;
  if (!isGlobal(permission) && serverId !== null && grantsFor(grants.onServers, serverId, permission)) return;
  throw new SluiceError("FORBIDDEN", { reason: `no role of ${email} grants ${permission} here` });
}

/**
 * Has the principal `permission` for this entry: by a role everywhere, in the entry's team, or on the virtual server; or as the owner,
 * by a role anywhere?
 */
export function mayChange(
  principal: Principal,
  permission: Permission,
  { id, teamId, ownerEmail }: Visible & Pick<EntityRow, "id">,
): boolean {
  const { isAdmin, grants } = principal;
  if (!includesPermission(principal, permission)) return false;
  if (isAdmin || grants === null) return isAdmin;
  if (has(grants.everywhere, permission) || grantsFor(grants.onServers, id, permission)) return true;
  return isAddressOf(principal, ownerEmail)
    ? grantsAny(grants.inTeams, permission)
    : teamId !== null && grantsFor(grants.inTeams, teamId, permission);
}

/** Checks that the principal may change this entry. @throws {SluiceError} FORBIDDEN */
export function requireChange(
  principal: Principal,
  permission: Permission,
  row: Visible & Pick<EntityRow, "id">,
): void {
  if (mayChange(principal, permission, row)) return;
  const where = row.teamId === null ? "an entry of somebody else" : `the team ${row.teamId}`;
  throw new SluiceError("FORBIDDEN", {
    reason: `no role of ${principal.email} grants ${permission} for ${where}`,
  });
}

/**
 * Checks that the principal may put an entry into a team, or make it belong to no team.
 * @param teamId null: no team
 * @throws {SluiceError} FORBIDDEN
 */
export function requirePlace(principal: Principal, permission: Permission, teamId: string | null): void {
  const { isAdmin, grants, email } = principal;
  if (isAdmin || grants === null || has(grants.everywhere, permission)) return;
  if (teamId !== null && grantsFor(grants.inTeams, teamId, permission)) return;
  const where = teamId === null ? "entries without a team" : `the team ${teamId}`;
  throw new SluiceError("FORBIDDEN", { reason: `no role of ${email} grants ${permission} for ${where}` });
}

/**
 * The team of a new entry. Without a team in the request it is the only one in which the principal may create the entry; a principal
 * who may create it everywhere needs none.
 * @param asked null: the request names no team
 * @throws {SluiceError} FORBIDDEN
 */
export function placeOf(principal: Principal, permission: Permission, asked: string | null): string | null {
  const { isAdmin, grants } = principal;
  if (asked === null && !isAdmin && grants !== null && !has(grants.everywhere, permission)) {
    const teams = grants.inTeams.flatMap(({ ids, permissions }) => has(permissions, permission) ? ids : []);
    if (teams.length === 1) return teams[0];
    if (teams.length > 1) {
      throw new SluiceError("FORBIDDEN", {
        reason: `send team_id: ${permission} is granted in the teams ${teams.join(", ")}`,
      });
    }
  }
  requirePlace(principal, permission, asked);
  return asked;
}

/** Checks that the principal may give an entry to `owner`. @throws {SluiceError} FORBIDDEN */
export function requireOwner(principal: Principal, permission: Permission, owner: unknown): void {
  const { isAdmin, grants, email } = principal;
  if (isAdmin || grants === null || has(grants.everywhere, permission)) return;
  if (owner === undefined || owner === null || isAddressOf(principal, owner)) return;
  throw new SluiceError("FORBIDDEN", { reason: `${email} cannot make an entry belong to somebody else` });
}

/**
 * May the principal decide which programs run on the gateway's machine, and read its environment? No permission names that, so a
 * token of an administrator that is narrowed to permissions or to a virtual server does not include it.
 */
export function isOperator({ isAdmin, permissions, serverId }: Principal): boolean {
  return isAdmin && serverId === null && (permissions === null || permissions.includes(EVERY_PERMISSION));
}

/** Checks `isOperator()`. @throws {SluiceError} FORBIDDEN */
export function requireOperator(principal: Principal, what: string): void {
  if (isOperator(principal)) return;
  throw new SluiceError("FORBIDDEN", {
    reason: principal.isAdmin
      ? `${what} needs an administrator's token that is not narrowed; this one has scopes`
      : `${what} needs an administrator`,
  });
}

/** Is the principal, as far as its token goes, a member of the team? */
export function isMember({ grants }: Principal, teamId: string): boolean {
  return grants?.inTeams.some(({ ids }) => ids.includes(teamId)) === true;
}

/** The teams of which the principal is a member, as far as its token goes. */
export function teamsOf({ grants }: Principal): readonly string[] {
  return grants?.inTeams.flatMap(({ ids }) => ids) ?? [];
}

/** Would the principal pass the check of `permission`? @param teamId only in this team; undefined: anywhere */
export function holds(principal: Principal, permission: Permission, teamId?: string): boolean {
  if (!includesPermission(principal, permission)) return false;
  const { isAdmin, grants } = principal;
  if (isAdmin || grants === null) return isAdmin || !needsAdministrator(permission);
  if (has(grants.everywhere, permission)) return true;
  if (isGlobal(permission)) return false;
  return teamId === undefined
    ? grantsAny(grants.inTeams, permission)
    : grantsFor(grants.inTeams, teamId, permission);
}

/** Checks for a request that is about the caller itself. @throws {SluiceError} UNAUTHENTICATED, FORBIDDEN */
export function requireToken({ kind, serverId }: Principal): void {
  if (kind === "anonymous") {
    throw new SluiceError("UNAUTHENTICATED", { reason: "send Authorization: Bearer <token>" });
  }
  if (serverId !== null) {
    throw new SluiceError("FORBIDDEN", { reason: `the token is for server ${serverId} only` });
  }
}

/**
 * Checks `permission` for a request to the REST API. A token for one virtual server opens no path outside of that server.
 * @param serverId the virtual server that the path belongs to; null: none
 * @throws {SluiceError} FORBIDDEN
 */
export function requireRestPermission(
  principal: Principal,
  permission: Permission,
  serverId: string | null,
): void {
  requirePermission(principal, permission, serverId);
  if (principal.serverId === null || principal.serverId === serverId) return;
  throw new SluiceError("FORBIDDEN", { reason: `the token is for server ${principal.serverId} only` });
}

/** Addresses are compared without regard to case, as for logins. */
function isAddressOf({ email }: Principal, address: unknown): boolean {
  return address === email ||
    (typeof address === "string" && address.toLowerCase() === email.toLowerCase());
}

function has(permissions: readonly string[], permission: Permission): boolean {
  return permissions.includes(permission) || permissions.includes(EVERY_PERMISSION);
}

function grantsAny(grants: readonly ScopedGrant[], permission: Permission): boolean {
  return grants.some(({ permissions }) => has(permissions, permission));
}

function grantsFor(grants: readonly ScopedGrant[], id: string, permission: Permission): boolean {
  return grants.some(({ ids, permissions }) => ids.includes(id) && has(permissions, permission));
}
