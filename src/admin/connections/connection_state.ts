// What state a login of a person at an upstream is in.
import type { ConnectionRow } from "../../store/upstream_tokens/connections.ts";
import type { ConnectTarget } from "../../upstream/authorization/login/login_flow.ts";

export const CONNECTION_STATES = [
  "none",
  "connected",
  "wants_scope",
  "expires_soon",
  "expired",
  "lost",
] as const;

export type ConnectionState = typeof CONNECTION_STATES[number];

/** A login without renewal is in the state `expires_soon` for this time before its end. */
export const SOON_MS = 24 * 3_600_000;

export function needsConnection({ credentials }: ConnectTarget): boolean {
  return credentials.grant === "authorization_code" && credentials.login !== undefined;
}

/** @param row null: there is no login */
export function stateOfConnection(row: ConnectionRow | null, now: number): ConnectionState {
  if (row === null) return "none";
  if (row.fault !== null) return "lost";
  const endsInMs = row.isRenewable || row.expiresAt === null ? Infinity : row.expiresAt - now;
  if (endsInMs <= 0) return "expired";
  if (row.wantedScope !== null) return "wants_scope";
  return endsInMs < SOON_MS ? "expires_soon" : "connected";
}
