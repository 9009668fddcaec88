// From the Authorization header to the principal. A token is verified once; until it expires, later requests look it up in a map.
import { BoundedMap } from "../base/bounded_map.ts";
import { SluiceError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
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

export class Authenticator {
  readonly #deps: AuthenticatorDeps;
  /** Keys are whole header values. */
  readonly #cache: BoundedMap<string, Principal>;

  constructor(deps: AuthenticatorDeps) {
    this.#deps = deps;
    this.#cache = new BoundedMap({ maxEntries: deps.maxCachedTokens ?? 10_000 });
  }

  /**
   * If tokens are not required, a foreign token makes its bearer anonymous: the token may be meant for an upstream, which gets it by
   * header passthrough.
   * @throws {SluiceError} UNAUTHENTICATED
   */
  authenticate(headers: Headers): Principal | Promise<Principal> {
    const value = headers.get("authorization");
    if (value === null) {
      if (!this.#deps.authRequired) return ANONYMOUS;
      throw new SluiceError("UNAUTHENTICATED", { reason: "send Authorization: Bearer <token>" });
    }
    const known = this.#cache.get(value);
    if (known === undefined) return this.#verify(value);
    if (known.expiresAt === null || known.expiresAt > this.#deps.clock.now()) {
      return this.#unlessRevoked(known);
    }
    this.#cache.delete(value);
    if (!this.#deps.authRequired) return ANONYMOUS;
    throw new SluiceError("UNAUTHENTICATED", { reason: "the token has expired" });
  }

  /** A revoked token stays in the cache, so that further requests with it cost no verification. */
  #unlessRevoked(principal: Principal): Principal {
    const revoked = this.#deps.revoked();
    if (revoked.size === 0 || principal.jti === null || !revoked.has(principal.jti)) return principal;
    if (!this.#deps.authRequired) return ANONYMOUS;
    throw new SluiceError("UNAUTHENTICATED", { reason: "the token has been revoked" });
  }

  async #verify(value: string): Promise<Principal> {
    const token = /^Bearer +(\S+)$/i.exec(value)?.[1];
    if (token === undefined) {
      if (!this.#deps.authRequired) return ANONYMOUS;
      throw new SluiceError("UNAUTHENTICATED", { reason: "the scheme must be Bearer" });
    }
    const principal = await this.#deps.verify(token).catch((error) => {
      if (this.#deps.authRequired) throw error;
      return ANONYMOUS;
    });
    this.#cache.set(value, principal);
    return this.#unlessRevoked(principal);
  }
}
