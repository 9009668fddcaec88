// The demo upstream's JSON-RPC: one message in, its answer out. Written by hand, so that it costs little and depends on
// nothing that the gateway itself uses.

import { DEMO_TOOLS, type DemoTools } from "./demo_tools.ts";

/** The MCP revisions that the demo speaks, newest first. */
export const DEMO_REVISIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const SERVER_INFO = { name: "sluice-demo", title: "Sluice demo time server", version: "1.0.0" };
const INSTRUCTIONS =
  "Converts times between zones (convert_time), tells the time (get_system_time), and echoes (echo).";

type Id = string | number;
type Members = Readonly<Record<string, unknown>>;

/** A JSON-RPC response. `id` is null where the request's could not be read. */
export interface RpcAnswer {
  readonly jsonrpc: "2.0";
  readonly id: Id | null;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

/**
 * The answer to one parsed message, or undefined where none is due (notifications, responses).
 * @param signal gives the signal that ends a call early; only calls that wait ask for it
 */
export function answerRpc(
  message: unknown,
  tools: DemoTools,
  signal: () => AbortSignal,
): RpcAnswer | undefined | Promise<RpcAnswer> {
  if (!isMembers(message) || message.jsonrpc !== "2.0") return rpcError(null, -32600, "Invalid request");
  const { id, method, params = {} } = message;
  if (method === undefined && ("result" in message || "error" in message)) return undefined;
  const validId = typeof id === "string" || typeof id === "number" ? id : null;
  if (typeof method !== "string" || (id !== undefined && validId === null)) {
    return rpcError(validId, -32600, "Invalid request");
  }
  if (validId === null) return undefined;
  if (!isMembers(params)) return rpcError(validId, -32602, "Invalid params: expected an object");

  switch (method) {
    case "tools/call":
      return callTool(validId, params, tools, signal);
    case "tools/list":
      return params.cursor === undefined
        ? rpcResult(validId, { tools: DEMO_TOOLS })
        : rpcError(validId, -32602, "Invalid params: unknown cursor");
    case "initialize":
      return initialize(validId, params);
    case "ping":
      return rpcResult(validId, {});
    default:
      return rpcError(validId, -32601, `Method not found: ${method.slice(0, 100)}`);
  }
}

/** An error response. */
export function rpcError(id: Id | null, code: number, message: string): RpcAnswer {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

function rpcResult(id: Id, result: unknown): RpcAnswer {
  return { jsonrpc: "2.0", id, result };
}

function initialize(id: Id, { protocolVersion }: Members): RpcAnswer {
  if (typeof protocolVersion !== "string") {
    return rpcError(id, -32602, "Invalid params: protocolVersion must be a string");
  }
  return rpcResult(id, {
    protocolVersion: DEMO_REVISIONS.includes(protocolVersion) ? protocolVersion : DEMO_REVISIONS[0],
    capabilities: { tools: { listChanged: false } },
    serverInfo: SERVER_INFO,
    instructions: INSTRUCTIONS,
  });
}

function callTool(
  id: Id,
  { name, arguments: args = {} }: Members,
  tools: DemoTools,
  signal: () => AbortSignal,
): RpcAnswer | Promise<RpcAnswer> {
  if (typeof name !== "string" || !isMembers(args)) {
    return rpcError(id, -32602, "Invalid params: expected a tool's name and an object of arguments");
  }
  const result = tools.call(name, args, signal);
  if (result === undefined) return rpcError(id, -32602, `Unknown tool: ${name.slice(0, 100)}`);
  return result instanceof Promise ? result.then((later) => rpcResult(id, later)) : rpcResult(id, result);
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
