// The token of one upstream: kept in memory and sealed in the database, and renewed once for all who wait for it in all workers and
// replicas.
import { type Clock, sleep } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { TokenKey, UpstreamTokens } from "../../store/upstream_tokens/upstream_tokens.ts";
import { type BearerChallenge, unionOfScopes } from "./bearer_challenge.ts";
import type { LoginExchange } from "./login_exchange.ts";
import { LoginFault } from "./login_fault.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import { findServer, type FoundServer } from "./login_server.ts";
import { requestToken } from "./token_request.ts";

/** A token as it is kept. Times are in ms since the epoch. */
export interface UpstreamToken {
  readonly accessToken: string;
  readonly obtainedAt: number;
  /** null: the authorization server did not say. */
  readonly expiresAt: number | null;
  /** The scopes that were asked for; null: none. */
  readonly scope: string | null;
  readonly found: FoundServer;
}

export type TokenOutcome = "success" | "failed";

/** Where a token is kept besides memory. */
export interface KeptTokens {
  readonly records: UpstreamTokens;
  readonly key: TokenKey;
  readonly secretBox: SecretBox;
}

export interface TokenSourceDeps {
  /** The upstream's name. */
  readonly upstream: string;
  readonly url: URL;
  readonly credentials: OAuthCredentials;
  /** See `LoginTarget`. */
  readonly read?: () => Promise<OAuthCredentials>;
  readonly exchange: LoginExchange;
  /** null: in memory alone, for a trial of an upstream that is not registered yet. */
  readonly kept: KeptTokens | null;
  readonly clock: Clock;
  readonly count: (upstream: string, outcome: TokenOutcome) => void;
  readonly onFailure: (error: SluiceError) => void;
  /** UPSTREAM_OAUTH_TIMEOUT */
  readonly timeoutMs: number;
}

/** A token is renewed when this part of its life is left, and at most so long before its end. */
const RENEWAL_PART = 0.2;
const RENEWAL_MS = 60_000;

/** A token that the upstream refuses so soon after it was obtained would be refused again. */
const REFUSED_FRESH_MS = 10_000;

/** After a failure, calls fail at once for this time, doubled with each further failure. */
const FAILURE_MS = 1_000;
const MAX_FAILURE_MS = 60_000;

/** Limits of what upstreams can make the gateway ask for. */
const MAX_STEP_UPS = 5;
const MAX_SCOPE_CHARS = 2_048;

/** The requests that a holder of the claim makes one after the other, at the most usual: two for metadata, one for the token. */
const CLAIM_PARTS = 3;

const POLL_MS = 100;

export class TokenSource {
  readonly #deps: TokenSourceDeps;
  readonly #holder = crypto.randomUUID();
  #token: UpstreamToken | null = null;
  #work: Promise<UpstreamToken | null> | null = null;
  #found: FoundServer | null = null;
  #failure: { readonly error: SluiceError; readonly until: number } | null = null;
  #failures = 0;
  #stepUps = 0;
  /** Nothing says where the authorization server is, until the upstream refuses a request without a token. */
  #wantsEvidence = false;

  constructor(deps: TokenSourceDeps) {
    this.#deps = deps;
  }

