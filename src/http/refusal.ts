// Responses to requests above a limit. They are built once: a refusal must cost less than it saves.
import { type ErrorCode, SluiceError } from "../base/errors.ts";
import { classify, errorText, idText } from "../mcp/json_rpc.ts";
import type { ReadBody } from "./body.ts";
import { errorHeaders, type ReportedError, rpcErrorText } from "./error_response.ts";

/** Refused requests are counted. They have no log line. */
export type RefusalCode = Extract<ErrorCode, "OVERLOADED" | "TOO_MANY_STREAMS">;

/** A body up to this size is discarded so that the connection can be kept; above it the connection closes. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

export const REFUSALS = {
  OVERLOADED: texts("OVERLOADED"),
  TOO_MANY_STREAMS: texts("TOO_MANY_STREAMS"),
} as const satisfies Record<RefusalCode, unknown>;

/** @param speaks the endpoint's error format. Pages answer people themselves: `Endpoint.refusal` */
export function refusalResponse(code: RefusalCode, speaks: "json-rpc" | "rest"): Response {
  const { status, headers, body } = REFUSALS[code];
  return new Response(body[speaks], { status, headers });
}

/** Longer bodies are not read for a refusal. */
export const MAX_REFUSED_BYTES = 64 * 1024;

/** Time for the body of a refused request: a short body arrives with its head. */
export const REFUSED_BODY_MS = 1_000;

/**
 * Bodies that are read for refusals at the same time, all together and of sessions of one owner, since no limit of callers counts
 * them. Further requests are refused unread.
 */
const MAX_READ_AT_ONCE = 64;
const MAX_READ_AT_ONCE_OF_OWNER = 16;

/** A refusal within a session: a JSON-RPC error object, and headers. */
export interface InSession {
  readonly error: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function inSessionOf(reported: ReportedError): InSession {
  const headers = { "content-type": "application/json", ...errorHeaders(reported.error) };
  return { error: rpcErrorText(reported), headers };
}

/**
 * Refuses requests within sessions as JSON-RPC errors with HTTP 200: the official Python SDK 1.x ends a whole session at an HTTP error.
 */
export class SessionRefusals {
  readonly #readBody: ReadBody;
  readonly #ownerOf: (sessionId: string) => string | null;
  /** Bodies that are being read, by owner of their session. */
  readonly #reading = new Map<string, number>();
  #total = 0;

  /**
   * @param readBody up to MAX_REFUSED_BYTES, in REFUSED_BODY_MS
   * @param ownerOf tells owners of sessions apart; null: the id is forged or has expired. An overload is refused before its token is
   *  looked at, so that only the session id tells clients from strangers
   */
  constructor(readBody: ReadBody, ownerOf: (sessionId: string) => string | null) {
    this.#readBody = readBody;
    this.#ownerOf = ownerOf;
  }

  /** Null: it is no request of a session, or cannot be read cheaply. */
  async refuse(request: Request, refusal: InSession): Promise<Response | null> {
    const { method, headers } = request;
    const length = Number(headers.get("content-length") ?? Infinity);
    const takesJson = /\*\/\*|application\/(json|\*)/i.test(headers.get("accept") ?? "*/*");
    const isReadable = method === "POST" && takesJson && length <= MAX_REFUSED_BYTES;
    if (!isReadable || this.#total >= MAX_READ_AT_ONCE) return null;
    const owner = this.#ownerOf(headers.get("mcp-session-id") ?? "");
    if (owner === null) return null;
    if ((this.#reading.get(owner) ?? 0) >= MAX_READ_AT_ONCE_OF_OWNER) return null;
    this.#count(owner, 1);
    try {
      const text = await this.#readBody(request);
      const message = classify(JSON.parse(text), text);
      if (message.kind !== "request") return null;
      return new Response(errorText(idText(message), refusal.error), { headers: refusal.headers });
    } catch {
      return null;
    } finally {
      this.#count(owner, -1);
    }
  }

  #count(owner: string, by: number): void {
    this.#total += by;
    const own = (this.#reading.get(owner) ?? 0) + by;
    if (own === 0) this.#reading.delete(owner);
    else this.#reading.set(owner, own);
  }
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
  const errorObject = JSON.stringify({ code: rpc, message: error.message, data: { source, code } });
  return {
    error: errorObject,
    status: http,
    headers: { "content-type": "application/json", ...errorHeaders(error) },
    body: {
      "json-rpc": errorText("null", errorObject),
      rest: JSON.stringify({ detail: error.message, code }),
    },
  };
}
