// The identity providers of single sign-on, as one list: those of SSO_PROVIDERS, and one for each of ContextForge's names that is
// switched on. Imports types only, so that workers load no zod.
import type { Config } from "./schema.ts";
import type { GroupMapping } from "./settings/sso/group_mapping.ts";
import type { SsoProviderEntry } from "./settings/sso/provider_settings.ts";

/** Plain data. */
export interface SsoProvider extends GroupMapping {
  readonly id: string;
  readonly display_name: string;
  readonly issuer: string;
  readonly client_id: string;
  /** null: the gateway is a public client, which PKCE alone protects. */
  readonly client_secret: string | null;
  /** null: as the provider's metadata says. */
  readonly client_auth: "basic" | "post" | null;
  readonly scope: string;
  /** In place of the provider's metadata. */
  readonly endpoints: ProviderEndpoints;
  readonly post_logout_redirect_uri: string | null;
  readonly algorithms: readonly string[];
  readonly allow_http: boolean;
  readonly email_claim: string;
  readonly trust_email: boolean;
  /** In lower case. */
  readonly admin_domains: readonly string[];
  readonly default_role: string | null;
  readonly create_users: boolean;
  /** In lower case; none: every domain. */
  readonly trusted_domains: readonly string[];
  readonly link_accounts: boolean;
}

export interface ProviderEndpoints {
  readonly authorization_endpoint?: string;
  readonly token_endpoint?: string;
  readonly jwks_uri?: string;
  readonly userinfo_endpoint?: string;
  readonly end_session_endpoint?: string;
}

export interface SsoProviders {
  /** Empty without SSO_ENABLED. */
  readonly providers: readonly SsoProvider[];
  /** Sentences for the operator; the gateway does not start. */
  readonly mistakes: readonly string[];
  readonly warnings: readonly string[];
}

/** Entra's names for many tenants at once. The issuer of their tokens is not known beforehand. */
const MANY_TENANTS = ["common", "organizations", "consumers"];

export function ssoProvidersOf(config: Config): SsoProviders {
  if (!config.ssoEnabled) return { providers: [], mistakes: [], warnings: [] };
  const mistakes: string[] = [];
  const entries = [
    ...config.ssoProviders,
    ...NAMED.flatMap(({ prefix, isOn, needs, entryOf }) => {
      if (!isOn(config)) return [];
      const missing = Object.entries(needs(config)).filter(([, value]) => value === null).map(([name]) =>
        name
      );
      if (missing.length === 0) return [entryOf(config)];
      mistakes.push(`${prefix}_ENABLED=true needs ${missing.join(" and ")}`);
      return [];
    }),
  ];
  const providers = entries.map((entry) => completed(entry, config));
  const ids = providers.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) {
    mistakes.push(`Two providers of single sign-on have the id ${twice}; give one of them another id`);
  }
  for (const provider of providers) {
    const plain = addressesOf(provider).find((each) => !/^https:/i.test(each));
    if (plain !== undefined && !provider.allow_http) {
      mistakes.push(
        `SSO_PROVIDERS: ${provider.id} has the address ${plain} without https; "allow_http": true would allow it`,
      );
    }
  }
  const tenant = config.ssoEntraTenantId;
  if (config.ssoEntraEnabled && tenant !== null && MANY_TENANTS.includes(tenant.toLowerCase())) {
    mistakes.push(
      `SSO_ENTRA_TENANT_ID=${tenant} stands for many tenants; give the id of one tenant, so that its tokens can be told from others`,
    );
  }
  return { providers, mistakes, warnings: warningsOf(providers, mistakes) };
}

function warningsOf(providers: readonly SsoProvider[], mistakes: readonly string[]): string[] {
  if (providers.length === 0 && mistakes.length === 0) {
    return [
      "SSO_ENABLED=true without a provider: nobody can sign in there. Set SSO_PROVIDERS, or one of SSO_GENERIC_ENABLED, " +
      "SSO_KEYCLOAK_ENABLED, SSO_ENTRA_ENABLED, SSO_OKTA_ENABLED, SSO_GOOGLE_ENABLED",
    ];
  }
  return providers.filter((provider) => addressesOf(provider).some((each) => !/^https:/i.test(each)))
    .map(({ id }) =>
      `Single sign-on: ${id} is reached over plain HTTP. Whoever is on the way can sign in as anybody`
    );
}

