// Makes the authorization server from the settings.
import { accessTokenIssuer, AccessTokens } from "../../../auth/oauth/access_tokens.ts";
import { AuthorizationServer } from "../../../auth/oauth/authorization_server.ts";
import { ClientDocuments } from "../../../auth/oauth/clients/client_documents.ts";
import { Clients } from "../../../auth/oauth/clients/known_clients.ts";
import { register } from "../../../auth/oauth/clients/register_client.ts";
import { Consents } from "../../../auth/oauth/consents.ts";
import { DeviceLogins } from "../../../auth/oauth/device_logins.ts";
import { OAuthFault } from "../../../auth/oauth/oauth_fault.ts";
import { RequestLimits } from "../../../auth/oauth/request_limits.ts";
import { revokeToken } from "../../../auth/oauth/revocation.ts";
import { Tokens } from "../../../auth/oauth/tokens.ts";
import type { Issuer } from "../../../auth/jwt.ts";
import type { GatewaySecrets } from "../../../auth/keys/gateway_secrets.ts";
import type { People } from "../../../auth/people.ts";
import type { Principal } from "../../../auth/principal.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Cache } from "../../../cache/cache.ts";
import type { Config } from "../../../config/schema.ts";
import type { Registry } from "../../../store/registry/registry.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";
import type { Outbound } from "../outbound.ts";
import { boundedExchange } from "./bounded_exchange.ts";

export interface OAuthPartsDeps {
  readonly secrets: GatewaySecrets;
  readonly registry: Registry;
  readonly outbound: Pick<Outbound, "client" | "check">;
  /** Shared by the workers, if the settings share records at all. */
  readonly records: Cache;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly people: () => People;
  readonly verify: (token: string) => Promise<Principal>;
  readonly catalogChanged: () => Promise<void>;
}

export interface OAuthParts {
  readonly server: AuthorizationServer;
  /** Ends the access tokens of grants, in all workers and replicas. */
  readonly endGrants: EndGrants;
}

export type EndGrants = (
  grantIds: readonly string[],
  why: { readonly revokedBy: string | null; readonly reason: string },
) => Promise<void>;

const DAY_MS = 86_400_000;

/** Metadata of a client come while its user waits for the page. */
const DOCUMENT_TIMEOUT_MS = 5_000;

/** Verifies access tokens; null: OAUTH_AUTHORIZATION_SERVER=off. */
export function accessTokensOf(config: Config, { tokenKeys }: GatewaySecrets): Issuer | null {
  return config.oauthAuthorizationServer === "off" ? null : accessTokenIssuer(tokenKeys, config.jwtIssuer);
}

export function oauthParts(config: Config, deps: OAuthPartsDeps): OAuthParts {
  const { secrets, registry, outbound, records, clock, log, metrics, people, verify, catalogChanged } = deps;
  const { oauth: store } = registry;
  const ttlMs = config.oauthClientTtlDays * DAY_MS;
  const countDocument = metrics.counter("sluice_oauth_client_documents_total");
  const countRegistration = metrics.counter("sluice_oauth_registrations_total");
  const countLimited = metrics.counter("sluice_oauth_limited_total");
  const clients = new Clients({
    registered: store.clients,
    documents: !config.oauthClientMetadataDocuments ? null : new ClientDocuments({
      read: (url) =>
        boundedExchange({ method: "GET", url, headers: [["accept", "application/json"]] }, {
          ...{ outbound, clock, timeoutMs: DOCUMENT_TIMEOUT_MS, setting: "its client has to answer sooner" },
        }),
      clock,
      count: countDocument,
    }),
  });
  const endGrants: EndGrants = async (grantIds, why) => {
    const expiresAt = clock.now() + config.oauthAccessTokenTtlMs;
    for (const jti of grantIds) await registry.revokedTokens.revoke({ ...why, jti, expiresAt });
    if (grantIds.length > 0) await catalogChanged();
  };
  const revoke = (grantIds: readonly string[], reason: string) =>
    endGrants(grantIds, { revokedBy: null, reason });
  const tokens = new Tokens({
    ...{ clients, store, clock, revoke },
    accessTokens: new AccessTokens({
      keys: secrets.tokenKeys,
      clock,
      ttlMs: config.oauthAccessTokenTtlMs,
    }),
    refreshTtlMs: config.oauthRefreshTokenTtlMs,
    clientTtlMs: ttlMs,
    count: metrics.counter("sluice_oauth_tokens_total"),
    onReuse: (what, { consent, holder }) =>
      log.warning(`a ${what} of an OAuth client was used again; its login has ended`, {
        client: consent.clientName,
        clientId: consent.clientId,
        email: holder.email,
      }),
  });
  const isPossible = () => config.oauthAuthorizationServer === "on" || config.ssoEnabled || people().hasUsers;
  const count = metrics.counter("sluice_oauth_authorizations_total");
  const consents = new Consents({
    ...{ clients, store, users: registry.people.users, clock, clientTtlMs: ttlMs, count },
    maxPerUser: config.oauthMaxApplicationsPerUser,
  });
  const server = new AuthorizationServer({
    isOn: () => config.oauthAuthorizationServer !== "off" && isPossible(),
    keys: secrets.tokenKeys,
    rules: {
      takesRegistrations: config.oauthDynamicRegistration,
      takesDocuments: config.oauthClientMetadataDocuments,
      algorithm: secrets.tokenKeys.algorithm,
    },
    limits: new RequestLimits({
      ...{ counters: records, clock, onLimited: countLimited },
      requestsPerMinute: config.oauthRequestsPerMinute,
      registrationsPerHour: config.oauthRegistrationsPerHour,
    }),
    consents,
    devices: new DeviceLogins({ clients, devices: store.devices, consents, clock, count }),
    answerToken: (request) => tokens.answer(request),
    register: async (metadata) => {
      try {
        if (!config.oauthDynamicRegistration) throw REGISTRATION_OFF;
        const client = await register(metadata, {
          ...{ clients: store.clients, clock, ttlMs, maxClients: config.oauthMaxClients },
        });
        countRegistration("success");
        return client;
      } catch (error) {
        countRegistration(error instanceof OAuthFault ? "refused" : "failed");
        throw error;
      }
    },
    revoke: (form, client) => revokeToken(form, client, { clients, store, verify, revoke }),
  });
  return { server, endGrants };
}

const REGISTRATION_OFF = new OAuthFault(
  "invalid_client_metadata",
  "clients cannot register themselves here (OAUTH_DYNAMIC_REGISTRATION); use a client whose id is the address of its metadata, " +
    "or a token in the Authorization header",
  403,
);
