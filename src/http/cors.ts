// Lets web pages of allowed origins call the gateway and read its responses (Fetch standard, "HTTP CORS protocol":
// https://fetch.spec.whatwg.org/#http-cors-protocol). The gateway takes no cookies: no response allows credentials.
import { CORRELATION_HEADER } from "../telemetry/call_note.ts";

/** Request headers of MCP clients and of this gateway that a page needs permission for. */
const REQUEST_HEADERS = [
  "authorization",
  "content-type",
  "mcp-session-id",
  "mcp-protocol-version",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  CORRELATION_HEADER,
  "x-upstream-authorization",
  "if-none-match",
] as const;

/** Tool arguments repeated in headers (MCP 2026-07-28, transports, "Custom Headers from Tool Parameters"). */
const PARAM_HEADER = /^mcp-param-[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** Response headers that a page may read besides the safelisted ones. */
const EXPOSED = [
  "Mcp-Session-Id",
  "WWW-Authenticate",
  "Retry-After",
  "RateLimit-Limit",
  "RateLimit-Remaining",
  "RateLimit-Reset",
  "RateLimit-Policy",
  "RateLimit",
  "X-Correlation-ID",
  "ETag",
].join(", ");

/** How long a browser may keep the response to a preflight. Chromium's limit. */
const PREFLIGHT_MAX_AGE_S = 7_200;

export interface CorsOptions {
  /** May web pages of this origin call the gateway? */
  readonly allows: (origin: string) => boolean;
  /** Is a request header of this name (lower case) passed to some upstream? */
  readonly passes: (name: string) => boolean;
}

export class Cors {
  readonly #allows: (origin: string) => boolean;
  readonly #passes: (name: string) => boolean;

  constructor({ allows, passes }: CorsOptions) {
    this.#allows = allows;
    this.#passes = passes;
  }

  /**
   * The response to a preflight from an allowed origin; null for any other OPTIONS request. A preflight has no token.
   * @param isForAnyPage every origin is allowed
   */
  preflight({ headers }: { readonly headers: Headers }, isForAnyPage = false): Response | null {
    const origin = headers.get("origin");
    if (origin === null || !headers.has("access-control-request-method")) return null;
    if (!isForAnyPage && !this.#allows(origin)) return null;
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": this.#headersFor(headers.get("access-control-request-headers")),
        "access-control-max-age": String(PREFLIGHT_MAX_AGE_S),
        "vary": "Origin, Access-Control-Request-Headers",
      },
    });
  }

  /**
   * Lets the page read the response.
   * @param origin of the request; null: no web page sent it
   * @param isForAnyPage every origin is allowed
   */
  expose(response: Response, origin: string | null, isForAnyPage = false): Response {
    // Browsers check no WebSocket handshake.
    if (origin === null || response.status === 101) return response;
    if (!isForAnyPage && !this.#allows(origin)) return response;
    const { headers } = response;
    headers.set("access-control-allow-origin", origin);
    headers.set("access-control-expose-headers", EXPOSED);
    headers.append("vary", "Origin");
    return response;
  }

  /**
   * Mcp-Param-* headers and headers for upstreams are allowed where a preflight asks for them: no pattern can allow the former, and
   * nobody without a token needs a list of the latter.
   */
  #headersFor(asked: string | null): string {
    const names = (asked ?? "").toLowerCase().split(",").map((name) => name.trim());
    const further = names.filter((name) => PARAM_HEADER.test(name) || this.#passes(name));
    return [...new Set([...REQUEST_HEADERS, ...further])].join(", ");
  }
}
