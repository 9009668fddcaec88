// How a call has ended, for the metrics and the audit trail.
import { toSluiceError } from "../../base/errors.ts";
import { isObject, memberText } from "../../mcp/json_rpc.ts";
import { OUR_SOURCES } from "./upstream_error.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";

/** The error type of a result that says isError, as OpenTelemetry's conventions for MCP name it. */
export const TOOL_ERROR = "tool_error";

/** OpenTelemetry's error type for what has none of its own. */
const OTHER_ERROR = "_OTHER";

/** Numbers of JSON-RPC errors that stand in the metrics. An upstream may invent others, without end. */
const KNOWN_NUMBERS: ReadonlySet<unknown> = new Set([
  ...[-32700, -32600, -32601, -32602, -32603],
  ...[-32002, -32042, -32800],
]);

const IS_ERROR = '"isError"';

/** Does a result of a tool say isError? Results are not parsed: most have the name nowhere, or once with `false`. */
export function saysError(text: string): boolean {
  const at = text.indexOf(IS_ERROR);
  if (at < 0) return false;
  const after = at + IS_ERROR.length;
  if (text.startsWith(":false", after) && text.indexOf(IS_ERROR, after) < 0) return false;
  return memberText(text, "isError") === "true";
}

/** The code of the gateway's error, or the number of an upstream's. @param text the error object as JSON */
export function errorCodeOf(text: string): string | number {
  const { code, data } = JSON.parse(text);
  // An upstream's error has no source of ours: see upstream_error.ts.
  return isObject(data) && OUR_SOURCES.has(data.source) ? String(data.code) : Number(code);
}

/** The error type of an answer for the metrics; empty: it is a success. */
export function errorTypeOf({ failed, text }: RpcAnswer, isToolCall: boolean): string {
  if (!failed) return isToolCall && saysError(text) ? TOOL_ERROR : "";
  const code = errorCodeOf(text);
  return typeof code === "string" ? code : KNOWN_NUMBERS.has(code) ? String(code) : OTHER_ERROR;
}

/** The error type of what a call to an upstream threw. @param isAborted the client has given the call up */
export function thrownTypeOf(error: unknown, isAborted: boolean): string {
  const { code } = toSluiceError(error);
  return code === "INTERNAL" && isAborted ? "REQUEST_CANCELLED" : code;
}
