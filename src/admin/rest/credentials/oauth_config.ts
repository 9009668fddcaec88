// The field `oauth_config` of a gateway: how the gateway logs in to an upstream. The names are ContextForge's where it has them.
import * as z from "zod";
import { CLIENT_AUTHS, type OAuthCredentials } from "../../../upstream/authorization/oauth_credentials.ts";
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
    z.enum(["client_credentials"]).optional(),
    "How the gateway gets a token. `client_credentials`: as itself.",
    "client_credentials",
  ),
  client_id: field(words, "The gateway's name at the authorization server. Required.", "sluice"),
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
});

export type OAuthConfig = z.output<typeof oauthConfig>;

/** The field in answers. @param mask stands for secrets */
export function oauthConfigRead(credentials: OAuthCredentials, mask: string): Record<string, unknown> {
  const { grant, clientId, clientSecret, privateKey, clientAuth, issuer, tokenUrl, scopes, resource } =
    credentials;
  return {
    grant_type: grant,
    client_id: clientId,
    client_secret: clientSecret === null ? null : mask,
    private_key: privateKey === null ? null : mask,
    client_auth: clientAuth,
    issuer,
    token_url: tokenUrl,
    scopes,
    resource,
  };
}

function isAddress(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" &&
    url.hash === "";
}
