// Makes the token verifier from the settings.
import { JwtVerifier } from "../../auth/jwt.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Config } from "../../config/schema.ts";
import type { Secrets } from "../../store/secrets.ts";

export function verifierOf(
  config: Config,
  secrets: Pick<Secrets, "jwtSecretKey">,
): (token: string) => Promise<Principal> {
  const verifier = new JwtVerifier({
    secret: secrets.jwtSecretKey,
    algorithm: config.jwtAlgorithm,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    requireExpiration: config.requireTokenExpiration,
    requireJti: config.requireJti,
    platformAdminEmail: config.platformAdminEmail,
  });
  return (token: string) => verifier.verify(token);
}
