// Access tokens of OAuth clients: JSON Web Tokens in the form of RFC 9068, signed with the gateway's own keys. The header's type tells
// them from the gateway's other tokens, which never have it.
import type { Clock } from "../../base/clock.ts";
import type { JsonObject } from "../../mcp/json_rpc.ts";
import { ACCESS_TOKEN_TYPE, type Issuer } from "../jwt.ts";
import { type OwnKeys, signToken, verifyingKeys } from "../keys/own_keys.ts";
import type { Principal } from "../principal.ts";
import { recordIn, refused, timesAndId } from "../token_claims.ts";
import { isTokenId } from "../token_id.ts";
import { resourceIn } from "./resources.ts";
import { type Scopes, scopesIn, scopeText } from "./scopes.ts";

/** What an access token is issued for. */
export interface Access {
  /** The email address of the user. */
  readonly email: string;
  /** The id of the user's record. */
  readonly userId: string;
  readonly clientId: string;
  /** The id of the grant that the token is revoked by. */
  readonly grantId: string;
  /** The authorization server. */
  readonly issuer: string;
  /** The address of the resource. */
  readonly audience: string;
  readonly scopes: Scopes;
}

export interface AccessTokensOptions {
  readonly keys: OwnKeys;
  readonly clock: Clock;
  /** OAUTH_ACCESS_TOKEN_TTL */
  readonly ttlMs: number;
}

export class AccessTokens {
  constructor(private readonly options: AccessTokensOptions) {}

  get expiresInSeconds(): number {
    return Math.floor(this.options.ttlMs / 1000);
  }

  sign({ email, userId, clientId, grantId, issuer, audience, scopes }: Access): Promise<string> {
    const { keys, clock } = this.options;
    const issuedAt = Math.floor(clock.now() / 1000);
    const claims = {
      ...{ iss: issuer, sub: email, aud: audience, client_id: clientId, scope: scopeText(scopes) },
      ...{ iat: issuedAt, exp: issuedAt + this.expiresInSeconds, jti: crypto.randomUUID() },
      ...{ grant_id: grantId, user_record: userId },
    };
    return signToken(claims, keys, ACCESS_TOKEN_TYPE);
  }
}

/**
 * Verifies access tokens. The edge checks the audience of each request: it knows the address that the client has used.
 * @param callers the issuer of the gateway's other tokens: by either kind, a user is one caller
 */
export function accessTokenIssuer(keys: OwnKeys, callers: string): Issuer {
  return {
    ...verifyingKeys(keys),
    issuer: undefined,
    audience: undefined,
    requireJti: true,
    requireExpiration: true,
    principalOf: (claims, subject) => ({ ...principalOf(claims, subject), issuer: callers }),
  };
}

function principalOf(claims: JsonObject, email: string): Principal {
  const { aud, iss, scope, grant_id: grantId } = claims;
  const resource = typeof aud === "string" && typeof iss === "string" ? resourceIn(aud, iss) : null;
  if (resource === null) throw refused('the token\'s "aud" claim is wrong or missing', { claim: "aud" });
  const scopes = typeof scope === "string" ? scopesIn(scope) : null;
  if (scopes === null) throw refused('the token\'s "scope" claim is wrong or missing', { claim: "scope" });
  if (!isTokenId(grantId)) {
    throw refused('the token\'s "grant_id" claim is wrong or missing', { claim: "grant_id" });
  }
  return {
    ...{ kind: "user", subject: email, issuer: null, email, isAdmin: false, teams: null },
    serverId: scopes.serverId ?? resource.serverId,
    permissions: scopes.permissions,
    ...timesAndId(claims),
    // A grant is revoked as a whole, with all of its access tokens.
    jti: grantId,
    isLogin: true,
    ...{ apiToken: null, limits: null, grants: null },
    resource: aud as string,
    ...recordIn(claims),
  };
}
