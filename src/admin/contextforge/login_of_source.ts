// How ContextForge logs in to a gateway: its `oauth_config`, and the certificate that it presents.
import type { OAuthCredentials } from "../../upstream/authorization/oauth_credentials.ts";
import { checkedCertificate, type ClientCertificate } from "../../upstream/identity/client_certificate.ts";
import { oauthConfig } from "../rest/credentials/oauth_config.ts";
import type { OpenBundle } from "./sealed_bundles.ts";

/**
 * The login of a gateway with the grant `client_credentials`.
 * @returns null: it has another grant, or lacks a field. unreadable: the secret does not open it
 */
export async function oauthOfSource(
  config: Readonly<Record<string, unknown>>,
  open: OpenBundle,
): Promise<OAuthCredentials | null | "unreadable"> {
  const { grant_type, client_id, client_secret, token_url, issuer, scopes, resource } = config;
  if (grant_type !== "client_credentials" || typeof client_secret !== "string") return null;
  const secret = await open(client_secret);
  if (secret === null) return "unreadable";
  const given = { grant_type, client_id, client_secret: secret, token_url, issuer, scopes, resource };
  const { success, data } = oauthConfig.safeParse(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== "")),
  );
  if (!success || !data.client_id || !data.client_secret) return null;
  return {
    type: "oauth",
    grant: "client_credentials",
    clientId: data.client_id,
    clientSecret: data.client_secret,
    privateKey: null,
    clientAuth: null,
    issuer: data.issuer ?? null,
    tokenUrl: data.token_url ?? null,
    scopes: data.scopes ?? [],
    resource: data.resource ?? null,
  };
}

/** @returns null: the pair is not whole, cannot be opened, or has expired */
export async function certificateOfSource(
  cert: string,
  sealedKey: string,
  open: OpenBundle,
  now: Date,
): Promise<ClientCertificate | null> {
  const key = await open(sealedKey);
  if (key === null) return null;
  try {
    checkedCertificate({ cert, key }, now.getTime());
    return { cert, key };
  } catch {
    return null;
  }
}
