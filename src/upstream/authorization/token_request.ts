// Asks an authorization server for a token.
import type * as OAuth from "oauth4webapi";
import { withoutValuesOf } from "../transport/without_secrets.ts";
import { reasonOf } from "../../base/errors.ts";
import { SeenAnswer } from "../../base/seen_answer.ts";
import { fetchBy, type LoginExchange } from "./login_exchange.ts";
import { codeOf, LoginFault, wordsOf } from "./login_fault.ts";
import { clientSecretBasic } from "./client_secret_basic.ts";
import type { ExchangeSettings, OAuthCredentials } from "./oauth_credentials.ts";
import type { LoginServer } from "./login_server.ts";

// Loaded on first use: most gateways have no such upstream.
export const oauth = () => import("oauth4webapi");

export interface GivenToken {
  readonly accessToken: string;
  /** null: the server did not say. */
  readonly expiresInS: number | null;
}

/** A longer token does not fit into the headers that most servers take. */
const MAX_TOKEN_CHARS = 16_384;

export interface WantedToken {
  /** null: the server decides. */
  readonly scope: string | null;
  readonly resource: string;
  /** The caller's token that is exchanged; null: the token is for the gateway itself. */
  readonly subject: string | null;
}

/** @throws {LoginFault} */
export async function requestToken(
  exchange: LoginExchange,
  server: LoginServer,
  credentials: OAuthCredentials,
  { scope, resource, subject }: WantedToken,
): Promise<GivenToken> {
  const library = await oauth();
  const client = { client_id: credentials.clientId };
  const { audience = null, sendsResource = true } = credentials.exchange ?? {};
  const parameters = {
    ...(sendsResource ? { resource } : {}),
    ...(audience === null ? {} : { audience }),
    ...(scope === null ? {} : { scope }),
    ...(subject === null ? {} : exchangeParameters(credentials.exchange!, subject)),
  };
  try {
    const authentication = await authenticationOf(library, server, credentials);
    const grant = subject === null ? "client_credentials" : TOKEN_EXCHANGE;
    const response = await library.genericTokenEndpointRequest(
      server,
      client,
      authentication,
      grant,
      parameters,
      // `ask` decides.
      { [library.customFetch]: fetchBy(exchange), [library.allowInsecureRequests]: true },
    );
    return tokenIn(await library.processGenericTokenEndpointResponse(server, client, response));
  } catch (error) {
    throw asFault(library, error, credentials, { subject: subject ?? "" });
  }
}

/** RFC 8693, section 2.1. */
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const TOKEN_TYPE = "urn:ietf:params:oauth:token-type:";

function exchangeParameters(
  { subjectTokenType, requestedTokenType }: ExchangeSettings,
  subject: string,
): Record<string, string> {
  return {
    subject_token: subject,
    subject_token_type: TOKEN_TYPE + subjectTokenType,
    ...(requestedTokenType === null ? {} : { requested_token_type: TOKEN_TYPE + requestedTokenType }),
  };
}

/** Ten years: a server that names a longer life says nothing. */
const MAX_LIFE_S = 315_360_000;

/** @throws {LoginFault} */
export function tokenIn({ access_token, token_type, expires_in }: OAuth.TokenEndpointResponse): GivenToken {
  if (token_type.toLowerCase() !== "bearer") {
    throw new LoginFault("its authorization server gives tokens of another type than Bearer");
  }
  if (access_token.length > MAX_TOKEN_CHARS || !/^[\x21-\x7e]+$/.test(access_token)) {
    throw new LoginFault("its authorization server gave a token that no header can carry");
  }
  return { accessToken: access_token, expiresInS: lifeIn(expires_in) };
}

/** In whole seconds, so that dates and databases can hold the end. */
function lifeIn(expiresIn: number | undefined): number | null {
  return expiresIn === undefined || expiresIn > MAX_LIFE_S ? null : Math.floor(expiresIn);
}

export async function authenticationOf(
  library: typeof OAuth,
  server: LoginServer,
  { clientSecret, privateKey, clientAuth }: Pick<
    OAuthCredentials,
    "clientSecret" | "privateKey" | "clientAuth"
  >,
): Promise<OAuth.ClientAuth> {
  const offered = server.token_endpoint_auth_methods_supported;
  const takesBasic = offered === undefined || offered.includes("client_secret_basic");
  const ofSecret = clientSecret === null ? "none" : takesBasic ? "client_secret_basic" : "client_secret_post";
  switch (clientAuth ?? (privateKey === null ? ofSecret : "private_key_jwt")) {
    case "client_secret_basic":
      return clientSecretBasic(clientSecret!);
    case "client_secret_post":
      return library.ClientSecretPost(clientSecret!);
    case "private_key_jwt":
      return library.PrivateKeyJwt(await importKey(privateKey!));
    case "none":
      return library.None();
  }
}

const KEY_ALGORITHMS = [
  { name: "ECDSA", namedCurve: "P-256" },
  { name: "ECDSA", namedCurve: "P-384" },
  { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  { name: "Ed25519" },
] as const;

/** @param pem PKCS #8 @throws {LoginFault} */
export async function importKey(pem: string): Promise<CryptoKey> {
  const base64 = /-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----/.exec(pem)?.[1];
  const der = base64 === undefined ? null : Uint8Array.fromBase64(base64.replaceAll(/\s/g, ""));
  for (const algorithm of der === null ? [] : KEY_ALGORITHMS) {
    try {
      return await crypto.subtle.importKey("pkcs8", der!, algorithm, false, ["sign"]);
    } catch {
      // A key of another algorithm.
    }
  }
  throw new LoginFault(
    "private_key of oauth_config is no PKCS #8 key of RSA, P-256, P-384 or Ed25519 in PEM",
  );
}

/** @param hidden what the words of the authorization server must not repeat */
export function asFault(
  library: typeof OAuth,
  error: unknown,
  { clientSecret }: Pick<OAuthCredentials, "clientSecret">,
  hidden: Readonly<Record<string, string>> = {},
): LoginFault {
  if (error instanceof LoginFault) return error;
  if (error instanceof library.ResponseBodyError) {
    const { error: code, error_description: words = "" } = error;
    const shown = withoutValuesOf({ ...hidden, clientSecret: clientSecret ?? "" }, String(words));
    const said = `${codeOf(code)}: ${shown.slice(0, 200).replaceAll(/\p{Cc}/gu, " ")}`;
    return new LoginFault(wordsOf(code), { cause: new SeenAnswer(said), code });
  }
  if (error instanceof library.WWWAuthenticateChallengeError) {
    return new LoginFault(wordsOf("invalid_client"), { code: "invalid_client" });
  }
  // The library's errors carry whole answers, with tokens.
  return new LoginFault("the answer of its authorization server is no token", {
    cause: new SeenAnswer(reasonOf(error).slice(0, 200)),
  });
}
