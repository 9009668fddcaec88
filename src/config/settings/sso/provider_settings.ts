// Settings of single sign-on: the providers, and ContextForge's names for one provider of each kind. `config/sso_providers.ts` makes
// one list of both.
import * as z from "zod";
import { GROUP_MAPPING, name, TEAM_TARGET } from "./group_mapping.ts";
import { jsonOf } from "./json_text.ts";
import { bool, type Kind, kind, list, seconds, setting, text, type Unit } from "../setting.ts";
import { KEY_PAIR_ALGORITHMS } from "../token_keys.ts";

const address = z.url({ protocol: /^https?$/, error: "must be an https address" });

const PROVIDER = z.strictObject({
  /** In the addresses of the provider's routes. */
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "must be of a-z, 0-9, - and _"),
  display_name: name.optional(),
  issuer: address,
  client_id: name,
  client_secret: z.string().min(1).optional(),
  /** How the secret is sent. Not set: as the provider's metadata says. */
  client_auth: z.enum(["basic", "post"]).optional(),
  scope: name.default("openid profile email"),
  /** In place of the provider's metadata, which are not read if the first three are given. */
  authorization_endpoint: address.optional(),
  token_endpoint: address.optional(),
  jwks_uri: address.optional(),
  userinfo_endpoint: address.optional(),
  end_session_endpoint: address.optional(),
  /** Where the provider sends people after a logout there; it has to know the address. */
  post_logout_redirect_uri: address.optional(),
  algorithms: z.array(z.enum(KEY_PAIR_ALGORITHMS)).min(1).default([...KEY_PAIR_ALGORITHMS]),
  /** The provider may be reached over plain HTTP. */
  allow_http: z.boolean().default(false),
  email_claim: name.default("email"),
  /** The email address counts also without `email_verified`. */
  trust_email: z.boolean().default(false),
  ...GROUP_MAPPING,
  /** Email domains whose users are administrators. */
  admin_domains: z.array(name.toLowerCase()).default([]),
  /** The role of a user whose groups give none. */
  default_role: name.optional(),
  /** Default: SSO_AUTO_CREATE_USERS. */
  create_users: z.boolean().optional(),
  /** Default: SSO_TRUSTED_DOMAINS. */
  trusted_domains: z.array(name.toLowerCase()).optional(),
  /** A verified email address signs in to an account that exists already. */
  link_accounts: z.boolean().default(false),
});

export type SsoProviderEntry = z.infer<typeof PROVIDER>;

const PROVIDERS = jsonOf(
  "a JSON array of providers, each with id, issuer and client_id",
  z.array(PROVIDER).max(20),
);
const TEXTS_BY_GROUP = jsonOf('a JSON object like {"group": "name"}', z.record(z.string(), name));
const TEAMS_BY_GROUP = jsonOf('a JSON object like {"group": "team"}', z.record(z.string(), TEAM_TARGET));

const groups = () => list("groups", (item) => item);
const domains = () =>
  list(
    "email domains",
    (item) => /^[^\s@]+$/.test(item) ? item.toLowerCase().replace(/^@/, "") : undefined,
  );
const url = () =>
  kind(null, "an http or https address", (given) => /^https?:\/\/[^/\s]+/.test(given) ? given : undefined);
const word = () => text("a text", /./);

/** A row of this table. All are the same for every replica, and can be loaded again. */
function row<const Name extends string, K extends Kind<unknown, Unit>, const Default extends string | null>(
  name: Name,
  kind: K,
  preset: Default,
  doc: string,
) {
  return setting({
    name,
    kind,
    default: preset,
    scope: "replica",
    reloadable: true,
    state: "active",
    doc,
  });
}

function secret<const Name extends string>(name: Name, doc: string) {
  return { ...row(name, word(), null, doc), secret: "value" } as const;
}

