// The endpoints outside of the route table: those of MCP clients, metrics, and the documents themselves.
import * as z from "zod";
import { field } from "../rest/described.ts";
import { json } from "./answers.ts";
import type { EndpointOperation, Operation } from "./operation.ts";
import { OAUTH_OPERATIONS } from "./people/oauth_operations.ts";
import { SSO_OPERATIONS } from "./people/sso_operations.ts";
import { executedMetrics } from "./system/metrics_operations.ts";
import { drained, frontPage, poolMetrics } from "./server_answers.ts";

const LIST_TOOLS = { jsonrpc: "2.0", id: 1, method: "tools/list" };

export const message = z.looseObject({
  jsonrpc: field(z.literal("2.0"), "Always `2.0`.", "2.0"),
  id: field(
    z.union([z.string(), z.number()]).optional(),
    "The id of the request. Absent: a notification.",
    1,
  ),
  method: field(
    z.string().optional(),
    "The method. Absent: the response to a request of the server.",
    "tools/list",
  ),
  params: field(json.optional(), "The parameters of the method."),
}).describe("A JSON-RPC 2.0 message.");

const messages = z.union([message, z.array(message)]).describe("A JSON-RPC 2.0 message, or a batch of them.");

export const response = z.looseObject({
  jsonrpc: field(z.literal("2.0"), "Always `2.0`.", "2.0"),
  id: field(z.union([z.string(), z.number()]), "The id of the request.", 1),
  result: field(json.optional(), "The result of the method. Absent with an error.", { tools: [] }),
  error: field(json.optional(), "The error, if the call failed."),
}).describe("A JSON-RPC 2.0 response.");

const eventStream = z.string().describe(
  "Server-sent events. The data of each `message` event is a JSON-RPC message.",
);

const REVISION = {
  "MCP-Protocol-Version": field(z.string().optional(), "The MCP revision of the request.", "2025-11-25"),
};
const SESSION = {
  "Mcp-Session-Id": field(
    z.string().optional(),
    "The id of the session, as the answer to `initialize` gave it.",
  ),
};
const sessionHeaders = z.object({ ...SESSION, ...REVISION });

/** @param word for the operation ids, @param base where the endpoints are, @param path the parameters of `base` */
function mcpEndpoints(word: string, base: string, path: Operation["path"]): EndpointOperation[] {
  const of = path === undefined ? "everything" : "one virtual server";
  const common = { tag: "MCP", path, permission: undefined, isJsonRpc: true } as const;
  return [
    {
      ...common,
      operationId: `post${word}`,
      method: "POST",
      at: `${base}/mcp`,
      summary: `Send an MCP message: streamable HTTP, ${of}`,
      description:
        "The revisions 2024-11-05 to 2025-11-25 have sessions: `initialize` opens one. Revision 2026-07-28 has " +
        "none. The answer is JSON, or an event stream if notifications or questions come before the result.",
      headers: sessionHeaders,
      body: { schema: messages, example: LIST_TOOLS },
      answers: { 200: response, 202: null },
      mediaTypes: { 200: ["application/json", "text/event-stream"] },
    },
    {
      ...common,
      operationId: `stream${word}`,
      method: "GET",
      at: `${base}/mcp`,
      summary: `Open the event stream of a session: ${of}`,
      description: "Notifications and questions of the session. `Last-Event-ID` resumes a stream.",
      headers: z.object({
        ...sessionHeaders.shape,
        "Last-Event-ID": field(z.string().optional(), "The id of the last event that the client has."),
      }),
      answers: { 200: eventStream, 204: null },
      mediaTypes: { 200: ["text/event-stream"] },
    },
    {
      ...common,
      operationId: `end${word}`,
      method: "DELETE",
      at: `${base}/mcp`,
      summary: `End a session: ${of}`,
      headers: sessionHeaders,
      answers: { 204: null },
    },
    {
      ...common,
      operationId: `openSse${word}`,
      method: "GET",
      at: `${base}/sse`,
      summary: `Open a session of revision 2024-11-05 over SSE: ${of}`,
      description: "The first event, `endpoint`, has the address for the client's messages.",
      answers: { 200: eventStream },
      mediaTypes: { 200: ["text/event-stream"] },
    },
    {
      ...common,
      operationId: `postSse${word}`,
      method: "POST",
      at: `${base}/message`,
      summary: `Send a message to a session over SSE: ${of}`,
      description: "The response comes as an event of the session's stream.",
      query: z.object({ session_id: field(z.string(), "The id of the session, from the event `endpoint`.") }),
      body: { schema: messages, example: LIST_TOOLS },
      answers: {
        202: z.strictObject({ status: field(z.literal("success"), "Always `success`.", "success") }),
      },
    },
    {
      ...common,
      operationId: `openWebSocket${word}`,
      method: "GET",
      at: `${base}/ws`,
      summary: `Open a session over a WebSocket: ${of}`,
      description:
        "Each text frame is one JSON-RPC message. The subprotocol is `mcp`. Browsers, which cannot send an " +
        "Authorization header, send the token as a further subprotocol, `bearer.TOKEN`.",
      answers: { 101: null },
    },
  ];
}

