// The metadata of the authorization server (RFC 8414). OpenID Connect discovery gives the same: clients that find no metadata at the one
// address look at the other. No ID tokens are issued.
import type { OwnKeys } from "../keys/own_keys.ts";
import { GRANT_TYPES } from "./clients/client.ts";
import { MCP_SCOPES, OFFLINE_ACCESS } from "./scopes.ts";

/** Paths below the gateway's address. */
export const OAUTH_PATHS = {
  authorize: "/oauth/authorize",
  token: "/oauth/token",
  register: "/oauth/register",
  revoke: "/oauth/revoke",
  device: "/oauth/device_authorization",
  keys: "/oauth/jwks",
} as const;

export interface MetadataRules {
  /** OAUTH_DYNAMIC_REGISTRATION */
  readonly takesRegistrations: boolean;
  /** OAUTH_CLIENT_METADATA_DOCUMENTS */
  readonly takesDocuments: boolean;
  readonly algorithm: string;
}

/** @param issuer the gateway's address */
export function serverMetadata(
  issuer: string,
  { takesRegistrations, takesDocuments, algorithm }: MetadataRules,
): Readonly<Record<string, unknown>> {
  const authMethods = ["none", "client_secret_basic", "client_secret_post"];
  return {
    issuer,
    authorization_endpoint: issuer + OAUTH_PATHS.authorize,
    token_endpoint: issuer + OAUTH_PATHS.token,
    ...(takesRegistrations ? { registration_endpoint: issuer + OAUTH_PATHS.register } : {}),
    revocation_endpoint: issuer + OAUTH_PATHS.revoke,
    device_authorization_endpoint: issuer + OAUTH_PATHS.device,
    jwks_uri: issuer + OAUTH_PATHS.keys,
    scopes_supported: [...MCP_SCOPES, OFFLINE_ACCESS],
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: GRANT_TYPES,
    token_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint_auth_methods_supported: authMethods,
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: takesDocuments,
    // What OpenID Connect Discovery 1.0, section 3, requires.
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [algorithm],
  };
}

/** The public keys of access tokens (RFC 7517); none if a secret signs them. */
export function publicKeySet({ publicKeys }: Pick<OwnKeys, "publicKeys">): Readonly<Record<string, unknown>> {
  return { keys: publicKeys.map((key) => ({ ...key, use: "sig" })) };
}
