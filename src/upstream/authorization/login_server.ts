// Finds the authorization server of an upstream: given by the operator, or named by the upstream's metadata (RFC 9728), which the
// challenge of its 401 or a well-known address leads to; then the server's own metadata (RFC 8414, OpenID Connect Discovery 1.0).
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import type { BearerChallenge } from "./bearer_challenge.ts";
import { ask, type LoginExchange } from "./login_exchange.ts";
import { LoginFault } from "./login_fault.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";

/** What is kept of a server's metadata. A type, because the library's has an index signature. */
export type LoginServer = {
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly token_endpoint_auth_methods_supported?: string[];
  readonly authorization_endpoint?: string;
  readonly registration_endpoint?: string;
  readonly revocation_endpoint?: string;
  readonly code_challenge_methods_supported?: string[];
  readonly scopes_supported?: string[];
  readonly authorization_response_iss_parameter_supported?: boolean;
  readonly client_id_metadata_document_supported?: boolean;
};

/** Members of a server's metadata that are kept if they are what they should be. */
const ENDPOINTS = ["authorization_endpoint", "registration_endpoint", "revocation_endpoint"] as const;
const LISTS = [
  "token_endpoint_auth_methods_supported",
  "code_challenge_methods_supported",
  "scopes_supported",
] as const;
const FLAGS = [
  "authorization_response_iss_parameter_supported",
  "client_id_metadata_document_supported",
] as const;

export interface FoundServer {
  readonly server: LoginServer;
  /** The upstream's name for itself, for the parameter `resource` (RFC 8707). */
  readonly resource: string;
  /** The scopes that the upstream knows; null: it does not say. */
  readonly scopes: string | null;
}

/** Limits of what metadata name. */
const MAX_ADDRESS_CHARS = 2_048;
const MAX_SCOPES = 100;

/**
 * @param url of the upstream
 * @param challenge of the upstream's answer without a token; null: it was not asked
 * @returns null if nothing says where the server is before the upstream was asked
 * @throws {LoginFault}
 */
export async function findServer(
  exchange: LoginExchange,
  url: URL,
  credentials: Pick<OAuthCredentials, "issuer" | "tokenUrl" | "resource" | "clientId">,
  challenge: BearerChallenge | null,
): Promise<FoundServer | null> {
  const { issuer, tokenUrl, resource, clientId } = credentials;
  const own = { resource: resource ?? resourceOf(url), scopes: null };
  if (tokenUrl !== null) {
    return { server: { issuer: issuer ?? new URL(tokenUrl).origin, token_endpoint: tokenUrl }, ...own };
  }
  if (issuer !== null) return { server: await serverOf(exchange, issuer), ...own };
  if (challenge === null) return null;
  const metadata = await resourceMetadata(exchange, url, challenge);
  // Upstreams of 2025-03-26 have no metadata of their own: they are at the origin of their authorization server.
  if (metadata === null) {
    const server = await serverAt(exchange, url.origin);
    if (server !== null) return { server, ...own };
    // The secret of a given client goes to no address that nobody has named.
    if (clientId === "") return { server: defaultServer(url.origin), ...own };
    throw new LoginFault(NO_METADATA);
  }
  const [named] = metadata.servers;
  return {
    server: await serverOf(exchange, named),
    resource: resource ?? metadata.resource,
    scopes: metadata.scopes,
  };
}

/**
 * The authorization servers that the upstream names now.
 * @returns null if it names none
 * @throws {LoginFault}
 */
export async function namedServers(
  exchange: LoginExchange,
  url: URL,
  challenge: BearerChallenge,
): Promise<readonly string[] | null> {
  return (await resourceMetadata(exchange, url, challenge))?.servers ?? null;
}

/** The canonical name of an upstream (2025-11-25, basic/authorization, "Canonical Server URI"): without query and fragment. */
function resourceOf(url: URL): string {
  const { origin, pathname } = url;
  return pathname === "/" ? origin : origin + pathname;
}

async function resourceMetadata(
  exchange: LoginExchange,
  url: URL,
  { resourceMetadata: named }: BearerChallenge,
): Promise<
  | { readonly resource: string; readonly servers: [string, ...string[]]; readonly scopes: string | null }
  | null
