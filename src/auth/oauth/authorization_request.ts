// Authorization requests (RFC 6749, section 4.1.1, with PKCE of RFC 7636 and resources of RFC 8707), read and checked. A request whose
// client or redirect URI is wrong is answered to the person; every other fault goes back to the client.
import { SluiceError } from "../../base/errors.ts";
import { type Client, CODE_GRANT } from "./clients/client.ts";
import { OAuthFault } from "./oauth_fault.ts";
import { hostOf, isOnThisMachine, isRegistered } from "./clients/redirect_uris.ts";
import { audienceOf, type Resource, resourceIn, WHOLE_GATEWAY } from "./resources.ts";
import { MCP_SCOPES, type Scopes, scopesIn } from "./scopes.ts";

/** A request that its user may be asked about. */
export interface AuthorizationRequest {
  readonly client: Client;
  readonly redirectUri: string;
  /** Where the browser goes afterwards, for people. */
  readonly redirectHost: string;
  /** Any program on the user's machine may stand behind the redirect URI. */
  readonly isOnThisMachine: boolean;
  readonly resource: Resource;
  /** The address of the resource. */
  readonly audience: string;
  readonly scopes: Scopes;
  readonly challenge: string;
  readonly mustAsk: boolean;
  /** The client wants no page to be shown. */
  readonly mayNotAsk: boolean;
}

/** Where the answer goes, as soon as the client and its redirect URI are known to be right. */
export interface ReplyAddress {
  readonly redirectUri: string;
  readonly state: string | null;
  /** RFC 9207. */
  readonly issuer: string;
}

/** The request has to pass through the addresses of the pages where people sign in. */
const MAX_QUERY_CHARS = 1_900;

const ONCE = [
  ...["client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "prompt", "request"],
  ...["code_challenge", "code_challenge_method", "request_uri"],
];

/** @throws {SluiceError} INVALID_REQUEST: nothing of the request can be answered to a client */
export function clientIdIn(query: URLSearchParams): string {
  const clientId = query.get("client_id");
  if (query.toString().length > MAX_QUERY_CHARS) {
    throw wrong(`the request has more than ${MAX_QUERY_CHARS} characters`);
  }
  const twice = ONCE.find((name) => query.getAll(name).length > 1);
  if (twice !== undefined) throw wrong(`the request has ${twice} twice`);
  if (clientId === null || clientId === "") throw wrong("the request names no client_id");
  return clientId;
}

/** @param issuer the gateway's address. @throws {SluiceError} INVALID_REQUEST: the redirect URI is not the client's */
export function replyAddressIn(query: URLSearchParams, client: Client, issuer: string): ReplyAddress {
  const redirectUri = query.get("redirect_uri");
  if (redirectUri === null) throw wrong("the request names no redirect_uri");
  if (!isRegistered(redirectUri, client.redirectUris)) {
    throw wrong(`the redirect_uri is none that ${client.name} has registered`);
  }
  return { redirectUri, state: query.get("state"), issuer };
}

/** @throws {OAuthFault} which goes back to the client */
export function requestIn(
  query: URLSearchParams,
  client: Client,
  { redirectUri, issuer }: ReplyAddress,
): AuthorizationRequest {
  const get = (name: string) => query.get(name);
  if (get("request") !== null) {
    throw new OAuthFault("request_not_supported", "request objects are not supported");
  }
  if (get("request_uri") !== null) {
    throw new OAuthFault("request_uri_not_supported", "request objects are not supported");
  }
  if (get("response_type") !== "code") {
    throw new OAuthFault("unsupported_response_type", "response_type must be code");
  }
  if (!client.grantTypes.includes(CODE_GRANT)) {
    throw new OAuthFault("unauthorized_client", `the client has not registered the grant type ${CODE_GRANT}`);
  }
  if ((get("response_mode") ?? "query") !== "query") {
    throw new OAuthFault("invalid_request", "response_mode must be query");
  }
  const challenge = get("code_challenge");
  if (challenge === null || !/^[A-Za-z0-9_-]{43}$/.test(challenge)) {
    throw new OAuthFault("invalid_request", "code_challenge must be a PKCE challenge of 43 characters");
  }
  if (get("code_challenge_method") !== "S256") {
    throw new OAuthFault("invalid_request", "code_challenge_method must be S256");
  }
  const prompts = (get("prompt") ?? "").split(" ");
  return {
    ...{ client, redirectUri, challenge, redirectHost: hostOf(redirectUri) },
    ...accessIn(query.getAll("resource"), get("scope"), issuer),
    isOnThisMachine: isOnThisMachine(redirectUri),
    mustAsk: prompts.includes("consent") || prompts.includes("login") || prompts.includes("select_account"),
    mayNotAsk: prompts.includes("none"),
  };
}

/**
 * What a request asks for. Without a resource it is the whole gateway, and without a scope that the gateway knows, what MCP clients
 * need (RFC 6749, section 3.3: unknown scopes may be left out, and the answer names those that are granted).
 * @throws {OAuthFault} invalid_target, invalid_scope
 */
export function accessIn(
  resources: readonly string[],
  scope: string | null,
  base: string,
): Pick<AuthorizationRequest, "resource" | "audience" | "scopes"> {
  if (resources.length > 1) throw new OAuthFault("invalid_target", "name one resource");
  const resource = resources[0] === undefined ? WHOLE_GATEWAY : resourceIn(resources[0], base);
  if (resource === null) {
    throw new OAuthFault("invalid_target", `the resource must be an MCP endpoint below ${base}`);
  }
  const known = (scope ?? "").split(" ").filter((word) =>
    word.startsWith("server:") || (MCP_SCOPES as readonly string[]).includes(word)
  );
  const asked = scopesIn(known.join(" "));
  const isOther = asked !== null && asked.serverId !== null && resource.serverId !== null &&
    asked.serverId !== resource.serverId;
  if (asked === null || isOther) {
    throw new OAuthFault(
      "invalid_scope",
      "the scopes name another virtual server than the resource, or several",
    );
  }
  const permissions = asked.permissions.length === 0 ? MCP_SCOPES : asked.permissions;
  return { resource, audience: audienceOf(base, resource), scopes: { ...asked, permissions } };
}

/** The address that brings the browser back to the client with the answer. */
export function replyUrl(
  { redirectUri, state, issuer }: ReplyAddress,
  answer: { readonly code: string } | OAuthFault,
): string {
  const url = new URL(redirectUri);
  const params = answer instanceof OAuthFault
    ? { error: answer.code, error_description: answer.message }
    : { code: answer.code };
  const all = { ...params, ...(state === null ? {} : { state }), iss: issuer };
  for (const [name, value] of Object.entries(all)) url.searchParams.append(name, value);
  return url.href;
}

function wrong(reason: string): SluiceError {
  return new SluiceError("INVALID_REQUEST", { reason });
}
