// `sluice token`: mints a bearer token with the claims that ContextForge's token utility writes.

import { type JWTPayload, SignJWT } from "jose";
import type { Config } from "../config/schema.ts";
import { loadProcessConfig } from "../config/load.ts";
import { loadOrCreateSecrets } from "../store/secrets.ts";
import type { TokenArgs } from "./command_line/flags.ts";

/** Prints the token, and nothing else, on stdout. @returns the exit code */
export async function token(args: TokenArgs): Promise<number> {
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  const secret = args.secret ?? config.jwtSecretKey ??
    (await loadOrCreateSecrets(config.databaseUrl, { warn: (message) => console.error(message) }))
      .jwtSecretKey;
  if (args.expMinutes === 0) {
    console.error(
      config.requireTokenExpiration
        ? "Warning: this gateway refuses tokens without expiry (REQUIRE_TOKEN_EXPIRATION=false would take them)."
        : "Warning: the token never expires.",
    );
  }
  const claims = tokenClaims(args, config, { nowMs: Date.now(), jti: crypto.randomUUID() });
  console.log(await mintToken(claims, secret, config.jwtAlgorithm));
  return 0;
}

/** What the token says. `teams: null` with `is_admin` sees everything, `teams: []` sees what is public. */
export function tokenClaims(
  args: TokenArgs,
  config: Pick<Config, "jwtIssuer" | "jwtAudience" | "platformAdminEmail">,
  { nowMs, jti }: { nowMs: number; jti: string },
): JWTPayload {
  const email = args.username ?? config.platformAdminEmail;
  const iat = Math.floor(nowMs / 1000);
  return {
    sub: email,
    iat,
    iss: config.jwtIssuer,
    aud: config.jwtAudience,
    jti,
    ...(args.expMinutes > 0 ? { exp: iat + args.expMinutes * 60 } : {}),
    teams: args.teams ?? (args.admin ? null : []),
    is_admin: args.admin,
    user: { email, full_name: "CLI User", is_admin: args.admin, auth_provider: "cli" },
  };
}

/** Signs `claims` with the HMAC `algorithm` (HS256, HS384, HS512). */
export function mintToken(claims: JWTPayload, secret: string, algorithm: string): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, typ: "JWT" })
    .sign(new TextEncoder().encode(secret));
}
