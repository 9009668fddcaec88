// Makes the token verifier from the settings.
import { foreignPrincipalOf } from "../../auth/foreign_claims.ts";
import { type ApiTokenCaller, type Issuer, JwtVerifier, ownIssuer } from "../../auth/jwt.ts";
import { IssuerKeys } from "../../auth/keys/issuer_keys.ts";
import type { OwnKeys } from "../../auth/keys/own_keys.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Count } from "../../telemetry/metrics.ts";
import type { Outbound } from "./outbound.ts";
import { boundedExchange } from "./sign_in/bounded_exchange.ts";

/** The issuers of JWT_ISSUERS and API tokens are for workers: commands make and check own tokens only. */
export function verifierOf(
  config: Config,
  tokenKeys: OwnKeys,
  { foreign = [], accessTokens = null, apiTokenCaller }: {
    readonly foreign?: readonly Issuer[];
    /** null: access tokens of OAuth clients are refused. */
    readonly accessTokens?: Issuer | null;
    readonly apiTokenCaller?: ApiTokenCaller;
  } = {},
): (token: string) => Promise<Principal> {
  const own = ownIssuer(tokenKeys, {
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    platformAdminEmail: config.platformAdminEmail,
    environment: config.validateTokenEnvironment ? config.environment : null,
    apiTokenCaller,
  });
  const { requireTokenExpiration: requireExpiration, requireJti } = config;
  const verifier = new JwtVerifier(own, { requireExpiration, requireJti }, foreign, accessTokens);
  return (token: string) => verifier.verify(token);
}

export interface ForeignIssuerDeps {
  readonly outbound: Pick<Outbound, "client" | "check">;
  readonly clock: Clock;
  readonly log: Log;
  readonly countKeysRead: Count;
}

/** The issuers of JWT_ISSUERS. Their keys are read at once, so that a wrong address shows in the log of the start. */
export function foreignIssuers(
  config: Config,
  { outbound, clock, log, countKeysRead }: ForeignIssuerDeps,
): Issuer[] {
  return config.jwtIssuers.map((rules) => {
    const { issuer, algorithms, audience } = rules;
    const keys = new IssuerKeys({
      ...{ issuer, algorithms, clock, log },
      read: () => readText(new URL(rules.jwks_uri), config.jwksTimeoutMs, { outbound, clock }),
      count: (outcome) => countKeysRead(issuer, outcome),
      ttlMs: config.jwksCacheTtlMs,
      graceMs: config.jwksGraceMs,
    });
    void keys.refresh();
    return {
      ...{ issuer, algorithms, audience, keysFor: keys.keysFor, requireJti: rules.require_jti },
      principalOf: (claims, subject) => foreignPrincipalOf(claims, subject, rules),
    };
  });
}

async function readText(
  url: URL,
  timeoutMs: number,
  { outbound, clock }: Pick<ForeignIssuerDeps, "outbound" | "clock">,
): Promise<string> {
  const asked = { method: "GET", url, headers: [["accept", "application/json"]] } as const;
  const { status, text } = await boundedExchange(asked, {
    outbound,
    clock,
    timeoutMs,
    setting: "JWKS_TIMEOUT",
  });
  if (status === 200) return text;
  throw new Error(`${url.host} answered HTTP ${status}; only 200 is taken, and no redirect is followed`);
}
