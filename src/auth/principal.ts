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
  /** When the token was issued, ms since the epoch; null: not known. */
  readonly issuedAt: number | null;
  /** The token of a login: its teams are those of the user record. */
  readonly isLogin: boolean;
  /** What the roles of the user record grant; null: the caller has no user record. */
  readonly grants: Grants | null;
}

/** Permissions by the scope of the roles that grant them. Each list may contain EVERY_PERMISSION. */
export interface Grants {
  readonly everywhere: readonly string[];
  /** For the entries of teams that the token includes. */
  readonly inTeams: readonly ScopedGrant[];
  /** For virtual servers, and what is called at their endpoints. */
  readonly onServers: readonly ScopedGrant[];
  /** When the first of the roles ends, ms since the epoch; null: none of them ends by itself. */
  readonly endsAt: number | null;
  /** Stays equal while the user record, its memberships and its roles stay as they are. */
  readonly standing: string;
}

/** The same permissions in several teams, or on several virtual servers. */
export interface ScopedGrant {
  readonly ids: readonly string[];
  readonly permissions: readonly string[];
}

/** When the token expires or a role of its owner ends, ms since the epoch; null: neither. The caller has to be found anew then. */
export function lapsesAt({ expiresAt, grants }: Pick<Principal, "expiresAt" | "grants">): number | null {
  const endsAt = grants?.endsAt ?? null;
  if (expiresAt === null || endsAt === null) return expiresAt ?? endsAt;
  return Math.min(expiresAt, endsAt);
}

/** The person who runs this machine's gateway: an administrator without a token. */
export function operatorOf(email: string): Principal {
  return {
    ...{ kind: "user", subject: email, issuer: null, email, isAdmin: true, teams: null, serverId: null },
    ...{ permissions: null, expiresAt: null, jti: null, issuedAt: null, isLogin: false, grants: null },
  };
}
