// What a URL means to the client: where to connect, what to ask for, and which connections may carry it.

import { SluiceError } from "../../base/errors.ts";

export interface Target {
  readonly href: string;
  readonly caCertificate: string | undefined;
  /** Requests with the same key may share a connection: scheme, host, port, and whom we trust to be it. */
  readonly key: string;
  readonly tls: boolean;
  /** Without brackets. */
  readonly hostname: string;
  readonly isIpLiteral: boolean;
  readonly port: number;
  /** The `Host` header: without the scheme's default port. */
  readonly host: string;
  /** Path and query, escaped as the URL has them. */
  readonly path: string;
}

/** Targets by URL object: reading a URL's parts costs more than a lookup. */
export class TargetCache {
  #byUrl = new WeakMap<URL, Target>();

  /** @throws {SluiceError} EGRESS_DENIED where the URL is not plain http(s) without credentials */
  get(url: URL, caCertificate: string | undefined): Target {
    const known = this.#byUrl.get(url);
    // A URL object can be changed by whoever holds it.
    if (known !== undefined && known.href === url.href && known.caCertificate === caCertificate) return known;
    const target = targetOf(url, caCertificate);
    this.#byUrl.set(url, target);
    return target;
  }
}

/** @throws {SluiceError} EGRESS_DENIED where the URL is not plain http(s) without credentials */
export function targetOf(url: URL, caCertificate?: string): Target {
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
  return {
    href: url.href,
    caCertificate,
    key: `${url.protocol}//${url.host}\n${tls ? caCertificate ?? "" : ""}`,
    tls,
    hostname,
    isIpLiteral: isIpv6 || /^\d+\.\d+\.\d+\.\d+$/.test(hostname),
    port: url.port === "" ? (tls ? 443 : 80) : Number(url.port),
    host: url.host,
    path: url.pathname + url.search,
  };
}
