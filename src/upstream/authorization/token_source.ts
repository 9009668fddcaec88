// The token of one upstream: kept in memory and sealed in the database, and renewed once for all who wait for it in all workers and
// replicas.
import { sleep } from "../../base/clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { type BearerChallenge, readChallenge, unionOfScopes } from "./bearer_challenge.ts";
import { LoginFault, OTHER_SERVER } from "./login_fault.ts";
import { isServerGiven, takesScopes } from "./oauth_credentials.ts";
import type { PersonLogin } from "./login/person_login.ts";
import { endedToken, refusedToken } from "./token_exchange/subject_token.ts";
import { findServer, type FoundServer, hasMoved } from "./login_server.ts";
import { openToken, sealToken } from "./sealed_token.ts";
import { requestToken } from "./token_request.ts";
import type { KeptTokens, TokenSourceDeps } from "./token_source_deps.ts";
import { isDue, isReplaceable, isUsable, type UpstreamToken } from "./upstream_token.ts";

/** After a failure, calls fail at once for this time, doubled with each further failure. */
const FAILURE_MS = 1_000;
const MAX_FAILURE_MS = 60_000;

/** Limits of what upstreams can make the gateway ask for. */
const MAX_STEP_UPS = 5;
const MAX_SCOPE_CHARS = 2_048;

/** The requests that a holder of the claim makes one after the other, at the most usual: two for metadata, one for the token. */
const CLAIM_PARTS = 3;

const POLL_MS = 100;

/** Why a login ends. */
const NOT_RENEWED = "the authorization server does not renew the login";
const MOVED = "the upstream has another authorization server now";

export class TokenSource {
  readonly #deps: TokenSourceDeps;
  readonly #holder = crypto.randomUUID();
  #token: UpstreamToken | null = null;
  #work: Promise<UpstreamToken | null> | null = null;
  #found: FoundServer | null = null;
  #failure: { readonly error: SluiceError; readonly until: number } | null = null;
  #failures = 0;
  #stepUps = 0;
  #isClosed = false;
  /** Nothing says where the authorization server is, until the upstream refuses a request without a token. */
  #wantsEvidence = false;
  /** The login may have changed in the database. */
  #isUnsure = false;
  /** How often it may have changed. */
  #changes = 0;
  /** Why a person has to log in; null: not known. */
  #needs: SluiceError | null = null;

  constructor(deps: TokenSourceDeps) {
    this.#deps = deps;
  }

