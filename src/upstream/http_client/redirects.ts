// Follows redirects of an upstream within its origin, and remembers where they led. Redirects to other origins are never followed,
// because the request holds credentials. Each request passes the egress check, redirected or not.
import { BoundedMap } from "../../base/bounded_map.ts";
import type { HttpResponse } from "./http_client.ts";

/** Limit of redirects in a row. The official SDKs follow up to 20. */
const MAX_REDIRECTS = 5;

/** Limit of remembered addresses of all upstreams. */
const MAX_ADDRESSES = 1_000;

/** The registered URL of an upstream, and the URL that its redirects lead to. */
export class Address {
  readonly #registered: URL;
  #url: URL;

  constructor(registered: URL) {
    this.#registered = registered;
    this.#url = registered;
  }

  /** The URL for the next request. It is the same object until a redirect changes it. */
  get url(): URL {
    return this.#url;
  }

  /**
   * Sends a request again where a redirect leads, if `response` is one. A server that redirects has not executed the request.
   * @param response of a request to `from`. The address may have changed meanwhile
   * @param send sends the same request, with its method and body, to another URL
   * @returns the response at the end; a redirect that must not be followed is returned as it is
   */
  async follow(
    response: HttpResponse,
    from: URL,
    send: (url: URL) => Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    let url = from;
    // The remembered address may be gone, so the next request asks the registered one where it leads now. This request is not sent
    // again: a server may also answer 404 to a call that it has executed.
    const isGone = response.status === 404 || response.status === 410;
    if (isGone && this.#url === from) this.#url = this.#registered;
    for (let redirects = 0; redirects < MAX_REDIRECTS; redirects++) {
      const next = this.#destination(response, url);
      if (next === null) break;
      response.discard();
      url = next;
      response = await send(url);
    }
    if (url !== from && !isRedirect(response)) this.#url = url;
    return response;
  }

  /** @returns null if the response is no redirect, or one that must not be followed */
  #destination(response: HttpResponse, from: URL): URL | null {
    if (!isRedirect(response)) return null;
    const location = response.header("location");
    const to = location === null ? null : URL.parse(location, from);
    if (to === null || !isFollowed(response.status, from, to)) return null;
    for (const [name, value] of this.#registered.searchParams) {
      // Credentials in the query.
      if (!to.searchParams.has(name)) to.searchParams.append(name, value);
    }
    to.hash = "";
    return to;
  }
}

/** The addresses of a worker's upstreams, shared by all that call an upstream: calls, discovery, health checks. */
export class Addresses {
  readonly #byUrl = new BoundedMap<string, Address>({ maxEntries: MAX_ADDRESSES, ageFrom: "get" });

  of(url: URL): Address {
    let known = this.#byUrl.get(url.href);
    if (known === undefined) this.#byUrl.set(url.href, known = new Address(url));
    return known;
  }
}

/**
 * Does the gateway follow a redirect? Only within the origin. Clients may turn POST into GET at 301 and 302 (RFC 9110, section 15.4.2),
 * so only 307 and 308 lead anywhere. A path that differs in its last slash alone is the same resource.
 */
export function isFollowed(status: number, from: URL, to: URL): boolean {
  if (to.origin !== from.origin || to.username !== "" || to.password !== "") return false;
  return status >= 307 || withoutSlash(from.pathname) === withoutSlash(to.pathname);
}

function isRedirect({ status }: HttpResponse): boolean {
  return status === 301 || status === 302 || status === 307 || status === 308;
}

function withoutSlash(pathname: string): string {
  return pathname.replace(/\/$/, "");
}
