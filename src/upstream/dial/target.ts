// What a URL means to the client: where to connect, through which proxy, what to ask for, and which connections may carry it.
import { SluiceError } from "../../base/errors.ts";
import type { RequestTarget } from "../http1/request_head.ts";
import type { Proxies, Proxy } from "./proxies.ts";

export interface Target extends RequestTarget {
  readonly href: string;
  readonly caCertificate: string | undefined;
  /** Requests with the same key may share a connection: scheme, host, port, and whom we trust to be it. */
  readonly key: string;
  readonly tls: boolean;
  /** Without brackets. */
  readonly hostname: string;
  readonly isIpLiteral: boolean;
  readonly port: number;
  /** The proxy on the way; null: none. */
  readonly proxy: Proxy | null;
  /**
   * The proxy reads the request and sends it on, and makes no tunnel. Only without TLS, and only if that leaves the proxy no
   * name to resolve, or the operator wants it to resolve names.
   */
  readonly isForwarded: boolean;
}

/** Targets by URL object: reading a URL's parts costs more than a lookup. */
export class TargetCache {
  readonly #byUrl = new WeakMap<URL, Target>();
  readonly #proxies: Proxies | null;

  constructor(proxies: Proxies | null = null) {
    this.#proxies = proxies;
  }

  /** @throws {SluiceError} EGRESS_DENIED where the URL is not plain http(s) without credentials */
  get(url: URL, caCertificate: string | undefined): Target {
    const known = this.#byUrl.get(url);
    // A URL object can be changed by whoever holds it.
    if (known !== undefined && known.href === url.href && known.caCertificate === caCertificate) return known;
    const target = targetOf(url, caCertificate, this.#proxies);
    this.#byUrl.set(url, target);
    return target;
  }
}

/** @throws {SluiceError} EGRESS_DENIED where the URL is not plain http(s) without credentials */
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
  const isIpv6 = url.hostname.startsWith("[");
  const hostname = isIpv6 ? url.hostname.slice(1, -1) : url.hostname;
  const isIpLiteral = isIpv6 || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
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
    // Without the scheme's default port.
    host: url.host,
    requestTarget: (isForwarded ? `http://${url.host}` : "") + url.pathname + url.search,
    proxyAuthorization: isForwarded ? proxy!.authorization : null,
    proxy,
    isForwarded,
  };
}
