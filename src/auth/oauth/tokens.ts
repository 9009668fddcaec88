// The token endpoint. `@node-oauth/oauth2-server` reads the request, authenticates the client, and checks codes, PKCE, refresh tokens and
// scopes; this file is its model: what codes and refresh tokens stand for here, and how one of several workers alone uses them up.
import type { Clock } from "../../base/clock.ts";
import type { OAuthGrants, WithConsent } from "../../store/oauth/oauth_grants.ts";
import type { OAuthStore } from "../../store/oauth/oauth_store.ts";
import type { CodeRow, GrantRow, Holder } from "../../store/oauth/oauth_rows.ts";
import { newId } from "../../store/sql/new_id.ts";
import { digest } from "../logins/logins.ts";
import type { AccessTokens } from "./access_tokens.ts";
import { CODE_GRANT, DEVICE_GRANT, GRANT_TYPES, REFRESH_GRANT } from "./clients/client.ts";
import type { Clients } from "./clients/known_clients.ts";
import { CODE_TTL_MS } from "./consents.ts";
import { POLL_S } from "./device_logins.ts";
import { OAuthFault } from "./oauth_fault.ts";
import { audienceOf, resourceIn } from "./resources.ts";
import { OFFLINE_ACCESS, scopesIn } from "./scopes.ts";
import { newSecret } from "./new_secret.ts";
import { formerTokensAfter, refreshTokenState } from "./refresh_rotation.ts";

export type TokenOutcome = "success" | "refused" | "reused" | "failed";

export interface TokensDeps {
  readonly clients: Clients;
  readonly store: Pick<OAuthStore, "clients" | "consents" | "grants" | "devices">;
  readonly accessTokens: AccessTokens;
  readonly clock: Clock;
  /** OAUTH_REFRESH_TOKEN_TTL */
  readonly refreshTtlMs: number;
  /** OAUTH_CLIENT_TTL_DAYS, ms */
  readonly clientTtlMs: number;
  /** Ends the access tokens of grants, in all workers and replicas. */
  readonly revoke: (grantIds: readonly string[], reason: string) => Promise<void>;
  readonly count: (grantType: string, outcome: TokenOutcome) => void;
  /** Tells that somebody has used a code or a refresh token again. */
  readonly onReuse: (what: "code" | "refresh token", of: WithConsent) => void;
}

export interface TokenRequest {
  readonly headers: Headers;
  readonly form: URLSearchParams;
}

export interface TokenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A refresh can lose against others of the same token, which is then a former token within the grace. */
const MAX_TRIES = 5;

// Loaded on first use.
const library = () => import("@node-oauth/oauth2-server");

export class Tokens {
  constructor(private readonly deps: TokensDeps) {}

  /** Never rejects for what a client sends. */
  async answer({ headers, form }: TokenRequest): Promise<TokenAnswer> {
    const { deps } = this;
    const grantType = form.get("grant_type");
    if (grantType === null || !GRANT_TYPES.includes(grantType)) {
      deps.count("other", "refused");
      return refusal(
        grantType === null
          ? new OAuthFault("invalid_request", "send grant_type")
          : new OAuthFault("unsupported_grant_type", `grant_type must be one of ${GRANT_TYPES.join(", ")}`),
      );
    }
    const { default: OAuth2Server } = await library();
    const issuance = new Issuance(deps, form, (fault) =>
      new OAuth2Server.OAuthError(fault.message, {
        code: fault.status,
        name: fault.code,
      }));
    const server = new OAuth2Server({ model: issuance.model() as never });
    const authorization = headers.get("authorization");
    const request = new OAuth2Server.Request({
      method: "POST",
      // The endpoint has read the body, whichever way it came.
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "content-length": "1",
        ...(authorization === null ? {} : { authorization }),
      },
      query: {},
      body: onceOnly(form),
    });
    const response = new OAuth2Server.Response({});
    const known = GRANT_NAMES[grantType]!;
    try {
      await server.token(request, response, {
        accessTokenLifetime: deps.accessTokens.expiresInSeconds,
        refreshTokenLifetime: Math.floor(deps.refreshTtlMs / 1000),
        requireClientAuthentication: { [CODE_GRANT]: false, [REFRESH_GRANT]: false, [DEVICE_GRANT]: false },
        extendedGrantTypes: {
          [DEVICE_GRANT]: deviceGrant(OAuth2Server.AbstractGrantType as never, issuance) as never,
        },
      });
      deps.count(known, "success");
    } catch (error) {
      const isFault = error instanceof OAuth2Server.OAuthError && error.code < 500;
      deps.count(known, issuance.isReuse ? "reused" : isFault ? "refused" : "failed");
      if (!isFault) throw (error as { readonly inner?: unknown }).inner ?? error;
    }
    return {
      status: response.status ?? 200,
      headers: { ...response.headers, "cache-control": "no-store" },
      body: response.body,
    };
  }
}

