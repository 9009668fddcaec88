// Dynamic client registration (RFC 7591). It is open to everybody, as MCP clients need it, and gives nothing: a user still has to allow
// the client.
import type { Clock } from "../../../base/clock.ts";
import type { OAuthClients } from "../../../store/oauth/oauth_clients.ts";
import { digest } from "../../logins/logins.ts";
import { readMetadata } from "./client_metadata.ts";
import { CODE_GRANT } from "./client.ts";
import { OAuthFault } from "../oauth_fault.ts";
import { newSecret } from "../new_secret.ts";

export interface RegistrationDeps {
  readonly clients: OAuthClients;
  readonly clock: Clock;
  /** OAUTH_CLIENT_TTL_DAYS, ms */
  readonly ttlMs: number;
  /** OAUTH_MAX_CLIENTS */
  readonly maxClients: number;
}

const AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"];

/**
 * Registers a client. One that wants to have a secret gets one.
 * @returns the client information response (section 3.2.1)
 * @throws {OAuthFault} invalid_redirect_uri, invalid_client_metadata, temporarily_unavailable
 */
export async function register(given: unknown, deps: RegistrationDeps): Promise<Record<string, unknown>> {
  const { name, uri, redirectUris, grantTypes, authMethod = "none" } = readMetadata(given);
  if (!AUTH_METHODS.includes(authMethod)) {
    throw new OAuthFault(
      "invalid_client_metadata",
      `token_endpoint_auth_method must be one of ${AUTH_METHODS.join(", ")}`,
    );
  }
  const { clients, clock, ttlMs, maxClients } = deps;
  const secret = authMethod === "none" ? null : newSecret();
  const client = {
    ...{
      id: newSecret(),
      name: name === "" ? "A client without a name" : name,
      uri,
      redirectUris,
      grantTypes,
    },
    secretHash: secret === null ? null : digest(secret),
  };
  if (!await clients.insert(client, ttlMs, maxClients)) {
    throw new OAuthFault(
      "temporarily_unavailable",
      `${maxClients} clients are registered and in use, which is the limit (OAUTH_MAX_CLIENTS)`,
      503,
    );
  }
  return {
    client_id: client.id,
    client_id_issued_at: Math.floor(clock.now() / 1000),
    ...(secret === null ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    client_name: client.name,
    ...(uri === null ? {} : { client_uri: uri }),
    redirect_uris: redirectUris,
    grant_types: grantTypes,
    response_types: grantTypes.includes(CODE_GRANT) ? ["code"] : [],
    token_endpoint_auth_method: authMethod,
  };
}
