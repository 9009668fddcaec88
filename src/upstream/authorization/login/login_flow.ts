// Logs people in at upstreams by authorization code: begins a login, ends it with a stored token, and disconnects. What lies between
// begin and end is in a sealed cookie of the browser, so that the gateway keeps nothing, and nobody ends the login of another browser.
import { BoundedMap } from "../../../base/bounded_map.ts";
import type { Clock } from "../../../base/clock.ts";
import { reasonOf, SluiceError } from "../../../base/errors.ts";
import { operatorText } from "../../../base/seen_answer.ts";
import type { SecretBox } from "../../../store/secret_box.ts";
import type { Connections } from "../../../store/upstream_tokens/connections.ts";
import type { Log } from "../../../telemetry/log.ts";
import { type BearerChallenge, readChallenge, unionOfScopes } from "../bearer_challenge.ts";
import type { LoginExchange, SendToServer } from "../login_exchange.ts";
import { LoginFault, type LoginFaultKind } from "../login_fault.ts";
import { findServer, type FoundServer, type LoginServer } from "../login_server.ts";
import { isServerGiven, type OAuthCredentials } from "../oauth_credentials.ts";
import { openToken, sealToken } from "../sealed_token.ts";
import type { TokenOutcome } from "../source/token_source_deps.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import { allowsHttp, type LoginTarget } from "../upstream_logins.ts";
import { authorizationUrl, type CodeBinding, exchangeCode, newBinding, revokeToken } from "./code_grant.ts";
import { firstChallenge } from "./first_challenge.ts";
import { clientKey, LoginClients, type OwnAddresses } from "./login_client.ts";

/** A registered upstream where people log in. */
export interface ConnectTarget extends LoginTarget {
  readonly gatewayId: string;
  /** Names the credentials. */
  readonly version: string;
  readonly transport: "STREAMABLEHTTP" | "SSE" | "WEBSOCKET" | "STDIO";
}

/** For the metrics. */
export type LoginOutcome = "begun" | "completed" | LoginFaultKind;

export interface LoginFlowDeps {
  readonly connections: Connections;
  readonly secretBox: SecretBox;
  readonly send: SendToServer;
  readonly clock: Clock;
  readonly log: Log;
  readonly count: (upstream: string, outcome: TokenOutcome) => void;
  readonly countLogin: (outcome: LoginOutcome) => void;
}

/** A login that has begun. */
export interface BegunLogin {
  /** Where the browser goes. */
  readonly url: string;
  /** For the cookie. */
  readonly pending: string;
  readonly state: string;
}

interface PendingLogin extends CodeBinding {
  readonly version: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string | null;
  /** The page of this gateway to go to afterwards. */
  readonly next: string;
  /** ms since the epoch. */
  readonly startedAt: number;
}

/** Time that a person has to log in. */
export const LOGIN_TIME_MS = 10 * 60_000;

/** A browser drops a cookie of more than 4,096 bytes without a word (RFC 6265, section 6.1), with its name and attributes. */
const MAX_PENDING_CHARS = 3_800;

/** The end of a login reads the metadata again if they are older. */
const METADATA_MS = 5 * 60_000;
const MAX_KNOWN = 1_000;

interface KnownServer {
  readonly version: string;
  readonly until: number;
  readonly found: FoundServer;
  readonly challenge: BearerChallenge;
}

export class LoginFlow {
  readonly #deps: LoginFlowDeps;
  readonly #clients: LoginClients;
  readonly #known = new BoundedMap<string, KnownServer>({ maxEntries: MAX_KNOWN });

  constructor(deps: LoginFlowDeps) {
    this.#deps = deps;
    this.#clients = new LoginClients(deps);
  }