function refusal({ code, message, status }: OAuthFault): TokenAnswer {
  const body = { error: code, error_description: message };
  return { status, headers: { "cache-control": "no-store" }, body };
}

/** For the metrics. */
const GRANT_NAMES: Readonly<Record<string, string>> = {
  [CODE_GRANT]: CODE_GRANT,
  [REFRESH_GRANT]: REFRESH_GRANT,
  [DEVICE_GRANT]: "device_code",
};

/** The parts of the library's grant types that every one of them has. */
// deno-lint-ignore no-explicit-any -- the library's declarations of abstract classes
type GrantType = abstract new (...options: any[]) => {
  generateAccessToken(client: KnownClient, user: unknown, scope: string[]): Promise<string>;
  generateRefreshToken(client: KnownClient, user: unknown, scope: string[]): Promise<string>;
  getAccessTokenExpiresAt(): Date;
  getRefreshTokenExpiresAt(): Date;
};

/** The grant type of terminals (RFC 8628, section 3.4), for the library. */
function deviceGrant(Base: GrantType, issuance: Issuance) {
  return class extends Base {
    async handle({ body }: { readonly body: Record<string, string> }, client: KnownClient): Promise<unknown> {
      const { holder, scope } = await issuance.redeemDevice(body.device_code, client);
      const token = {
        accessToken: await this.generateAccessToken(client, holder, scope),
        accessTokenExpiresAt: this.getAccessTokenExpiresAt(),
        refreshToken: await this.generateRefreshToken(client, holder, scope),
        refreshTokenExpiresAt: this.getRefreshTokenExpiresAt(),
        scope,
      };
      return await issuance.model().saveToken(token, client, holder);
    }
  };
}

/** A client as the library hands it on. */
interface KnownClient {
  readonly id: string;
  readonly grants: readonly string[];
}

/** One request to the token endpoint. */
class Issuance {
  readonly #deps: TokensDeps;
  readonly #form: URLSearchParams;
  readonly #faultOf: (fault: OAuthFault) => Error;
  readonly #refreshSecret = newSecret();
  #code: (WithConsent & { readonly code: CodeRow }) | null = null;
  #grant: (WithConsent & { readonly grant: GrantRow }) | null = null;
  isReuse = false;

  constructor(deps: TokensDeps, form: URLSearchParams, faultOf: (fault: OAuthFault) => Error) {
    this.#deps = deps;
    this.#form = form;
    this.#faultOf = faultOf;
  }

  /** The library's model. */
  model() {
    const { clients, accessTokens } = this.#deps;
    return {
      getClient: async (id: string, secret?: string | null) => {
        const grants = await clients.authenticate(id, secret ?? null);
        return grants === null ? false : { id, grants: [...grants] };
      },
      getAuthorizationCode: (code: string) => this.#findCode(code),
      revokeAuthorizationCode: async ({ authorizationCode }: { readonly authorizationCode: string }) => {
        const isTaken = await this.#grants.takeCode(digest(authorizationCode));
        // Another request has taken it since it was looked up.
        return isTaken || await this.#replayed(digest(authorizationCode));
      },
      getRefreshToken: (token: string) => this.#findGrant(token),
      revokeToken: () => this.#rotate(),
      generateAccessToken: ({ id: clientId }: KnownClient, { email }: Holder, scope: string[]) => {
        const { id: grantId, issuer } = this.#granted;
        const { resource: audience, userId } = this.#consent;
        const scopes = scopesIn(scope.join(" "))!;
        return accessTokens.sign({ email, userId, clientId, grantId, issuer, audience, scopes });
      },
      generateRefreshToken: () => Promise.resolve(`${this.#granted.id}.${this.#refreshSecret}`),
      saveToken: async (
        { refreshToken, ...token }: Record<string, unknown>,
        client: KnownClient,
        user: unknown,
      ) => {
        if (this.#code !== null) await this.#redeem(this.#code.code);
        await this.#deps.store.consents.use(this.#consent.id);
        await this.#deps.store.clients.use(client.id, this.#deps.clientTtlMs);
        const isRefreshed = client.grants.includes(REFRESH_GRANT);
        return { ...token, ...(isRefreshed ? { refreshToken } : {}), client, user };
      },
    };
  }

  get #grants(): OAuthGrants {
    return this.#deps.store.grants;
  }

