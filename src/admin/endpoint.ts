// The admin API as endpoints of the HTTP handler: health checks are open, everything else needs a principal.
import type { ReadBody } from "../http/body.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { parseJson } from "../mcp/json_rpc.ts";
import type { AdminRequest, AdminResponse } from "./deps.ts";

export interface AdminApi {
  match(path: string): boolean;
  handle(request: AdminRequest): Promise<AdminResponse>;
}

export interface AdminLimits {
  readonly readBody: ReadBody;
  readonly maxJsonDepth: number;
}

/** Load balancers ask these without a token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/health", "/ready"]);

export class AdminEndpoint {
  readonly #api: AdminApi;
  readonly #limits: AdminLimits;
  readonly #guarded: Endpoint;
  readonly #open: Endpoint;

  constructor(api: AdminApi, limits: AdminLimits) {
    this.#api = api;
    this.#limits = limits;
    const serve = (exchange: Exchange) => this.#serve(exchange);
    this.#guarded = { name: "admin", speaks: "rest", serve };
    this.#open = { name: "health", speaks: "rest", open: true, alwaysAnswered: true, serve };
  }

  route(path: string): Endpoint | null {
    if (OPEN_PATHS.has(path)) return this.#open;
    return this.#api.match(path) ? this.#guarded : null;
  }

  async #serve({ request, path, principal }: Exchange): Promise<Response> {
    const { readBody, maxJsonDepth } = this.#limits;
    const { status, body, headers } = await this.#api.handle({
      method: request.method,
      path,
      query: new URL(request.url).searchParams,
      principal,
      body: async () => hasBody(request) ? parseJson(await readBody(request), maxJsonDepth) : undefined,
      signal: request.signal,
    });
    return body === undefined || body === null
      ? new Response(null, { status, headers })
      : Response.json(body, { status, headers });
  }
}

/** Deno gives a DELETE a body, even one that came without. */
function hasBody({ body, headers }: Request): boolean {
  if (body === null || headers.get("content-length") === "0") return false;
  return ["content-type", "content-length", "transfer-encoding"].some((name) => headers.has(name));
}
