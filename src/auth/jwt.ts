// Verifies tokens: those of the gateway's own keys, as `sluice token` and ContextForge's token utility make them, and those of other
// issuers. The `iss` claim chooses the issuer, and with it the keys: no key of one issuer verifies tokens of another.
import { decodeJwt, decodeProtectedHeader, errors as joseErrors } from "jose";
import { SluiceError } from "../base/errors.ts";
import { isObject, type JsonObject } from "../mcp/json_rpc.ts";
import { type OwnKeys, verifyingKeys } from "./keys/own_keys.ts";
import { type VerifyingKeys, verifyToken } from "./keys/verify.ts";
import type { Principal } from "./principal.ts";
import { principalOf, refused } from "./token_claims.ts";
import { isTokenId } from "./token_id.ts";

/** Who issues tokens, by which keys, and what the claims mean. */
export interface Issuer extends VerifyingKeys {
  /** undefined: `principalOf` checks the claim. */
  readonly issuer: string | undefined;
  /** A token needs one of them. undefined: `principalOf` checks the claim. */
  readonly audience: string | string[] | undefined;
  /** A token needs an id (`jti`). Absent: REQUIRE_JTI decides. */
  readonly requireJti?: boolean;
  /** A token needs an end (`exp`). Absent: REQUIRE_TOKEN_EXPIRATION decides. */
  readonly requireExpiration?: boolean;
  /** @throws {SluiceError} UNAUTHENTICATED, STORE_UNAVAILABLE */
  readonly principalOf: (
    claims: JsonObject,
    subject: string,
    token: string,
  ) => Principal | Promise<Principal>;
}

/** The header's type of access tokens (RFC 9068, section 2.1). The gateway's other tokens never have it. */
export const ACCESS_TOKEN_TYPE = "at+jwt";

export interface TokenRules {
  readonly requireExpiration: boolean;
  readonly requireJti: boolean;
}

export class JwtVerifier {
  readonly #own: Issuer;
  readonly #foreign: ReadonlyMap<string | undefined, Issuer>;
  readonly #accessTokens: Issuer | null;
  readonly #rules: TokenRules;

  /** @param accessTokens of the gateway's OAuth clients; null: they are refused */
  constructor(
    own: Issuer,
    rules: TokenRules,
    foreign: readonly Issuer[] = [],
    accessTokens: Issuer | null = null,
  ) {
    this.#own = own;
    this.#foreign = new Map(foreign.map((issuer) => [issuer.issuer, issuer]));
    this.#accessTokens = accessTokens;
    this.#rules = rules;
  }

  /** @throws {SluiceError} UNAUTHENTICATED with the reason, TOKEN_KEYS_UNAVAILABLE, STORE_UNAVAILABLE; the text never contains the token */
  async verify(token: string): Promise<Principal> {
    const issuer = this.#issuerOf(token);
    const claims = await this.#claimsOf(token, issuer);
    if (typeof claims.sub !== "string" || claims.sub === "") throw refused("the token has no subject");
    // Also where no id is required: an id that nobody can revoke would look like one that somebody can.
    if (claims.jti !== undefined && !isTokenId(claims.jti)) throw refused(wrongClaim("jti"));
    return await issuer.principalOf(claims, claims.sub, token);
  }

  /** A token of an issuer that is not known is refused like one of the gateway's own with a wrong `iss`. */
  #issuerOf(token: string): Issuer {
    try {
      const foreign = this.#foreign.size === 0 ? undefined : this.#foreign.get(String(decodeJwt(token).iss));
      if (foreign !== undefined) return foreign;
      if (decodeProtectedHeader(token).typ !== ACCESS_TOKEN_TYPE) return this.#own;
    } catch (error) {
      throw refused(describe(error));
    }
    if (this.#accessTokens === null) throw refused("access tokens of OAuth clients are not taken here");
    return this.#accessTokens;
  }

  async #claimsOf(token: string, from: Issuer): Promise<JsonObject> {
    const { issuer, audience, requireJti = this.#rules.requireJti } = from;
    const { requireExpiration = this.#rules.requireExpiration } = from;
    const requiredClaims = ["sub", ...(requireExpiration ? ["exp"] : []), ...(requireJti ? ["jti"] : [])];
    try {
      return await verifyToken(token, from, { issuer, audience, requiredClaims });
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      if (error instanceof joseErrors.JWKSNoMatchingKey) {
        throw refused("the token's key is not known", { key: "unknown" });
      }
      throw refused(
        describe(error),
        error instanceof joseErrors.JWTClaimValidationFailed ? { claim: error.claim } : {},
      );
    }
  }
}

export interface OwnNames extends Pick<Issuer, "issuer" | "audience"> {
  readonly platformAdminEmail: string;
  /** The `env` claim that a token has, if it has the claim at all; null: any (VALIDATE_TOKEN_ENVIRONMENT=false). */
  readonly environment: string | null;
  /** Finds the caller of an API token by its row. Absent: tokens with `token_record: true` are refused, and others go by their claims. */
  readonly apiTokenCaller?: ApiTokenCaller;
}

/**
 * @param byClaims the caller of a token that has no row; null: such a token is refused
 * @throws {SluiceError} UNAUTHENTICATED, STORE_UNAVAILABLE
 */
export type ApiTokenCaller = (
  claims: JsonObject,
  token: string,
  byClaims: (() => Principal) | null,
) => Promise<Principal>;

/** The issuer of the gateway's own tokens. */
export function ownIssuer(
  keys: OwnKeys,
  { issuer, audience, platformAdminEmail, environment, apiTokenCaller }: OwnNames,
): Issuer {
  return {
    issuer,
    audience,
    ...verifyingKeys(keys),
    principalOf: (claims, subject, token) => {
      // ContextForge takes tokens without the claim.
      if (environment !== null && (claims.env ?? environment) !== environment) {
        throw refused("the token is of another environment", { claim: "env" });
      }
      if (claims.token_record === true) {
        if (apiTokenCaller === undefined) throw refused("API tokens are not taken here");
        return apiTokenCaller(claims, token, null);
      }
      const byClaims = () => principalOf(claims, subject, platformAdminEmail);
      // An API token of ContextForge has a row here once it has been imported.
      return apiTokenCaller === undefined || !isApiTokenOfContextForge(claims)
        ? byClaims()
        : apiTokenCaller(claims, token, byClaims);
    },
  };
}

/** As ContextForge 1.0 marks them (mcpgateway/services/token_catalog_service.py). */
function isApiTokenOfContextForge({ token_use, user, jti }: JsonObject): boolean {
  return jti !== undefined &&
    (token_use === "api" || isObject(user) && user.auth_provider === "api_token");
}

function describe(error: unknown): string {
  if (error instanceof joseErrors.JWTExpired) return "the token has expired";
  if (error instanceof joseErrors.JWTClaimValidationFailed) {
    return wrongClaim(error.claim);
  }
  if (error instanceof joseErrors.JWSSignatureVerificationFailed) return "the token's signature is wrong";
  if (error instanceof joseErrors.JOSEAlgNotAllowed) return "the token's algorithm is not accepted";
  return "the token cannot be read";
}

function wrongClaim(name: string): string {
  return `the token's "${name}" claim is wrong or missing`;
}

/**
 * May a token that was refused be accepted later: is its time (`nbf`) still to come, or were there no keys to verify it with, or no
 * database to look it up in?
 */
export function mayBecomeValid(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false;
  return error.params.claim === "nbf" || error.row.http === 503 || error.code === "TOKEN_KEYS_UNAVAILABLE" ||
    error.params.key === "unknown";
}
