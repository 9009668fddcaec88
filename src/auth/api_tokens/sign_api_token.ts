// Signs API tokens, with the claims of ContextForge's and `token_record`. Programs may read them; the gateway itself goes by the row of the token.
import { NO_TEAM } from "../../store/tokens/token_rows.ts";
import type { Clock } from "../../base/clock.ts";
import { type OwnKeys, signToken } from "../keys/own_keys.ts";

export interface ApiTokenSigner {
  readonly keys: OwnKeys;
  readonly issuer: string;
  readonly audience: string;
  readonly clock: Pick<Clock, "now">;
}

/** What the claims say of a token. */
export interface ApiTokenClaims {
  readonly id: string;
  readonly email: string;
  readonly isAdmin: boolean;
  readonly teamId: string | null;
  /** ms since the epoch; null: never. */
  readonly expiresAt: number | null;
  readonly serverId: string | null;
  readonly permissions: readonly string[];
  readonly ipRestrictions: readonly string[];
  readonly timeRestrictions: Readonly<Record<string, unknown>>;
}

export function signApiToken(token: ApiTokenClaims, { keys, issuer, audience, clock }: ApiTokenSigner) {
  const { id, email, isAdmin, teamId, expiresAt } = token;
  return signToken({
    sub: email,
    iss: issuer,
    aud: audience,
    iat: Math.floor(clock.now() / 1000),
    ...(expiresAt === null ? {} : { exp: Math.floor(expiresAt / 1000) }),
    jti: id,
    token_use: "api",
    // Without its row the token is refused.
    token_record: true,
    teams: teamId === null ? null : teamId === NO_TEAM ? [] : [teamId],
    user: { email, full_name: "API Token User", is_admin: isAdmin, auth_provider: "api_token" },
    scopes: {
      server_id: token.serverId,
      permissions: token.permissions,
      ip_restrictions: token.ipRestrictions,
      time_restrictions: token.timeRestrictions,
    },
  }, keys);
}
