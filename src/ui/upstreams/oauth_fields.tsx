// The fields of an upstream that wants a login by OAuth: of the gateway, of each user, or one of a person for all.
import { type FormState, type Option, SelectField, TextField } from "../parts/form.tsx";
import type { Upstream } from "./upstream_shapes.ts";

export const OAUTH_FIELDS = [
  ...["oauth_login", "oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scopes"],
];

/** Whose login it is: "" is the gateway's. */
const LOGINS: readonly Option[] = [
  { value: "", label: "The gateway, with a client id and its secret" },
  { value: "user", label: "Each user, with a browser" },
  { value: "shared", label: "One person with a browser, for all callers" },
];

export function OAuthFields({ form, secret }: {
  readonly form: FormState;
  /** What the field of a secret has besides its name. */
  readonly secret: { readonly form: FormState; readonly type: "password"; readonly hint?: string };
}) {
  return (
    <>
      <SelectField
        {...{ name: "oauth_login", label: "Who logs in", form, options: LOGINS }}
        hint="People connect on the page Your connections, after the upstream is registered."
      />
      <TextField
        {...{ name: "oauth_client_id", label: "Client id", form }}
        isCode
        hint="Empty, where people log in: the gateway registers itself at the authorization server."
      />
      <TextField {...{ name: "oauth_client_secret", label: "Client secret", ...secret }} />
      <TextField
        {...{ name: "oauth_issuer", label: "Authorization server", form }}
        isCode
        hint="Its issuer. Empty: the one that the upstream names."
      />
      <TextField
        {...{ name: "oauth_scopes", label: "Scopes", form }}
        isCode
        hint="With spaces. Empty: what the upstream asks for."
      />
    </>
  );
}

export function oauthValues(config: Upstream["oauthConfig"]): Readonly<Record<string, string>> {
  if (config === null) return {};
  const { client_id, issuer, scopes, connection } = config;
  return {
    oauth_login: String(connection ?? ""),
    oauth_client_id: String(client_id ?? ""),
    oauth_issuer: String(issuer ?? ""),
    oauth_scopes: Array.isArray(scopes) ? scopes.join(" ") : "",
  };
}

/** @param former the stored login. An empty secret keeps the stored one */
export function loginOf(
  given: (name: string) => string,
  former: Upstream["oauthConfig"],
): Record<string, unknown> {
  const secret = given("oauth_client_secret");
  const connection = given("oauth_login");
  const { connection: before = "", authorization_url, send_resource, authorization_params, ...kept } =
    former ?? {};
  const ofPeople = before === "" ? {} : { authorization_url, send_resource, authorization_params };
  return {
    ...kept,
    ...(connection === "" ? {} : { ...ofPeople, connection }),
    ...(connection === "" && before === "" ? {} : {
      grant_type: connection === "" ? "client_credentials" : "authorization_code",
    }),
    client_id: given("oauth_client_id") || null,
    ...(secret === "" ? {} : { client_secret: secret, private_key: null, client_auth: null }),
    issuer: given("oauth_issuer") || null,
    scopes: given("oauth_scopes"),
  };
}
