// Verifies the tokens of `sluice token` and of ContextForge's token utility, and reads the principal from their claims.
import { errors as joseErrors, jwtVerify } from "jose";
import { SluiceError } from "../base/errors.ts";
import { isObject, type JsonObject } from "../mcp/json_rpc.ts";
import { serverIdOf } from "../store/sql/server_ids.ts";
import type { Principal } from "./principal.ts";
import { isTokenId } from "./token_id.ts";

export interface JwtOptions {
  readonly secret: string;
  readonly algorithm: string;
  readonly issuer: string;
  readonly audience: string;
  readonly requireExpiration: boolean;
  readonly requireJti: boolean;
  /** A token of this subject is an administrator's, whatever its claims (PLATFORM_ADMIN_EMAIL). */
  readonly platformAdminEmail: string;
}

export class JwtVerifier {
  readonly #options: JwtOptions;
  readonly #key: Uint8Array;

  constructor(options: JwtOptions) {
    this.#options = options;
    this.#key = new TextEncoder().encode(options.secret);
  }

  /** @throws {SluiceError} UNAUTHENTICATED with the reason; the text never contains the token */
  async verify(token: string): Promise<Principal> {
    const { algorithm, issuer, audience, requireExpiration, requireJti } = this.#options;
    let claims: JsonObject;
    try {
      const requiredClaims = ["sub", ...(requireExpiration ? ["exp"] : []), ...(requireJti ? ["jti"] : [])];
      const verified = await jwtVerify(token, this.#key, {
        algorithms: [algorithm],
        issuer,
        audience,
        requiredClaims,
      });
      claims = verified.payload;
    } catch (error) {
      throw refused(describe(error), error instanceof joseErrors.JWTClaimValidationFailed ? error.claim : "");
    }
    if (typeof claims.sub !== "string" || claims.sub === "") throw refused("the token has no subject");
    // Also where no id is required: an id that nobody can revoke would look like one that somebody can.
    if (claims.jti !== undefined && !isTokenId(claims.jti)) throw refused(wrongClaim("jti"));
    return this.#principalOf(claims, claims.sub);
  }

  #principalOf(claims: JsonObject, subject: string): Principal {
    const user = isObject(claims.user) ? claims.user : {};
    const isAdmin = claims.is_admin === true || user.is_admin === true ||
      subject === this.#options.platformAdminEmail;
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
      expiresAt: typeof claims.exp === "number" ? claims.exp * 1000 : null,
      jti: isTokenId(claims.jti) ? claims.jti : null,
      issuedAt: typeof claims.iat === "number" ? claims.iat * 1000 : null,
      isLogin: claims.token_use === "session",
      grants: null,
    };
  }
}

/** Reads the restrictions of a token. A restriction that cannot be read or enforced invalidates the token. */
function scopesOf(claim: unknown): { serverId: string | null; permissions: readonly string[] | null } {
  const scopes = claim ?? {};
  if (!isObject(scopes)) throw refused("the token's scopes cannot be read");
  for (const name of ["ip_restrictions", "time_restrictions", "usage_limits"]) {
    if (!isEmpty(scopes[name])) throw refused(`the token's ${name} cannot be enforced by this version`);
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
  };
}

/** Does a claim restrict nothing? Tokens write that in several ways. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
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

function describe(error: unknown): string {
  if (error instanceof joseErrors.JWTExpired) return "the token has expired";
  if (error instanceof joseErrors.JWTClaimValidationFailed) {
    return wrongClaim(error.claim);
  }
  if (error instanceof joseErrors.JWSSignatureVerificationFailed) return "the token's signature is wrong";
  return "the token cannot be read";
}

function wrongClaim(name: string): string {
  return `the token's "${name}" claim is wrong or missing`;
}

/** @param claim the claim for which the token is refused */
function refused(reason: string, claim = ""): SluiceError {
  return new SluiceError("UNAUTHENTICATED", { reason, claim, token: "invalid" });
}

/** Was a token refused because its time (`nbf`) has not come yet? */
export function isNotYetValid(error: unknown): boolean {
  return error instanceof SluiceError && error.params.claim === "nbf";
}
