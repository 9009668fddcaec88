// The gateway's client at the authorization server of an upstream where people log in: given by the operator, known by the address of its
// metadata document, or registered by itself (2025-11-25, basic/authorization, "Client Registration Approaches").
import type { SecretBox } from "../../../store/secret_box.ts";
import type { ClientKey, Connections } from "../../../store/upstream_tokens/connections.ts";
import { SeenAnswer } from "../../../base/seen_answer.ts";
import { isObject } from "../../../mcp/json_rpc.ts";
import { ask, type LoginExchange } from "../login_exchange.ts";
import { codeOf, LoginFault, OTHER_SERVER } from "../login_fault.ts";
import type { LoginServer } from "../login_server.ts";
import { isServerGiven, type OAuthCredentials } from "../oauth_credentials.ts";

export type LoginClient = Pick<OAuthCredentials, "clientId" | "clientSecret" | "privateKey" | "clientAuth">;

/** Where the gateway's own addresses are. */
export interface OwnAddresses {
  /** Where the authorization server of a given client sends the browser back to. Other clients have addresses below it. */
  readonly redirectUri: string;
  /** The address of the metadata document of the client; null: the gateway has no address that others can rely on. */
  readonly metadataUrl: string | null;
}

export const CLIENT_NAME = "Sluice";

/** A client, and where its authorization server sends the browser back to. */
export interface NamedClient {
  readonly client: LoginClient;
  readonly redirectUri: string;
}

/**
 * Where answers to the client of the metadata document arrive, and no others: an authorization server may lead a browser to another one
 * with any client, and the document is valid at each.
 */
function documentRedirectUri(redirectUri: string): string {
  return `${redirectUri}/document`;
}

/** Each issuer has its own, so that the answer of one never counts as that of another one (RFC 9700, section 4.4.2.2). */
async function issuerRedirectUri(redirectUri: string, issuer: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(issuer));
  return `${redirectUri}/${new Uint8Array(digest, 0, 16).toHex()}`;
}

/**
 * The metadata document of the gateway as a client (OAuth Client ID Metadata Document, draft-ietf-oauth-client-id-metadata-document).
 * @param redirectUri that of a given client
 */
export function clientDocument(metadataUrl: string, redirectUri: string): Record<string, unknown> {
  return {
    client_id: metadataUrl,
    ...clientMetadata(documentRedirectUri(redirectUri)),
    token_endpoint_auth_method: "none",
  };
}

function clientMetadata(redirectUri: string): Record<string, unknown> {
  return {
    client_name: CLIENT_NAME,
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    application_type: LOOPBACK.has(new URL(redirectUri).hostname) ? "native" : "web",
  };
}

/** A gateway at such an address is a native application (2026-07-28, basic/authorization, "Application Type and Redirect URI Constraints"). */
const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** An upstream, and the version of its credentials. */
export interface ClientTarget {
  readonly gatewayId: string;
  readonly version: string;
}

export interface LoginClientsDeps {
  readonly connections: Connections;
  readonly secretBox: SecretBox;
}

/** Limits of what a registration answers. */
const MAX_ID_CHARS = 2_048;
const MAX_SECRET_CHARS = 4_096;

/**
 * Clients at one upstream. Without GATEWAY_PUBLIC_URL the Host header of a request chooses the redirect URI, and the upstream names the
 * issuer, so that either could have any number registered.
 */
const MAX_CLIENTS = 8;

export class LoginClients {
  constructor(private readonly deps: LoginClientsDeps) {}

  /** @throws {LoginFault} if there is none, and none can be made */
  async of(
    exchange: LoginExchange,
    { gatewayId, version }: ClientTarget,
    given: OAuthCredentials,
    server: LoginServer,
    { redirectUri: ofGiven, metadataUrl }: OwnAddresses,
  ): Promise<NamedClient> {
    if (given.clientId !== "") {
      if (isDocument(given) && !namesItself(server, given)) throw new LoginFault(NO_ISS);
      const home = isPortable(given) ? null : await this.#home(gatewayId);
      if (home?.version === version && home.issuer !== server.issuer) {
        const cause = new SeenAnswer(`${server.issuer} in place of ${home.issuer}`);
        throw new LoginFault(OTHER_SERVER, { cause });
      }
      const { clientId, clientSecret, privateKey, clientAuth } = given;
      return { client: { clientId, clientSecret, privateKey, clientAuth }, redirectUri: ofGiven };
    }
    if (metadataUrl !== null && takesDocument(server, metadataUrl)) {
      if (namesItself(server, given)) {
        const client: LoginClient = {
          ...{ clientId: metadataUrl, clientSecret: null, privateKey: null, clientAuth: "none" },
        };
        return { client, redirectUri: documentRedirectUri(ofGiven) };
      }
      if (server.registration_endpoint === undefined) throw new LoginFault(NO_ISS);
    }
    const redirectUri = await issuerRedirectUri(ofGiven, server.issuer);
    const { connections, secretBox } = this.deps;
    const key = clientKey(gatewayId, server, redirectUri);
    const owner = ownerOf(gatewayId);
    const known = await connections.client(key);
    if (known !== null) {
      try {
        return { client: JSON.parse(await secretBox.open(known, owner)), redirectUri };
      } catch {
        // It was sealed with another AUTH_ENCRYPTION_SECRET.
        await connections.forgetClient(key);
      }
    }
    if (await connections.countClients(gatewayId) >= MAX_CLIENTS) {
      if (metadataUrl === null) {
        throw new LoginFault(
          `the gateway has registered ${MAX_CLIENTS} clients for this upstream already, one for each authorization server and address ` +
            "of the gateway. Use a former address, set GATEWAY_PUBLIC_URL, or give client_id in oauth_config",
        );
      }
      // The operator's address, and the server of now, count before former ones.
      await connections.forgetClients(gatewayId);
    }
    const client = await register(exchange, server, { redirectUri, ofGiven });
    const kept = await connections.addClient(key, await secretBox.seal(JSON.stringify(client), owner));
    return { client: JSON.parse(await secretBox.open(kept, owner)), redirectUri };
  }

