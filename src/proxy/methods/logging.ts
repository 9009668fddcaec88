// logging/setLevel: stored with the session, and sent to each of its upstreams that supports logging.
import { SluiceError } from "../../base/errors.ts";
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** RFC 5424's severities, as MCP writes them (2025-11-25, logging, "Log Levels"). */
const LEVELS: readonly unknown[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

/** The rank of a level; an unknown level ranks below all. */
export function rankOf(level: unknown): number {
  return LEVELS.indexOf(level);
}

/** @throws {SluiceError} INVALID_PARAMS, INVALID_REQUEST outside a session */
export async function setLogLevel(
  caller: UpstreamCaller,
  { bound }: CallContext,
  { params }: RequestMessage,
): Promise<RpcAnswer> {
  const level = isObject(params) ? params.level : undefined;
  if (!LEVELS.includes(level)) {
    throw new SluiceError("INVALID_PARAMS", { reason: `"level" must be one of ${LEVELS.join(", ")}` });
  }
  if (bound === null) throw new SluiceError("INVALID_REQUEST", { reason: "a log level needs a session" });
  await bound.client.setLogLevel(String(level));
  await caller.setLogLevel(bound);
  return { text: "{}", failed: false };
}
