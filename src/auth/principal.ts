// The caller of a request: the claims of a verified token, or an anonymous caller. Plain data, so that it passes between workers.

export interface Principal {
  readonly kind: "user" | "anonymous";
  /** The token's `sub`. */
  readonly subject: string;
  readonly issuer: string | null;
  readonly email: string;
  readonly isAdmin: boolean;
  /** The teams whose entries the caller sees besides public ones; null: no limit, which opens every entry to an administrator. */
  readonly teams: readonly string[] | null;
  /** The only virtual server that the token opens; null: any. */
  readonly serverId: string | null;
  /** The only permissions of the token; null: all of its owner's. */
  readonly permissions: readonly string[] | null;
  /** When the token expires, ms since the epoch; null: never. */
  readonly expiresAt: number | null;
  readonly jti: string | null;
}

/** The person who runs this machine's gateway: an administrator without a token. */
export function operatorOf(email: string): Principal {
  return {
    ...{ kind: "user", subject: email, issuer: null, email, isAdmin: true, teams: null, serverId: null },
    ...{ permissions: null, expiresAt: null, jti: null },
  };
}
