// The spans of MCP operations, by OpenTelemetry's conventions for MCP (https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/): of a
// client's request, and of the request to an upstream that it causes. They have names, and no arguments, results or secret ids.
import { portOf } from "../../base/egress/url_parts.ts";
import {
  type JsonObject,
  memberText,
  removeMember,
  replaceMember,
  type RequestMessage,
} from "../../mcp/json_rpc.ts";
import { metaOf } from "../../mcp/request_meta.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { boundedText, type CallNote } from "../../telemetry/call_note.ts";
import type { Observation } from "../../telemetry/metrics.ts";
import type { AttributeSink, Span, Subject, Traced } from "../../telemetry/traces/span.ts";
import {
  readContext,
  type TraceContext,
  TRACEPARENT,
  traceparentOf,
  TRACESTATE,
} from "../../telemetry/traces/trace_context.ts";
import type { CallContext } from "./call_context.ts";
import { OTHER_METHOD } from "./call_meter.ts";

/**
 * Begins the span of a request, under the span that the client names in its `_meta`, or else that of the HTTP request. Its end names it:
 * a client may send a method of megabytes.
 */
export function beginOperation(trace: Traced, { params }: RequestMessage, startedAt: number): Span {
  const meta = metaOf(params);
  return (meta === undefined ? trace : trace.under(contextIn(meta))).begin("", "server", startedAt);
}

/** A client's request, as its span describes it. */
class Operation implements Subject {
  readonly #note: CallNote | undefined;
  readonly #revision: string;
  readonly #method: string;
  readonly #id: string | number;
  readonly #hasFailed: boolean;

  constructor(
    { note, revision }: Pick<CallContext, "note" | "revision">,
    method: string,
    id: string | number,
    hasFailed: boolean,
  ) {
    this.#note = note;
    this.#revision = revision;
    this.#method = method;
    // It is kept until the span is exported.
    this.#id = typeof id === "string" ? boundedText(id) : id;
    this.#hasFailed = hasFailed;
  }

  /** A client chooses the names that lead nowhere, without end. */
  get name(): string {
    const note = this.#note;
    return note?.upstream === undefined ? this.#method : nameOf(this.#method, note.tool);
  }

