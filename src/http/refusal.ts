// Responses to requests above a limit. They are built once: a refusal must cost less than it saves.
import { type ErrorCode, SluiceError } from "../base/errors.ts";
import { errorHeaders } from "./error_response.ts";

/** Refused requests are counted. They have no correlation id and no log line. */
export type RefusalCode = Extract<ErrorCode, "OVERLOADED" | "TOO_MANY_STREAMS">;

/** A body up to this size is discarded so that the connection can be kept; above it the connection closes. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

const REFUSALS = {
  OVERLOADED: texts("OVERLOADED"),
  TOO_MANY_STREAMS: texts("TOO_MANY_STREAMS"),
} as const satisfies Record<RefusalCode, unknown>;

/** @param speaks the endpoint's error format */
export function refusalResponse(code: RefusalCode, speaks: "json-rpc" | "rest"): Response {
  const { status, headers, body } = REFUSALS[code];
  return new Response(body[speaks], { status, headers });
}

/** Cancels an unread body. Deno closes the connection if a body is neither read nor cancelled. */
export function discardBody(request: Request): void {
  const length = request.headers.get("content-length");
  if (length === null || Number(length) > MAX_DISCARDED_BYTES) return;
  request.body?.cancel().catch(() => {
    // The client has disconnected.
  });
}

function texts(code: RefusalCode) {
  const error = new SluiceError(code);
  const { source, http, rpc } = error.row;
  return {
    status: http,
    headers: { "content-type": "application/json", ...errorHeaders(error) },
    body: {
      "json-rpc": JSON.stringify({
        jsonrpc: "2.0",
        id: null,
        error: { code: rpc, message: error.message, data: { source, code } },
      }),
      rest: JSON.stringify({ detail: error.message, code }),
    },
  };
}