  /**
   * The authorization server has accepted the client. A given client belongs to it from now on, until the credentials change
   * (2026-07-28, basic/authorization, "Authorization Server Binding").
   */
  async accepted(
    { gatewayId, version }: ClientTarget,
    given: OAuthCredentials,
    { issuer }: LoginServer,
  ): Promise<void> {
    if (given.clientId === "" || isPortable(given)) return;
    const known = await this.#home(gatewayId);
    if (known?.version === version) return;
    const { connections, secretBox } = this.deps;
    const key = homeKey(gatewayId);
    if (known !== null) await connections.forgetClient(key);
    await connections.addClient(
      key,
      await secretBox.seal(JSON.stringify({ version, issuer }), ownerOf(gatewayId)),
    );
  }

  /** The server of a given client, and the credentials that it was accepted with. */
  async #home(gatewayId: string): Promise<{ readonly version: string; readonly issuer: string } | null> {
    const { connections, secretBox } = this.deps;
    const key = homeKey(gatewayId);
    const known = await connections.client(key);
    if (known === null) return null;
    try {
      return JSON.parse(await secretBox.open(known, ownerOf(gatewayId)));
    } catch {
      // It was sealed with another AUTH_ENCRYPTION_SECRET, as the credentials were.
      await connections.forgetClient(key);
      return null;
    }
  }
}

/**
 * The address of a document has to be https (2026-07-28, basic/authorization, "Client ID Metadata Documents"). Another one is tried
 * where there is no registration.
 */
function takesDocument(server: LoginServer, metadataUrl: string): boolean {
  return server.client_id_metadata_document_supported === true &&
    (metadataUrl.startsWith("https:") || server.registration_endpoint === undefined);
}

/**
 * Is an answer of another server told from this server's? A metadata document is valid at each server, so that no redirect URI tells:
 * the server promises to name itself in its answers (RFC 9207), or the operator has chosen it (RFC 9700, section 4.4).
 */
function namesItself(server: LoginServer, given: OAuthCredentials): boolean {
  return server.authorization_response_iss_parameter_supported === true || isServerGiven(given);
}

const NO_ISS =
  "its authorization server does not promise to name itself in its answers (iss, RFC 9207), so that a client with a metadata document " +
  "could bring it the answer of another server. Give issuer in oauth_config if you trust the server, or a client_id that is registered there";

/** The operator's choice of the server counts, and a metadata document is the same everywhere. */
function isPortable(given: OAuthCredentials): boolean {
  return isServerGiven(given) || isDocument(given);
}

function isDocument({ clientId, clientSecret }: OAuthCredentials): boolean {
  return clientId.startsWith("https://") && clientSecret === null;
}

function homeKey(gatewayId: string): ClientKey {
  return { gatewayId, version: "given" };
}

function ownerOf(gatewayId: string): string {
  return `upstream-client:${gatewayId}`;
}

/** Each redirect URI has a client of its own: a login that begins at another address ends no login under way. */
export function clientKey(gatewayId: string, { issuer }: LoginServer, redirectUri: string): ClientKey {
  return { gatewayId, version: `${issuer} ${redirectUri}` };
}

/**
 * Registers the gateway (RFC 7591).
 * @param addresses of this client, and the one that a given client has
 * @throws {LoginFault}
 */
async function register(
  exchange: LoginExchange,
  { registration_endpoint, token_endpoint_auth_methods_supported: methods }: LoginServer,
  { redirectUri, ofGiven }: { readonly redirectUri: string; readonly ofGiven: string },
): Promise<LoginClient> {
  if (registration_endpoint === undefined) {
    throw new LoginFault(
      "its authorization server lets no client register itself. Register the gateway there, with the redirect URI " +
        `${ofGiven}, and give client_id and client_secret in oauth_config`,
    );
  }
  const { status, text } = await ask(exchange, {
    method: "POST",
    url: new URL(registration_endpoint),
    headers: [["content-type", "application/json"], ["accept", "application/json"]],
    body: JSON.stringify({
      ...clientMetadata(redirectUri),
      ...(methods?.includes("none") ? { token_endpoint_auth_method: "none" } : {}),
    }),
  });
  const answer = parsed(text);
  const { client_id: id, client_secret: secret = null, token_endpoint_auth_method: method } = answer;
  if (status < 200 || status > 299) {
    throw new LoginFault(
      `its authorization server refused to register the gateway (HTTP ${status}, ${
        codeOf(String(answer.error))
      }). ` +
        `Register it there, with the redirect URI ${ofGiven}, and give client_id in oauth_config`,
    );
  }
  if (typeof id !== "string" || id === "" || id.length > MAX_ID_CHARS) {
    throw new LoginFault(
      "its authorization server registered the gateway without a client_id. Give one in oauth_config",
    );
  }
  if (secret !== null && (typeof secret !== "string" || secret.length > MAX_SECRET_CHARS)) {
    throw new LoginFault(
      "its authorization server gave a client_secret that is no text. Give client_id and client_secret in oauth_config",
    );
  }
  const clientAuth = method === "client_secret_basic" || method === "client_secret_post" || method === "none"
    ? method
    : secret === null
    ? "none"
    : null;
  return { clientId: id, clientSecret: secret, privateKey: null, clientAuth };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
