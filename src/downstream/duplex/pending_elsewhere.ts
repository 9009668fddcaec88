// A request on a duplex channel whose call is pending in another worker. It is forwarded as an HTTP request would be, and the reply is
// sent on the channel.
import type { CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { headerText } from "../../mcp/header_text.ts";
import { isObject, memberText, type RequestMessage } from "../../mcp/json_rpc.ts";
import { NAMED_BY } from "../../mcp/request_meta.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import { SseDecoder } from "../../mcp/sse.ts";
import { CORRELATION_HEADER, correlationIdOf } from "../../telemetry/call_note.ts";
import type { McpReply, McpRequest, Serve } from "../exchange/mcp_exchange.ts";
import { readClaims } from "../sessionless/request_claims.ts";
import type { AnswerOptions, Provenance } from "../sessionless/requests.ts";

/** @returns the response, as JSON text. @throws {SluiceError} what `readClaims()` throws; WORKER_GONE, REPLICA_UNREACHABLE */
export async function answerElsewhere(
  way: Serve,
  message: RequestMessage,
  from: Provenance,
  { signal, notify }: AnswerOptions,
): Promise<string> {
  // The headers below repeat the claims, so these must be valid first.
  readClaims(message, undefined);
  const { body } = await way(httpRequest(message, from), signal);
  if (typeof body === "string") return body;
  for await (const text of messagesOf(body, signal)) {
    if (memberText(text, "method") === undefined) return text;
    notify(text);
  }
  signal.throwIfAborted();
  throw new SluiceError("WORKER_GONE");
}

function httpRequest(
  message: RequestMessage,
  { principal, serverId, received, note }: Provenance,
): McpRequest {
  const { method, params, text } = message;
  const headers = new Headers({
    [CORRELATION_HEADER]: note?.correlationId ?? correlationIdOf(received),
    "mcp-protocol-version": STATELESS_REVISION,
    "mcp-method": headerText(method),
  });
  const namedBy = NAMED_BY[method];
  const name = namedBy !== undefined && isObject(params) ? params[namedBy] : undefined;
  if (typeof name === "string") headers.set("mcp-name", headerText(name));
  return {
    method: "POST",
    principal,
    serverId,
    sessionId: null,
    headers,
    protocolVersion: STATELESS_REVISION,
    acceptsStream: true,
    acceptsJson: true,
    body: text,
    note,
  };
}

async function* messagesOf(body: McpReply["body"], signal: CancelSignal): AsyncGenerator<string> {
  if (body === null || typeof body === "string") return;
  // The other worker has bounded their size.
  const decoder = new SseDecoder(Infinity);
  const reader = body.getReader();
  const leave = () => void reader.cancel().catch(() => {});
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      for (const { event, data } of decoder.push(piece.value)) if (event === "message") yield data;
    }
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}
