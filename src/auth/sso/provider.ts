// One identity provider, as OpenID Connect and OAuth 2.0 see it: its metadata and keys, the code flow, and the logouts of both sides.
import type * as OAuth from "oauth4webapi";
import type { JWTPayload } from "jose";
import { decodeProtectedHeader } from "jose";
import type { Clock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { SsoProvider } from "../../config/sso_providers.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import type { Log } from "../../telemetry/log.ts";
import { IssuerKeys } from "../keys/issuer_keys.ts";
import { verifyToken } from "../keys/verify.ts";
import { claimAt } from "./person_claims.ts";
import { failed, ProviderMetadata, saidByProvider, usedAs } from "./provider_metadata.ts";

// Loaded on first use: most gateways have no provider.
const oauth = () => import("oauth4webapi");

/** Within limits of time and size, and where the egress guard allows it. Redirects are not followed. */
export type SendToProvider = (request: {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}) => Promise<{ readonly status: number; readonly contentType: string | null; readonly text: string }>;

export interface ProviderDeps {
  readonly provider: SsoProvider;
  readonly send: SendToProvider;
  readonly clock: Clock;
  readonly log: Log;
  readonly countKeysRead: (outcome: "success" | "failure") => void;
  /** JWKS_CACHE_TTL: also of the metadata. */
  readonly ttlMs: number;
  /** JWKS_GRACE */
  readonly graceMs: number;
}

/** What binds the answer of a provider to the request: state, nonce and PKCE. */
export interface Binding {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Where the provider sends the person back to. */
  readonly redirectUri: string;
}

/** Somebody whom the provider has identified. */
export interface Identified {
  readonly subject: string;
  /** The provider's session; null: it told none. */
  readonly sid: string | null;
  readonly claims: JsonObject;
  readonly idToken: string;
}

/** The session or person that a provider logs out. */
export interface LoggedOut {
  readonly jti: string;
  readonly subject: string | null;
  readonly sid: string | null;
}

/** Clocks of the provider and the gateway may differ by this. */
const CLOCK_TOLERANCE_S = 60;

/** A logout token is taken for so long after it was issued (OpenID Connect Back-Channel Logout 1.0, section 2.6 leaves it open). */
export const LOGOUT_TOKEN_AGE_MS = 5 * 60_000;

/** OpenID Connect Core 1.0, section 2. */
const MAX_SUBJECT_CHARS = 255;

const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";

export class ProviderClient {
  readonly provider: SsoProvider;
  readonly #deps: ProviderDeps;
  readonly #metadata: ProviderMetadata;
  readonly #keys: IssuerKeys;

  constructor(deps: ProviderDeps) {
    const { provider, clock, log, countKeysRead, ttlMs, graceMs } = deps;
    this.provider = provider;
    this.#deps = deps;
    this.#metadata = new ProviderMetadata({ ...deps, fetch: this.#fetch });
    this.#keys = new IssuerKeys({
      ...{ issuer: provider.issuer, algorithms: provider.algorithms, clock, log, ttlMs, graceMs },
      count: countKeysRead,
      read: async () => await this.#readKeys(),
    });
  }

  /** What binds a new sign-in. */
  async bind(redirectUri: string): Promise<Binding> {
    const { generateRandomState, generateRandomNonce, generateRandomCodeVerifier } = await oauth();
    return {
      state: generateRandomState(),
      nonce: generateRandomNonce(),
      verifier: generateRandomCodeVerifier(),
      redirectUri,
    };
  }

  /** Where a person signs in. @throws {SluiceError} SSO_PROVIDER_FAILED */
  async authorizationUrl({ state, nonce, verifier, redirectUri }: Binding): Promise<URL> {
    const { calculatePKCECodeChallenge } = await oauth();
    const { client_id, scope } = this.provider;
    const { authorization_endpoint } = await this.#metadata.read();
    const url = new URL(authorization_endpoint!);
    const challenge = await calculatePKCECodeChallenge(verifier);
    const params = { response_type: "code", client_id, redirect_uri: redirectUri, scope, state, nonce };
    for (
      const [name, value] of Object.entries({
        ...params,
        code_challenge: challenge,
        code_challenge_method: "S256",
      })
    ) {
      url.searchParams.set(name, value);
    }
    return url;
  }

  /**
   * Changes the code of the provider's answer for a person.
   * @param answer the query of the address that the person came back to
   * @throws {SluiceError} SSO_REFUSED if the person or the provider broke off, SSO_PROVIDER_FAILED
   */
  async identify(answer: URLSearchParams, binding: Binding): Promise<Identified> {
    const { state, nonce, verifier, redirectUri } = binding;
    const library = await oauth();
    const as = await this.#metadata.read();
    const client = this.#client(library);
    return await usedAs(this.provider, async () => {
      // Also checks `iss` (RFC 9207), against an answer of one provider that is sent to another one's address.
      const checked = library.validateAuthResponse(as, client, answer, state);
      const options = { [library.customFetch]: this.#fetch, [library.allowInsecureRequests]: true };
      const response = await library.authorizationCodeGrantRequest(
        as,
        client,
        this.#authentication(library, as),
        checked,
        redirectUri,
        verifier,
        options,
      );
      const tokens = await library.processAuthorizationCodeResponse(as, client, response, {
        expectedNonce: nonce,
        requireIdToken: true,
      });
      const claims = await this.#verified(tokens.id_token!);
      const { sub, sid } = claims;
      if (typeof sub !== "string" || sub.length > MAX_SUBJECT_CHARS) {
        throw new Error("its subject is no text of 255 characters");
      }
      const more = await this.#userInfo(library, as, tokens.access_token, claims);
      return {
        subject: sub,
        sid: typeof sid === "string" && sid.length <= 255 ? sid : null,
        claims: { ...more, ...claims },
        idToken: tokens.id_token!,
      };
    });
  }

  /**
   * Verifies a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6).
   * @throws {SluiceError} SSO_REFUSED, TOKEN_KEYS_UNAVAILABLE
   */
  async verifyLogout(token: string): Promise<LoggedOut> {
    const refuse = (reason: string) =>
      new SluiceError("SSO_REFUSED", { provider: this.provider.display_name, reason });
    let claims: JsonObject;
    try {
      // "logout+jwt" is recommended, not required.
      const { typ = "JWT" } = decodeProtectedHeader(token);
      if (!/^((application\/)?logout\+)?jwt$/i.test(typ)) {
        throw new Error(`it is of the type ${typ.slice(0, 40)}`);
      }
      claims = await this.#verified(token, ["jti"]);
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throw refuse(`the logout token cannot be verified: ${reasonOf(error)}`);
    }
    const { jti, iat, sub, sid, events, nonce } = claims;
    const ageMs = this.#deps.clock.now() - Number(iat) * 1000;
    if (!(Math.abs(ageMs) <= LOGOUT_TOKEN_AGE_MS)) {
      throw refuse("the logout token is too old, or of the future");
    }
    if (nonce !== undefined) throw refuse("a logout token has no nonce: this is another kind of token");
    if (!isObject(events) || !isObject(events[LOGOUT_EVENT])) {
      throw refuse("the token has no logout event: it is another kind of token");
    }
    if (typeof sub !== "string" && typeof sid !== "string") throw refuse("the logout token names nobody");
    return {
      jti: String(jti),
      subject: typeof sub === "string" ? sub : null,
      sid: typeof sid === "string" ? sid : null,
    };
  }

  /** Where a person ends the session at the provider too; null: the provider has no such address, or cannot be reached. */
  async logoutUrl(idToken: string | null): Promise<string | null> {
    const { client_id, post_logout_redirect_uri } = this.provider;
    const as = await this.#metadata.read().catch(() => null);
    if (as?.end_session_endpoint === undefined) return null;
    const url = new URL(as.end_session_endpoint);
    url.searchParams.set("client_id", client_id);
    if (idToken !== null) url.searchParams.set("id_token_hint", idToken);
    if (post_logout_redirect_uri !== null) {
      url.searchParams.set("post_logout_redirect_uri", post_logout_redirect_uri);
    }
    return url.href;
  }

  /** The gateway, as the library sees it. Its clock is ours. */
  #client({ clockTolerance, clockSkew }: typeof OAuth): OAuth.Client {
    const skewS = Math.round((this.#deps.clock.now() - Date.now()) / 1000);
    return { client_id: this.provider.client_id, [clockTolerance]: CLOCK_TOLERANCE_S, [clockSkew]: skewS };
  }

  #authentication(library: typeof OAuth, as: OAuth.AuthorizationServer): OAuth.ClientAuth {
    const { client_secret, client_auth } = this.provider;
    if (client_secret === null) return library.None();
    const offered = as.token_endpoint_auth_methods_supported;
    const takesBasic = offered === undefined || offered.includes("client_secret_basic");
    const method = client_auth ?? (takesBasic ? "basic" : "post");
    return method === "basic"
      ? library.ClientSecretBasic(client_secret)
      : library.ClientSecretPost(client_secret);
  }

  /** The library checks the claims of an ID token that comes from the token endpoint, and leaves the signature to us. */
  async #verified(token: string, requiredClaims: string[] = []): Promise<JsonObject> {
    const { provider, clock } = this.#deps;
    const keys = { algorithms: provider.algorithms, keysFor: this.#keys.keysFor };
    const as = await this.#metadata.read();
    const payload: JWTPayload = await verifyToken(token, keys, {
      issuer: as.issuer,
      audience: provider.client_id,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(clock.now()),
      requiredClaims,
    });
    return payload as JsonObject;
  }

  /** The claims of the userinfo endpoint, if the ID token has no email address or no groups. Its subject must be the same. */
  async #userInfo(
    library: typeof OAuth,
    as: OAuth.AuthorizationServer,
    accessToken: string,
    claims: JsonObject,
  ): Promise<JsonObject> {
    const { email_claim, groups_claim } = this.provider;
    const isComplete = [email_claim, ...groups_claim].every((name) => claimAt(claims, name) !== undefined);
    if (isComplete || as.userinfo_endpoint === undefined) return {};
    const options = { [library.customFetch]: this.#fetch, [library.allowInsecureRequests]: true };
    const client = this.#client(library);
    const response = await library.userInfoRequest(as, client, accessToken, options);
    return await library.processUserInfoResponse(
      as,
      client,
      claims.sub as string,
      response,
    ) as JsonObject;
  }

  async #readKeys(): Promise<string> {
    const { jwks_uri } = await this.#metadata.read();
    const { status, text } = await this.#deps.send({
      method: "GET",
      url: new URL(jwks_uri!),
      headers: [["accept", "application/json"]],
    });
    if (status !== 200) throw new Error(`the address of the keys answered HTTP ${status}`);
    return text;
  }

  /** For the library, in place of the global function. */
  readonly #fetch = async (address: string, init: OAuth.CustomFetchOptions<string, unknown>) => {
    const { provider, send } = this.#deps;
    const url = new URL(address);
    if (url.protocol !== "https:" && !(provider.allow_http && url.protocol === "http:")) {
      throw failed(provider, `it names the address ${url.origin}, which is not https`);
    }
    const { status, contentType, text } = await send({
      method: init.method as "GET" | "POST",
      url,
      headers: Object.entries(init.headers),
      body: init.body === undefined || init.body === null ? undefined : String(init.body),
    });
    saidByProvider(provider, status);
    return new Response(text, { status, headers: { "content-type": contentType ?? "" } });
  };
}
