// The rows of users, teams and roles. Times are ISO 8601 strings in UTC; times that are compared are ms since the epoch.
import type { ChangedPeople } from "./people_changes.ts";

export interface UserRow {
  /** 32 hex digits. */
  readonly id: string;
  /** In lower case, unique. */
  readonly email: string;
  readonly fullName: string | null;
  /** In the form of auth/passwords; null: the user cannot log in with a password. */
  readonly passwordHash: string | null;
  readonly isAdmin: boolean;
  /** A user that is not active is refused, whatever the token. */
  readonly isActive: boolean;
  /** The next login must change the password first. */
  readonly passwordChangeRequired: boolean;
  /** Wrong passwords since the last login. */
  readonly failedAttempts: number;
  /** No password is accepted before this time; null: the account is not locked. */
  readonly lockedUntil: number | null;
  /** Tokens that were issued before this time are refused; null: all count. */
  readonly tokensValidFrom: number | null;
  readonly lastLogin: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface TeamRow {
  readonly id: string;
  readonly name: string;
  /** Unique. */
  readonly slug: string;
  readonly description: string | null;
  /** The team of one user. It has no other members, and ends with the user. */
  readonly isPersonal: boolean;
  /** Everybody with a user record can find a public team, and join it. */
  readonly visibility: "private" | "public";
  /** null: MAX_MEMBERS_PER_TEAM. */
  readonly maxMembers: number | null;
  /** An email address. */
  readonly createdBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type TeamRole = "owner" | "member";

export interface MemberRow {
  readonly teamId: string;
  readonly userId: string;
  readonly role: TeamRole;
  readonly joinedAt: string;
  /** `sso:<provider>`: the groups there gave the membership, and a later sign-in can take it; null: a person gave it. */
  readonly source: string | null;
}

export interface InvitationRow {
  readonly id: string;
  readonly teamId: string;
  /** In lower case. */
  readonly email: string;
  readonly role: TeamRole;
  readonly invitedBy: string;
  readonly invitedAt: string;
  readonly expiresAt: number;
  /** SHA-256 of the invitation's token, in hex. */
  readonly tokenHash: string;
}

export interface JoinRequestRow {
  readonly id: string;
  readonly teamId: string;
  readonly userId: string;
  /** For the owners of the team. */
  readonly message: string | null;
  readonly requestedAt: string;
  readonly expiresAt: number;
}

export interface RoleRow {
  readonly id: string;
  /** Unique, also among the built-in roles. */
  readonly name: string;
  readonly description: string;
  readonly scope: "global" | "team" | "server";
  readonly permissions: readonly string[];
  readonly createdBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface AssignmentRow {
  readonly id: string;
  readonly userId: string;
  /** The name of a built-in role, or the id of a custom one. */
  readonly roleId: string;
  readonly scope: "global" | "team" | "server";
  /** The id of the team or virtual server; "" with scope "global". */
  readonly scopeId: string;
  readonly grantedBy: string;
  readonly grantedAt: string;
  /** The role grants nothing from this time on; null: until it is revoked. */
  readonly expiresAt: number | null;
}

/** A session at an identity provider, and the login token that came of it. */
export interface SsoSessionRow {
  /** The id of the login token. */
  readonly jti: string;
  readonly provider: string;
  readonly subject: string;
  /** The provider's id of the session (OpenID Connect Back-Channel Logout 1.0, section 2.1); null: it told none. */
  readonly sid: string | null;
  readonly userId: string;
  /** Sealed; null: it was too long to keep. */
  readonly idToken: string | null;
  /** When the login token expires, ms since the epoch. */
  readonly expiresAt: number;
}

/** What decides who may do what, as workers keep it in memory. No secret is among it. */
export interface PeopleRows {
  readonly version: number;
  /** The rows that have changed since a version that the reader knows: those of these ids. An id without a row was deleted. null: all rows. */
  readonly changed: Required<ChangedPeople> | null;
  readonly users: readonly StandingRow[];
  /** One for each user in teams: the role by team id, as JSON, which is read when the user calls. */
  readonly members: readonly { readonly userId: string; readonly memberships: string }[];
  /** Shared teams. */
  readonly teams: readonly Pick<TeamRow, "id" | "slug">[];
  readonly roles: readonly Pick<RoleRow, "id" | "name" | "permissions">[];
  readonly assignments: readonly Pick<
    AssignmentRow,
    "userId" | "roleId" | "scope" | "scopeId" | "expiresAt"
  >[];
}

export type StandingRow = Pick<UserRow, "id" | "email" | "isAdmin" | "isActive" | "tokensValidFrom">;