  /** The valid token in memory; null: there is none. One that expires soon is renewed behind the calls. */
  get current(): UpstreamToken | null {
    const token = this.#token;
    if (token === null || this.#isUnsure || !this.#isUsable(token)) return null;
    if (
      this.#isDue(token) && token.login?.refreshToken !== null && this.#work === null &&
      !this.#isClosed && !this.#isFailing()
    ) {
      void this.#renewed(token, null).catch(() => {});
    }
    return token;
  }

  /** The token that is exchanged has ended, so that nobody may use what it was exchanged for. */
  get isOver(): boolean {
    const { subject, clock } = this.#deps;
    return subject !== null && clock.now() >= subject.endsAt;
  }

  /** Has the next request look at the database: a person has logged in or disconnected. */
  recheck(): void {
    if (this.#deps.login === null) return;
    this.#changes++;
    this.#isUnsure = true;
    this.#needs = null;
  }

  /**
   * A valid token for a request.
   * @returns null if the upstream has to be asked without a token first
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED, UPSTREAM_LOGIN_NEEDED, UPSTREAM_TOKEN_NEEDED
   */
  async obtain(): Promise<UpstreamToken | null> {
    const known = this.current;
    if (known !== null || this.#wantsEvidence) return known;
    const token = await this.#renewed(null, null);
    // The answer may have taken longer than the token lives.
    return token === null || this.#isUsable(token) || !this.#isDue(token)
      ? token
      : await this.#renewed(token, null);
  }

  /**
   * The token for a second try of a request that the upstream has refused.
   * @param used the token of the request; null: it had none
   * @returns null if a second try would be refused as well
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED, UPSTREAM_LOGIN_NEEDED, UPSTREAM_TOKEN_NEEDED
   */
  async afterRefusal(used: UpstreamToken | null, challenge: BearerChallenge): Promise<UpstreamToken | null> {
    if (this.#token !== used && this.#token !== null && this.#isUsable(this.#token)) return this.#token;
    const next = await this.#renewed(used, challenge);
    return next !== null && next.accessToken === used?.accessToken ? null : next;
  }

  /**
   * The token with the scopes that a request lacks (2025-11-25, basic/authorization, "Step-Up Authorization Flow"), where the
   * upstream may name them.
   * @returns null if there are no further ones to ask for
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED, UPSTREAM_LOGIN_NEEDED, UPSTREAM_TOKEN_NEEDED
   */
  async withScope(used: UpstreamToken, challenge: BearerChallenge): Promise<UpstreamToken | null> {
    if (this.#token !== used && this.#token !== null && this.#isUsable(this.#token)) return this.#token;
    const wanted = unionOfScopes(used.scope, challenge.scope);
    const isMore = wanted !== null && wanted !== used.scope && wanted.length <= MAX_SCOPE_CHARS;
    if (!isMore || !takesScopes(this.#deps.credentials) || this.#stepUps >= MAX_STEP_UPS) return null;
    const { login, kept } = this.#deps;
    if (login !== null) {
      await login.connections.wants(kept!.key, wanted);
      throw login.needed("a call wants further rights there");
    }
    this.#stepUps++;
    return await this.#renewed(used, { ...challenge, scope: wanted });
  }

  /** Begins no renewal behind calls any more. @returns when the one under way has ended: its refresh token is used up */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work?.catch(() => {});
  }

  #renewed(stale: UpstreamToken | null, challenge: BearerChallenge | null): Promise<UpstreamToken | null> {
    if (this.isOver) return Promise.reject(endedToken(this.#deps.upstream));
    // A token in the database may be good although its renewal fails.
    if (this.#failure !== null && this.#isFailing() && !this.#isUnsure) {
      return Promise.reject(this.#failure.error);
    }
    if (this.#needs !== null) return Promise.reject(this.#needs);
    if (this.#work !== null) return this.#work;
    const changes = this.#changes;
    return this.#work = this.#renew(stale, challenge).then(
      (token) => {
        if (token === null || token.accessToken !== this.#token?.accessToken) {
          this.#failures = 0;
          this.#failure = null;
        }
        this.#wantsEvidence = token === null;
        // What has changed meanwhile may not be in the answer.
        if (changes === this.#changes) this.#isUnsure = false;
        // Requests under way compare by identity: a token that was read again stays the same.
        const isSame = token !== null && token.accessToken === this.#token?.accessToken;
        return isSame ? this.#token : this.#token = token;
      },
      (error: unknown) => {
        throw this.#failed(error, changes === this.#changes);
      },
    ).finally(() => this.#work = null);
  }

  async #renew(
    stale: UpstreamToken | null,
    challenge: BearerChallenge | null,
  ): Promise<UpstreamToken | null> {
    const { kept, login, clock, timeoutMs } = this.#deps;
    const isRefused = stale !== null && challenge !== null && challenge.error !== "insufficient_scope";
    if (isRefused && login === null && this.#isFresh(stale)) {
      if (await this.#hasMoved(stale, challenge)) throw new LoginFault(OTHER_SERVER);
      return stale;
    }
    if (kept === null) return await this.#request(stale, challenge);
    const { records, key, secretBox } = kept;
    if (login !== null) {
      const { token: present, sealed } = await this.#storedLogin(kept, login);
      if (present.accessToken !== stale?.accessToken && this.#isUsable(present)) return present;
      if (isRefused) {
        if (await this.#hasMoved(present, challenge)) {
          if (sealed !== null) await login.connections.lost(key, sealed, MOVED);
          throw login.needed(MOVED);
        }
        if (this.#isFresh(present)) return present;
      }
      if (present.login?.refreshToken === null) throw login.needed("the login has expired");
      if (this.#failure !== null && this.#isFailing()) throw this.#failure.error;
    }
    const giveUpAt = clock.now() + timeoutMs;
    for (;;) {
      // Whoever holds the claim asks the authorization server; the others wait for what it saves.
      const { isHeld, sealed } = await records.claim(key, this.#holder, CLAIM_PARTS * timeoutMs);
      const stored = sealed === null ? null : await openToken(secretBox, sealed, key);
      this.#found ??= stored?.found ?? null;
      if (stored !== null && stored.accessToken !== stale?.accessToken && this.#isUsable(stored)) {
        if (isHeld) await records.release(key, this.#holder);
        return stored;
      }
      if (isHeld) {
        try {
          const token = login === null
            ? await this.#request(stale ?? stored, challenge)
            : await this.#refresh(login, stored, { sealed, challenge });
          const isSaved = token !== null && await this.#save(kept, token);
          if (token === null) await records.release(key, this.#holder);
          else if (login !== null && !isSaved) return await this.#afterEnd(kept, login, token);
          return token;
        } catch (error) {
          // Without a database the claim ends by itself.
          await records.release(key, this.#holder).catch(() => {});
          throw error;
        }
      }
      if (clock.now() >= giveUpAt) {
        throw new LoginFault("another worker has asked for a token, and has none yet");
      }
      await sleep(clock, POLL_MS);
    }
  }

  /**
   * Stores a token. That of a login is stored as soon as the database is available again: the authorization server may know the former
   * refresh token no more, so that the login would be lost with the new one.
   * @returns as `UpstreamTokens.save()`
   */
  async #save({ records, key, secretBox }: KeptTokens, token: UpstreamToken): Promise<boolean> {
    const { clock, login, timeoutMs } = this.#deps;
    const sealed = await sealToken(secretBox, token, key);
    const giveUpAt = clock.now() + CLAIM_PARTS * timeoutMs;
    for (;;) {
      try {
        return await records.save(key, this.#holder, sealed, {
          expiresAt: token.expiresAt,
          isRenewable: token.login !== undefined && token.login.refreshToken !== null,
        });
      } catch (error) {
        const isWaiting = login !== null && clock.now() < giveUpAt && isError(error, "STORE_UNAVAILABLE");
        if (!isWaiting) throw error;
        await sleep(clock, POLL_MS);
      }
    }
  }

  /** The login as the database has it; as this worker knows it, where the database is not available. */
  async #storedLogin(
    { key, secretBox }: KeptTokens,
    login: PersonLogin,
  ): Promise<{ readonly token: UpstreamToken; readonly sealed: string | null }> {
    try {
      const sealed = await login.connections.find(key);
      const token = sealed === null ? null : await openToken(secretBox, sealed, key);
      if (token === null) throw login.needed(null);
      return { token, sealed };
    } catch (error) {
      const known = this.#token;
      if (known !== null && this.#isUsable(known) && isError(error, "STORE_UNAVAILABLE")) {
        return { token: known, sealed: null };
      }
      throw error;
    }
  }

  /**
   * The login in place of one that ended while its token was renewed. The new token of an ended login is nobody's, and would
   * outlive it.
   */
  async #afterEnd(kept: KeptTokens, login: PersonLogin, token: UpstreamToken): Promise<UpstreamToken> {
    try {
      return (await this.#storedLogin(kept, login)).token;
    } catch (error) {
      if (isError(error, "UPSTREAM_LOGIN_NEEDED")) await login.revoke(this.#deps.exchange, token);
      throw error;
    }
  }

  async #refresh(
    login: PersonLogin,
    stored: UpstreamToken | null,
    { sealed, challenge }: { readonly sealed: string | null; readonly challenge: BearerChallenge | null },
  ): Promise<UpstreamToken> {
    const { exchange, clock, count, countRenewal, upstream, kept } = this.#deps;
    if (stored === null) throw login.needed(null);
    const { clientId, clientSecret, privateKey, clientAuth } = await this.#deps.read?.() ??
      this.#deps.credentials;
    const given = clientId === "" ? null : { clientId, clientSecret, privateKey, clientAuth };
    let why = NOT_RENEWED;
    const token = await login.refresh(exchange, stored, { given, now: clock.now() }).catch(async (error) => {
      // The former server may be gone.
      if (!(error instanceof LoginFault) || !await this.#hasMoved(stored, challenge)) throw error;
      why = MOVED;
      return null;
    });
    if (token === null) {
      countRenewal("lost");
      await login.connections.lost(kept!.key, sealed!, why);
      throw login.needed(why);
    }
    count(upstream, "success");
    countRenewal("success");
    return token;
  }

  /**
   * Has the upstream another authorization server than the one that gave the token? No token and no client of the former one is of
   * use there (2026-07-28, basic/authorization, "Authorization Server Binding").
   */
  async #hasMoved({ found }: UpstreamToken, challenge: BearerChallenge | null): Promise<boolean> {
    const { exchange, url, credentials } = this.#deps;
    if (isServerGiven(credentials)) return false;
    try {
      return await hasMoved(exchange, url, found.server.issuer, challenge ?? readChallenge(null));
    } catch {
      // Metadata that cannot be read name no other server.
      return false;
    }
  }

  async #request(
    former: UpstreamToken | null,
    challenge: BearerChallenge | null,
  ): Promise<UpstreamToken | null> {
    const { exchange, url, credentials, clock, count, upstream, subject } = this.#deps;
    const found = this.#found ?? await findServer(exchange, url, credentials, challenge);
    if (found === null) return null;
    const scope = takesScopes(credentials)
      ? challenge?.scope ?? former?.scope ?? found.scopes
      : credentials.scopes.join(" ") || null;
    const obtainedAt = clock.now();
    const current = await this.#deps.read?.() ?? credentials;
    const { accessToken, expiresInS } = await requestToken(exchange, found.server, current, {
      scope,
      resource: found.resource,
      subject: subject?.text ?? null,
    });
    count(upstream, "success");
    this.#found = found;
    const ends = Math.min(
      expiresInS === null ? Infinity : obtainedAt + expiresInS * 1000,
      subject?.endsAt ?? Infinity,
    );
    return { accessToken, obtainedAt, expiresAt: ends === Infinity ? null : ends, scope, found };
  }

  /** @param isSure nothing has changed since the work began */
  #failed(error: unknown, isSure: boolean): SluiceError {
    const { upstream, clock, count, countRenewal, login, onFailure, subject } = this.#deps;
    if (this.#failure !== null && error === this.#failure.error) {
      if (isSure) this.#isUnsure = false;
      return this.#failure.error;
    }
    if (isError(error, "UPSTREAM_LOGIN_NEEDED")) {
      this.#token = null;
      if (isSure) this.#needs = error;
      return error;
    }
    const refusal = error instanceof LoginFault && error.code !== null && subject !== null
      ? refusedToken(upstream, error.code)
      : null;
    const failure = refusal ??
      (error instanceof LoginFault
        ? new SluiceError("UPSTREAM_LOGIN_FAILED", { upstream, reason: error.message }, {
          cause: error.cause,
        })
        : error instanceof SluiceError
        ? error
        : new SluiceError("UPSTREAM_LOGIN_FAILED", { upstream, reason: "an internal error" }, {
          cause: error,
        }));
    const pauseMs = Math.min(FAILURE_MS * 2 ** this.#failures++, MAX_FAILURE_MS);
    this.#failure = { error: failure, until: clock.now() + pauseMs };
    count(upstream, "failed");
    if (login !== null) countRenewal("failed");
    onFailure(failure);
    return failure;
  }

  #isFailing(): boolean {
    return this.#failure !== null && this.#deps.clock.now() < this.#failure.until;
  }

  #isDue(token: UpstreamToken): boolean {
    return !this.#endsWithSubject(token) && isDue(token, this.#deps.clock.now());
  }

  /** Would the upstream refuse a new token as well? */
  #isFresh(token: UpstreamToken): boolean {
    return !isReplaceable(token, this.#deps.clock.now());
  }

  #isUsable(token: UpstreamToken): boolean {
    const now = this.#deps.clock.now();
    return this.#endsWithSubject(token) ? now < token.expiresAt! : isUsable(token, now);
  }

  /** A new token would end as soon. */
  #endsWithSubject({ expiresAt }: UpstreamToken): boolean {
    return expiresAt !== null && expiresAt >= (this.#deps.subject?.endsAt ?? Infinity);
  }
}
