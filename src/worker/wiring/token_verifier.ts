// Makes the token verifier from the settings.
import { JwtVerifier, ownIssuer } from "../../auth/jwt.ts";
import type { OwnKeys } from "../../auth/keys/own_keys.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Config } from "../../config/schema.ts";

export function verifierOf(config: Config, tokenKeys: OwnKeys): (token: string) => Promise<Principal> {
  const own = ownIssuer(tokenKeys, {
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    platformAdminEmail: config.platformAdminEmail,
  });
  const verifier = new JwtVerifier(own, {
    requireExpiration: config.requireTokenExpiration,
    requireJti: config.requireJti,
  });
  return (token: string) => verifier.verify(token);
}
