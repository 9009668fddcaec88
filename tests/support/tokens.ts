// Tokens as ContextForge's own utility mints them, made without the code under test.

import { SignJWT } from "jose";

export interface TokenOptions {
  /** Default: true. */
  readonly admin?: boolean;
  readonly username?: string;
  /** Default: an hour. Negative: a token that has expired. */
  readonly expiresInSeconds?: number;
  /** Added to the claims, or put in place of them. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** An HS256 token with ContextForge's claims, signed with `secret`. */
export function mintToken(secret: string, options: TokenOptions = {}): Promise<string> {
  const { admin = true, username = "admin@example.com", expiresInSeconds = 3_600, claims = {} } = options;
  const nowSeconds = Math.floor(Date.now() / 1_000);
  return new SignJWT({
    sub: username,
    iss: "mcpgateway",
    aud: "mcpgateway-api",
    iat: nowSeconds,
    exp: nowSeconds + expiresInSeconds,
    jti: crypto.randomUUID(),
    teams: admin ? null : [],
    is_admin: admin,
    ...claims,
  }).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(new TextEncoder().encode(secret));
}
