// The fields of an upstream that wants a login by OAuth: of the gateway, of each user, of each caller's token, or one of a person for all.
import { type FormState, type Option, SelectField, TextField } from "../parts/form.tsx";
import type { Upstream } from "./upstream_shapes.ts";

export const OAUTH_FIELDS = [
  ...[
    "oauth_login",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scopes",
    "oauth_audience",
  ],
];

const EXCHANGE = "exchange";

/** Whose login it is: "" is the gateway's. */
const LOGINS: readonly Option[] = [
  { value: "", label: "The gateway, with a client id and its secret" },
  { value: "user", label: "Each user, with a browser" },
  { value: "shared", label: "One person with a browser, for all callers" },
  { value: EXCHANGE, label: "Each caller, with a token of an identity provider (token exchange)" },
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
        hint="Its issuer. Empty: the one that the upstream names. A token exchange needs it."
      />
      <TextField
        {...{ name: "oauth_scopes", label: "Scopes", form }}
        isCode
        hint="With spaces. Empty: what the upstream asks for."
      />
      <TextField
        {...{ name: "oauth_audience", label: "Audience", form }}
        isCode
        hint="Of a token exchange alone: the authorization server's name for the upstream. Empty: its address."
      />
    </>
  );
}

export function oauthValues(config: Upstream["oauthConfig"]): Readonly<Record<string, string>> {
  if (config === null) return {};
  const { client_id, issuer, scopes, audience } = config;
  return {
    oauth_login: loginIn(config),
    oauth_client_id: String(client_id ?? ""),
    oauth_issuer: String(issuer ?? ""),
    oauth_scopes: Array.isArray(scopes) ? scopes.join(" ") : "",
    oauth_audience: String(audience ?? ""),
  };
}

function loginIn({ grant_type, connection }: NonNullable<Upstream["oauthConfig"]>): string {
  return grant_type === "token_exchange" ? EXCHANGE : String(connection ?? "");
}

/** @param former the stored login. An empty secret keeps the stored one */
export function loginOf(
  given: (name: string) => string,
  former: Upstream["oauthConfig"],
): Record<string, unknown> {
  const secret = given("oauth_client_secret");
  const login = given("oauth_login");
  const before = former === null ? "" : loginIn(former);
  const { connection: _, authorization_url, send_resource, authorization_params, ...others } = former ?? {};
  const { subject_token_type, requested_token_type, audience: _audience, ...kept } = others;
  const isOfPeople = login === "user" || login === "shared";
  const isStillOfPeople = isOfPeople && (before === "user" || before === "shared");
  return {
    ...kept,
    ...(isStillOfPeople ? { authorization_url, send_resource, authorization_params } : {}),
    ...(isOfPeople ? { connection: login } : {}),
    ...(login === EXCHANGE && before === EXCHANGE
      ? { subject_token_type, requested_token_type, send_resource }
      : {}),
    ...(login === EXCHANGE ? { audience: given("oauth_audience") || null } : {}),
    ...(login === "" && before === "" ? {} : {
      grant_type: isOfPeople
        ? "authorization_code"
        : login === EXCHANGE
        ? "token_exchange"
        : "client_credentials",
    }),
    client_id: given("oauth_client_id") || null,
    ...(secret === "" ? {} : { client_secret: secret, private_key: null, client_auth: null }),
    issuer: given("oauth_issuer") || null,
    scopes: given("oauth_scopes"),
  };
}
