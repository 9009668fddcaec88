// The claims of bearer tokens, as ContextForge's token utility writes them.

import type { JWTPayload } from "jose";
import type { Config } from "../../config/schema.ts";
import type { TokenArgs } from "../commands/command_arguments.ts";

/** The claims of a token, as flags give them; the limits may be left out. */
export type TokenGrants =
  & Pick<TokenArgs, "username" | "expMinutes" | "admin" | "teams">
  & Partial<Pick<TokenArgs, "name" | "server" | "permissions">>;

/** The claims to sign. `teams: null` with `is_admin` opens every entry, `teams: []` public entries only. */
export function tokenClaims(
  args: TokenGrants,
  config: Pick<Config, "jwtIssuer" | "jwtAudience" | "platformAdminEmail">,
  { nowMs, jti }: { nowMs: number; jti: string },
): JWTPayload {
  const { name = null, server = null, permissions = null, admin, expMinutes } = args;
  const email = args.username ?? config.platformAdminEmail;
  const iat = Math.floor(nowMs / 1000);
  const isLimited = server !== null || permissions !== null;
  return {
    sub: email,
    iat,
    iss: config.jwtIssuer,
    aud: config.jwtAudience,
    jti,
    ...(expMinutes > 0 ? { exp: iat + expMinutes * 60 } : {}),
    teams: args.teams === "all" ? null : args.teams ?? (admin ? null : []),
    ...(isLimited ? { scopes: { server_id: server, permissions: permissions ?? [] } } : {}),
    is_admin: admin,
    user: { email, full_name: name ?? "CLI User", is_admin: admin, auth_provider: "cli" },
  };
}