  describe(to: AttributeSink): void {
    const note = this.#note;
    describeTarget(to, this.#method, note?.tool);
    to.attribute("mcp.method.name", this.#method);
    to.attribute("mcp.protocol.version", this.#revision);
    to.attribute("mcp.session.id", note?.session);
    to.attribute("jsonrpc.request.id", String(this.#id));
    const code = this.#hasFailed && typeof note?.code === "number" ? String(note.code) : undefined;
    to.attribute("rpc.response.status_code", code);
    to.attribute("sluice.correlation_id", note?.correlationId);
    to.attribute("sluice.upstream", note?.upstream);
  }

  measuredIn(span: Span): Observation {
    return observation("mcp_server_operation_duration_seconds", [this.#method], span);
  }
}

/**
 * @param method null: the gateway does not know it
 * @param errorType empty: no error
 * @param endedAt by performance.now()
 */
export function endOperation(
  span: Span,
  call: Pick<CallContext, "note" | "revision">,
  method: string | null,
  id: string | number,
  errorType: string,
  endedAt: number,
): void {
  span.subject = new Operation(call, method ?? OTHER_METHOD, id, errorType !== "");
  span.end(errorType, endedAt);
}

interface ServerAddress {
  readonly transport: "pipe" | "tcp";
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** Of the upstreams of exported spans: reading a URL takes as long as the rest of a span. */
const addresses = new WeakMap<Pick<GatewayRow, "url">, ServerAddress>();

function addressIn(address: string): ServerAddress {
  const url = URL.parse(address);
  if (url === null || url.hostname === "") return { transport: "pipe", host: undefined, port: undefined };
  return { transport: "tcp", host: url.hostname, port: portOf(url) };
}

/** A request to an upstream, as its span describes it. */
class UpstreamRequest implements Subject {
  readonly #gateway: Pick<GatewayRow, "name" | "url">;
  readonly #method: string;
  readonly #target: string | undefined;

  constructor(gateway: Pick<GatewayRow, "name" | "url">, method: string, target: string | undefined) {
    this.#gateway = gateway;
    this.#method = method;
    this.#target = target;
  }

  get name(): string {
    return nameOf(this.#method, this.#target);
  }

  /** Of the upstream's URL the host and port alone: the rest may hold a secret. */
  describe(to: AttributeSink): void {
    const gateway = this.#gateway;
    let at = addresses.get(gateway);
    if (at === undefined) addresses.set(gateway, at = addressIn(gateway.url));
    describeTarget(to, this.#method, this.#target);
    to.attribute("mcp.method.name", this.#method);
    to.attribute("sluice.upstream", gateway.name);
    to.attribute("network.transport", at.transport);
    to.attribute("server.address", at.host);
    to.attribute("server.port", at.port);
  }

  measuredIn(span: Span): Observation {
    return observation("mcp_client_operation_duration_seconds", [this.#gateway.name, this.#method], span);
  }
}

/** What CallMeter has observed of the span. */
function observation(
  metric: "mcp_server_operation_duration_seconds" | "mcp_client_operation_duration_seconds",
  subject: readonly string[],
  { errorType, startedAt, endedAt }: Span,
): Observation {
  return { metric, labelValues: [...subject, errorType], seconds: (endedAt - startedAt) / 1_000 };
}

/** @param target the upstream's name of the tool, or what else the request names */
export function beginUpstreamSpan(
  trace: Traced,
  gateway: Pick<GatewayRow, "name" | "url">,
  method: string,
  target: string | undefined,
  startedAt: number,
): Span {
  const span = trace.begin(method, "client", startedAt);
  span.subject = new UpstreamRequest(gateway, method, target);
  return span;
}

/**
 * Names the span in the `_meta` of params, so that an upstream on any transport continues the trace. All other bytes stay the same.
 * A trace that is not sampled is not named there: the text goes on as it came.
 */
export function withTraceContext(params: string | undefined, span: Span): string | undefined {
  const { isSampled } = span.trace;
  if (!isSampled) return params;
  const { state, ...context } = span.context;
  const own = `"${TRACEPARENT}":"${traceparentOf({ ...context, state })}"` +
    (state === null ? "" : `,"${TRACESTATE}":${JSON.stringify(state)}`);
  if (params === undefined) return `{"_meta":{${own}}}`;
  const meta = memberText(params, "_meta");
  if (meta === undefined) return replaceMember(params, "_meta", `{${own}}`);
  if (!meta.startsWith("{")) return params;
  const rest = removeMember(removeMember(meta, TRACEPARENT), TRACESTATE).slice(1).trimStart();
  return replaceMember(params, "_meta", `{${own}${rest.startsWith("}") ? "" : ","}${rest}`);
}

function contextIn(meta: JsonObject): TraceContext | null {
  return meta[TRACEPARENT] === undefined ? null : readContext(meta[TRACEPARENT], meta[TRACESTATE]);
}

/** The methods whose target is a resource, by its URI. */
const RESOURCE_METHODS: ReadonlySet<string> = new Set([
  ...["resources/read", "resources/subscribe", "resources/unsubscribe"],
]);

/** Tells the attributes that name the target of a method. */
function describeTarget(to: AttributeSink, method: string, target: string | undefined): void {
  if (target === undefined) return;
  if (method === "tools/call") {
    to.attribute("gen_ai.operation.name", "execute_tool");
    to.attribute("gen_ai.tool.name", target);
  } else if (method === "prompts/get") to.attribute("gen_ai.prompt.name", target);
  else if (RESOURCE_METHODS.has(method)) to.attribute("mcp.resource.uri", target);
}

/** URIs of resources are too many to stand in names. */
function nameOf(method: string, target: string | undefined): string {
  const isNamed = target !== undefined && (method === "tools/call" || method === "prompts/get");
  return isNamed ? `${method} ${target}` : method;
}
