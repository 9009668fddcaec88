// logging/setLevel: stored with the session, and sent to each of its upstreams that supports logging.
import { SluiceError } from "../../base/errors.ts";
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import { LOG_LEVELS } from "../../mcp/log_levels.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** @throws {SluiceError} INVALID_PARAMS, INVALID_REQUEST outside a session */
export async function setLogLevel(
  caller: UpstreamCaller,
  { bound }: CallContext,
  { params }: RequestMessage,
): Promise<RpcAnswer> {
  const level = isObject(params) ? params.level : undefined;
  if (!LOG_LEVELS.includes(level)) {
    throw new SluiceError("INVALID_PARAMS", { reason: `"level" must be one of ${LOG_LEVELS.join(", ")}` });
  }
  if (bound === null) throw new SluiceError("INVALID_REQUEST", { reason: "a log level needs a session" });
  await bound.client.setLogLevel(String(level));
  await caller.setLogLevel(bound);
  return { text: "{}", failed: false };
}
