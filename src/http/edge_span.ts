// The span of a request at the edge, by OpenTelemetry's conventions for HTTP servers
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server). It has no query, no header and no body of the request.
import type { CallNote } from "../telemetry/call_note.ts";
import type { Observation } from "../telemetry/metrics.ts";
import type { Attributes, Part, Span, Subject } from "../telemetry/traces/span.ts";
import { shownPath } from "./access_log.ts";
import { peerAddress } from "../base/egress/trusted_proxies.ts";

/** The endpoints of MCP, whose paths are few apart from the id of a virtual server. */
const MCP_ENDPOINTS: ReadonlySet<string> = new Set(["mcp", "rpc", "sse", "ws"]);

/** A request, as its span describes it. Every call makes one: without an object of arguments it takes a quarter less memory. */
export class EdgeSubject implements Subject {
  readonly #request: Pick<Request, "method" | "url">;
  readonly #info: { readonly remoteAddr: Deno.NetAddr };
  readonly #endpoint: string;
  readonly #path: string;
  readonly #note: CallNote;
  /** When the caller was found, by performance.now(); 0: it was not. */
  authenticatedAt = 0;
  /** When the limits of an API token were passed, which may take time; 0: a limit has refused the request. */
  admittedAt = 0;
  /** When the last operation was done; 0: there was none. */
  answeredAt = 0;
  /** When the head of the answer was ready. */
  headAt = 0;
  /** Why the request was refused before it was served; empty: it was served. */
  refusal = "";
  status = 0;

  constructor(
    request: Pick<Request, "method" | "url">,
    info: { readonly remoteAddr: Deno.NetAddr },
    endpoint: string,
    path: string,
    note: CallNote,
  ) {
    this.#request = request;
    this.#info = info;
    this.#endpoint = endpoint;
    this.#path = path;
    this.#note = note;
  }

  get name(): string {
    const route = this.#route;
    const { method } = this.#request;
    return route === undefined ? method : `${method} ${route}`;
  }

  get attributes(): Attributes {
    const { method, url } = this.#request;
    const { client = peerAddress(this.#info), session, correlationId } = this.#note;
    return {
      "http.request.method": method,
      "http.route": this.#route,
      "url.path": shownPath(this.#endpoint, this.#path),
      "url.scheme": url.startsWith("https:") ? "https" : "http",
      "http.response.status_code": this.status,
      "client.address": client,
      "mcp.session.id": session,
      "sluice.endpoint": this.#endpoint,
      "sluice.correlation_id": correlationId,
    };
  }

  parts(span: Span): Part[] {
    const { authenticatedAt, admittedAt, answeredAt, refusal } = this;
    const { startedAt: begunAt, endedAt } = span;
    const part = (name: string, startedAt: number, at: number): Part => ({
      name,
      startedAt,
      endedAt: at > 0 ? at : endedAt,
      errorType: at > 0 ? "" : refusal,
    });
    return [
      part("auth", begunAt, authenticatedAt),
      ...(authenticatedAt > 0 ? [part("admission", authenticatedAt, admittedAt)] : []),
      ...(answeredAt > 0 ? [part("result", answeredAt, endedAt)] : []),
    ];
  }

  /** The histogram has the time to the head: the stream of a call ends later. */
  measuredIn({ startedAt }: Span): Observation {
    return {
      metric: "sluice_http_request_duration_seconds",
      labelValues: [this.#endpoint],
      seconds: (this.headAt - startedAt) / 1_000,
    };
  }

  get #route(): string | undefined {
    if (!MCP_ENDPOINTS.has(this.#endpoint)) return undefined;
    const path = this.#path;
    return path.startsWith("/servers/") ? path.replace(/^\/servers\/[^/]+/, "/servers/{server_id}") : path;
  }
}

/**
 * Ends the span of a request. A call that another worker has served is known to have failed by its note.
 * @param isCall the caller was found, so that its failure is that of a call
 * @param endedAt by performance.now()
 */
export function endEdge(span: Span, note: CallNote, status: number, isCall: boolean, endedAt: number): void {
  const { trace } = span;
  const subject = span.subject as EdgeSubject;
  subject.answeredAt = trace.answeredAt;
  subject.status = status;
  if (isCall && hasFailed(note)) trace.hasFailed = true;
  span.end(status < 500 ? "" : String(note.code ?? status), endedAt);
}

function hasFailed({ code, calls }: CallNote): boolean {
  return code !== undefined || calls?.some(({ code }) => code !== undefined) === true;
}
