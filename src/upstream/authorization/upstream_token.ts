// A token for an upstream as it is kept, and when it is used, renewed and replaced. Times are in ms since the epoch.
import type { LoginClient } from "./login/login_client.ts";
import type { FoundServer } from "./login_server.ts";

export interface UpstreamToken {
  readonly accessToken: string;
  readonly obtainedAt: number;
  /** null: the authorization server did not say. */
  readonly expiresAt: number | null;
  /** The scopes that were asked for; null: none. */
  readonly scope: string | null;
  readonly found: FoundServer;
  /** Of a login of a person. */
  readonly login?: TokenOfLogin;
}

/** The part of a token that only logins of people have. */
export interface TokenOfLogin {
  /** null: there is none. */
  readonly refreshToken: string | null;
  /** The client that the token was given to. */
  readonly client: LoginClient;
  /** The value of the parameter `resource`; null: the server does not take it. */
  readonly resource: string | null;
}

type Life = Pick<UpstreamToken, "obtainedAt" | "expiresAt">;

/**
 * A token is not sent in the last part of its life, because it has to be valid when the upstream reads it. Authorization servers count
 * in whole seconds (`exp`, RFC 7519, section 4.1.4), so that a token may end 1 s before `expires_in` says.
 */
const LEEWAY_PART = 0.25;
const LEEWAY_MS = 2_000;

/** A token is renewed when this part of its life is left, and at most so long before its end. */
const RENEWAL_PART = 0.2;
const RENEWAL_MS = 60_000;

/** A token that the upstream refuses so soon after it was obtained would be refused again, unless it ends. */
const REFUSED_FRESH_MS = 10_000;

/** May a request be sent with the token? */
export function isUsable({ obtainedAt, expiresAt }: Life, now: number): boolean {
  return expiresAt === null || now < expiresAt - leewayOf(expiresAt - obtainedAt);
}

/** Is the token renewed by now? There is time for that before it can be used no more. */
export function isDue({ obtainedAt, expiresAt }: Life, now: number): boolean {
  if (expiresAt === null) return false;
  const lifeMs = expiresAt - obtainedAt;
  return now >= expiresAt - Math.max(Math.min(RENEWAL_MS, lifeMs * RENEWAL_PART), 2 * leewayOf(lifeMs));
}

/** Is a new token worth a try where the upstream has refused this one? */
export function isReplaceable(token: Life, now: number): boolean {
  return now - token.obtainedAt >= REFUSED_FRESH_MS || isDue(token, now);
}

function leewayOf(lifeMs: number): number {
  return Math.min(LEEWAY_MS, lifeMs * LEEWAY_PART);
}
