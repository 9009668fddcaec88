import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { loadConfig } from "./load.ts";
import { ssoProvidersOf } from "./sso_providers.ts";

function load(environment: Record<string, string>) {
  const loaded = loadConfig({
    environment: { SSO_ENABLED: "true", ...environment },
    dotEnv: null,
    dev: false,
    overrides: {},
    cores: 2,
  });
  return { ...loaded, providers: ssoProvidersOf(loaded.config).providers };
}

const mistake = (environment: Record<string, string>) =>
  assertThrows(() => load(environment), SluiceError).message;

const MAIN = { id: "main", issuer: "https://idp.example", client_id: "sluice" };
const of = (...entries: Record<string, unknown>[]) => ({ SSO_PROVIDERS: JSON.stringify(entries) });

Deno.test("ssoProvidersOf() completes a provider by the general settings", () => {
  const { providers: [plain, own] } = load({
    ...of(MAIN, {
      ...{ ...MAIN, id: "own", display_name: "Own", client_secret: "s", create_users: true },
      ...{ trusted_domains: ["Y.org"], groups_claim: "roles", admin_domains: ["y.org"] },
      ...{ teams: { a: "ops", b: { team: "ops", role: "owner" } } },
    }),
    SSO_TRUSTED_DOMAINS: "X.org",
    SSO_AUTO_CREATE_USERS: "false",
    SSO_AUTO_ADMIN_DOMAINS: "z.org",
  });
  const { display_name, client_secret, create_users, trusted_domains, admin_domains, groups_claim } = plain;
  assertEquals([display_name, client_secret, create_users, trusted_domains, admin_domains, groups_claim], [
    ...["main", null, false, ["x.org"], ["z.org"], ["groups"]],
  ]);
  assertEquals([own.create_users, own.trusted_domains, own.admin_domains, own.groups_claim], [
    ...[true, ["y.org"], ["y.org", "z.org"], ["roles"]],
  ]);
  assertEquals(own.teams, { a: { team: "ops", role: "member" }, b: { team: "ops", role: "owner" } });
  assertEquals(load({ ...of(MAIN), SSO_ENABLED: "false" }).providers, []);
});

Deno.test("ssoProvidersOf() makes a provider of each of ContextForge's names", () => {
  const client = (name: string) => ({
    [`SSO_${name}_ENABLED`]: "true",
    [`SSO_${name}_CLIENT_ID`]: "sluice",
    [`SSO_${name}_CLIENT_SECRET`]: "s",
  });
  const { providers } = load({
    ...client("GENERIC"),
    SSO_GENERIC_PROVIDER_ID: "auth0",
    SSO_GENERIC_ISSUER: "https://a.example/",
    SSO_GENERIC_ROLE_MAPPINGS: '{"g": "developer"}',
    ...client("KEYCLOAK"),
    SSO_KEYCLOAK_BASE_URL: "http://keycloak:8080/",
    SSO_KEYCLOAK_PUBLIC_BASE_URL: "https://k.example",
    SSO_KEYCLOAK_REALM: "main",
    SSO_KEYCLOAK_MAP_CLIENT_ROLES: "true",
    ...client("ENTRA"),
    SSO_ENTRA_TENANT_ID: "t1",
    SSO_ENTRA_ADMIN_GROUPS: '["g1","g2"]',
    ...client("OKTA"),
    SSO_OKTA_ISSUER: "https://o.okta.com",
    OKTA_GROUP_MAPPING: '{"Ops": "ops"}',
    ...client("GOOGLE"),
  });
  const [generic, keycloak, entra, okta, google] = providers;
  assertEquals(providers.map(({ id, issuer }) => `${id} ${issuer}`), [
    "auth0 https://a.example/",
    "keycloak https://k.example/realms/main",
    "entra https://login.microsoftonline.com/t1/v2.0",
    "okta https://o.okta.com/oauth2/default",
    "google https://accounts.google.com",
  ]);
  assertEquals(generic.roles, { g: "developer" });
  const { authorization_endpoint, token_endpoint } = keycloak.endpoints;
  assertEquals([authorization_endpoint, token_endpoint, keycloak.allow_http], [
    "https://k.example/realms/main/protocol/openid-connect/auth",
    "http://keycloak:8080/realms/main/protocol/openid-connect/token",
    true,
  ]);
  assertEquals(keycloak.groups_claim, ["groups", "realm_access.roles", "resource_access.sluice.roles"]);
  assertEquals([entra.email_claim, entra.trust_email, entra.admin_groups], ["preferred_username", true, [
    "g1",
    "g2",
  ]]);
  assertEquals(okta.teams, { Ops: { team: "ops", role: "member" } });
  assertEquals([google.trust_email, google.allow_http], [false, false]);
});

Deno.test("loadConfig() says what is wrong with a provider, and shows no secret", () => {
  assertStringIncludes(
    mistake({ SSO_KEYCLOAK_ENABLED: "true" }),
    "needs SSO_KEYCLOAK_BASE_URL and SSO_KEYCLOAK_CLIENT_ID",
  );
  assertStringIncludes(mistake(of(MAIN, MAIN)), "have the id main");
  assertStringIncludes(
    mistake(of({ ...MAIN, issuer: "http://idp.example" })),
    '"allow_http": true would allow it',
  );
  assertStringIncludes(
    mistake({ SSO_ENTRA_ENABLED: "true", SSO_ENTRA_TENANT_ID: "common", SSO_ENTRA_CLIENT_ID: "a" }),
    "stands for many tenants",
  );
  const secret = mistake(of({ ...MAIN, id: "No Id", client_secret: "hidden" }));
  assertStringIncludes(secret, "at 0.id: must be of a-z");
  assertEquals(secret.includes("hidden"), false);
  assertStringIncludes(mistake(of({ ...MAIN, clientid: "typo" })), "clientid");
  assertStringIncludes(load({}).warnings.join("\n"), "SSO_ENABLED=true without a provider");
  assertStringIncludes(
    load(of({ ...MAIN, issuer: "http://idp.example", allow_http: true })).warnings.join("\n"),
    "main is reached over plain HTTP",
  );
});
