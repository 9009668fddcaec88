// Makes single sign-on from the settings.
import { BUILT_IN_ROLES } from "../../../auth/permission_table.ts";
import type { LoginTokens } from "../../../auth/logins/login_tokens.ts";
import { SsoAccounts } from "../../../auth/sso/sso_accounts.ts";
import { PendingLogins } from "../../../auth/sso/pending_login.ts";
import { ProviderClient } from "../../../auth/sso/provider.ts";
import { SingleSignOn } from "../../../auth/sso/single_sign_on.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Config } from "../../../config/schema.ts";
import { ssoProvidersOf } from "../../../config/sso_providers.ts";
import type { Registry } from "../../../store/registry/registry.ts";
import type { SecretBox } from "../../../store/secret_box.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Count, Metrics } from "../../../telemetry/metrics.ts";
import type { Outbound } from "../outbound.ts";
import { boundedExchange } from "./bounded_exchange.ts";

export interface SsoPartsDeps {
  readonly outbound: Pick<Outbound, "client" | "check">;
  readonly registry: Registry;
  readonly secretBox: SecretBox;
  readonly tokens: LoginTokens;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly countKeysRead: Count;
  readonly catalogChanged: () => Promise<void>;
}

/** null: SSO_ENABLED=false. */
export function ssoParts(config: Config, deps: SsoPartsDeps): SingleSignOn | null {
  if (!config.ssoEnabled) return null;
  const { outbound, registry, secretBox, tokens, clock, log, metrics, countKeysRead, catalogChanged } = deps;
  const timeoutMs = config.ssoLoginTimeoutMs;
  const request = { outbound, clock, timeoutMs: config.ssoRequestTimeoutMs, setting: "SSO_REQUEST_TIMEOUT" };
  return new SingleSignOn({
    clients: ssoProvidersOf(config).providers.map((provider) =>
      new ProviderClient({
        ...{ provider, clock, log },
        send: (asked) => boundedExchange(asked, request),
        countKeysRead: (outcome) => countKeysRead(provider.issuer, outcome),
        ttlMs: config.jwksCacheTtlMs,
        graceMs: config.jwksGraceMs,
      })
    ),
    accounts: new SsoAccounts({
      store: registry,
      log,
      builtInRoles: new Set(Object.keys(BUILT_IN_ROLES)),
      platformAdminEmail: config.platformAdminEmail,
      requireApproval: config.ssoRequireAdminApproval,
      limitsOf: (maxMembers) => ({
        members: maxMembers ?? config.maxMembersPerTeam,
        teams: config.maxTeamsPerUser,
      }),
    }),
    pending: new PendingLogins({ secretBox, clock, timeoutMs }),
    ...{ tokens, store: registry, secretBox, clock, timeoutMs, changed: catalogChanged },
    countSignIn: metrics.counter("sluice_sso_sign_ins_total"),
    countLogout: metrics.counter("sluice_sso_logouts_total"),
  });
}
