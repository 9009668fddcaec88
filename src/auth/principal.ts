// Who calls: what a verified token says, or nobody in particular. Plain data, so that it passes between workers.

export interface Principal {
  readonly kind: "user" | "anonymous";
  /** The token's `sub`. */
  readonly subject: string;
  readonly issuer: string | null;
  readonly email: string;
  readonly isAdmin: boolean;
  /** Whose entities it sees beside public ones; null: the token does not narrow it (which only an admin profits from). */
  readonly teams: readonly string[] | null;
  /** The one virtual server that the token is for; null: any. */
  readonly serverId: string | null;
  /** What the token narrows its owner to; null: nothing narrowed. */
  readonly permissions: readonly string[] | null;
  /** ms since the epoch; null: never */
  readonly expiresAt: number | null;
  readonly jti: string | null;
}

/** Issuer and subject of the verified token; null for nobody in particular. They outlive a token's renewal. */
export function tokenOf(
  { kind, issuer, subject }: Principal,
): { readonly issuer: string; readonly subject: string } | null {
  return kind === "anonymous" ? null : { issuer: issuer ?? "", subject };
}
