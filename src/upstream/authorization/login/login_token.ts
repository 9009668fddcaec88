// The token of a person's login: read from the database, and renewed there by its refresh token.
import { isError, type SluiceError } from "../../../base/errors.ts";
import { type BearerChallenge, readChallenge } from "../bearer_challenge.ts";
import { LoginFault } from "../login_fault.ts";
import { openToken } from "../sealed_token.ts";
import { ClaimedToken, type FoundRecord } from "../source/claimed_token.ts";
import { TokenLife } from "../source/token_life.ts";
import {
  isRefusal,
  type KeptTokens,
  type Renewal,
  type TokenOrigin,
  type TokenSourceDeps,
} from "../source/token_source_deps.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import type { PersonLogin } from "./person_login.ts";

/** Why a login ends. */
const NOT_RENEWED = "the authorization server does not renew the login";
const INTERRUPTED =
  "the gateway was interrupted while it renewed the login, and the authorization server does not accept the former " +
  "refresh token again";
const MOVED = "the upstream has another authorization server now";

/** A login as the database has it. */
interface StoredLogin {
  readonly token: UpstreamToken;
  /** null: the database is not available, and the token is the one in memory. */
  readonly sealed: string | null;
}

export class LoginToken implements TokenOrigin {
  readonly #deps: TokenSourceDeps;
  readonly #kept: KeptTokens;
  readonly #login: PersonLogin;
  readonly #life: TokenLife;
  readonly #claimed: ClaimedToken;

  constructor(deps: TokenSourceDeps, kept: KeptTokens, login: PersonLogin) {
    this.#deps = deps;
    this.#kept = kept;
    this.#login = login;
    this.#life = new TokenLife(deps);
    this.#claimed = new ClaimedToken(kept, deps);
  }

  async renew({ stale, challenge, known, failure }: Renewal): Promise<UpstreamToken> {
    const { token: present, sealed } = await this.#stored(known);
    if (present.accessToken !== stale?.accessToken && this.#life.isUsable(present)) return present;
    if (stale !== null && isRefusal(challenge)) {
      if (await this.#hasMoved(present, challenge)) {
        if (sealed !== null) await this.#login.connections.lost(this.#kept.key, sealed, MOVED);
        throw this.#login.needed(MOVED);
      }
      if (this.#life.isFresh(present)) return present;
    }
    if (present.login?.refreshToken === null) throw this.#login.needed("the login has expired");
    if (failure !== null) throw failure;
    const renewed = await this.#claimed.get({
      ...{ stale: stale?.accessToken ?? null, life: this.#life },
      ask: async (found) => {
        const token = await this.#refresh(found, challenge);
        return await this.#claimed.save(token) ? token : await this.#afterEnd(token, known);
      },
    });
    return renewed!;
  }

  async wants(scope: string): Promise<void> {
    await this.#login.connections.wants(this.#kept.key, scope);
    throw this.#login.needed("a call wants further rights there");
  }

  /** @param known the token in memory, which counts where the database is not available */
  async #stored(known: UpstreamToken | null): Promise<StoredLogin> {
    const { key, secretBox } = this.#kept;
    try {
      const sealed = await this.#login.connections.find(key);
      const token = sealed === null ? null : await openToken(secretBox, sealed, key);
      if (token === null) throw this.#login.needed(null);
      return { token, sealed };
    } catch (error) {
      if (known !== null && this.#life.isUsable(known) && isError(error, "STORE_UNAVAILABLE")) {
        return { token: known, sealed: null };
      }
      throw error;
    }
  }

  /**
   * The login in place of one that ended while its token was renewed. The new token of an ended login is nobody's, and would
   * outlive it.
   */
  async #afterEnd(token: UpstreamToken, known: UpstreamToken | null): Promise<UpstreamToken> {
    try {
      return (await this.#stored(known)).token;
    } catch (error) {
      if (isError(error, "UPSTREAM_LOGIN_NEEDED")) await this.#login.revoke(this.#deps.exchange, token);
      throw error;
    }
  }

  async #refresh(
    { stored, sealed, isInterrupted }: FoundRecord,
    challenge: BearerChallenge | null,
  ): Promise<UpstreamToken> {
    const { exchange, clock, count, countRenewal, upstream, credentials, read } = this.#deps;
    if (stored === null) throw this.#login.needed(null);
    const { clientId, clientSecret, privateKey, clientAuth } = await read?.() ?? credentials;
    const given = clientId === "" ? null : { clientId, clientSecret, privateKey, clientAuth };
    let why = isInterrupted ? INTERRUPTED : NOT_RENEWED;
    const token = await this.#login.refresh(exchange, stored, { given, now: clock.now() }).catch(
      async (error) => {
        // The former server may be gone.
        if (!(error instanceof LoginFault) || !await this.#hasMoved(stored, challenge)) throw error;
        why = MOVED;
        return null;
      },
    );
    if (token === null) throw await this.#lost(sealed!, why);
    count(upstream, "success");
    countRenewal("success");
    return token;
  }

  /** @returns what tells the person to log in again */
  async #lost(sealed: string, why: string): Promise<SluiceError> {
    this.#deps.countRenewal("lost");
    await this.#login.connections.lost(this.#kept.key, sealed, why);
    return this.#login.needed(why);
  }

  async #hasMoved({ found }: UpstreamToken, challenge: BearerChallenge | null): Promise<boolean> {
    return await this.#deps.namedServers.haveLeft(found.server.issuer, challenge ?? readChallenge(null));
  }
}