  /**
   * @param owner whose login it will be
   * @param next the path of this gateway to go to afterwards
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED
   */
  async begin(
    target: ConnectTarget,
    { owner, addresses, next }: {
      readonly owner: string;
      readonly addresses: OwnAddresses;
      readonly next: string;
    },
  ): Promise<BegunLogin> {
    const { secretBox, clock, connections, countLogin } = this.#deps;
    return await this.#named(target, async () => {
      const { gatewayId, version, credentials } = target;
      const exchange = this.#exchange(target);
      const { found, challenge } = await this.#server(target, null);
      const { server } = found;
      const login = credentials.login!;
      const endpoint = login.authorizationUrl ?? server.authorization_endpoint;
      if (endpoint === undefined) {
        throw new LoginFault(
          "the metadata of its authorization server have no authorization_endpoint. Give authorization_url in oauth_config",
        );
      }
      requirePkce(server, credentials);
      requireAddress(endpoint, exchange);
      const given = await target.read?.() ?? credentials;
      const { client, redirectUri } = await this.#clients.of(exchange, target, given, server, addresses);
      const rows = await connections.listOf(owner);
      const row = rows.find((each) => each.gatewayId === gatewayId && each.owner === owner);
      const scope = scopeFor(credentials, { found, challenge, wanted: row?.wantedScope ?? null });
      const binding = await newBinding(redirectUri);
      const pending: PendingLogin = {
        ...{ ...binding, version, scope, next },
        ...{ issuer: server.issuer, clientId: client.clientId, startedAt: clock.now() },
      };
      const cookie = await secretBox.seal(JSON.stringify(pending), pendingOwner(gatewayId, owner));
      if (cookie.length > MAX_PENDING_CHARS) {
        throw new LoginFault(
          "its scopes and addresses are longer than a cookie of a browser holds. Give the scopes that are needed in oauth_config",
        );
      }
      const url = await authorizationUrl(endpoint, client, {
        ...{ ...binding, scope, parameters: login.parameters },
        resource: login.sendsResource ? found.resource : null,
      });
      countLogin("begun");
      return { url, pending: cookie, state: binding.state };
    });
  }

  /**
   * Changes the code for a token, and stores it.
   * @param answer the query that the browser came back with
   * @param cameTo the address that the browser came back to, without the query
   * @param sealed the cookie of the browser; undefined: it has none
   * @returns the page to go to
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED
   */
  async finish(
    target: ConnectTarget,
    { owner, answer, cameTo, sealed, addresses }: {
      readonly owner: string;
      readonly answer: URLSearchParams;
      readonly cameTo: string;
      readonly sealed: string | undefined;
      readonly addresses: OwnAddresses;
    },
  ): Promise<string> {
    const { secretBox, clock, connections, count, countLogin } = this.#deps;
    const { gatewayId, version, upstream, credentials } = target;
    return await this.#named(target, async () => {
      const pending = await this.#pending(target, owner, sealed, answer.get("state"));
      const exchange = this.#exchange(target);
      const { found } = await this.#server(target, pending.issuer);
      const { server } = found;
      const { scope } = pending;
      if (server.issuer !== pending.issuer || cameTo !== pending.redirectUri) throw startAgain();
      const named = await target.read?.() ?? credentials;
      const { client, redirectUri } = await this.#clients.of(exchange, target, named, server, addresses);
      // The redirect URI also says which kind of client it is: by now the metadata may promise less than when the login began.
      if (client.clientId !== pending.clientId || redirectUri !== pending.redirectUri) throw startAgain();
      const resource = credentials.login!.sendsResource ? found.resource : null;
      const now = clock.now();
      const given = await exchangeCode(exchange, server, client, answer, { ...pending, resource })
        .catch(async (error) => {
          if (error instanceof LoginFault && error.kind === "failed") count(upstream, "failed");
          // The authorization server may have forgotten the client that the gateway has registered.
          if (error instanceof LoginFault && error.code === "invalid_client") {
            await connections.forgetClient(clientKey(gatewayId, server, redirectUri));
          }
          throw error;
        });
      await this.#clients.accepted(target, named, server);
      const token: UpstreamToken = {
        accessToken: given.accessToken,
        obtainedAt: now,
        expiresAt: given.expiresInS === null ? null : now + given.expiresInS * 1000,
        ...{ scope, found: { ...found, server: kept(server) } },
        login: { refreshToken: given.refreshToken, client, resource },
      };
      const key = { gatewayId, owner, version };
      await connections.connect(key, await sealToken(secretBox, token, key), {
        ...{ connectedAt: now, expiresAt: token.expiresAt },
        isRenewable: given.refreshToken !== null,
      });
      count(upstream, "success");
      countLogin("completed");
      return pending.next;
    });
  }

  /**
   * Forgets a login, and has the authorization server forget its tokens where it offers that.
   * @param target null: the upstream has other credentials by now
   * @returns false if there was none
   */
  async disconnect(gatewayId: string, owner: string, target: ConnectTarget | null): Promise<boolean> {
    const { connections, secretBox, log } = this.#deps;
    const sealed = await connections.disconnect(gatewayId, owner);
    if (sealed === undefined) return false;
    if (sealed === null || target === null) return true;
    const token = await openToken(secretBox, sealed, { gatewayId, owner, version: target.version });
    if (token?.login === undefined) return true;
    try {
      await revokeToken(this.#exchange(target), token, token.login.client);
    } catch (error) {
      log.warning("the authorization server of an upstream did not revoke a token", {
        upstream: target.upstream,
        reason: reasonOf(error),
      });
    }
    return true;
  }

  #exchange({ url, caCertificate, credentials }: LoginTarget): LoginExchange {
    return { send: this.#deps.send, caCertificate, allowsHttp: allowsHttp(url, credentials) };
  }

  /** @param issuer the server where a login has begun; null: a login begins, at the server that the upstream names now */
  async #server(target: ConnectTarget, issuer: string | null): Promise<KnownServer> {
    const { clock } = this.#deps;
    const { gatewayId, version, url, credentials } = target;
    const known = this.#known.get(gatewayId);
    const isKnown = known?.version === version && known.found.server.issuer === issuer;
    if (isKnown && clock.now() < known.until) return known;
    const exchange = this.#exchange(target);
    // A given server is found without the upstream; else its refusal names the metadata, or these are at the well-known address.
    const challenge = isServerGiven(credentials)
      ? readChallenge(null)
      : await firstChallenge(exchange, target);
    const found = (await findServer(exchange, url, credentials, challenge))!;
    const now = { version, until: clock.now() + METADATA_MS, found, challenge };
    this.#known.set(gatewayId, now);
    return now;
  }

  async #pending(
    { gatewayId, version }: ConnectTarget,
    owner: string,
    sealed: string | undefined,
    state: string | null,
  ): Promise<PendingLogin> {
    const { secretBox, clock } = this.#deps;
    if (sealed === undefined) throw startAgain();
    let pending: PendingLogin;
    try {
      pending = JSON.parse(await secretBox.open(sealed, pendingOwner(gatewayId, owner)));
    } catch {
      throw startAgain();
    }
    const isInTime = clock.now() - pending.startedAt < LOGIN_TIME_MS;
    if (state === null || pending.state !== state || pending.version !== version || !isInTime) {
      throw startAgain();
    }
    return pending;
  }

  async #named<T>({ upstream }: ConnectTarget, work: () => Promise<T>): Promise<T> {
    const { log, countLogin } = this.#deps;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LoginFault)) throw error;
      const params = { upstream, reason: error.message };
      const failure = new SluiceError("UPSTREAM_LOGIN_FAILED", params, { cause: error.cause });
      countLogin(error.kind);
      log.warning("a person cannot log in to upstream", { upstream, reason: operatorText(failure) });
      throw failure;
    }
  }
}

