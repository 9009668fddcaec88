// The requests of a login by authorization code: where the browser goes, the exchange of the code, and the renewal and revocation of
// what it gave (OAuth 2.1 with PKCE, RFC 8707, RFC 9207, RFC 7009).
import type * as OAuth from "oauth4webapi";
import { SeenAnswer } from "../../../base/seen_answer.ts";
import { fetchBy, type LoginExchange } from "../login_exchange.ts";
import { codeOf, LoginFault } from "../login_fault.ts";
import type { LoginServer } from "../login_server.ts";
import { asFault, authenticationOf, type GivenToken, oauth, tokenIn } from "../token_request.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import type { LoginClient } from "./login_client.ts";

export interface GivenLoginToken extends GivenToken {
  /** null: the server gave none, and the login ends with the access token. */
  readonly refreshToken: string | null;
}

/** What the exchange of a code needs of its request. */
export interface CodeBinding {
  readonly state: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

export interface CodeRequest extends CodeBinding {
  readonly scope: string | null;
  /** null: the server does not take the parameter. */
  readonly resource: string | null;
  readonly parameters: Readonly<Record<string, string>>;
}

const MAX_REFRESH_TOKEN_CHARS = 16_384;

export async function newBinding(redirectUri: string): Promise<CodeBinding> {
  const { generateRandomState, generateRandomCodeVerifier } = await oauth();
  return { state: generateRandomState(), verifier: generateRandomCodeVerifier(), redirectUri };
}

/** Where the browser goes. */
export async function authorizationUrl(
  endpoint: string,
  { clientId }: LoginClient,
  { state, verifier, redirectUri, scope, resource, parameters }: CodeRequest,
): Promise<string> {
  const { calculatePKCECodeChallenge } = await oauth();
  const url = new URL(endpoint);
  const own = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...(scope === null ? {} : { scope }),
    ...(resource === null ? {} : { resource }),
  };
  for (const [name, value] of Object.entries({ ...parameters, ...own })) url.searchParams.set(name, value);
  return url.href;
}

/**
 * Changes the code of an answer for tokens.
 * @param answer the query of the address that the browser came back to
 * @throws {LoginFault}
 */
export async function exchangeCode(
  exchange: LoginExchange,
  server: LoginServer,
  client: LoginClient,
  answer: URLSearchParams,
  { state, verifier, redirectUri, resource }: CodeBinding & Pick<CodeRequest, "resource">,
): Promise<GivenLoginToken> {
  const library = await oauth();
  const own = { client_id: client.clientId };
  let checked: URLSearchParams;
  try {
    // Also checks `iss` (RFC 9207) and `state`.
    checked = library.validateAuthResponse(server, own, answer, state);
  } catch (error) {
    throw refusalOf(library, error);
  }
  const sent = { code: answer.get("code") ?? "", verifier };
  return await requested(library, exchange, server, client, sent, async (authentication, options) => {
    const response = await library.authorizationCodeGrantRequest(
      server,
      own,
      authentication,
      checked,
      redirectUri,
      verifier,
      options(resource),
    );
    return await library.processAuthorizationCodeResponse(server, own, response);
  });
}

/** @returns null if the authorization server does not accept the refresh token any more @throws {LoginFault} */
export async function refreshLogin(
  exchange: LoginExchange,
  server: LoginServer,
  client: LoginClient,
  { refreshToken, resource }: { readonly refreshToken: string; readonly resource: string | null },
): Promise<GivenLoginToken | null> {
  const library = await oauth();
  const own = { client_id: client.clientId };
  let isLost = false;
  try {
    const sent = { refreshToken };
    const given = await requested(
      library,
      exchange,
      server,
      client,
      sent,
      async (authentication, options) => {
        const asked = options(resource);
        const response = await library.refreshTokenGrantRequest(
          server,
          own,
          authentication,
          refreshToken,
          asked,
        );
        try {
          return await library.processRefreshTokenResponse(server, own, response);
        } catch (error) {
          isLost = error instanceof library.ResponseBodyError && error.error === "invalid_grant";
          throw error;
        }
      },
    );
    // A server that rotates no refresh tokens leaves the former one in force (RFC 6749, section 6).
    return { ...given, refreshToken: given.refreshToken ?? refreshToken };
  } catch (error) {
    if (isLost) return null;
    throw error;
  }
}

