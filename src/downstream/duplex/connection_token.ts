// The token that a duplex connection depends on. The connection ends when the token expires, unless a message brings a newer one.
import type { Principal } from "../../auth/principal.ts";
import type { Clock } from "../../base/clock.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { TokenExpiry } from "../exchange/token_expiry.ts";

export interface ConnectionTokenDeps {
  readonly clock: Clock;
  readonly expiry: TokenExpiry;
  readonly catalog: () => Catalog;
}

export class ConnectionToken {
  readonly #deps: ConnectionTokenDeps;
  readonly #onExpired: () => void;
  #principal: Principal;
  #unwatch: () => void;

  constructor(deps: ConnectionTokenDeps, principal: Principal, onExpired: () => void) {
    this.#deps = deps;
    this.#onExpired = onExpired;
    this.#principal = principal;
    this.#unwatch = deps.expiry.watch(principal, onExpired);
  }

  /** The caller whose token it is. */
  get principal(): Principal {
    return this.#principal;
  }

  /** Has the token expired, was it revoked, or have the rights of its user changed? */
  get isOver(): boolean {
    const { clock, catalog } = this.#deps;
    const { expiresAt } = this.#principal;
    return (expiresAt !== null && expiresAt <= clock.now()) ||
      catalog().hasLapsed(this.#principal, clock.now());
  }

  /** Takes over a newer token of the client, where each message brings one. */
  renew(principal: Principal): void {
    const { expiresAt } = this.#principal;
    const lastsLonger = expiresAt !== null &&
      (principal.expiresAt === null || principal.expiresAt > expiresAt);
    if (!lastsLonger && !this.isOver) return;
    this.#principal = principal;
    this.#unwatch();
    this.#unwatch = this.#deps.expiry.watch(principal, this.#onExpired);
  }

  /** Ends the watch. */
  close(): void {
    this.#unwatch();
  }
}
