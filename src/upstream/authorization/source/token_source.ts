// The token of one upstream: kept in memory and sealed in the database, and renewed once for all who wait for it in all workers and
// replicas.
import { isError, SluiceError } from "../../../base/errors.ts";
import { type BearerChallenge, unionOfScopes } from "../bearer_challenge.ts";
import { LoginToken } from "../login/login_token.ts";
import { LoginFault } from "../login_fault.ts";
import { takesScopes } from "../oauth_credentials.ts";
import { endedToken, refusedToken } from "../token_exchange/subject_token.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import { OwnToken } from "./own_token.ts";
import { TokenLife } from "./token_life.ts";
import type { TokenOrigin, TokenSourceDeps } from "./token_source_deps.ts";

/** After a failure, calls fail at once for this time, doubled with each further failure. */
const FAILURE_MS = 1_000;
const MAX_FAILURE_MS = 60_000;

/** Limits of what upstreams can make the gateway ask for. */
const MAX_STEP_UPS = 5;
const MAX_SCOPE_CHARS = 2_048;

export class TokenSource {
  readonly #deps: TokenSourceDeps;
  readonly #origin: TokenOrigin;
  readonly #life: TokenLife;
  #token: UpstreamToken | null = null;
  #work: Promise<UpstreamToken | null> | null = null;
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
    const { kept, login } = deps;
    this.#origin = kept === null || login === null ? new OwnToken(deps) : new LoginToken(deps, kept, login);
    this.#life = new TokenLife(deps);
  }

  /** The valid token in memory; null: there is none. One that expires soon is renewed behind the calls. */
  get current(): UpstreamToken | null {
    const token = this.#token;
    if (token === null || this.#isUnsure || !this.#life.isUsable(token)) return null;
    if (
      this.#life.isDue(token) && token.login?.refreshToken !== null && this.#work === null &&
      !this.#isClosed && !this.#isFailing()
    ) {
      void this.#renewed(token, null).catch(() => {});
    }
    return token;
  }

  /** The token that is exchanged has ended, so that nobody may use what it was exchanged for. */
  get isOver(): boolean {
    return this.#life.isOver;
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
    return token === null || this.#life.isUsable(token) || !this.#life.isDue(token)
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
    if (this.#token !== used && this.#token !== null && this.#life.isUsable(this.#token)) return this.#token;
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
    if (this.#token !== used && this.#token !== null && this.#life.isUsable(this.#token)) return this.#token;
    const wanted = unionOfScopes(used.scope, challenge.scope);
    const isMore = wanted !== null && wanted !== used.scope && wanted.length <= MAX_SCOPE_CHARS;
    if (!isMore || !takesScopes(this.#deps.credentials) || this.#stepUps >= MAX_STEP_UPS) return null;
    await this.#origin.wants(wanted);
    // Calls that come together share one request.
    if (this.#work === null) this.#stepUps++;
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
    const failure = this.#isFailing() ? this.#failure!.error : null;
    return this.#work = this.#origin.renew({ stale, challenge, known: this.#token, failure }).then(
      (token) => {
        if (token === null || token.accessToken !== this.#token?.accessToken) {
          this.#failures = 0;
          this.#failure = null;
        }
        this.#wantsEvidence = token === null;
        // A later change may not be in the answer.
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
}