/** Asks the authorization server to forget a token. Does nothing where it offers no revocation. @throws {LoginFault} */
export async function revokeToken(
  exchange: LoginExchange,
  { accessToken, found: { server }, login }: UpstreamToken,
  client: LoginClient,
): Promise<void> {
  if (server.revocation_endpoint === undefined) return;
  // The end of a refresh token ends its access tokens (RFC 7009, section 2.1).
  const token = login?.refreshToken ?? accessToken;
  const library = await oauth();
  try {
    const response = await library.revocationRequest(
      server,
      { client_id: client.clientId },
      await authenticationOf(library, server, client),
      token,
      { [library.customFetch]: fetchBy(exchange), [library.allowInsecureRequests]: true },
    );
    await library.processRevocationResponse(response);
  } catch (error) {
    throw asFault(library, error, client, { token });
  }
}

type Options = (resource: string | null) => OAuth.TokenEndpointRequestOptions;

/** @param sent secrets of the request, which the server may repeat */
async function requested(
  library: typeof OAuth,
  exchange: LoginExchange,
  server: LoginServer,
  client: LoginClient,
  sent: Readonly<Record<string, string>>,
  request: (authentication: OAuth.ClientAuth, options: Options) => Promise<OAuth.TokenEndpointResponse>,
): Promise<GivenLoginToken> {
  try {
    const options: Options = (resource) => ({
      [library.customFetch]: withoutIdToken(fetchBy(exchange)),
      // `ask` decides.
      [library.allowInsecureRequests]: true,
      ...(resource === null ? {} : { additionalParameters: { resource } }),
    });
    const answer = await request(await authenticationOf(library, server, client), options);
    const { refresh_token: refresh = null } = answer;
    if (refresh !== null && refresh.length > MAX_REFRESH_TOKEN_CHARS) {
      throw new LoginFault("its authorization server gave a refresh token that is too long");
    }
    return { ...tokenIn(answer), refreshToken: refresh };
  } catch (error) {
    throw asFault(library, error, client, sent);
  }
}

/** The gateway asks for no identity: an ID token that comes nevertheless is not looked at, and its issuer and keys do not matter. */
function withoutIdToken(send: ReturnType<typeof fetchBy>): ReturnType<typeof fetchBy> {
  return async (address, init) => {
    const response = await send(address, init);
    const text = await response.text();
    try {
      const { id_token: _, ...rest } = JSON.parse(text);
      return new Response(JSON.stringify(rest), response);
    } catch {
      return new Response(text, response);
    }
  };
}

/** Why the answer that the browser brought is no good, in words. */
function refusalOf(library: typeof OAuth, error: unknown): LoginFault {
  if (error instanceof library.AuthorizationResponseError) {
    const { error: code } = error;
    const said = String(error.error_description ?? "").slice(0, 200).replaceAll(/\p{Cc}/gu, " ");
    const cause = new SeenAnswer(`${codeOf(code)}: ${said}`);
    return new LoginFault(wordsOfRefusal(code), {
      cause,
      kind: code === "access_denied" ? "refused" : "failed",
    });
  }
  return new LoginFault(
    "the answer that the browser brought is not of the authorization server that was asked (state, iss). Start again",
    { kind: "start_again" },
  );
}

function wordsOfRefusal(code: string): string {
  switch (code) {
    case "access_denied":
      return "the login was refused at its authorization server (access_denied)";
    case "invalid_scope":
      return "its authorization server does not give the scopes (invalid_scope). Check scopes in oauth_config";
    case "invalid_target":
      return "its authorization server does not know the resource (invalid_target). Set send_resource to false, or check " +
        "resource, in oauth_config";
    case "unauthorized_client":
    case "invalid_client":
      return `its authorization server does not accept the gateway's client (${code}). Check client_id in oauth_config`;
    default:
      return `its authorization server answered with the error ${codeOf(code)}`;
  }
}
