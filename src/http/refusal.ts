// What a request above a limit gets, before anybody has looked at it: made once, since it must cost less than what it saves.
import { type ErrorCode, SluiceError } from "../base/errors.ts";
import { errorHeaders } from "./error_response.ts";

/** Refusals tell of no request in particular, so they have no correlation id and no line in the log: they are counted. */
export type RefusalCode = Extract<ErrorCode, "OVERLOADED" | "TOO_MANY_STREAMS">;

/** A body up to this size is read and thrown away, so that the connection can be kept; a larger one is not worth the while. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

const REFUSALS = {
  OVERLOADED: texts("OVERLOADED"),
  TOO_MANY_STREAMS: texts("TOO_MANY_STREAMS"),
} as const satisfies Record<RefusalCode, unknown>;

/** @param speaks JSON-RPC's error or REST's; as the endpoint speaks */
export function refusalResponse(code: RefusalCode, speaks: "json-rpc" | "rest"): Response {
  const { status, headers, body } = REFUSALS[code];
  return new Response(body[speaks], { status, headers });
}

/** Deno closes the connection after an answer whose request's body is neither read nor cancelled. */
export function discardBody(request: Request): void {
  const length = request.headers.get("content-length");
  if (length === null || Number(length) > MAX_DISCARDED_BYTES) return;
  request.body?.cancel().catch(() => {
    // The client has gone.
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
