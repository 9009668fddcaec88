// Decides which entries a caller sees and which permissions it has. Pure functions of rows and principals.
import { SluiceError } from "../base/errors.ts";
import type { EntityRow } from "../store/registry/rows.ts";
import { EVERY_PERMISSION, needsAdministrator, type Permission } from "./permission_table.ts";
import type { Principal } from "./principal.ts";

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
  return principal.kind === "user" && ownerEmail !== null && ownerEmail === principal.email;
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
 * Checks that the principal has `permission`: its token includes it, and it is an administrator where one is needed.
 * @throws {SluiceError} FORBIDDEN
 */
export function requirePermission(principal: Principal, permission: Permission): void {
  if (!includesPermission(principal, permission)) {
    throw new SluiceError("FORBIDDEN", { reason: `the token does not include ${permission}` });
  }
  if (needsAdministrator(permission) && !principal.isAdmin) {
    throw new SluiceError("FORBIDDEN", { reason: `${permission} needs an administrator` });
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
  requirePermission(principal, permission);
  if (principal.serverId === null || principal.serverId === serverId) return;
  throw new SluiceError("FORBIDDEN", { reason: `the token is for server ${principal.serverId} only` });
}
