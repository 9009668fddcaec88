// The claims of the gateway's own tokens, which are those of ContextForge's token utility, and the principal that they describe.
import { SluiceError } from "../base/errors.ts";
import { isObject, type JsonObject } from "../mcp/json_rpc.ts";
import { serverIdOf } from "../store/sql/server_ids.ts";
import type { Principal, TokenLimits } from "./principal.ts";
import { isTokenId } from "./token_id.ts";
import { isEmpty, LimitFault, readLimits } from "./token_limits.ts";

/**
 * The principal of a verified token.
 * @param platformAdminEmail a token of this subject is an administrator's, whatever its claims (PLATFORM_ADMIN_EMAIL)
 * @throws {SluiceError} UNAUTHENTICATED if a restriction of the token cannot be read or enforced
 */
export function principalOf(claims: JsonObject, subject: string, platformAdminEmail: string): Principal {
  const user = isObject(claims.user) ? claims.user : {};
  const isAdmin = claims.is_admin === true || user.is_admin === true || subject === platformAdminEmail;
  const scopes = scopesOf(claims.scopes);
  return {
    kind: "user",
    subject,
    issuer: typeof claims.iss === "string" ? claims.iss : null,
    // The subject of ContextForge's API tokens is an id, and the person is `user.email`.
    email: [claims.email, user.email].find((email) => typeof email === "string") ?? subject,
    isAdmin,
    // Missing and [] open public entries only; null opens every entry, for an administrator.
    teams: claims.teams === null ? null : teamIds(claims.teams),
    serverId: scopes.serverId,
    permissions: scopes.permissions,
    limits: scopes.limits,
    ...timesAndId(claims),
    isLogin: claims.token_use === "session",
    apiToken: null,
    grants: null,
    ...(claims.token_use === "session" && typeof claims.session_start === "number"
      ? { loggedInAt: claims.session_start * 1000, ...recordIn(claims) }
      : {}),
    ...(claims.teams === undefined ? { teamsLimitSight: true } : {}),
  };
}

/** The user record that a token of the gateway belongs to. Tokens of former versions name none. */
export function recordIn({ user_record: recordId }: JsonObject): Pick<Principal, "recordId"> {
  return typeof recordId === "string" ? { recordId } : {};
}

/** The claims that mean the same in tokens of every issuer (RFC 7519, section 4.1). */
export function timesAndId({ exp, iat, jti }: JsonObject): Pick<Principal, "expiresAt" | "issuedAt" | "jti"> {
  return {
    expiresAt: typeof exp === "number" ? exp * 1000 : null,
    jti: isTokenId(jti) ? jti : null,
    issuedAt: typeof iat === "number" ? iat * 1000 : null,
  };
}

/** A refusal of a token. @param cause the claim for which the token is refused, or that its key is not known */
export function refused(
  reason: string,
  cause: { readonly claim?: string; readonly key?: "unknown" } = {},
): SluiceError {
  return new SluiceError("UNAUTHENTICATED", { reason, ...cause, token: "invalid" });
}

/** Reads the restrictions of a token. A restriction that cannot be read or enforced invalidates the token. */
function scopesOf(claim: unknown): Pick<Principal, "serverId" | "permissions" | "limits"> {
  const scopes = claim ?? {};
  if (!isObject(scopes)) throw refused("the token's scopes cannot be read");
  if (!isEmpty(scopes.usage_limits)) {
    throw refused("the token has usage_limits, and only API tokens (POST /tokens) are counted");
  }
  const { server_id: serverId, permissions } = scopes;
  if (!isEmpty(serverId) && typeof serverId !== "string") {
    throw refused("the token's server_id cannot be read");
  }
  if (!isEmpty(permissions) && !Array.isArray(permissions)) {
    throw refused("the token's permissions cannot be read");
  }
  return {
    serverId: typeof serverId === "string" && serverId !== "" ? serverIdOf(serverId) : null,
    permissions: stringsOf(permissions),
    limits: limitsOf(scopes),
  };
}

function limitsOf(scopes: JsonObject): TokenLimits | null {
  try {
    return readLimits(scopes);
  } catch (error) {
    if (!(error instanceof LimitFault)) throw error;
    throw refused(`the token's ${error.field} ${error.message}`);
  }
}

/** The team ids of a claim. ContextForge writes them as strings or as objects with an id. */
function teamIds(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((team) =>
    typeof team === "string" ? [team] : isObject(team) && typeof team.id === "string" ? [team.id] : []
  );
}

function stringsOf(value: unknown): string[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  return value.filter((item) => typeof item === "string");
}
