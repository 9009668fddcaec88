// The path prefix under which a reverse proxy publishes the gateway, as far as the gateway knows it.
import type { TrustedProxies } from "../../base/egress/trusted_proxies.ts";

export interface PublicPrefixOptions {
  /** APP_ROOT_PATH: `/gateway`; empty: none. */
  readonly rootPath: string;
  readonly trustedProxies: TrustedProxies;
}

/** Segments of unreserved characters: the prefix goes into an address that the client calls, so it must not name another host. */
const PREFIX = /^(\/[A-Za-z0-9._~-]+)+$/;

export class PublicPrefix {
  readonly #rootPath: string;
  readonly #trusted: TrustedProxies;

  constructor({ rootPath, trustedProxies }: PublicPrefixOptions) {
    this.#rootPath = rootPath;
    this.#trusted = trustedProxies;
  }

  /** The X-Forwarded-Prefix of a trusted proxy, else APP_ROOT_PATH; null: neither is there. @param from the peer's IP address */
  of(headers: Headers, from: string): string | null {
    const forwarded = headers.get("x-forwarded-prefix")?.replace(/\/$/, "");
    if (forwarded !== undefined && PREFIX.test(forwarded) && this.#trusted.has(from)) return forwarded;
    return this.#rootPath === "" ? null : this.#rootPath;
  }
}
