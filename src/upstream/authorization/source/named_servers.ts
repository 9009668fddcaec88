// The authorization servers that an upstream names now. They are read once in a while for all of its tokens, because each refused call
// asks for them.
import type { Clock } from "../../../base/clock.ts";
import type { BearerChallenge } from "../bearer_challenge.ts";
import type { LoginExchange } from "../login_exchange.ts";
import { isSameIssuer, namedServers } from "../login_server.ts";
import { isServerGiven, type OAuthCredentials } from "../oauth_credentials.ts";

export interface NamedServersDeps {
  readonly exchange: LoginExchange;
  /** Of the upstream. */
  readonly url: URL;
  readonly credentials: OAuthCredentials;
  readonly clock: Clock;
}

/** The time for which an answer that names the server of a token is believed. */
const REREAD_MS = 5_000;

/** Issuers; null: the upstream names none that counts. */
type Issuers = readonly string[] | null;

export class NamedServers {
  readonly #deps: NamedServersDeps;
  #known: { readonly issuers: Issuers; readonly until: number } | null = null;
  #reading: Promise<Issuers> | null = null;

  constructor(deps: NamedServersDeps) {
    this.#deps = deps;
  }

  /**
   * Does the upstream name other servers than the one of a token? No token and no client of the former one is of use there (2026-07-28,
   * basic/authorization, "Authorization Server Binding"). Never rejects.
   * @param issuer the server of the token
   */
  async haveLeft(issuer: string, challenge: BearerChallenge): Promise<boolean> {
    const { credentials, clock } = this.#deps;
    if (isServerGiven(credentials)) return false;
    // The answer yes ends a login, so it is never given from memory.
    const known = this.#known;
    if (known !== null && clock.now() < known.until && !leaveOut(known.issuers, issuer)) return false;
    this.#reading ??= this.#read(challenge).finally(() => this.#reading = null);
    return leaveOut(await this.#reading, issuer);
  }

  async #read(challenge: BearerChallenge): Promise<Issuers> {
    const { exchange, url, clock } = this.#deps;
    // Metadata that cannot be read name no other server.
    const issuers = await namedServers(exchange, url, challenge).catch(() => null);
    this.#known = { issuers, until: clock.now() + REREAD_MS };
    return issuers;
  }
}

function leaveOut(issuers: Issuers, issuer: string): boolean {
  return issuers !== null && !issuers.some((named) => isSameIssuer(named, issuer));
}
