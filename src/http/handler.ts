// Request -> Response: origin, route, authenticate, serve. The one place where failures become answers.
import type { Principal } from "../auth/principal.ts";
import { SluiceError } from "../base/errors.ts";
import type { Count } from "../telemetry/metrics.ts";
import { type ErrorReporter, restErrorResponse, rpcErrorResponse } from "./error_response.ts";
import type { OriginGuard } from "./origin_guard.ts";

/** A request that has passed the door. */
export interface Exchange {
  readonly request: Request;
  /** Without query, as it came: percent-encoded, one trailing slash taken off. */
  readonly path: string;
  readonly principal: Principal;
}

export interface Endpoint {
  /** For the metrics. */
  readonly name: string;
  /** How failures look: as JSON-RPC errors or as REST answers. */
  readonly speaks: "json-rpc" | "rest";
  /** Open to everybody, whatever AUTH_REQUIRED says. */
  readonly open?: boolean;
  serve(exchange: Exchange): Promise<Response>;
}

export interface HandlerDeps {
  readonly route: (path: string) => Endpoint | null;
  /** @throws {SluiceError} UNAUTHENTICATED */
  readonly authenticate: (headers: Headers) => Principal | Promise<Principal>;
  /** Who an open endpoint is served to. */
  readonly anonymous: Principal;
  readonly originGuard: OriginGuard;
  readonly errors: ErrorReporter;
  /** Counts answers by endpoint and HTTP status. */
  readonly countAnswer: Count;
}

export function createHandler(deps: HandlerDeps): (request: Request) => Promise<Response> {
  const { route, authenticate, anonymous, originGuard, errors, countAnswer } = deps;
  return async (request) => {
    const path = pathOf(request.url);
    const endpoint = route(path);
    let response: Response;
    try {
      originGuard.check(request.headers);
      if (endpoint === null) throw new SluiceError("NOT_FOUND", { what: "Path" });
      const principal = endpoint.open ? anonymous : await authenticate(request.headers);
      response = await endpoint.serve({ request, path, principal });
    } catch (thrown) {
      const reported = errors.report(thrown);
      response = endpoint?.speaks === "json-rpc" ? rpcErrorResponse(reported) : restErrorResponse(reported);
    }
    countAnswer(endpoint?.name ?? "none", String(response.status));
    return response;
  };
}

/** The path of an absolute URL, without making a URL object. */
export function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  const end = query < 0 ? url.length : query;
  return end - start > 1 && url.charCodeAt(end - 1) === SLASH
    ? url.slice(start, end - 1)
    : url.slice(start, end);
}

const SLASH = 0x2f;