  get #consent() {
    return (this.#code ?? this.#grant)!.consent;
  }

  /** The grant that the tokens belong to. */
  get #granted(): { readonly id: string; readonly issuer: string } {
    if (this.#grant !== null) return this.#grant.grant;
    const { grantId, issuer } = this.#code!.code;
    return { id: grantId, issuer };
  }

  async #findCode(text: string) {
    const found = await this.#grants.code(digest(text));
    if (found === null) return false;
    const { code, consent, holder } = found;
    if (code.state !== "new") return await this.#replayed(code.codeHash, found);
    if (!mayUse(holder, code.expiresAt - CODE_TTL_MS)) return false;
    // The library would call another redirect URI an invalid request.
    const redirectUri = this.#form.get("redirect_uri");
    if (redirectUri !== null && redirectUri !== code.redirectUri) return false;
    // Clients of OAuth 2.1 send none: PKCE protects the code, and the library then compares none.
    this.#requireResource(consent.resource, code.issuer);
    this.#code = found;
    return {
      authorizationCode: text,
      expiresAt: new Date(code.expiresAt),
      ...(redirectUri === null ? {} : { redirectUri }),
      scope: code.scope.split(" "),
      client: { id: consent.clientId, grants: [] },
      user: holder,
      codeChallenge: code.challenge,
      codeChallengeMethod: "S256",
    };
  }

  /** A code that is used again has been stolen by one of both: the tokens of the first end (RFC 6749, section 4.1.2). */
  async #replayed(codeHash: string, of: WithConsent | null = this.#code): Promise<false> {
    const grantId = await this.#grants.replayed(codeHash);
    if (grantId !== null) {
      this.isReuse = true;
      await this.#deps.revoke([grantId], "its authorization code was used again");
      if (of !== null) this.#deps.onReuse("code", of);
    }
    return false;
  }

  async #redeem({ codeHash, consentId, issuer, scope, grantId }: CodeRow): Promise<void> {
    const { clock, refreshTtlMs, revoke } = this.#deps;
    const now = clock.now();
    const ended = await this.#grants.redeem(codeHash, {
      ...{ id: grantId, consentId, issuer, scope, formerTokens: [], createdAt: now },
      refreshHash: digest(this.#refreshSecret),
      expiresAt: now + refreshTtlMs,
    });
    if (ended === null) {
      throw this.#faultOf(new OAuthFault("invalid_grant", "the authorization code was used again"));
    }
    if (ended.length > 0) await revoke(ended, LATER_LOGINS);
  }

  /** Makes the grant of a terminal whose person has allowed it. @throws {Error} a fault of the library */
  async redeemDevice(
    deviceCode: string | undefined,
    { id: clientId }: KnownClient,
  ): Promise<{ readonly holder: Holder; readonly scope: string[] }> {
    const { store: { devices }, clock, refreshTtlMs, revoke } = this.#deps;
    if (deviceCode === undefined) throw this.#faultOf(new OAuthFault("invalid_request", "send device_code"));
    const row = await devices.find(digest(deviceCode));
    const refused = () => this.#faultOf(new OAuthFault("invalid_grant", "the device code is not valid"));
    if (row === null || row.clientId !== clientId || row.state === "redeemed") throw refused();
    const now = clock.now();
    if (row.expiresAt <= now) {
      throw this.#faultOf(new OAuthFault("expired_token", "the device code has expired"));
    }
    if (row.state === "denied") {
      throw this.#faultOf(new OAuthFault("access_denied", "the user has not allowed it"));
    }
    if (row.state === "pending") {
      await devices.polled(row.deviceHash, now);
      const isSoon = now - row.polledAt < POLL_S * 1000;
      throw this.#faultOf(
        isSoon
          ? new OAuthFault("slow_down", `ask every ${POLL_S} seconds`)
          : new OAuthFault("authorization_pending", "the user has not decided yet"),
      );
    }
    const { scope, issuer, consentId, allowedAt } = row;
    const grant = {
      ...{ id: newId(), consentId: consentId!, issuer, scope, formerTokens: [], createdAt: allowedAt ?? now },
      ...{ refreshHash: digest(this.#refreshSecret), expiresAt: now + refreshTtlMs },
    };
    const ended = await devices.redeem(row.deviceHash, grant);
    this.#grant = ended === null ? null : await this.#grants.grant(grant.id);
    if (this.#grant === null || !mayUse(this.#grant.holder, grant.createdAt)) throw refused();
    if (ended !== null && ended.length > 0) await revoke(ended, LATER_LOGINS);
    this.#requireResource(this.#grant.consent.resource, issuer);
    return { holder: this.#grant.holder, scope: scope.split(" ") };
  }

  async #findGrant(token: string) {
    const [id = "", secret = ""] = token.split(".");
    const found = await this.#grants.grant(id);
    if (found === null) return false;
    const { grant, consent, holder } = found;
    const known = await this.#stateOf(digest(secret), found);
    if (known !== "valid" || grant.expiresAt <= this.#deps.clock.now()) return false;
    if (!mayUse(holder, grant.createdAt)) return false;
    this.#requireResource(consent.resource, grant.issuer);
    // Before the token is used up: the library asks afterwards.
    const asked = askedScopes(this.#form.get("scope") ?? "");
    const scope = grant.scope.split(" ");
    if (!asked.every((word) => scope.includes(word))) {
      throw this.#faultOf(new OAuthFault("invalid_scope", `the user has allowed ${grant.scope} alone`));
    }
    this.#grant = found;
    return {
      refreshToken: token,
      refreshTokenExpiresAt: new Date(grant.expiresAt),
      scope,
      client: { id: consent.clientId, grants: [] },
      user: holder,
    };
  }

  /** A former token that comes back has been stolen from the client, or the present one has: the grant ends. */
  async #stateOf(
    hash: string,
    found: WithConsent & { readonly grant: GrantRow },
  ): Promise<"valid" | "unknown" | "reused"> {
    const { grant } = found;
    const state = refreshTokenState(hash, grant, this.#deps.clock.now());
    if (state !== "reused") return state;
    this.isReuse = true;
    await this.#grants.end(grant.id);
    await this.#deps.revoke([grant.id], "a former refresh token was used again");
    this.#deps.onReuse("refresh token", found);
    return "reused";
  }

  async #rotate(): Promise<boolean> {
    const { clock, refreshTtlMs: ttlMs } = this.#deps;
    const hash = digest(this.#form.get("refresh_token")!.split(".")[1] ?? "");
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const { grant } = this.#grant!;
      const now = clock.now();
      const rotation = { refreshHash: digest(this.#refreshSecret), expiresAt: now + ttlMs };
      const formerTokens = formerTokensAfter(hash, grant, now);
      if (await this.#grants.rotate(grant, { ...rotation, formerTokens })) return true;
      const found = await this.#grants.grant(grant.id);
      if (found === null || await this.#stateOf(hash, found) !== "valid") return false;
      this.#grant = found;
    }
    return false;
  }

  /** RFC 8707, section 2.2: a token request may name the resource again, and no other. */
  #requireResource(allowed: string, issuer: string): void {
    const isSame = (address: string) => {
      const resource = resourceIn(address, issuer);
      return resource !== null && audienceOf(issuer, resource) === allowed;
    };
    if (this.#form.getAll("resource").every(isSame)) return;
    throw this.#faultOf(new OAuthFault("invalid_target", `the user has allowed ${allowed} alone`));
  }
}

const LATER_LOGINS = "the user has later logins of the same client";

/** May the tokens of a grant still be issued? @param since when the user has allowed it, ms since the epoch */
function mayUse({ isActive, tokensValidFrom }: Holder, since: number): boolean {
  return isActive && (tokensValidFrom === null || since >= tokensValidFrom);
}

/** The scopes of a refresh. Clients may name `offline_access` again: each of them gets a refresh token. */
function askedScopes(text: string): readonly string[] {
  return text.split(" ").filter((word) => word !== "" && word !== OFFLINE_ACCESS);
}

/** A parameter that is sent twice counts as absent, so that two readers cannot see two values (RFC 6749, section 3.2). */
function onceOnly(form: URLSearchParams): Record<string, string> {
  const { scope, ...others } = Object.fromEntries(
    [...form].filter(([name]) => form.getAll(name).length === 1),
  );
  const scopes = askedScopes(scope ?? "");
  return scopes.length === 0 ? others : { ...others, scope: scopes.join(" ") };
}