export const SSO_SETTINGS = [
  row("SSO_ENABLED", bool(), "false", "People sign in at identity providers. See `sluice help sso`."),
  {
    ...row(
      "SSO_PROVIDERS",
      PROVIDERS,
      "[]",
      "OpenID Connect providers, as a JSON array. Each has id, issuer and client_id; `sluice help sso` has the further fields.",
    ),
    secret: "value",
  } as const,
  row(
    "SSO_AUTO_CREATE_USERS",
    bool(),
    "true",
    "The first sign-in of a person with a verified email address makes a user.",
  ),
  row(
    "SSO_TRUSTED_DOMAINS",
    domains(),
    "",
    "Email domains whose addresses may sign in. Empty: every domain.",
  ),
  row("SSO_AUTO_ADMIN_DOMAINS", domains(), "", "Email domains whose users are administrators."),
  row(
    "SSO_PRESERVE_ADMIN_AUTH",
    bool(),
    "true",
    "With SSO_ENABLED, only administrators log in with a password. false: every user with a password does.",
  ),
  row(
    "SSO_REQUIRE_ADMIN_APPROVAL",
    bool(),
    "false",
    "A user that a sign-in makes is not active, until an administrator activates it.",
  ),
  row(
    "SSO_LOGIN_TIMEOUT",
    seconds({ min: 30, max: 3_600 }),
    "600",
    "Longest time from the start of a sign-in until the person is back from the provider.",
  ),
  row(
    "SSO_REQUEST_TIMEOUT",
    seconds({ min: 0.1, max: 60 }),
    "10",
    "Longest time of a request to a provider. A sign-in makes up to four.",
  ),
  row(
    "GATEWAY_PUBLIC_URL",
    kind(null, "an address like https://gateway.example.com", (given) => {
      const parsed = URL.parse(given);
      const isBase = parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.search === "" &&
        parsed.hash === "" && parsed.username === "";
      return isBase ? parsed.href.replace(/\/$/, "") : undefined;
    }),
    null,
    "The address at which people reach the gateway, with its path. Providers send people back there. Not set: the " +
      "Host of the request, or X-Forwarded-Host and X-Forwarded-Proto of a trusted proxy.",
  ),

  row(
    "SSO_GENERIC_ENABLED",
    bool(),
    "false",
    "Use the generic provider, which the settings `SSO_GENERIC_*` describe.",
  ),
  row(
    "SSO_GENERIC_PROVIDER_ID",
    word(),
    null,
    "Id of the generic provider, a part of its addresses at the gateway.",
  ),
  row("SSO_GENERIC_DISPLAY_NAME", word(), null, "Name of the generic provider for people."),
  row("SSO_GENERIC_CLIENT_ID", word(), null, "The gateway's client id at the generic provider."),
  secret("SSO_GENERIC_CLIENT_SECRET", "The gateway's client secret at the generic provider."),
  row("SSO_GENERIC_ISSUER", url(), null, "Issuer of the generic provider, where its metadata are read."),
  row(
    "SSO_GENERIC_AUTHORIZATION_URL",
    url(),
    null,
    "Authorization endpoint of the generic provider, in place of its metadata.",
  ),
  row(
    "SSO_GENERIC_TOKEN_URL",
    url(),
    null,
    "Token endpoint of the generic provider, in place of its metadata.",
  ),
  row(
    "SSO_GENERIC_USERINFO_URL",
    url(),
    null,
    "Userinfo endpoint of the generic provider, in place of its metadata.",
  ),
  row(
    "SSO_GENERIC_JWKS_URI",
    url(),
    null,
    "Address of the generic provider's keys, in place of its metadata.",
  ),
  row("SSO_GENERIC_SCOPE", word(), "openid profile email", "The scopes that the gateway asks for."),
  row("SSO_GENERIC_GROUPS_CLAIM", word(), "groups", "The claim with the groups, or the path to it."),
  row("SSO_GENERIC_ADMIN_GROUPS", groups(), "", "Groups whose members are administrators."),
  row("SSO_GENERIC_ROLE_MAPPINGS", TEXTS_BY_GROUP, "{}", "The role of each group, as a JSON object."),
  row("SSO_GENERIC_DEFAULT_ROLE", word(), null, "The role of users whose groups give none."),

  row("SSO_KEYCLOAK_ENABLED", bool(), "false", "Use Keycloak."),
  row("SSO_KEYCLOAK_BASE_URL", url(), null, "The address of Keycloak for the gateway."),
  row("SSO_KEYCLOAK_PUBLIC_BASE_URL", url(), null, "The address of Keycloak for people, if it differs."),
  row("SSO_KEYCLOAK_REALM", word(), "master", "The realm of Keycloak."),
  row("SSO_KEYCLOAK_CLIENT_ID", word(), null, "The gateway's client id at Keycloak."),
  secret("SSO_KEYCLOAK_CLIENT_SECRET", "The gateway's client secret at Keycloak."),
  row("SSO_KEYCLOAK_MAP_REALM_ROLES", bool(), "true", "Realm roles count as groups."),
  row("SSO_KEYCLOAK_MAP_CLIENT_ROLES", bool(), "false", "The roles of the gateway's client count as groups."),
  row("SSO_KEYCLOAK_EMAIL_CLAIM", word(), "email", "The claim with the email address."),
  row("SSO_KEYCLOAK_GROUPS_CLAIM", word(), "groups", "The claim with the groups."),
  row("SSO_KEYCLOAK_ROLE_MAPPINGS", TEXTS_BY_GROUP, "{}", "The role of each group, as a JSON object."),
  row("SSO_KEYCLOAK_DEFAULT_ROLE", word(), null, "The role of users whose groups give none."),

  row("SSO_ENTRA_ENABLED", bool(), "false", "Use Microsoft Entra ID."),
  row("SSO_ENTRA_TENANT_ID", word(), null, "The id of the Entra tenant. `common` is not possible."),
  row("SSO_ENTRA_CLIENT_ID", word(), null, "The gateway's application id at Entra."),
  secret("SSO_ENTRA_CLIENT_SECRET", "The gateway's client secret at Entra."),
  row("SSO_ENTRA_GROUPS_CLAIM", word(), "groups", "The claim with the groups: `groups` or `roles`."),
  row(
    "SSO_ENTRA_ADMIN_GROUPS",
    groups(),
    "",
    "Groups whose members are administrators, by their object ids.",
  ),
  row("SSO_ENTRA_ROLE_MAPPINGS", TEXTS_BY_GROUP, "{}", "The role of each group, as a JSON object."),
  row("SSO_ENTRA_DEFAULT_ROLE", word(), null, "The role of users whose groups give none."),

  row("SSO_OKTA_ENABLED", bool(), "false", "Use Okta."),
  row(
    "SSO_OKTA_ISSUER",
    url(),
    null,
    "The address of the Okta organisation, or of an authorization server in it. Without a path, /oauth2/default is added.",
  ),
  row("SSO_OKTA_CLIENT_ID", word(), null, "The gateway's client id at Okta."),
  secret("SSO_OKTA_CLIENT_SECRET", "The gateway's client secret at Okta."),
  row("SSO_OKTA_SCOPE", word(), "openid profile email", "The scopes that the gateway asks for."),
  row("OKTA_GROUP_MAPPING", TEAMS_BY_GROUP, "{}", "The team of each Okta group, as a JSON object."),

  row("SSO_GOOGLE_ENABLED", bool(), "false", "Use Google."),
  row("SSO_GOOGLE_CLIENT_ID", word(), null, "The gateway's client id at Google."),
  secret("SSO_GOOGLE_CLIENT_SECRET", "The gateway's client secret at Google."),
  row("SSO_GOOGLE_ADMIN_DOMAINS", domains(), "", "Email domains whose Google users are administrators."),
] as const;
