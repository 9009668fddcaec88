// Reads a URL for the HTTP client: where to connect, through which proxy, and which connections can be shared.
import { isIP } from "node:net";
import { bare, portOf } from "../../base/egress/url_parts.ts";
import { SluiceError } from "../../base/errors.ts";
import type { RequestTarget } from "../http1/request_head.ts";
import type { Proxies, Proxy } from "./proxies.ts";

export interface Target extends RequestTarget {
  readonly href: string;
  readonly caCertificate: string | undefined;
  /** Scheme, host, port and trusted authorities. Requests with the same key may share a connection. */
  readonly key: string;
  readonly tls: boolean;
  /** The host without brackets. */
  readonly hostname: string;
  readonly isIpLiteral: boolean;
  readonly port: number;
  /** The proxy to use; null for a direct connection. */
  readonly proxy: Proxy | null;
  /**
   * The proxy reads the request and forwards it, instead of making a tunnel. Used without TLS, if the host is a literal address
   * or the proxy resolves names.
   */
  readonly isForwarded: boolean;
}

/** Caches targets by URL object, because reading the parts of a URL costs more than a lookup. */
export class TargetCache {
  readonly #byUrl = new WeakMap<URL, Target>();
  readonly #proxies: Proxies | null;

  constructor(proxies: Proxies | null = null) {
    this.#proxies = proxies;
  }

  /** @throws {SluiceError} EGRESS_DENIED for another scheme than http(s), or for credentials in the URL */
  get(url: URL, caCertificate: string | undefined): Target {
    const known = this.#byUrl.get(url);
    // The owner of a URL object can change it.
    if (known !== undefined && known.href === url.href && known.caCertificate === caCertificate) return known;
    const target = targetOf(url, caCertificate, this.#proxies);
    this.#byUrl.set(url, target);
    return target;
  }
}

/** @throws {SluiceError} EGRESS_DENIED for another scheme than http(s), or for credentials in the URL */
export function targetOf(url: URL, caCertificate?: string, proxies: Proxies | null = null): Target {
  const tls = url.protocol === "https:";
  if (!tls && url.protocol !== "http:") {
    throw new SluiceError("EGRESS_DENIED", { reason: `Cannot call a URL of scheme "${url.protocol}"` });
  }
  if (url.username !== "" || url.password !== "") {
    throw new SluiceError("EGRESS_DENIED", {
      reason: "The URL must not hold a user name or password; use the upstream's credentials",
    });
  }
  const hostname = bare(url.hostname);
  const isIpLiteral = isIP(hostname) !== 0;
  const port = portOf(url);
  const proxy = proxies?.for({ tls, hostname, port }) ?? null;
  const isForwarded = proxy !== null && !tls && (isIpLiteral || proxy.resolvesNames);
  return {
    href: url.href,
    caCertificate,
    key: `${url.protocol}//${url.host}\n${tls ? caCertificate ?? "" : ""}`,
    tls,
    hostname,
    isIpLiteral,
    port,
    // `url.host` has no port if it is the default of the scheme.
    host: url.host,
    requestTarget: (isForwarded ? `http://${url.host}` : "") + url.pathname + url.search,
    proxyAuthorization: isForwarded ? proxy!.authorization : null,
    proxy,
    isForwarded,
  };
}
