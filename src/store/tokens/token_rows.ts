// The rows of API tokens. Times are ms since the epoch, but for `createdAt`, which is ISO 8601 in UTC.
import { Table } from "../sql/table.ts";

/** The `teamId` of a token that sees public entries only. */
export const NO_TEAM = "";

export interface ApiTokenRow {
  /** The claim `jti` of the token. */
  readonly id: string;
  /** The owner. */
  readonly userId: string;
  /** The only team of the owner that the token counts for; null: all of them; NO_TEAM: none. */
  readonly teamId: string | null;
  /** Unique among the tokens of the owner in the team that are not revoked. */
  readonly name: string;
  readonly description: string | null;
  /** SHA-256 of the token, in hex. */
  readonly tokenHash: string;
  readonly serverId: string | null;
  /** Empty: all of the owner's. */
  readonly permissions: readonly string[];
  /** Addresses and networks in CIDR notation; empty: any. */
  readonly ipRestrictions: readonly string[];
  readonly timeRestrictions: Readonly<Record<string, unknown>>;
  readonly usageLimits: Readonly<Record<string, unknown>>;
  readonly tags: readonly unknown[];
  /** A token that is not active is refused, and can be switched on again. */
  readonly isActive: boolean;
  readonly createdAt: string;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  /** An email address; null: the command line, or the token is not revoked. */
  readonly revokedBy: string | null;
  readonly revocationReason: string | null;
  /** Another program has made the token, whose claims would count alone without the row. */
  readonly isImported: boolean;
  /** The version of API tokens that the last write of the row has made. */
  readonly change: number;
}

/** A token with what belongs to other tables. */
export interface ShownToken extends ApiTokenRow {
  /** The email address of the owner. */
  readonly email: string;
  /** Earlier tokens of the owner are refused; null: none are. */
  readonly tokensValidFrom: number | null;
  readonly lastUsed: number | null;
}

/** What the gateway does with a token on one day (UTC), at one endpoint. */
export interface TokenDay {
  /** Days since the epoch. */
  readonly day: number;
  readonly endpoint: string;
  /** All requests, also those that the token's limits refused. */
  readonly requests: number;
  readonly refused: number;
  /** Answers with an HTTP status of 400 or more that the token's limits did not cause. */
  readonly failed: number;
  /** Of all answers together. */
  readonly ms: number;
}

export const API_TOKENS = new Table<ApiTokenRow>("api_tokens", {
  id: "text",
  userId: "text",
  teamId: "text",
  name: "text",
  description: "text",
  tokenHash: "text",
  serverId: "text",
  permissions: "json",
  ipRestrictions: "json",
  timeRestrictions: "json",
  usageLimits: "json",
  tags: "json",
  isActive: "boolean",
  createdAt: "text",
  expiresAt: "integer",
  revokedAt: "integer",
  revokedBy: "text",
  revocationReason: "text",
  isImported: "boolean",
  change: "integer",
});
