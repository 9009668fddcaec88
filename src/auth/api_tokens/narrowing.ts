// What an API token may be made to open: never more than its owner may, nor more than the token with which it is made.
import { SluiceError } from "../../base/errors.ts";
import { NO_TEAM } from "../../store/tokens/token_rows.ts";
import { EVERY_PERMISSION, isPermission, type Permission } from "../permission_table.ts";
import type { Principal } from "../principal.ts";
import { isMember, requirePermission } from "../rbac.ts";

/** Where a new token counts. */
export interface TokenPlace {
  readonly teamId: string | null;
  readonly serverId: string | null;
}

/**
 * API tokens manage no API tokens: one that leaks must not outlive its revocation by another that it made.
 * @throws {SluiceError} FORBIDDEN
 */
export function requireNoApiToken({ apiToken }: Principal): void {
  if (apiToken === null) return;
  throw new SluiceError("FORBIDDEN", {
    reason: "API tokens cannot manage API tokens; use the token of a login, or of `sluice token`",
  });
}

/**
 * A token that counts at some times or from some addresses makes and changes no API tokens: theirs could be others.
 * @throws {SluiceError} FORBIDDEN
 */
export function requireNoLimits({ limits }: Principal): void {
  if (limits === null) return;
  throw new SluiceError("FORBIDDEN", {
    reason:
      "a token with ip_restrictions or time_restrictions makes and changes no API tokens; use the token of a login",
  });
}

/** Does the token of the request narrow nothing of what the caller may? */
export function isWhole({ serverId, permissions, teams, isLogin, limits }: Principal): boolean {
  const hasAllPermissions = permissions === null || permissions.includes(EVERY_PERMISSION);
  return serverId === null && hasAllPermissions && (isLogin || teams === null) && limits === null;
}

/**
 * The team of a token that the caller makes for itself. A token that is narrowed to one team makes tokens of that team, and one that
 * is narrowed to no team makes tokens of no team.
 * @param asked null: the request names no team
 * @throws {SluiceError} INVALID_REQUEST
 */
export function teamOfToken({ isLogin, teams }: Principal, asked: string | null): string | null {
  if (asked !== null || isLogin || teams === null) return asked;
  if (teams.length <= 1) return teams[0] ?? NO_TEAM;
  throw new SluiceError("INVALID_REQUEST", {
    reason: `send team_id: the token of the request is narrowed to the teams ${
      teams.join(", ")
    }. The token of a login has all teams`,
  });
}

/** May the owner's token be for this team? An administrator's may be for any. */
export function mayUseTeam(owner: Principal, teamId: string): boolean {
  return isMember(owner, teamId) || (owner.isAdmin && owner.teams === null);
}

/**
 * Checks that the owner has the permissions that a token is to have. Names that are not in the table open nothing, and pass.
 * @param permissions empty: all of the owner's
 * @throws {SluiceError} INVALID_REQUEST
 */
export function requireGrantable(owner: Principal, permissions: readonly string[], place: TokenPlace): void {
  const isNarrowed = owner.permissions !== null && !owner.permissions.includes(EVERY_PERMISSION);
  if (permissions.length === 0 && isNarrowed) {
    throw new SluiceError("INVALID_REQUEST", {
      reason: `name the permissions: the token of the request is narrowed to ${
        owner.permissions!.join(", ")
      }`,
    });
  }
  const refused = permissions.find((name) =>
    name === EVERY_PERMISSION
      ? isNarrowed || !owner.isAdmin
      : isPermission(name) && !hasThere(owner, name, place)
  );
  if (refused === undefined) return;
  throw new SluiceError("INVALID_REQUEST", {
    reason: `cannot grant the permission "${refused}", which ${owner.email} does not have here. ` +
      "Leave the permissions out for all that the user has",
  });
}

function hasThere(owner: Principal, permission: Permission, { teamId, serverId }: TokenPlace): boolean {
  const { grants } = owner;
  const inPlace: Principal = grants === null || teamId === null ? owner : {
    ...owner,
    grants: {
      ...grants,
      inTeams: grants.inTeams.flatMap(({ ids, permissions }) =>
        ids.includes(teamId) ? [{ ids: [teamId], permissions }] : []
      ),
    },
  };
  try {
    requirePermission(inPlace, permission, serverId);
    return true;
  } catch (error) {
    if (error instanceof SluiceError) return false;
    throw error;
  }
}
