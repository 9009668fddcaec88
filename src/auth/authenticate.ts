// Authorization header -> Principal. A token is verified once; after that it is a map look-up until it expires.
import { BoundedMap } from "../base/bounded_map.ts";
import { SluiceError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Principal } from "./principal.ts";

export interface AuthenticatorDeps {
  readonly authRequired: boolean;
  /** @throws {SluiceError} UNAUTHENTICATED */
  readonly verify: (token: string) => Promise<Principal>;
  readonly clock: Clock;
  /** The ids (`jti`) of tokens that are refused now. */
  readonly revoked: () => ReadonlySet<string>;
  readonly maxCachedTokens?: number;
}

/** Who calls without a token where none is required: sees what is public, may change nothing. */
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
  /** By the whole header value. */
  readonly #cache: BoundedMap<string, Principal>;

  constructor(deps: AuthenticatorDeps) {
    this.#deps = deps;
    this.#cache = new BoundedMap({ maxEntries: deps.maxCachedTokens ?? 10_000 });
  }

  /**
   * Where no token is required, one that is none of ours makes its bearer anonymous: it may be meant for an upstream
   * (guide, section 6: header passthrough keeps the user's identity then). @throws {SluiceError} UNAUTHENTICATED
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

  /** A revoked token stays in the cache: who goes on to send it costs no verification. */
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
