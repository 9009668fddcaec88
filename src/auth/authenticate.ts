// From the Authorization header to the principal. A token is verified once; until it expires, later requests look it up in a map.
import { BoundedMap } from "../base/bounded_map.ts";
import { type ErrorParams, SluiceError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import { mayBecomeValid } from "./jwt.ts";
import type { People } from "./people.ts";
import { type ApiToken, lapsesAt, type Principal } from "./principal.ts";
import type { TokenChanges, TokenLook } from "./token_changes.ts";

export interface AuthenticatorDeps {
  readonly authRequired: boolean;
  /** @throws {SluiceError} UNAUTHENTICATED, TOKEN_KEYS_UNAVAILABLE */
  readonly verify: (token: string) => Promise<Principal>;
  readonly clock: Clock;
  /** The ids (`jti`) of revoked tokens. */
  readonly revoked: () => ReadonlySet<string>;
  /** The users, teams and roles of now. */
  readonly people: () => People;
  /** The API tokens that have changed lately, as of now. */
  readonly tokenChanges: () => TokenChanges;
  readonly maxCachedTokens?: number;
}

/** A verified token, and its caller as the user records of one moment make it. */
interface Known {
  readonly verified: Principal;
  /** The look-up of an API token, whether or not it found a row; null: the token is none. */
  readonly lookUp: Pick<ApiToken, "id" | "readAt"> | null;
  /** The last look at this token. */
  look: TokenLook;
  people: People;
  /** The same object as long as the caller's record stays as it is. An error: the records refuse the caller. */
  caller: Principal | SluiceError;
  /** When the token expires or a role of the caller ends, ms since the epoch. */
  lapsesAt: number;
}

/** The caller without a token, if tokens are not required: sees public entries, may change nothing. */
export const ANONYMOUS: Principal = {
  kind: "anonymous",
  subject: "anonymous",
  issuer: null,
  email: "anonymous",
  isAdmin: false,
  teams: [],
  serverId: null,
  permissions: null,
  expiresAt: null,
  jti: null,
  issuedAt: null,
  isLogin: false,
  apiToken: null,
  limits: null,
  grants: null,
};

/** Refusals without an error code: the client sent no bearer token (RFC 6750, section 3.1). */
const NO_TOKEN: ErrorParams = { reason: "send Authorization: Bearer <token>" };
const OTHER_SCHEME: ErrorParams = { reason: "the scheme must be Bearer" };

/** A longer token is refused unread. ContextForge's token utility makes tokens of 400 to 800 characters. */
const MAX_TOKEN_CHARS = 8_192;

/** Room for 10,000 tokens of usual length. Callers with long tokens are verified more often, and take no more memory. */
const MAX_CACHED_CHARS = 8 * 1024 * 1024;

export class Authenticator {
  readonly #deps: AuthenticatorDeps;
  /** By the header in its usual spelling: "Bearer" and a blank before the token. */
  readonly #cache: BoundedMap<string, Known>;
  /** Foreign tokens, if tokens are not required. They have a cache of their own, so that they displace no verified token. */
  readonly #foreign: BoundedMap<string, true>;

  constructor(deps: AuthenticatorDeps) {
    this.#deps = deps;
    const bounds = {
      maxEntries: deps.maxCachedTokens ?? 10_000,
      maxWeight: MAX_CACHED_CHARS,
      weightOf: (header: string) => header.length,
    };
    this.#cache = new BoundedMap(bounds);
    this.#foreign = new BoundedMap(bounds);
  }

  /**
   * If tokens are not required, a foreign token makes its bearer anonymous: the token may be meant for an upstream, which gets it by
   * header passthrough.
   * @param value the Authorization header; null: there is none
   * @throws {SluiceError} UNAUTHENTICATED, TOKEN_KEYS_UNAVAILABLE
   */
  authenticate(value: string | null): Principal | Promise<Principal> {
    if (value === null) return this.#anonymous(NO_TOKEN);
    const known = this.#cache.get(value);
    return known === undefined ? this.#authenticateAnew(value) : this.#ifCurrent(value, known);
  }

  /** Checks a header that the cache does not have: the token is new, or the header is spelled unusually. */
  #authenticateAnew(value: string): Principal | Promise<Principal> {
    const token = /^Bearer +(\S+)$/i.exec(value)?.[1];
    if (token === undefined) return this.#anonymous(OTHER_SCHEME);
    if (token.length > MAX_TOKEN_CHARS) {
      return this.#anonymous(invalid(`the token is longer than ${MAX_TOKEN_CHARS} characters`));
    }
    const header = `Bearer ${token}`;
    const known = this.#cache.get(header);
    if (known !== undefined) return this.#ifCurrent(header, known);
    return this.#foreign.has(header) ? ANONYMOUS : this.#verify(header, token);
  }

  /**
   * A revoked token stays in the cache, so that further requests with it cost no verification. An API token that may have changed is
   * verified anew.
   */
  #ifCurrent(header: string, known: Known): Principal | Promise<Principal> {
    const { lookUp, verified: { expiresAt, jti } } = known;
    if (lookUp !== null) {
      const changes = this.#deps.tokenChanges();
      if (known.look !== changes.look) {
        if (changes.isOutdated(lookUp, known.look)) return this.#verifyAgain(header);
        known.look = changes.look;
      }
    }
    const now = this.#deps.clock.now();
    if (known.lapsesAt <= now) {
      if (expiresAt !== null && expiresAt <= now) {
        this.#cache.delete(header);
        return this.#anonymous(invalid("the token has expired"));
      }
      renew(known, this.#deps.people());
    }
    const revoked = this.#deps.revoked();
    if (revoked.size > 0 && jti !== null && revoked.has(jti)) {
      return this.#anonymous(invalid("the token has been revoked"));
    }
    const people = this.#deps.people();
    if (known.people !== people) renew(known, people);
    const { caller } = known;
    return caller instanceof SluiceError ? this.#anonymous(caller.params) : caller;
  }

  #verifyAgain(header: string): Promise<Principal> {
    this.#cache.delete(header);
    return this.#verify(header, header.slice(header.lastIndexOf(" ") + 1));
  }

  async #verify(header: string, token: string): Promise<Principal> {
    const before = this.#deps.tokenChanges().look;
    let verified: Principal;
    try {
      verified = await this.#deps.verify(token);
    } catch (error) {
      if (this.#deps.authRequired) throw error;
      // A token that is not valid yet may be ours, and is looked at again.
      if (!mayBecomeValid(error)) this.#foreign.set(header, true);
      return ANONYMOUS;
    }
    const people = this.#deps.people();
    const tokenChanges = this.#deps.tokenChanges();
    const lookUp = verified.apiToken ?? verified.unrecorded ?? null;
    // A database that has lost writes may be behind the catalog, until the catalog is read again.
    if (lookUp !== null && tokenChanges.look !== before && tokenChanges.isOutdated(lookUp, before)) {
      return this.#verify(header, token);
    }
    const known: Known = { verified, lookUp, people, look: tokenChanges.look, ...found(verified, people) };
    this.#cache.set(header, known);
    return this.#ifCurrent(header, known);
  }

  /** @param refusal of the request where a token is required. @throws {SluiceError} UNAUTHENTICATED */
  #anonymous(refusal: ErrorParams): Principal {
    if (!this.#deps.authRequired) return ANONYMOUS;
    throw new SluiceError("UNAUTHENTICATED", refusal);
  }
}

/** Finds the caller anew, after users, teams or roles have changed, or a role has ended. */
function renew(known: Known, people: People): void {
  known.people = people;
  const { caller } = known;
  if (caller instanceof SluiceError || people.isOutdated(caller)) {
    Object.assign(known, found(known.verified, people));
  }
}

function found(verified: Principal, people: People): Pick<Known, "caller" | "lapsesAt"> {
  try {
    const caller = people.resolve(verified);
    return { caller, lapsesAt: lapsesAt(caller) ?? Infinity };
  } catch (error) {
    if (error instanceof SluiceError) return { caller: error, lapsesAt: lapsesAt(verified) ?? Infinity };
    throw error;
  }
}

function invalid(reason: string): ErrorParams {
  return { reason, token: "invalid" };
}