export const ENDPOINT_OPERATIONS: readonly EndpointOperation[] = [
  ...mcpEndpoints("Mcp", "", undefined),
  ...mcpEndpoints("ServerMcp", "/servers/{id}", { id: "The id of the virtual server." }),
  {
    tag: "MCP",
    operationId: "postRpc",
    method: "POST",
    at: "/rpc",
    permission: undefined,
    isJsonRpc: true,
    summary: "Call an MCP method without a session",
    description:
      "One message or a batch. A call that fails is answered with status 200 and a JSON-RPC error. " +
      "`params.server_id` names a virtual server.",
    body: { schema: messages, example: LIST_TOOLS },
    answers: { 200: z.union([response, z.array(response)]), 202: null },
  },
  ...SSO_OPERATIONS,
  ...OAUTH_OPERATIONS,
  {
    tag: "Operation",
    operationId: "getMetrics",
    method: "GET",
    at: "/metrics",
    permission: "admin.metrics",
    summary: "Read what was executed",
    description:
      "ContextForge's JSON, from the database: of all replicas, since the last reset. With `DB_METRICS_RECORDING_ENABLED=false` it is " +
      "the text of `/metrics/prometheus` alone. A client whose " +
      "Accept header prefers `text/plain` or OpenMetrics, as scrapers do, gets the text of `/metrics/prometheus`. Answered at any load.",
    answers: { 200: executedMetrics },
    mediaTypes: { 200: ["application/json", "text/plain", "application/openmetrics-text"] },
  },
  {
    tag: "Operation",
    operationId: "getMetricsForPrometheus",
    method: "GET",
    at: "/metrics/prometheus",
    permission: "admin.metrics",
    summary: "Read metrics",
    description:
      "The metrics of all workers of this replica, in Prometheus' text format, or as OpenMetrics where the Accept header prefers " +
      "that. Answered at any load. `METRICS_TOKEN` opens this path too.",
    answers: { 200: z.string().describe("Prometheus' text format 0.0.4, or OpenMetrics 1.0.") },
    mediaTypes: { 200: ["text/plain", "application/openmetrics-text"] },
  },
  {
    tag: "Operation",
    operationId: "getPoolMetrics",
    method: "GET",
    at: "/admin/mcp-pool/metrics",
    permission: "admin.system_config",
    summary: "Read the state of the session pools",
    answers: { 200: poolMetrics },
  },
  {
    tag: "Operation",
    operationId: "drainPool",
    method: "DELETE",
    at: "/admin/mcp-pool/sessions",
    permission: "admin.system_config",
    summary: "Close pooled sessions",
    description: "Idle sessions are closed now, sessions in use after their call.",
    query: z.object({
      gateway_id: field(
        z.string().optional(),
        "Only the sessions of this gateway. The default is all sessions.",
      ),
    }),
    answers: { 200: drained },
  },
  {
    tag: "Documents",
    operationId: "getFrontPage",
    method: "GET",
    at: "/",
    permission: null,
    summary: "What this gateway is",
    description: "A page for browsers, JSON for others.",
    answers: { 200: frontPage },
    mediaTypes: { 200: ["application/json", "text/html"] },
  },
  {
    tag: "Documents",
    operationId: "getOpenApi",
    method: "GET",
    at: "/openapi.json",
    permission: null,
    summary: "This description",
    answers: { 200: json.describe("An OpenAPI 3.1 document.") },
  },
  {
    tag: "Documents",
    operationId: "getDocs",
    method: "GET",
    at: "/docs",
    permission: null,
    summary: "This description as a page",
    answers: { 200: z.string().describe("HTML.") },
    mediaTypes: { 200: ["text/html"] },
  },
];
