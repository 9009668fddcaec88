// The endpoints of the REST API. Health checks need no token.
import type { CallerTurns } from "../base/sharing/caller_turns.ts";
import type { ReadBody } from "../http/body.ts";
import type { Endpoint, Exchange, ServedInfo } from "../http/handler.ts";
import type { ResponseCache } from "../http/representation/response_cache.ts";
import { parseJson } from "../mcp/json_rpc.ts";
import { correlationIdOf } from "../telemetry/call_note.ts";
import type { AdminApi } from "./router.ts";

export interface AdminEndpointOptions {
  readonly readBody: ReadBody;
  readonly maxJsonDepth: number;
  /** The address of the client, also behind trusted proxies. */
  readonly clientOf: (headers: Headers, info: ServedInfo) => string;
  /** Reads of a caller share the database with others. */
  readonly turns: CallerTurns;
  /** null if answers are not cached. */
  readonly cache: ResponseCache | null;
}

// Loaded on first use, with an npm package: a worker without admin requests saves the memory.
const reads = () => import("./reads.ts");

/** Load balancers ask these without a token. */
const HEALTH_PATHS: ReadonlySet<string> = new Set(["/health", "/ready"]);

/** Clients that look for a login page ask this without a token. */
const REGISTRATION_PATH = "/register";

/** The paths of event streams end with it. */
const STREAM_SUFFIX = "/logs/stream";

export class AdminEndpoint {
  readonly #api: AdminApi;
  readonly #options: AdminEndpointOptions;
  readonly #guarded: Endpoint;
  readonly #health: Endpoint;
  readonly #registration: Endpoint;
  /** Logins. */
  readonly #open: Endpoint;
  readonly #streams: Endpoint;

  constructor(api: AdminApi, options: AdminEndpointOptions) {
    this.#api = api;
    this.#options = options;
    const serve = (exchange: Exchange) => this.#serve(exchange);
    this.#guarded = { name: "admin", speaks: "rest", serve };
    this.#health = { name: "health", speaks: "rest", open: true, alwaysAnswered: true, serve };
    this.#open = { name: "login", speaks: "rest", open: true, serve };
    this.#streams = { name: "admin", speaks: "rest", streamsOnGet: true, serve };
    this.#registration = { name: "register", speaks: "rest", open: true, serve };
  }

  route(path: string): Endpoint | null {
    if (HEALTH_PATHS.has(path)) return this.#health;
    if (path === REGISTRATION_PATH) return this.#registration;
    if (!this.#api.match(path)) return null;
    if (this.#api.isOpen(path)) return this.#open;
    return path.endsWith(STREAM_SUFFIX) ? this.#streams : this.#guarded;
  }

  async #serve(exchange: Exchange): Promise<Response> {
    const { request, path, principal } = exchange;
    const { readBody, maxJsonDepth, turns, cache } = this.#options;
    const text = async () => hasBody(request) ? await readBody(request, exchange) : "";
    const { search, searchParams } = new URL(request.url);
    const action = this.#api.actionOf(request.method, path);
    if (action !== null) exchange.action = action;
    const correlationId = exchange.note?.correlationId ?? correlationIdOf(request.headers);
    const admitted = this.#api.admit({
      method: request.method,
      path,
      query: searchParams,
      principal,
      client: this.#options.clientOf(request.headers, exchange.info),
      body: async () => {
        const json = await text();
        return json === "" ? undefined : parseJson(json, maxJsonDepth);
      },
      text,
      signal: request.signal,
      correlationId,
      action,
    });
    // Health and readiness, the routes without a permission, are never cached.
    if (admitted.route.method === "GET" && admitted.route.permission !== null) {
      const { answerRead } = await reads();
      const response = await answerRead({
        request,
        target: path + search,
        principal,
        admitted,
        cache,
        turns,
      });
      exchange.isStream = isEventStream(response);
      return response;
    }
    const { status, body, headers } = await admitted.answer();
    if (body instanceof ReadableStream) {
      exchange.isStream = true;
      return new Response(body, { status, headers });
    }
    return body === undefined || body === null
      ? new Response(null, { status, headers })
      : Response.json(body, { status, headers });
  }
}

function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type") === "text/event-stream";
}

/**
 * Can the request have a body? Deno gives every DELETE request one. A body that HTTP/2 sends without a length is known by its
 * type, but clients also send a type without a body.
 */
function hasBody({ body, headers }: Request): boolean {
  if (body === null || headers.get("content-length") === "0") return false;
  return headers.has("content-length") || headers.has("transfer-encoding") ||
    /^application\/json\b/i.test(headers.get("content-type") ?? "");
}