function addressesOf({ issuer, endpoints }: SsoProvider): string[] {
  return [issuer, ...Object.values(endpoints).filter((each) => each !== undefined)];
}

function completed(entry: SsoProviderEntry, config: Config): SsoProvider {
  const {
    authorization_endpoint,
    token_endpoint,
    jwks_uri,
    userinfo_endpoint,
    end_session_endpoint,
    ...rest
  } = entry;
  return {
    ...rest,
    display_name: entry.display_name ?? entry.id,
    client_secret: entry.client_secret ?? null,
    client_auth: entry.client_auth ?? null,
    post_logout_redirect_uri: entry.post_logout_redirect_uri ?? null,
    endpoints: { authorization_endpoint, token_endpoint, jwks_uri, userinfo_endpoint, end_session_endpoint },
    admin_domains: [...entry.admin_domains, ...config.ssoAutoAdminDomains],
    default_role: entry.default_role ?? null,
    create_users: entry.create_users ?? config.ssoAutoCreateUsers,
    trusted_domains: entry.trusted_domains ?? config.ssoTrustedDomains,
  };
}

interface Named {
  /** Of the settings' names. */
  readonly prefix: string;
  readonly isOn: (config: Config) => boolean;
  /** The settings that it cannot do without. */
  readonly needs: (config: Config) => Readonly<Record<string, string | null>>;
  /** @param config has what `needs` names */
  readonly entryOf: (config: Config) => SsoProviderEntry;
}

const PLAIN = {
  scope: "openid profile email",
  email_claim: "email",
  trust_email: false,
  groups_claim: ["groups"],
  teams: {},
  roles: {},
  admin_groups: [],
  admin_domains: [],
  link_accounts: false,
  algorithms: ["RS256", "PS256", "ES256", "ES384", "EdDSA"] as SsoProviderEntry["algorithms"],
};

const NAMED: readonly Named[] = [
  {
    prefix: "SSO_GENERIC",
    isOn: (config) => config.ssoGenericEnabled,
    needs: (config) => ({
      SSO_GENERIC_PROVIDER_ID: config.ssoGenericProviderId,
      SSO_GENERIC_CLIENT_ID: config.ssoGenericClientId,
      SSO_GENERIC_ISSUER: config.ssoGenericIssuer,
    }),
    entryOf: (config) => ({
      ...PLAIN,
      id: config.ssoGenericProviderId!,
      display_name: config.ssoGenericDisplayName ?? undefined,
      ...clientOf(config.ssoGenericClientId, config.ssoGenericClientSecret),
      ...at(config.ssoGenericIssuer!),
      authorization_endpoint: config.ssoGenericAuthorizationUrl ?? undefined,
      token_endpoint: config.ssoGenericTokenUrl ?? undefined,
      userinfo_endpoint: config.ssoGenericUserinfoUrl ?? undefined,
      jwks_uri: config.ssoGenericJwksUri ?? undefined,
      scope: config.ssoGenericScope,
      groups_claim: [config.ssoGenericGroupsClaim],
      admin_groups: [...config.ssoGenericAdminGroups],
      roles: config.ssoGenericRoleMappings,
      default_role: config.ssoGenericDefaultRole ?? undefined,
    }),
  },
  {
    prefix: "SSO_KEYCLOAK",
    isOn: (config) => config.ssoKeycloakEnabled,
    needs: (config) => ({
      SSO_KEYCLOAK_BASE_URL: config.ssoKeycloakBaseUrl,
      SSO_KEYCLOAK_CLIENT_ID: config.ssoKeycloakClientId,
    }),
    entryOf: keycloakEntry,
  },
  {
    prefix: "SSO_ENTRA",
    isOn: (config) => config.ssoEntraEnabled,
    needs: (config) => ({
      SSO_ENTRA_TENANT_ID: config.ssoEntraTenantId,
      SSO_ENTRA_CLIENT_ID: config.ssoEntraClientId,
    }),
    entryOf: (config) => ({
      ...PLAIN,
      id: "entra",
      display_name: "Microsoft Entra ID",
      ...clientOf(config.ssoEntraClientId, config.ssoEntraClientSecret),
      ...at(`https://login.microsoftonline.com/${config.ssoEntraTenantId}/v2.0`),
      // The user principal name is in a domain that the tenant has proven to own. `email` can be any address, and Entra has no
      // email_verified.
      email_claim: "preferred_username",
      trust_email: true,
      groups_claim: [config.ssoEntraGroupsClaim],
      admin_groups: [...config.ssoEntraAdminGroups],
      roles: config.ssoEntraRoleMappings,
      default_role: config.ssoEntraDefaultRole ?? undefined,
    }),
  },
  {
    prefix: "SSO_OKTA",
    isOn: (config) => config.ssoOktaEnabled,
    needs: (config) => ({
      SSO_OKTA_ISSUER: config.ssoOktaIssuer,
      SSO_OKTA_CLIENT_ID: config.ssoOktaClientId,
    }),
    entryOf: (config) => ({
      ...PLAIN,
      id: "okta",
      display_name: "Okta",
      ...clientOf(config.ssoOktaClientId, config.ssoOktaClientSecret),
      ...at(withPath(config.ssoOktaIssuer!, "/oauth2/default")),
      scope: config.ssoOktaScope,
      teams: config.oktaGroupMapping,
    }),
  },
  {
    prefix: "SSO_GOOGLE",
    isOn: (config) => config.ssoGoogleEnabled,
    needs: (config) => ({ SSO_GOOGLE_CLIENT_ID: config.ssoGoogleClientId }),
    entryOf: (config) => ({
      ...PLAIN,
      id: "google",
      display_name: "Google",
      ...clientOf(config.ssoGoogleClientId, config.ssoGoogleClientSecret),
      ...at("https://accounts.google.com"),
      admin_domains: [...config.ssoGoogleAdminDomains],
    }),
  },
];

