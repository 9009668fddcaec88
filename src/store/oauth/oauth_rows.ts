// The rows of the authorization server. Hashes are SHA-256 in hex. Times that are compared are ms since the epoch, others are ISO 8601
// in UTC.
import { Table } from "../sql/table.ts";

/** A client that has registered itself (RFC 7591). */
export interface ClientRow {
  readonly id: string;
  readonly name: string;
  /** The client's web page; null: none. */
  readonly uri: string | null;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  /** null: a public client. */
  readonly secretHash: string | null;
  /** Somebody has allowed the client something. */
  readonly isUsed: boolean;
  readonly createdAt: string;
  readonly expiresAt: number;
}

/** What a user has allowed a client at a resource. */
export interface ConsentRow {
  readonly id: string;
  readonly userId: string;
  readonly clientId: string;
  readonly clientName: string;
  /** The host that the client's metadata document comes from; null: the client has registered itself. */
  readonly clientHost: string | null;
  /** The address of the resource. */
  readonly resource: string;
  readonly scope: string;
  readonly createdAt: string;
  /** When an access token was last issued. */
  readonly usedAt: string | null;
}

export interface CodeRow {
  readonly codeHash: string;
  readonly consentId: string;
  readonly issuer: string;
  readonly redirectUri: string;
  /** PKCE with S256. */
  readonly challenge: string;
  readonly scope: string;
  readonly state: "new" | "taken" | "redeemed" | "replayed";
  /** The id that the grant gets or has. */
  readonly grantId: string;
  readonly expiresAt: number;
}

/** A refresh token that has a successor. */
export interface FormerToken {
  readonly hash: string;
  readonly usedAt: number;
  /** The token was never shown: its predecessor was taken once more, and `usedAt` says when. */
  readonly isUnused?: true;
}

/** One login of a client. */
export interface GrantRow {
  readonly id: string;
  readonly consentId: string;
  readonly issuer: string;
  readonly scope: string;
  readonly refreshHash: string;
  /** The newest first. */
  readonly formerTokens: readonly FormerToken[];
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** The login of a terminal (RFC 8628). */
export interface DeviceCodeRow {
  readonly deviceHash: string;
  readonly userCode: string;
  readonly clientId: string;
  readonly issuer: string;
  readonly resource: string;
  readonly scope: string;
  readonly state: "pending" | "allowed" | "denied" | "redeemed";
  /** null until it is allowed. */
  readonly consentId: string | null;
  /** When it was allowed, ms since the epoch; null: it was not, or by a former version. */
  readonly allowedAt: number | null;
  readonly polledAt: number;
  readonly expiresAt: number;
}

/** The user of a consent. */
export interface Holder {
  readonly email: string;
  readonly isActive: boolean;
  readonly tokensValidFrom: number | null;
}

export const CLIENTS = new Table<ClientRow>("oauth_clients", {
  id: "text",
  name: "text",
  uri: "text",
  redirectUris: "json",
  grantTypes: "json",
  secretHash: "text",
  isUsed: "boolean",
  createdAt: "text",
  expiresAt: "integer",
});

export const CONSENTS = new Table<ConsentRow>("oauth_consents", {
  id: "text",
  userId: "text",
  clientId: "text",
  clientName: "text",
  clientHost: "text",
  resource: "text",
  scope: "text",
  createdAt: "text",
  usedAt: "text",
});

export const CODES = new Table<CodeRow>("oauth_codes", {
  codeHash: "text",
  consentId: "text",
  issuer: "text",
  redirectUri: "text",
  challenge: "text",
  scope: "text",
  state: "text",
  grantId: "text",
  expiresAt: "integer",
});

export const GRANTS = new Table<GrantRow>("oauth_grants", {
  id: "text",
  consentId: "text",
  issuer: "text",
  scope: "text",
  refreshHash: "text",
  formerTokens: "json",
  createdAt: "integer",
  expiresAt: "integer",
});

export const DEVICE_CODES = new Table<DeviceCodeRow>("oauth_device_codes", {
  deviceHash: "text",
  userCode: "text",
  clientId: "text",
  issuer: "text",
  resource: "text",
  scope: "text",
  state: "text",
  consentId: "text",
  allowedAt: "integer",
  polledAt: "integer",
  expiresAt: "integer",
});