function startAgain(): LoginFault {
  return new LoginFault(
    "the answer belongs to no login that this browser has begun in the last 10 minutes. Start again",
    { kind: "start_again" },
  );
}

/** A cookie is good for the user and the upstream that it was made for. */
function pendingOwner(gatewayId: string, owner: string): string {
  return `upstream-login:${gatewayId}:${owner}`;
}

/** The members that renewals and revocations need. */
function kept(server: LoginServer): LoginServer {
  const { issuer, token_endpoint, token_endpoint_auth_methods_supported, revocation_endpoint } = server;
  return { issuer, token_endpoint, token_endpoint_auth_methods_supported, revocation_endpoint };
}

/** An upstream must not lead the gateway to a server without PKCE (2025-11-25, basic/authorization, "Authorization Code Protection"). */
function requirePkce(
  { code_challenge_methods_supported: methods }: LoginServer,
  credentials: OAuthCredentials,
): void {
  if (methods?.includes("S256")) return;
  if (isServerGiven(credentials) && methods === undefined) return;
  throw new LoginFault(
    "its authorization server does not say that it supports PKCE (S256). Give issuer in oauth_config if it does nevertheless",
  );
}

function requireAddress(endpoint: string, { allowsHttp }: LoginExchange): void {
  const { protocol } = new URL(endpoint);
  if (protocol === "https:" || (allowsHttp && protocol === "http:")) return;
  throw new LoginFault(`its metadata name an address of ${protocol.slice(0, 10)} in place of https:`);
}

function scopeFor(
  { scopes }: OAuthCredentials,
  { found, challenge, wanted }: {
    readonly found: FoundServer;
    readonly challenge: BearerChallenge;
    readonly wanted: string | null;
  },
): string | null {
  if (scopes.length > 0) return scopes.join(" ");
  const offline = found.server.scopes_supported?.includes("offline_access") ? "offline_access" : null;
  return unionOfScopes(challenge.scope ?? found.scopes, wanted, offline);
}