  /** The valid token in memory; null: there is none. One that expires soon is renewed behind the calls. */
  get current(): UpstreamToken | null {
    const token = this.#token;
    if (token === null || !this.#isValid(token)) return null;
    if (this.#isDue(token) && this.#work === null && !this.#isFailing()) {
      void this.#renewed(token, null).catch(() => {});
    }
    return token;
  }

  /**
   * A valid token for a request.
   * @returns null if the upstream has to be asked without a token first
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED
   */
  async obtain(): Promise<UpstreamToken | null> {
    return this.current ?? (this.#wantsEvidence ? null : await this.#renewed(null, null));
  }

  /**
   * The token for a second try of a request that the upstream has refused.
   * @param used the token of the request; null: it had none
   * @returns null if a second try would be refused as well
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED
   */
  async afterRefusal(used: UpstreamToken | null, challenge: BearerChallenge): Promise<UpstreamToken | null> {
    if (this.#token !== used && this.#token !== null && this.#isValid(this.#token)) return this.#token;
    if (used !== null && this.#deps.clock.now() - used.obtainedAt < REFUSED_FRESH_MS) return null;
    return await this.#renewed(used, challenge);
  }

  /**
   * The token with the scopes that a request lacks (2025-11-25, basic/authorization, "Step-Up Authorization Flow"). Scopes that
   * the operator has chosen are never exceeded.
   * @returns null if there are no further ones to ask for
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED
   */
  async withScope(used: UpstreamToken, challenge: BearerChallenge): Promise<UpstreamToken | null> {
    if (this.#token !== used && this.#token !== null && this.#isValid(this.#token)) return this.#token;
    const wanted = unionOfScopes(used.scope, challenge.scope);
    const isMore = wanted !== null && wanted !== used.scope && wanted.length <= MAX_SCOPE_CHARS;
    if (!isMore || this.#deps.credentials.scopes.length > 0 || this.#stepUps >= MAX_STEP_UPS) return null;
    this.#stepUps++;
    return await this.#renewed(used, { ...challenge, scope: wanted });
  }

  #renewed(stale: UpstreamToken | null, challenge: BearerChallenge | null): Promise<UpstreamToken | null> {
    if (this.#failure !== null && this.#isFailing()) return Promise.reject(this.#failure.error);
    return this.#work ??= this.#renew(stale, challenge).then(
      (token) => {
        this.#failures = 0;
        this.#failure = null;
        this.#wantsEvidence = token === null;
        return this.#token = token;
      },
      (error: unknown) => {
        throw this.#failed(error);
      },
    ).finally(() => this.#work = null);
  }

  async #renew(
    stale: UpstreamToken | null,
    challenge: BearerChallenge | null,
  ): Promise<UpstreamToken | null> {
    const { kept, clock, timeoutMs } = this.#deps;
    if (kept === null) return await this.#request(stale, challenge);
    const { records, key, secretBox } = kept;
    const giveUpAt = clock.now() + timeoutMs;
    for (;;) {
      // Whoever holds the claim asks the authorization server; the others wait for what it saves.
      const { isHeld, sealed } = await records.claim(key, this.#holder, CLAIM_PARTS * timeoutMs);
      const stored = sealed === null ? null : await openToken(secretBox, sealed, key);
      this.#found ??= stored?.found ?? null;
      if (stored !== null && stored.accessToken !== stale?.accessToken && this.#isValid(stored)) {
        if (isHeld) await records.release(key, this.#holder);
        return stored;
      }
      if (isHeld) {
        try {
          const token = await this.#request(stale ?? stored, challenge);
          if (token === null) await records.release(key, this.#holder);
          else {await records.save(
              key,
              this.#holder,
              await secretBox.seal(JSON.stringify(token), ownerOf(key)),
            );}
          return token;
        } catch (error) {
          await records.release(key, this.#holder);
          throw error;
        }
      }
      if (clock.now() >= giveUpAt) {
        throw new LoginFault("another worker has asked for a token, and has none yet");
      }
      await sleep(clock, POLL_MS);
    }
  }

  async #request(
    former: UpstreamToken | null,
    challenge: BearerChallenge | null,
  ): Promise<UpstreamToken | null> {
    const { exchange, url, credentials, clock, count, upstream } = this.#deps;
    const found = this.#found ?? await findServer(exchange, url, credentials, challenge);
    if (found === null) return null;
    const scope = credentials.scopes.length > 0
      ? credentials.scopes.join(" ")
      : challenge?.scope ?? former?.scope ?? found.scopes;
    const obtainedAt = clock.now();
    const current = await this.#deps.read?.() ?? credentials;
    const { accessToken, expiresInS } = await requestToken(exchange, found.server, current, {
      scope,
      resource: found.resource,
    });
    count(upstream, "success");
    this.#found = found;
    const expiresAt = expiresInS === null ? null : obtainedAt + expiresInS * 1000;
    return { accessToken, obtainedAt, expiresAt, scope, found };
  }

  #failed(error: unknown): SluiceError {
    const { upstream, clock, count, onFailure } = this.#deps;
    const failure = error instanceof LoginFault
      ? new SluiceError("UPSTREAM_LOGIN_FAILED", { upstream, reason: error.message }, { cause: error.cause })
      : error instanceof SluiceError
      ? error
      : new SluiceError("UPSTREAM_LOGIN_FAILED", { upstream, reason: "an internal error" }, { cause: error });
    const pauseMs = Math.min(FAILURE_MS * 2 ** this.#failures++, MAX_FAILURE_MS);
    this.#failure = { error: failure, until: clock.now() + pauseMs };
    count(upstream, "failed");
    onFailure(failure);
    return failure;
  }

  #isFailing(): boolean {
    return this.#failure !== null && this.#deps.clock.now() < this.#failure.until;
  }

  #isValid({ expiresAt }: UpstreamToken): boolean {
    return expiresAt === null || this.#deps.clock.now() < expiresAt;
  }

  #isDue({ expiresAt, obtainedAt }: UpstreamToken): boolean {
    if (expiresAt === null) return false;
    const aheadMs = Math.min(RENEWAL_MS, (expiresAt - obtainedAt) * RENEWAL_PART);
    return this.#deps.clock.now() >= expiresAt - aheadMs;
  }
}

/** The owner name under which SecretBox seals a token. */
function ownerOf({ gatewayId, owner }: TokenKey): string {
  return `upstream-token:${gatewayId}:${owner}`;
}

/** null: it was sealed with another AUTH_ENCRYPTION_SECRET. */
async function openToken(secretBox: SecretBox, sealed: string, key: TokenKey): Promise<UpstreamToken | null> {
  try {
    return JSON.parse(await secretBox.open(sealed, ownerOf(key))) as UpstreamToken;
  } catch {
    return null;
  }
}
