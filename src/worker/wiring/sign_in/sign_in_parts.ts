// Makes the sign-in of people at identity providers, of OAuth clients at this gateway, and of people at upstreams, with the endpoints that
// serve it.
import { Connecting } from "../../../admin/connections/connecting.ts";
import type { LoginAttempts } from "../../../auth/logins/login_attempts.ts";
import type { LoginTokens } from "../../../auth/logins/login_tokens.ts";
import { MCP_SCOPES } from "../../../auth/oauth/scopes.ts";
import type { Principal } from "../../../auth/principal.ts";
import type { SingleSignOn } from "../../../auth/sso/single_sign_on.ts";
import type { TrustedProxies } from "../../../base/egress/trusted_proxies.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Cache } from "../../../cache/cache.ts";
import type { CatalogSync } from "../../../catalog/catalog_sync.ts";
import type { LiveCatalog } from "../../../catalog/live_catalog.ts";
import type { Config } from "../../../config/schema.ts";
import type { PublicPrefix } from "../../../downstream/duplex/public_prefix.ts";
import { bodyReader, type ReadBody } from "../../../http/body.ts";
import type { Endpoint, ServedInfo } from "../../../http/handler.ts";
import { ProtectedResources } from "../../../http/protected_resources.ts";
import type { GatewaySecrets } from "../../../auth/keys/gateway_secrets.ts";
import type { AuditTrail } from "../../../store/audit/audit_trail.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";
import { ClientMetadataEndpoint, isClientMetadataPath } from "../../../ui/connections/own_client_metadata.ts";
import { OAuthEndpoint } from "../../../ui/oauth/oauth_endpoint.ts";
import { isResourceMetadataPath, ResourceMetadataEndpoint } from "../../../ui/oauth/resource_metadata.ts";
import { PublicBase } from "../../../ui/sso/public_base.ts";
import { SsoEndpoint } from "../../../ui/sso/sso_endpoint.ts";
import { isSsoPath } from "../../../ui/sso/sso_paths.ts";
import type { ApiTokenParts } from "../parts/api_token_parts.ts";
import type { Store } from "../open_store.ts";
import type { Outbound } from "../outbound.ts";
import { foreignIssuers, verifierOf } from "../token_verifier.ts";
import { accessTokensOf, type OAuthParts, oauthParts } from "./oauth_parts.ts";
import { ssoParts } from "./sso_parts.ts";

export interface SignInDeps {
  readonly secrets: GatewaySecrets;
  readonly store: Store;
  readonly outbound: Outbound;
  /** Shared by the workers. */
  readonly records: Cache;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly catalog: LiveCatalog;
  readonly sync: CatalogSync;
  readonly catalogChanged: () => Promise<void>;
  readonly apiTokens: Pick<ApiTokenParts, "callerOf">;
  /** Makes the tokens of sign-ins. */
  readonly tokens: LoginTokens;
  readonly attempts: LoginAttempts;
  /** null: AUDIT_TRAIL_ENABLED=false. */
  readonly auditTrail: AuditTrail | null;
  readonly trustedProxies: TrustedProxies;
  readonly publicPrefix: PublicPrefix;
  /** The address of the client, also behind trusted proxies. */
  readonly clientOf: (headers: Headers, info: ServedInfo) => string;
  readonly readForm: ReadBody;
}

export interface SignInParts {
  /** Verifies tokens of this gateway and of the issuers that it trusts. */
  readonly verify: (token: string) => Promise<Principal>;
  /** null: SSO_ENABLED=false. */
  readonly sso: SingleSignOn | null;
  readonly oauth: OAuthParts;
  readonly connecting: Connecting;
  /** The gateway's address as its clients see it. */
  readonly base: PublicBase;
  readonly resources: ProtectedResources;
  /** null: the path has none of these endpoints. */
  readonly route: (path: string) => Endpoint | null;
}

/** Metadata of clients, and what a token request has, are a few hundred characters. */
const OAUTH_BODY = { maxBytes: 20_000 };

export function signInParts(config: Config, deps: SignInDeps): SignInParts {
  const { secrets, outbound, records, clock, log, metrics, catalog, catalogChanged, clientOf } = deps;
  const { store: { registry, secretBox }, tokens, attempts, auditTrail, readForm } = deps;
  const people = () => catalog.now.people;
  const countKeysRead = metrics.counter("sluice_token_keys_reads_total");
  const sso = ssoParts(config, {
    ...{ outbound, registry, secretBox, tokens, clock, log, metrics, countKeysRead, catalogChanged },
  });
  const verify = verifierOf(config, secrets.tokenKeys, {
    foreign: foreignIssuers(config, { outbound, clock, log, countKeysRead }),
    accessTokens: accessTokensOf(config, secrets),
    apiTokenCaller: deps.apiTokens.callerOf,
  });
  const oauth = oauthParts(config, {
    ...{ secrets, registry, outbound, records, clock, log, metrics, verify, catalogChanged, people },
  });
  const connecting = new Connecting({
    ...{ store: registry, targetOf: outbound.connectTargetOf, catalogChanged },
    flow: outbound.loginFlow!,
    catalog: () => catalog.now,
    refresh: (gatewayId) => deps.sync.refresh(gatewayId),
  });
  const base = new PublicBase({
    configured: config.gatewayPublicUrl,
    trustedProxies: deps.trustedProxies,
    prefixOf: (headers, from) => deps.publicPrefix.of(headers, from),
  });
  const { httpBodyTimeoutMs: timeoutMs, appRootPath: rootPath } = config;
  const oauthEndpoint = new OAuthEndpoint({
    ...{ server: oauth.server, base, clientOf, rootPath },
    readForm: bodyReader({ ...OAUTH_BODY, timeoutMs, mediaType: "application/x-www-form-urlencoded" }, clock),
    readJson: bodyReader({ ...OAUTH_BODY, timeoutMs }, clock),
  });
  const ssoEndpoint = new SsoEndpoint({
    ...{ sso, base, attempts, readForm, clientOf, auditTrail, now: () => new Date() },
  });
  const foreign = config.jwtIssuers.filter((each) => each.authorization_server);
  const foreignServers = foreign.map(({ issuer }) => issuer);
  // Scopes of the gateway mean nothing to other issuers, and some refuse what they do not know.
  const foreignScopes = [...new Set(foreign.flatMap(({ scopes }) => scopes))];
  const resources = new ProtectedResources({
    baseOf: (request, from) => base.of(request, from),
    authorizationServers: (issuer) => [...(oauth.server.isOn ? [issuer] : []), ...foreignServers],
    scopes: () => oauth.server.isOn ? MCP_SCOPES : foreignScopes,
  });
  const resourceMetadata = new ResourceMetadataEndpoint(resources, rootPath);
  const clientMetadata = new ClientMetadataEndpoint(base);
  const route = (path: string): Endpoint | null => {
    if (isResourceMetadataPath(path)) return resourceMetadata;
    if (isSsoPath(path)) return ssoEndpoint;
    if (isClientMetadataPath(path)) return clientMetadata;
    return oauthEndpoint.route(path);
  };
  return { verify, sso, oauth, connecting, base, resources, route };
}
