// Makes the token verifier from the settings.
import { foreignPrincipalOf } from "../../auth/foreign_claims.ts";
import { type Issuer, JwtVerifier, ownIssuer } from "../../auth/jwt.ts";
import { IssuerKeys } from "../../auth/keys/issuer_keys.ts";
import type { OwnKeys } from "../../auth/keys/own_keys.ts";
import type { Principal } from "../../auth/principal.ts";
import { Cancellation, unlessAborted } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { isError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Outbound } from "./outbound.ts";

/** @param foreign the issuers of JWT_ISSUERS, for a worker; commands make and check own tokens only */
export function verifierOf(
  config: Config,
  tokenKeys: OwnKeys,
  foreign: readonly Issuer[] = [],
): (token: string) => Promise<Principal> {
  const own = ownIssuer(tokenKeys, {
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    platformAdminEmail: config.platformAdminEmail,
    environment: config.validateTokenEnvironment ? config.environment : null,
  });
  const { requireTokenExpiration: requireExpiration, requireJti } = config;
  const verifier = new JwtVerifier(own, { requireExpiration, requireJti }, foreign);
  return (token: string) => verifier.verify(token);
}

export interface ForeignIssuerDeps {
  readonly outbound: Pick<Outbound, "client" | "check">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Providers answer with 1 to 20 KiB. */
const MAX_KEY_SET_BYTES = 256 * 1024;

/** The issuers of JWT_ISSUERS. Their keys are read at once, so that a wrong address shows in the log of the start. */
export function foreignIssuers(
  config: Config,
  { outbound, clock, log, metrics }: ForeignIssuerDeps,
): Issuer[] {
  const countRead = metrics.counter("sluice_token_keys_reads_total");
  return config.jwtIssuers.map((rules) => {
    const { issuer, algorithms, audience } = rules;
    const keys = new IssuerKeys({
      ...{ issuer, algorithms, clock, log },
      read: () => readText(new URL(rules.jwks_uri), config.jwksTimeoutMs, { outbound, clock }),
      count: (outcome) => countRead(issuer, outcome),
      ttlMs: config.jwksCacheTtlMs,
      graceMs: config.jwksGraceMs,
    });
    void keys.refresh();
    return {
      ...{ issuer, algorithms, audience, keysFor: keys.keysFor },
      principalOf: (claims, subject) => foreignPrincipalOf(claims, subject, rules),
    };
  });
}

/** The catalogue's text names a setting that has no effect here. */
function asTooLarge(error: unknown): never {
  if (!isError(error, "UPSTREAM_RESPONSE_TOO_LARGE")) throw error;
  throw new Error(`the answer is larger than ${MAX_KEY_SET_BYTES} bytes`, { cause: error });
}

/** The egress check and the address check of the connection hold as for upstreams. Redirects are not followed. */
async function readText(
  url: URL,
  timeoutMs: number,
  { outbound, clock }: Pick<ForeignIssuerDeps, "outbound" | "clock">,
): Promise<string> {
  const signal = new Cancellation();
  const timer = clock.setTimeout(
    () => signal.cancel(new Error(`no answer within ${timeoutMs} ms (JWKS_TIMEOUT)`)),
    timeoutMs,
  );
  const read = async () => {
    await outbound.check(url);
    const headers = [["accept", "application/json"]] as const;
    const response = await outbound.client.send({ method: "GET", url, headers, signal, upstream: url.host });
    if (response.status === 200) return await response.text(MAX_KEY_SET_BYTES).catch(asTooLarge);
    response.discard();
    throw new Error(
      `${url.host} answered HTTP ${response.status}; only 200 is taken, and no redirect is followed`,
    );
  };
  try {
    return await unlessAborted(read(), signal);
  } finally {
    clock.clearTimeout(timer);
  }
}
