// The span of a request at the edge, by OpenTelemetry's conventions for HTTP servers
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server). It has no query, no header and no body of the request.
import type { CallNote } from "../telemetry/call_note.ts";
import type { Observation } from "../telemetry/metrics.ts";
import type { AttributeSink, Part, Span, Subject } from "../telemetry/traces/span.ts";
import { shownPath } from "./access_log.ts";
import { peerAddress } from "../base/egress/trusted_proxies.ts";

/** The endpoints of MCP, whose paths are few apart from the id of a virtual server. */
const MCP_ENDPOINTS: ReadonlySet<string> = new Set(["mcp", "rpc", "sse", "ws"]);

/** By performance.now(). */
export interface EdgeTimes {
  /** When the caller was found; 0: it was not. */
  readonly authenticatedAt: number;
  /** When the limits of an API token were passed, which may take time; 0: a limit has refused the request. */
  readonly admittedAt: number;
  /** When the head of the answer was ready. */
  readonly headAt: number;
}

/** What is known of a request when the head of its answer is ready. */
export interface EdgeFacts {
  readonly request: Pick<Request, "method" | "url">;
  readonly info: { readonly remoteAddr: Deno.NetAddr };
  readonly path: string;
  readonly endpointName: string;
  readonly note: CallNote;
  readonly times: EdgeTimes;
  /** Why the request was refused before it was served; empty: it was served. */
  readonly refusal: string;
  readonly status: number;
}

/** A request, as its span describes it. Only the requests of a trace that somebody may see make one. */
export class EdgeSubject implements Subject {
  readonly #method: string;
  readonly #scheme: string;
  readonly #client: string;
  readonly #path: string;
  readonly #endpoint: string;
  readonly #note: CallNote;
  readonly #times: EdgeTimes;
  readonly #refusal: string;
  readonly #status: number;

  /** Reads the request, which must not be kept: the span is exported later. */
  constructor({ request, info, path, endpointName, note, times, refusal, status }: EdgeFacts) {
    this.#method = request.method;
    this.#scheme = request.url.startsWith("https:") ? "https" : "http";
    this.#client = note.client ?? peerAddress(info);
    this.#path = path;
    this.#endpoint = endpointName;
    this.#note = note;
    this.#times = times;
    this.#refusal = refusal;
    this.#status = status;
  }

  get name(): string {
    const route = this.#route;
    return route === undefined ? this.#method : `${this.#method} ${route}`;
  }

  describe(to: AttributeSink): void {
    to.attribute("http.request.method", this.#method);
    to.attribute("http.route", this.#route);
    to.attribute("url.path", shownPath(this.#endpoint, this.#path));
    to.attribute("url.scheme", this.#scheme);
    to.attribute("http.response.status_code", this.#status);
    to.attribute("client.address", this.#client);
    to.attribute("mcp.session.id", this.#note.session);
    to.attribute("sluice.endpoint", this.#endpoint);
    to.attribute("sluice.correlation_id", this.#note.correlationId);
  }

  parts(span: Span): Part[] {
    const { authenticatedAt, admittedAt } = this.#times;
    const { startedAt: begunAt, endedAt } = span;
    const answeredAt = endOfOperations(span);
    const part = (name: string, startedAt: number, at: number): Part => ({
      name,
      startedAt,
      endedAt: at > 0 ? at : endedAt,
      errorType: at > 0 ? "" : this.#refusal,
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
      seconds: (this.#times.headAt - startedAt) / 1_000,
    };
  }

  get #route(): string | undefined {
    if (!MCP_ENDPOINTS.has(this.#endpoint)) return undefined;
    const path = this.#path;
    return path.startsWith("/servers/") ? path.replace(/^\/servers\/[^/]+/, "/servers/{server_id}") : path;
  }
}

/** When the last operation below the request was done, by performance.now(); 0: there was none. */
function endOfOperations(edge: Span): number {
  let endedAt = 0;
  for (let span = edge.following; span !== undefined; span = span.following) {
    if (span.parent === edge && span.kind === "server") endedAt = Math.max(endedAt, span.endedAt);
  }
  return endedAt;
}

/**
 * Tells the trace of a request whether it has failed. A call that another worker has served is known to have failed by its note.
 * @param isCall the caller was found, so that its failure is that of a call
 * @returns the error type of the request's span; empty: no error
 */
export function failureOf(span: Span, note: CallNote, status: number, isCall: boolean): string {
  const isError = status >= 500;
  if (isError || isCall && hasFailed(note)) span.trace.hasFailed = true;
  return isError ? String(note.code ?? status) : "";
}

/** Ends the span of a request with the stream that answers it. */
export function endWithStream(
  streamEnd: Promise<unknown>,
  span: Span,
  note: CallNote,
  status: number,
  isCall: boolean,
): void {
  const end = () => span.end(failureOf(span, note, status, isCall));
  streamEnd.then(end, end);
}

function hasFailed({ code, calls }: CallNote): boolean {
  return code !== undefined || calls?.some(({ code }) => code !== undefined) === true;
}
