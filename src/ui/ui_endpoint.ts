// Room `ui`: the pages for people under /admin, rendered on the server. This file decides which requests are for a page, who sends
// them, and what becomes of failures; `page_server.tsx` renders.
import { SluiceError } from "../base/errors.ts";
import { takesHtml } from "../http/representation/accepted.ts";
import type { Endpoint, Exchange, FailedAnswer } from "../http/handler.ts";
import type { RefusalCode } from "../http/refusal.ts";
import { pageRefusal } from "./call/refusal_page.ts";
import { peerAddress } from "../base/egress/trusted_proxies.ts";
import type { Place, UiDeps } from "./call/ui_deps.ts";
import { authorizationIn, PAGES_PATH } from "./call/session_cookie.ts";
import { type FoundPages, LIVE_LOG, pagesAt } from "./page_routes.ts";

// Loaded on first use, with the library that renders pages.
const server = () => import("./page_server.tsx");

const ASSETS = `${PAGES_PATH}/assets/`;

export class UiEndpoint {
  readonly #deps: UiDeps;
  readonly #pages: Endpoint;
  readonly #openPages: Endpoint;
  readonly #assets: Endpoint;
  readonly #streams: Endpoint;

  constructor(deps: UiDeps) {
    this.#deps = deps;
    const shared = {
      speaks: "rest",
      authorizationIn,
      failed: (failed: FailedAnswer) => this.#answerFailure(failed),
      refusal: (request: Request, code: RefusalCode) =>
        isForPeople(request) ? pageRefusal(code, request.headers.has("hx-request")) : null,
    } as const;
    const serve = (exchange: Exchange) => this.#serve(exchange);
    this.#pages = { name: "ui", ...shared, serve };
    this.#streams = { ...this.#pages, streamsOnGet: true };
    this.#openPages = { name: "ui_open", ...shared, open: true, serve };
    this.#assets = {
      name: "ui_assets",
      speaks: "rest",
      open: true,
      serve: async ({ request, path }) =>
        await (await server()).answerAsset(request, path.slice(ASSETS.length)),
    };
  }

  route(path: string): Endpoint | null {
    if (path !== PAGES_PATH && !path.startsWith(`${PAGES_PATH}/`)) return null;
    if (path.startsWith(ASSETS)) return this.#assets;
    const found = pagesAt(pagePathOf(path));
    if (found === null) return null;
    if (pagePathOf(path) === LIVE_LOG) return this.#streams;
    return found.routes.some(({ isOpen }) => isOpen) ? this.#openPages : this.#pages;
  }

  async #serve(exchange: Exchange): Promise<Response> {
    const { request, path } = exchange;
    const rest = this.#restFor(request, path);
    if (rest !== null) return await rest.serve(exchange);
    const { method } = request;
    if (method === "POST") requireSameOrigin(request, this.#placeOf(exchange));
    const found = pagesAt(pagePathOf(path))!;
    const route = routeFor(found, method);
    return await (await server()).answerPage(this.#deps, {
      exchange,
      route,
      params: found.params,
      path: pagePathOf(path),
      place: this.#placeOf(exchange),
    });
  }

  /** A program that reads a list of the REST API under a page's path. */
  #restFor(request: Request, path: string): Endpoint | null {
    return request.method === "GET" && !isForPeople(request) ? this.#deps.rest(path) : null;
  }

  async #answerFailure({ request, path, info, principal, reported }: FailedAnswer): Promise<Response | null> {
    if (this.#restFor(request, path) !== null) return null;
    const { answerFailure } = await server();
    const place = this.#placeOf({ request, info });
    return await answerFailure({ request, path: pagePathOf(path), place, principal, reported });
  }

  #placeOf({ request, info }: Pick<Exchange, "request" | "info">): Place {
    const { trustedProxies, prefixOf } = this.#deps;
    const from = peerAddress(info);
    const { scheme, host } = trustedProxies.originOf(request, from);
    return { prefix: prefixOf(request.headers, from) ?? "", isSecure: scheme === "https", host };
  }
}

/** `upstreams/new` of `/admin/upstreams/new`. */
function pagePathOf(path: string): string {
  return path.slice(PAGES_PATH.length + 1);
}

function routeFor({ routes }: FoundPages, method: string) {
  const route = routes.find((each) => each.method === (method === "HEAD" ? "GET" : method));
  if (route !== undefined) return route;
  throw new SluiceError("METHOD_NOT_ALLOWED", {
    method,
    allowed: routes.map((each) => each.method).join(", "),
  });
}

function isForPeople({ headers }: Request): boolean {
  return takesHtml(headers) || headers.has("hx-request");
}

/**
 * A form counts only if a page of the gateway has sent it, because the browser sends the session with the form of any page.
 * ALLOWED_ORIGINS has no effect here.
 * @throws {SluiceError} FORBIDDEN
 */
function requireSameOrigin({ headers }: Request, { host, isSecure }: Place): void {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  const own = `${isSecure ? "https" : "http"}://${host}`;
  if (site === null ? origin === own : site === "same-origin") return;
  throw new SluiceError("FORBIDDEN", { reason: "the form was not sent by a page of this gateway" });
}
