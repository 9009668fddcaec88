// Signs the tokens of logins, with the claims of ContextForge's. Their subject is the email address, as in tokens of `sluice token`:
// both are one caller.
import type { Clock } from "../../base/clock.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import { type OwnKeys, signToken } from "../keys/own_keys.ts";

export interface LoginTokensOptions {
  readonly keys: OwnKeys;
  readonly issuer: string;
  readonly audience: string;
  /** TOKEN_EXPIRY */
  readonly ttlMs: number;
  /** SESSION_MAX_LIFETIME: the end of the last token that comes of one login. */
  readonly maxLifetimeMs: number;
  readonly clock: Clock;
}

export class LoginTokens {
  readonly #options: LoginTokensOptions;

  constructor(options: LoginTokensOptions) {
    this.#options = options;
  }

  get expiresInSeconds(): number {
    return Math.floor(this.#options.ttlMs / 1000);
  }

  /** For how many seconds a token lasts that comes of a login at this time (ms since the epoch). */
  secondsLeft(loggedInAt: number): number {
    const { maxLifetimeMs, clock } = this.#options;
    return Math.min(this.expiresInSeconds, Math.floor((loggedInAt + maxLifetimeMs - clock.now()) / 1000));
  }

  /**
   * @param provider who has identified the user; "local": the password has
   * @param loggedInAt of an earlier login that the token continues
   */
  sign(
    { id, email, fullName, isAdmin }: UserRow,
    { jti = crypto.randomUUID(), provider = "local", loggedInAt }: {
      readonly jti?: string;
      readonly provider?: string;
      readonly loggedInAt?: number;
    } = {},
  ): Promise<string> {
    const { keys, issuer, audience, clock } = this.#options;
    const issuedAt = Math.floor(clock.now() / 1000);
    const lastsS = loggedInAt === undefined ? this.expiresInSeconds : this.secondsLeft(loggedInAt);
    const claims = {
      sub: email,
      iss: issuer,
      aud: audience,
      iat: issuedAt,
      exp: issuedAt + lastsS,
      jti,
      token_use: "session",
      user_record: id,
      session_start: loggedInAt === undefined ? issuedAt : Math.floor(loggedInAt / 1000),
      user: { email, full_name: fullName, is_admin: isAdmin, auth_provider: provider },
      scopes: { server_id: null, permissions: ["*"], ip_restrictions: [], time_restrictions: {} },
    };
    return signToken(claims, keys);
  }
}
