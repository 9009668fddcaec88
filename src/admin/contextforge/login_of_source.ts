// How ContextForge logs in to a gateway: its `oauth_config`, and the certificate that it presents.
import type { OAuthCredentials } from "../../upstream/authorization/oauth_credentials.ts";
import { checkedCertificate, type ClientCertificate } from "../../upstream/identity/client_certificate.ts";
import { requestedOAuth } from "../gateways/credentials/requested_oauth.ts";
import { oauthConfig } from "../rest/credentials/oauth_config.ts";
import type { Fault } from "../rest/faults.ts";
import type { OpenBundle } from "./sealed_bundles.ts";

/** The fields that mean the same here, by grant. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  client_credentials: ["grant_type", "client_id", "token_url", "issuer", "scopes", "resource"],
  authorization_code: [
    ...["grant_type", "client_id", "token_url", "issuer", "scopes", "resource", "authorization_url"],
  ],
};

/**
 * The login of a gateway with the grant `client_credentials` or `authorization_code`. With the latter each user has a login of their own,
 * as in ContextForge.
 * @returns null: it has another grant, or lacks a field. unreadable: the secret does not open it
 */
export async function oauthOfSource(
  config: Readonly<Record<string, unknown>>,
  open: OpenBundle,
): Promise<OAuthCredentials | null | "unreadable"> {
  const { grant_type: grant, client_secret: sealed } = config;
  const fields = FIELDS[String(grant)];
  if (fields === undefined) return null;
  const isSecret = typeof sealed === "string" && sealed !== "";
  const secret = isSecret ? await open(sealed) : undefined;
  if (secret === null) return "unreadable";
  const given = {
    ...Object.fromEntries(fields.map((name) => [name, config[name]])),
    client_secret: secret,
  };
  const { success, data } = oauthConfig.safeParse(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== "")),
  );
  const faults: Fault[] = [];
  const credentials = success ? requestedOAuth(data, null, faults) : null;
  return faults.length === 0 ? credentials : null;
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