function keycloakEntry(config: Config): SsoProviderEntry {
  const { ssoKeycloakBaseUrl, ssoKeycloakPublicBaseUrl, ssoKeycloakRealm, ssoKeycloakClientId } = config;
  const realmAt = (base: string) => `${base.replace(/\/$/, "")}/realms/${ssoKeycloakRealm}`;
  const inside = realmAt(ssoKeycloakBaseUrl!);
  const outside = realmAt(ssoKeycloakPublicBaseUrl ?? ssoKeycloakBaseUrl!);
  const path = "protocol/openid-connect";
  return {
    ...PLAIN,
    id: "keycloak",
    display_name: `Keycloak (${ssoKeycloakRealm})`,
    ...clientOf(ssoKeycloakClientId, config.ssoKeycloakClientSecret),
    ...at(outside),
    allow_http: [inside, outside].some(isPlain),
    // With two addresses, the metadata would name one of them for both sides.
    ...(inside === outside ? {} : {
      authorization_endpoint: `${outside}/${path}/auth`,
      end_session_endpoint: `${outside}/${path}/logout`,
      token_endpoint: `${inside}/${path}/token`,
      userinfo_endpoint: `${inside}/${path}/userinfo`,
      jwks_uri: `${inside}/${path}/certs`,
    }),
    email_claim: config.ssoKeycloakEmailClaim,
    groups_claim: [
      config.ssoKeycloakGroupsClaim,
      ...(config.ssoKeycloakMapRealmRoles ? ["realm_access.roles"] : []),
      ...(config.ssoKeycloakMapClientRoles ? [`resource_access.${ssoKeycloakClientId}.roles`] : []),
    ],
    roles: config.ssoKeycloakRoleMappings,
    default_role: config.ssoKeycloakDefaultRole ?? undefined,
  };
}

function clientOf(id: string | null, secret: string | null) {
  return { client_id: id!, client_secret: secret ?? undefined };
}

/** The operator has written the address, and with it whether it is https. */
function at(issuer: string) {
  return { issuer, allow_http: isPlain(issuer) };
}

function isPlain(address: string): boolean {
  return /^http:/i.test(address);
}

function withPath(address: string, path: string): string {
  return new URL(address).pathname === "/" ? address.replace(/\/$/, "") + path : address;
}
