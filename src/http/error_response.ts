// Error responses: JSON-RPC error objects for the data plane, `{"detail": …}` for REST. The log line has the same correlation id.
import { ERRORS, type SluiceError, toSluiceError } from "../base/errors.ts";
import { operatorText } from "../base/seen_answer.ts";
import { errorText } from "../mcp/json_rpc.ts";
import { DECODED_CONTENT } from "./body.ts";
import { type CallNote, CORRELATION_HEADER, correlationIdOf } from "../telemetry/call_note.ts";
import type { Log } from "../telemetry/log.ts";
import type { Count } from "../telemetry/metrics.ts";

export interface ReportedError {
  readonly error: SluiceError;
  readonly correlationId: string;
}

/** The request that failed. */
export interface Failed {
  /** Its access log fields; absent without an access log. */
  readonly note?: CallNote;
  readonly received: { get(name: string): string | null };
}

export class ErrorReporter {
  readonly #log: Log;
  readonly #count: Count;

  /** @param count counts a failure by its code and source */
  constructor(log: Log, count: Count) {
    this.#log = log;
    this.#count = count;
  }

  /** Finds the row of the error table and the correlation id of a failure, counts it, and logs its cause. */
  report(thrown: unknown, { note, received }: Failed): ReportedError {
    const error = toSluiceError(thrown);
    if (note !== undefined) note.code = error.code;
    const correlationId = note?.correlationId ?? correlationIdOf(received);
    this.#count(error.code, error.row.source);
    const fields = {
      ...{ code: error.code, correlationId, caller: note?.caller, tool: note?.tool },
      upstream: note?.upstream ?? error.params.upstream,
      ...{ message: error.message, cause: error.cause },
    };
    if (error.code === "INTERNAL") this.#log.error("request failed", fields);
    else if (error.row.source === "downstream") this.#log.debug("request refused", fields);
    else this.#log.warning("request failed", fields);
    return { error, correlationId };
  }
}

/** The JSON-RPC error object, as JSON text. `data.source` and `data.code` tell the gateway's errors from an upstream's. */
export function rpcErrorText({ error, correlationId }: ReportedError): string {
  const { source, rpc } = error.row;
  // Members of `data` that the specification requires.
  const detail = error.data === undefined
    ? {}
    : isPlainObject(error.data)
    ? error.data
    : { detail: error.data };
  return JSON.stringify({
    code: rpc,
    message: error.message,
    data: { source, code: error.code, correlationId, ...retryAfter(error), ...detail },
  });
}

/** Within a session no header can say it: the HTTP status is 200. */
function retryAfter({ params: { waitS } }: SluiceError): { readonly retryAfter?: number } {
  return waitS === undefined ? {} : { retryAfter: Number(waitS) };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The REST response in FastAPI's shape. `detail` lists every fault of a 422, and is one sentence otherwise, with the
 * answer of an upstream if that was the cause: managers of upstreams have to know it.
 */
export function restErrorResponse({ error, correlationId }: ReportedError): Response {
  const body = { detail: error.data ?? operatorText(error), code: error.code, correlationId };
  const headers = { [CORRELATION_HEADER]: correlationId, ...errorHeaders(error) };
  return Response.json(body, { status: error.row.http, headers });
}

/** A JSON-RPC error with the row's HTTP status, for requests refused before dispatch. */
export function rpcErrorResponse(reported: ReportedError): Response {
  return new Response(errorText("null", rpcErrorText(reported)), {
    status: reported.error.row.http,
    headers: {
      "content-type": "application/json",
      [CORRELATION_HEADER]: reported.correlationId,
      ...errorHeaders(reported.error),
    },
  });
}

/** Headers that belong to a status: RFC 9110, sections 11.6.1, 10.2.1, 7.8, 10.2.3 and 12.5.3; RFC 6585, section 4. */
export function errorHeaders(error: SluiceError): Record<string, string> {
  switch (error.code) {
    case "UNAUTHENTICATED":
      return { "www-authenticate": challenge(error) };
    case "INSUFFICIENT_SCOPE":
      return { "www-authenticate": bearerError("insufficient_scope", error.message) };
    case "METHOD_NOT_ALLOWED":
      return { allow: String(error.params.allowed) };
    case "UNSUPPORTED_ENCODING":
      return { "accept-encoding": DECODED_CONTENT.join(", ") };
    case "UPGRADE_REQUIRED":
      return { upgrade: "websocket" };
    default:
      return ERRORS[error.code].retry === "later" ? { "retry-after": String(error.params.waitS ?? 1) } : {};
  }
}

/** The challenge of RFC 6750, section 3: a request without a token learns no error code, one with a bad token learns why. */
function challenge({ params }: SluiceError): string {
  return params.token === "invalid" ? bearerError("invalid_token", String(params.reason)) : REALM;
}

const REALM = 'Bearer realm="sluice"';

function bearerError(code: "invalid_token" | "insufficient_scope", text: string): string {
  const description = text.replaceAll('"', "'").replaceAll(/[^\x20-\x5b\x5d-\x7e]/g, "");
  return `${REALM}, error="${code}", error_description="${description}"`;
}
