// The span of a request at the edge, by OpenTelemetry's conventions for HTTP servers
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server). It has no query, no header and no body of the request.
import type { CallNote } from "../telemetry/call_note.ts";
import type { Span } from "../telemetry/traces/span.ts";
import type { Tracer } from "../telemetry/traces/tracer.ts";
import { shownPath } from "./access_log.ts";

/** The endpoints of MCP, whose paths are few apart from the id of a virtual server. */
const MCP_ENDPOINTS: ReadonlySet<string> = new Set(["mcp", "rpc", "sse", "ws"]);

export function beginEdge(
  tracer: Tracer,
  { method, headers }: Request,
  endpoint: string,
  path: string,
): Span {
  const route = routeOf(endpoint, path);
  return tracer.beginFor(headers).begin(route === undefined ? method : `${method} ${route}`, "server");
}

/** Ends the span of a request that was refused there. Refusals are no failed calls: anybody can cause them. */
export function refusedIn(phase: Span, code: string): void {
  phase.errorType = code;
  phase.end();
}

export interface EdgeEnd {
  readonly request: Request;
  readonly endpoint: string;
  readonly path: string;
  readonly status: number;
  /** The caller was found, so that its failure is that of a call. */
  readonly isCall: boolean;
  readonly note: CallNote | undefined;
}

/** Ends the span of the request. A call that another worker has served is known to have failed by its note. */
export function endEdge(span: Span, { request, endpoint, path, status, isCall, note }: EdgeEnd): void {
  const { answeredAt } = span.trace;
  if (answeredAt > 0) span.begin("result", "internal", answeredAt).end();
  const error = status < 500 ? "" : String(note?.code ?? status);
  if (isCall && note !== undefined && hasFailed(note)) span.trace.hasFailed = true;
  span.attributes = {
    "http.request.method": request.method,
    "http.route": routeOf(endpoint, path),
    "url.path": shownPath(endpoint, path),
    "url.scheme": request.url.startsWith("https:") ? "https" : "http",
    "http.response.status_code": status,
    "client.address": note?.client,
    "mcp.session.id": note?.session,
    "sluice.endpoint": endpoint,
    "sluice.correlation_id": note?.correlationId,
  };
  span.end(error);
}

function hasFailed({ code, calls = [] }: CallNote): boolean {
  return code !== undefined || calls.some(({ code }) => code !== undefined);
}

function routeOf(endpoint: string, path: string): string | undefined {
  if (!MCP_ENDPOINTS.has(endpoint)) return undefined;
  return path.startsWith("/servers/") ? path.replace(/^\/servers\/[^/]+/, "/servers/{server_id}") : path;
}
