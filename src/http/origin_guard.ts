// Refuses requests from foreign web pages (MCP 2025-11-25, transports, "Security Warning": DNS rebinding). A request gets 403 if its
// Origin is neither allowed nor loopback, or if its Host is not one of the gateway's known names.
import { SluiceError } from "../base/errors.ts";

export interface OriginGuardOptions {
  /** ALLOWED_ORIGINS; "*" for all. */
  readonly allowedOrigins: readonly string[];
  /** ALLOWED_HOSTS: names without port, in lower case; "*" for all. */
  readonly allowedHosts: readonly string[];
  /** HOST: the address that the gateway listens on. */
  readonly listensOn: string;
}

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

export class OriginGuard {
  /** null: any Origin. */
  readonly #origins: ReadonlySet<string> | null;
  readonly #hosts: ReadonlySet<string> | null;
  /** Scheme and host of the last request, up to the path. Nearly all requests have the same. */
  #wellFormed = "/";

  constructor({ allowedOrigins, allowedHosts, listensOn }: OriginGuardOptions) {
    this.#origins = allowedOrigins.includes("*")
      ? null
      : new Set(allowedOrigins.map((origin) => origin.toLowerCase()));
    // A gateway on loopback is only called by loopback names, unless a proxy passes another one (ALLOWED_HOSTS).
    const knowsItsNames = allowedHosts.length > 0 || /^(localhost|127\.|\[?::1\]?$)/.test(listensOn);
    this.#hosts = knowsItsNames && !allowedHosts.includes("*")
      ? new Set([...LOOPBACK_NAMES, listensOn.toLowerCase(), ...allowedHosts])
      : null;
  }

  /**
   * @param isForAnyPage the endpoint answers pages of every origin
   * @returns the Origin header; null: no web page sent the request
   * @throws {SluiceError} ORIGIN_DENIED, HOST_DENIED; INVALID_REQUEST: the Host header names no host (RFC 9112, section 3.2)
   */
  check(
    { headers, url }: { readonly headers: Headers; readonly url: string },
    isForAnyPage = false,
  ): string | null {
    const origin = headers.get("origin");
    if (origin !== null && !isForAnyPage && !this.allows(origin)) {
      throw new SluiceError("ORIGIN_DENIED", { origin: origin.slice(0, 200) });
    }
    if (!url.startsWith(this.#wellFormed)) this.#wellFormed = wellFormedIn(url);
    if (this.#hosts === null) return origin;
    // The URL has the authority of an absolute request target or of HTTP/2, which counts before a Host header (RFC 9110, section 7.2;
    // RFC 9113, section 8.3.1), else that of the header.
    const authority = authorityIn(url);
    this.#checkHost(authority, this.#hosts);
    const host = headers.get("host");
    if (host !== null && host !== authority) this.#checkHost(host, this.#hosts);
    return origin;
  }

  #checkHost(host: string, known: ReadonlySet<string>): void {
    if (!known.has(nameIn(host))) throw new SluiceError("HOST_DENIED", { host: host.slice(0, 200) });
  }

  /** May web pages of this origin call the gateway? */
  allows(origin: string): boolean {
    return this.#origins === null || this.#origins.has(origin.toLowerCase()) || isLoopback(origin);
  }
}

/** The part of a URL before its path, with the slash that begins the path. @throws {SluiceError} INVALID_REQUEST */
function wellFormedIn(url: string): string {
  const part = url.slice(0, url.indexOf("/", url.indexOf("//") + 2) + 1);
  if (URL.canParse(part)) return part;
  throw new SluiceError("INVALID_REQUEST", { reason: "the Host header names no host" });
}

/** The host and port in an absolute URL. */
function authorityIn(url: string): string {
  const start = url.indexOf("//") + 2;
  const end = url.indexOf("/", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

/** The host name of a Host header without port, in lower case. */
function nameIn(host: string): string {
  const port = host.lastIndexOf(":");
  const name = port > host.lastIndexOf("]") && port >= 0 ? host.slice(0, port) : host;
  return name.toLowerCase();
}

function isLoopback(origin: string): boolean {
  return /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(origin);
}
