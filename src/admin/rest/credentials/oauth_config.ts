// The field `oauth_config` of a gateway: how the gateway logs in to an upstream. The names are ContextForge's where it has them.
import * as z from "zod";
import {
  CLIENT_AUTHS,
  CONNECTIONS,
  GRANTS,
  type OAuthCredentials,
  TOKEN_TYPES,
} from "../../../upstream/authorization/oauth_credentials.ts";
import { field } from "../described.ts";
import { CONTROL } from "../values.ts";

const words = z.string().trim().min(1).max(2_048).refine((value) => !CONTROL.test(value), "must be one line")
  .nullable().optional();

const address = z.string().trim().max(2_048).refine(
  isAddress,
  "must be an http or https URL without credentials and fragment",
)
  .nullable().optional();

/** RFC 6749, section 3.3. */
const scope = z.string().regex(
  /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/,
  "must be a scope without spaces and quotes",
);

export const oauthConfig = z.strictObject({
  grant_type: field(
    z.enum(GRANTS).optional(),
    "How the gateway gets a token. `client_credentials`: as itself. `authorization_code`: people log in with a browser. " +
      "`token_exchange`: for each caller's own token (RFC 8693).",
    "client_credentials",
  ),
  client_id: field(
    words,
    "The gateway's name at the authorization server. Required, except with `authorization_code` where the server knows the gateway by " +
      "its metadata document or lets it register itself.",
    "sluice",
  ),
  client_secret: field(words, "The gateway's secret there. Answers mask it.", "SECRET"),
  // Not in ContextForge: private_key, client_auth, resource.
  private_key: field(
    z.string().max(16_384).nullable().optional(),
    "In place of a secret: the private key of the client, PKCS #8 in PEM, for `private_key_jwt`. Answers mask it.",
  ),
  client_auth: field(
    z.enum(CLIENT_AUTHS).nullable().optional(),
    "How the client proves who it is. The default is what the server's metadata name.",
    "client_secret_basic",
  ),
  issuer: field(
    address,
    "The authorization server. The default is the one that the upstream names (RFC 9728).",
    "https://login.example.com",
  ),
  token_url: field(
    address,
    "The token endpoint. The default is in the metadata of the authorization server.",
    "https://login.example.com/token",
  ),
  scopes: field(
    z.union([
      z.array(scope).max(50),
      z.string().max(4_096).transform((text) => text.split(/[\s,]+/).filter((each) => each !== "")).pipe(
        z.array(scope).max(50),
      ),
    ]).nullable().optional(),
    "The scopes to ask for: a list, or a text with spaces. The default is what the upstream asks for.",
    ["tools"],
  ),
  resource: field(
    address,
    "The resource that the token is for (RFC 8707). The default is the upstream's name for itself, else its URL.",
    "https://mcp.example.com/mcp",
  ),
  connection: field(
    z.enum(CONNECTIONS).optional(),
    "With `authorization_code`: whose login calls use. `user`: each user's own. `shared`: one for all callers.",
    "user",
  ),
  authorization_url: field(
    address,
    "With `authorization_code`: where the browser goes. The default is in the metadata of the authorization server.",
    "https://login.example.com/authorize",
  ),
  send_resource: field(
    z.boolean().optional(),
    "With `authorization_code` and `token_exchange`: false if the authorization server refuses the parameter `resource`, as Microsoft " +
      "Entra does.",
    true,
  ),
  subject_token_type: field(
    z.enum(TOKEN_TYPES).optional(),
    "With `token_exchange`: as what the caller's token is sent.",
    "access_token",
  ),
  requested_token_type: field(
    z.enum(TOKEN_TYPES).nullable().optional(),
    "With `token_exchange`: the type of token to ask for. The default is the authorization server's.",
    "access_token",
  ),
  audience: field(
    words,
    "With `token_exchange`: the authorization server's name for the upstream, where it does not go by `resource`.",
    "crm",
  ),
  authorization_params: field(
    z.record(z.string().regex(/^[a-z_]{1,60}$/, "must be a name of a parameter"), z.string().max(200)).refine(
      (params) => Object.keys(params).length <= 10,
      "at most 10 parameters",
    ).optional(),
    "With `authorization_code`: further parameters of the authorization request.",
    { access_type: "offline", prompt: "consent" },
  ),
});

export type OAuthConfig = z.output<typeof oauthConfig>;

/** The field in answers. @param mask stands for secrets */
export function oauthConfigRead(credentials: OAuthCredentials, mask: string): Record<string, unknown> {
  const { grant, clientId, clientSecret, privateKey, clientAuth, issuer, tokenUrl, scopes, resource } =
    credentials;
  const { login, exchange } = credentials;
  return {
    grant_type: grant,
    client_id: clientId === "" ? null : clientId,
    client_secret: clientSecret === null ? null : mask,
    private_key: privateKey === null ? null : mask,
    client_auth: clientAuth,
    issuer,
    token_url: tokenUrl,
    scopes,
    resource,
    ...(login === undefined ? {} : {
      connection: login.connection,
      authorization_url: login.authorizationUrl,
      send_resource: login.sendsResource,
      authorization_params: login.parameters,
    }),
    ...(exchange === undefined ? {} : {
      subject_token_type: exchange.subjectTokenType,
      requested_token_type: exchange.requestedTokenType,
      audience: exchange.audience,
      send_resource: exchange.sendsResource,
    }),
  };
}

function isAddress(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" &&
    url.hash === "";
}
