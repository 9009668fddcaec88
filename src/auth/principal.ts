// The caller of a request: the claims of a verified token, or an anonymous caller. Plain data, so that it passes between workers.
import type { KnownVersions } from "../store/sql/catalog_version.ts";
import { type AuditActor, boundedText } from "../store/audit/audit_record.ts";

export interface Principal {
  readonly kind: "user" | "anonymous";
  /** The token's `sub`. */
  readonly subject: string;
  readonly issuer: string | null;
  readonly email: string;
  /** An administrator, with a token that leaves the rights of one: it names no teams. */
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
  /** When the person logged in, ms since the epoch. Only login tokens of this gateway have it, and can be replaced by new ones. */
  readonly loggedInAt?: number;
  /** The id of the user record that a login or an OAuth grant belongs to. A record made anew with the same address has another. */
  readonly recordId?: string;
  /** The row of an API token; null: the token is none, and its claims say all of it. */
  readonly apiToken: ApiToken | null;
  /** The look-up of an API token of another program that found no row, so that the claims count. */
  readonly unrecorded?: Pick<ApiToken, "id" | "readAt">;
  /** When and from where the token may be used, and how often; null: always, from everywhere. */
  readonly limits: TokenLimits | null;
  /** What roles grant, as far as the token goes; null: the caller has no roles, and has what the table of permissions opens. */
  readonly grants: Grants | null;
  /**
   * The teams of the token limit what it shows, and take no right away: it says nothing about teams, or another issuer's groups name
   * them. Teams of any other token are a limit of its rights too.
   */
  readonly teamsLimitSight?: true;
  /** The resource that an OAuth access token of the gateway is for (RFC 8707): an address. Absent: no such token. */
  readonly resource?: string;
  /** Of another issuer's token, if groups mean something there. */
  readonly given?: GivenByToken;
}

/** An API token as it was in the database when the worker read it. */
export interface ApiToken {
  /** The claim `jti` of the token. */
  readonly id: string;
  /** The id of the user record that owns it. */
  readonly ownerId: string;
  /** The only team of the owner that the token counts for; null: all of them. */
  readonly teamId: string | null;
  /** The versions as of which it was read. */
  readonly readAt: KnownVersions;
  /** Why the token is refused; null: it is not. */
  readonly refusal: string | null;
}

export interface TokenLimits {
  /** Networks in CIDR notation, and addresses; null: any. */
  readonly networks: readonly string[] | null;
  readonly times: AllowedTimes | null;
  /** Of API tokens only. */
  readonly usage: UsageLimits | null;
}

/** Times of the week, by the clock of a time zone. */
export interface AllowedTimes {
  /** A name of the IANA time zone database. */
  readonly timeZone: string;
  /** 0 is Sunday. */
  readonly days: readonly number[];
  /** Every one has to contain the time. */
  readonly windows: readonly TimeWindow[];
}

/** Seconds since midnight. The end does not belong to the window; before the start it is on the next day. */
export interface TimeWindow {
  readonly start: number;
  readonly end: number;
}

/** Limits of requests; null: none. */
export interface UsageLimits {
  /** In an hour, by the clock. */
  readonly perHour: number | null;
  /** In a day, by the clock (UTC). */
  readonly perDay: number | null;
  readonly inAll: number | null;
}

/** What the groups of another issuer's token give. */
export interface GivenByToken {
  /** By the groups of administrators. */
  readonly isAdmin: boolean;
  /** Teams by slug or id; `role` is `owner`, `member`, or another role. */
  readonly teams: readonly { readonly team: string; readonly role: string }[];
  /** Names of roles that count everywhere; null: no group of the issuer gives roles. */
  readonly roles: readonly string[] | null;
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
  /** Stays equal while the user record, its memberships and its roles stay as they are; null: there is no user record. */
  readonly standing: string | null;
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
    ...{ apiToken: null, limits: null },
  };
}

/** The caller as the audit trail names it; null: nobody with a valid token. */
export function actorOf({ kind, subject, email, jti }: Principal): AuditActor | null {
  if (kind === "anonymous") return null;
  const tokenId = jti === null ? null : boundedText(jti);
  return { subject: boundedText(subject), email: boundedText(email), tokenId };
}