> {
  const path = url.pathname.replace(/\/$/, "");
  const wellKnown = "/.well-known/oauth-protected-resource";
  const addresses = named === null
    ? [...new Set([url.origin + wellKnown + path, url.origin + wellKnown])]
    : [namedAddress(named, url)];
  for (const address of addresses) {
    const document = await read(exchange, address);
    if (document === null) continue;
    const { resource, authorization_servers: servers, scopes_supported: scopes } = document;
    if (typeof resource !== "string" || !covers(resource, url)) {
      throw new LoginFault(
        "its metadata are of another resource (RFC 9728), so that a token for it could be used elsewhere",
      );
    }
    const issuers = Array.isArray(servers) ? servers.filter(isAddress) : [];
    if (issuers.length === 0) throw new LoginFault("its metadata name no authorization server");
    return {
      resource,
      servers: issuers as [string, ...string[]],
      scopes: Array.isArray(scopes)
        ? scopes.filter((scope) => typeof scope === "string" && SCOPE.test(scope)).slice(0, MAX_SCOPES).join(
          " ",
        ) || null
        : null,
    };
  }
  if (named !== null) throw new LoginFault("the address of its metadata, resource_metadata, has none");
  return null;
}

/** RFC 6749, section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/;

/** Metadata are at the origin of their resource (RFC 9728, section 3). @throws {LoginFault} */
function namedAddress(named: string, url: URL): string {
  const address = named.length > MAX_ADDRESS_CHARS ? null : URL.parse(named, url);
  if (address === null || address.origin !== url.origin) {
    throw new LoginFault("it names metadata at another origin (resource_metadata)");
  }
  return address.href;
}

/** Is the upstream at this resource, or below it? */
function covers(resource: string, url: URL): boolean {
  const parsed = resource.length > MAX_ADDRESS_CHARS ? null : URL.parse(resource);
  if (parsed === null || parsed.origin !== url.origin) return false;
  const above = parsed.pathname.replace(/\/$/, "");
  return url.pathname === above || url.pathname.startsWith(`${above}/`);
}

const NO_METADATA =
  "its authorization server has no metadata (RFC 8414, OpenID Connect). Give token_url in oauth_config";

/** @throws {LoginFault} */
async function serverOf(exchange: LoginExchange, issuer: string): Promise<LoginServer> {
  const server = await serverAt(exchange, issuer);
  if (server === null) throw new LoginFault(NO_METADATA);
  return server;
}

/** The paths of 2025-03-26, basic/authorization, "Fallbacks for Servers without Metadata Discovery". */
function defaultServer(origin: string): LoginServer {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    // "PKCE is REQUIRED for all clients."
    code_challenge_methods_supported: ["S256"],
  };
}

/** @returns null if there are no metadata @throws {LoginFault} */
async function serverAt(exchange: LoginExchange, issuer: string): Promise<LoginServer | null> {
  for (const address of addressesOf(issuer)) {
    const document = await read(exchange, address);
    if (document === null) continue;
    if (typeof document.issuer !== "string" || !isSameIssuer(document.issuer, issuer)) {
      throw new LoginFault(
        "the metadata of its authorization server name another issuer (RFC 8414, section 3.3)",
      );
    }
    const { token_endpoint: token } = document;
    if (!isAddress(token)) {
      throw new LoginFault("the metadata of its authorization server have no token_endpoint");
    }
    return { issuer: document.issuer, token_endpoint: token, ...knownMembers(document) };
  }
  return null;
}

function knownMembers(document: JsonObject): Partial<LoginServer> {
  const known: Record<string, unknown> = {};
  for (const name of ENDPOINTS) if (isAddress(document[name])) known[name] = document[name];
  for (const name of FLAGS) if (document[name] === true) known[name] = true;
  for (const name of LISTS) {
    const list = document[name];
    if (!Array.isArray(list)) continue;
    known[name] = list.filter((each) => typeof each === "string" && each.length <= 200).slice(0, MAX_SCOPES);
  }
  return known;
}

/** In the order of 2025-11-25, basic/authorization, "Authorization Server Metadata Discovery". */
function addressesOf(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  const [oauth, openid] = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
  return path === ""
    ? [origin + oauth, origin + openid]
    : [origin + oauth + path, origin + openid + path, origin + path + openid];
}

export function isSameIssuer(one: string, other: string): boolean {
  return one.replace(/\/$/, "") === other.replace(/\/$/, "");
}

function isAddress(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_ADDRESS_CHARS && /^https?:/.test(value) &&
    URL.canParse(value);
}

/** A JSON object; null if there is none at the address. @throws {LoginFault} */
async function read(exchange: LoginExchange, address: string): Promise<JsonObject | null> {
  const { status, text } = await ask(exchange, {
    method: "GET",
    url: new URL(address),
    headers: [["accept", "application/json"]],
  });
  if (status >= 500) throw new LoginFault(`the address of metadata answered HTTP ${status}`);
  if (status !== 200) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
