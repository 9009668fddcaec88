// Who may see what, and who may do what. Pure: rows and principals in, verdicts out.
import { SluiceError } from "../base/errors.ts";
import type { EntityRow } from "../store/registry/rows.ts";
import type { Principal } from "./principal.ts";

/** What the verdict on an entity depends on. */
export type Visible = Pick<EntityRow, "visibility" | "teamId" | "ownerEmail">;

/** Actions that do not change the registry: open to whoever may see the entity. */
const OPEN_ACTIONS: ReadonlySet<string> = new Set(["read", "execute", "use", "invoke"]);

/**
 * May the principal know of the entity? Public ones: everybody. An admin whose token names no teams: everything. Others:
 * what belongs to the token's teams, and what is private and their own; a token without teams sees public ones only.
 */
export function canSee(principal: Principal, { visibility, teamId, ownerEmail }: Visible): boolean {
  if (visibility === "public") return true;
  const { teams } = principal;
  if (teams === null) return principal.isAdmin;
  if (teams.length === 0) return false;
  if (visibility === "team") return teamId !== null && teams.includes(teamId);
  return principal.kind === "user" && ownerEmail !== null && ownerEmail === principal.email;
}

/** All that canSee() reads of a principal: who has the same key sees the same. */
export function visibilityKey({ kind, isAdmin, teams, email }: Principal): string {
  if (teams === null) return isAdmin ? "everything" : "public";
  if (teams.length === 0) return "public";
  return JSON.stringify([kind === "user" ? email : null, ...new Set(teams.toSorted())]);
}

/**
 * May the principal do what `permission` ("tools.read", "gateways.create") names? Reading and calling: everybody, changing:
 * admins; in both cases only as far as the token's own permissions reach.
 * @throws {SluiceError} FORBIDDEN
 */
export function requirePermission(principal: Principal, permission: string): void {
  const { permissions, isAdmin } = principal;
  if (permissions !== null && !permissions.includes("*") && !permissions.includes(permission)) {
    throw new SluiceError("FORBIDDEN", { reason: `the token does not include ${permission}` });
  }
  const action = permission.slice(permission.lastIndexOf(".") + 1);
  if (!OPEN_ACTIONS.has(action) && !isAdmin) {
    throw new SluiceError("FORBIDDEN", { reason: `${permission} needs an administrator` });
  }
}
