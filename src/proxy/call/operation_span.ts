// The spans of MCP operations, by OpenTelemetry's conventions for MCP (https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/): of a
// client's request, and of the request to an upstream that it causes. They have names, and no arguments, results or secret ids.
import {
  type JsonObject,
  memberText,
  removeMember,
  replaceMember,
  type RequestMessage,
} from "../../mcp/json_rpc.ts";
import { metaOf } from "../../mcp/request_meta.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Attributes, Span, Traced } from "../../telemetry/traces/span.ts";
import {
  readContext,
  type TraceContext,
  TRACEPARENT,
  traceparentOf,
  TRACESTATE,
} from "../../telemetry/traces/trace_context.ts";
import type { CallContext } from "./call_context.ts";
import { OTHER_METHOD } from "./call_meter.ts";

/** Begins the span of a request, under the span that the client names in its `_meta`, or else that of the HTTP request. */
export function beginOperation(trace: Traced, { method, params }: RequestMessage): Span {
  const meta = metaOf(params);
  return (meta === undefined ? trace : trace.under(contextIn(meta))).begin(method, "server");
}

export interface OperationEnd {
  /** null: the gateway does not know the method. */
  readonly method: string | null;
  readonly id: string | number;
  /** Empty: no error. */
  readonly errorType: string;
}

export function endOperation(
  span: Span,
  { note, revision }: Pick<CallContext, "note" | "revision">,
  { method, id, errorType }: OperationEnd,
): void {
  const known = method ?? OTHER_METHOD;
  // A client chooses the names that lead nowhere, without end.
  span.name = note?.upstream === undefined ? known : nameOf(known, note.tool);
  span.attributes = {
    "mcp.method.name": known,
    "mcp.protocol.version": revision,
    "mcp.session.id": note?.session,
    "jsonrpc.request.id": String(id),
    "rpc.response.status_code": errorType !== "" && typeof note?.code === "number"
      ? String(note.code)
      : undefined,
    "sluice.correlation_id": note?.correlationId,
    "sluice.upstream": note?.upstream,
    ...targetOf(known, note?.tool),
  };
  span.end(errorType);
  span.trace.answeredAt = span.endedAt;
}

/** @param target the upstream's name of the tool, or what else the request names */
export function beginUpstreamSpan(
  trace: Traced,
  gateway: Pick<GatewayRow, "name" | "url">,
  method: string,
  target: string | undefined,
): Span {
  const span = trace.begin(nameOf(method, target), "client");
  span.attributes = { "mcp.method.name": method, ...targetOf(method, target) };
  span.peer = peerOf(gateway);
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

const peers = new WeakMap<object, Attributes>();

/** What is the same for all requests to an upstream. Of its URL the host and port alone: the rest may hold a secret. */
function peerOf(gateway: Pick<GatewayRow, "name" | "url">): Attributes {
  let peer = peers.get(gateway);
  if (peer === undefined) {
    const url = URL.parse(gateway.url);
    const isProcess = url === null || url.hostname === "";
    const isSecure = url?.protocol === "https:" || url?.protocol === "wss:";
    peer = {
      "sluice.upstream": gateway.name,
      "network.transport": isProcess ? "pipe" : "tcp",
      "server.address": isProcess ? undefined : url.hostname,
      "server.port": isProcess ? undefined : Number(url.port) || (isSecure ? 443 : 80),
    };
    peers.set(gateway, peer);
  }
  return peer;
}

/** The attribute that names the target of a method. */
const TARGETS: Readonly<Record<string, string>> = {
  "tools/call": "gen_ai.tool.name",
  "prompts/get": "gen_ai.prompt.name",
  "resources/read": "mcp.resource.uri",
  "resources/subscribe": "mcp.resource.uri",
  "resources/unsubscribe": "mcp.resource.uri",
};

function targetOf(method: string, target: string | undefined): Attributes {
  const name = TARGETS[method];
  if (name === undefined || target === undefined) return {};
  return method === "tools/call"
    ? { [name]: target, "gen_ai.operation.name": "execute_tool" }
    : { [name]: target };
}

/** URIs of resources are too many to stand in names. */
function nameOf(method: string, target: string | undefined): string {
  const isNamed = target !== undefined && (method === "tools/call" || method === "prompts/get");
  return isNamed ? `${method} ${target}` : method;
}
