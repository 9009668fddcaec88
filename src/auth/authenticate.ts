// From the Authorization header to the principal. A token is verified once; until it expires, later requests look it up in a map.
import { BoundedMap } from "../base/bounded_map.ts";
import { type ErrorParams, SluiceError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import { isNotYetValid } from "./jwt.ts";
import type { Principal } from "./principal.ts";

export interface AuthenticatorDeps {
  readonly authRequired: boolean;
  /** @throws {SluiceError} UNAUTHENTICATED */
  readonly verify: (token: string) => Promise<Principal>;
  readonly clock: Clock;
  /** The ids (`jti`) of revoked tokens. */
  readonly revoked: () => ReadonlySet<string>;
  readonly maxCachedTokens?: number;
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
  readonly #cache: BoundedMap<string, Principal>;
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
   * @throws {SluiceError} UNAUTHENTICATED
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

  /** A revoked token stays in the cache, so that further requests with it cost no verification. */
  #ifCurrent(header: string, principal: Principal): Principal {
    const { expiresAt, jti } = principal;
    if (expiresAt !== null && expiresAt <= this.#deps.clock.now()) {
      this.#cache.delete(header);
      return this.#anonymous(invalid("the token has expired"));
    }
    const revoked = this.#deps.revoked();
    if (revoked.size === 0 || jti === null || !revoked.has(jti)) return principal;
    return this.#anonymous(invalid("the token has been revoked"));
  }

  async #verify(header: string, token: string): Promise<Principal> {
    let principal: Principal;
    try {
      principal = await this.#deps.verify(token);
    } catch (error) {
      if (this.#deps.authRequired) throw error;
      // A token that is not valid yet may be ours, and is looked at again.
      if (!isNotYetValid(error)) this.#foreign.set(header, true);
      return ANONYMOUS;
    }
    this.#cache.set(header, principal);
    return this.#ifCurrent(header, principal);
  }

  /** @param refusal of the request where a token is required. @throws {SluiceError} UNAUTHENTICATED */
  #anonymous(refusal: ErrorParams): Principal {
    if (!this.#deps.authRequired) return ANONYMOUS;
    throw new SluiceError("UNAUTHENTICATED", refusal);
  }
}

function invalid(reason: string): ErrorParams {
  return { reason, token: "invalid" };
}
