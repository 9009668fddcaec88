// Verifies tokens: of the gateway's own keys, which are those of `sluice token` and of ContextForge's token utility.
import { errors as joseErrors } from "jose";
import { SluiceError } from "../base/errors.ts";
import type { JsonObject } from "../mcp/json_rpc.ts";
import { type OwnKeys, verifyingKeys } from "./keys/own_keys.ts";
import { type VerifyingKeys, verifyToken } from "./keys/verify.ts";
import type { Principal } from "./principal.ts";
import { principalOf, refused } from "./token_claims.ts";
import { isTokenId } from "./token_id.ts";

/** Who issues tokens, by which keys, and what the claims mean. */
export interface Issuer extends VerifyingKeys {
  readonly issuer: string;
  readonly audience: string;
  /** @throws {SluiceError} UNAUTHENTICATED */
  readonly principalOf: (claims: JsonObject, subject: string) => Principal;
}

export interface TokenRules {
  readonly requireExpiration: boolean;
  readonly requireJti: boolean;
}

export class JwtVerifier {
  readonly #own: Issuer;
  readonly #requiredClaims: string[];

  constructor(own: Issuer, { requireExpiration, requireJti }: TokenRules) {
    this.#own = own;
    this.#requiredClaims = ["sub", ...(requireExpiration ? ["exp"] : []), ...(requireJti ? ["jti"] : [])];
  }

  /** @throws {SluiceError} UNAUTHENTICATED with the reason; the text never contains the token */
  async verify(token: string): Promise<Principal> {
    const issuer = this.#own;
    const claims = await this.#claimsOf(token, issuer);
    if (typeof claims.sub !== "string" || claims.sub === "") throw refused("the token has no subject");
    // Also where no id is required: an id that nobody can revoke would look like one that somebody can.
    if (claims.jti !== undefined && !isTokenId(claims.jti)) throw refused(wrongClaim("jti"));
    return issuer.principalOf(claims, claims.sub);
  }

  async #claimsOf(token: string, from: Issuer): Promise<JsonObject> {
    const { issuer, audience } = from;
    try {
      return await verifyToken(token, from, { issuer, audience, requiredClaims: this.#requiredClaims });
    } catch (error) {
      throw refused(describe(error), error instanceof joseErrors.JWTClaimValidationFailed ? error.claim : "");
    }
  }
}

/** The issuer of the gateway's own tokens. */
export function ownIssuer(
  keys: OwnKeys,
  { issuer, audience, platformAdminEmail }: Pick<Issuer, "issuer" | "audience"> & {
    readonly platformAdminEmail: string;
  },
): Issuer {
  return {
    issuer,
    audience,
    ...verifyingKeys(keys),
    principalOf: (claims, subject) => principalOf(claims, subject, platformAdminEmail),
  };
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

/** Was a token refused because its time (`nbf`) has not come yet? */
export function isNotYetValid(error: unknown): boolean {
  return error instanceof SluiceError && error.params.claim === "nbf";
}
