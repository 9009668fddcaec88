// The path prefix under which a reverse proxy publishes the gateway, as far as the gateway knows it.
import { parseAddress, parseNetwork } from "../../base/egress/egress_guard_address.ts";

export interface PublicPrefixOptions {
  /** APP_ROOT_PATH: `/gateway`; empty: none. */
  readonly rootPath: string;
  /** TRUSTED_PROXY_NETWORKS: networks, or `*` for any address. */
  readonly trustedProxies: readonly string[];
}

/** Segments of unreserved characters: the prefix goes into an address that the client calls, so it must not name another host. */
const PREFIX = /^(\/[A-Za-z0-9._~-]+)+$/;

export class PublicPrefix {
  readonly #rootPath: string;
  readonly #trustsAll: boolean;
  readonly #trusted: readonly NonNullable<ReturnType<typeof parseNetwork>>[];

  constructor({ rootPath, trustedProxies }: PublicPrefixOptions) {
    this.#rootPath = rootPath;
    this.#trustsAll = trustedProxies.includes("*");
    this.#trusted = trustedProxies.map(parseNetwork).filter((network) => network !== null);
  }

  /** The X-Forwarded-Prefix of a trusted proxy, else APP_ROOT_PATH; null: neither is there. @param from the peer's IP address */
  of(headers: Headers, from: string): string | null {
    const forwarded = headers.get("x-forwarded-prefix")?.replace(/\/$/, "");
    if (forwarded !== undefined && PREFIX.test(forwarded) && this.#isTrusted(from)) return forwarded;
    return this.#rootPath === "" ? null : this.#rootPath;
  }

  #isTrusted(from: string): boolean {
    if (this.#trustsAll) return true;
    const address = parseAddress(from);
    return address !== null && this.#trusted.some((network) => network.contains(address));
  }
}
