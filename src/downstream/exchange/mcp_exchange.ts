// A streamable HTTP request and its reply, less all that ties them to a connection, so that they can cross to the worker
// that owns the session.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Principal } from "../../auth/principal.ts";
import type { ForwardedCall } from "../../upstream/bound/forwarded_call.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";
import type { CallNote } from "../../telemetry/call_note.ts";
import type { Traced } from "../../telemetry/traces/span.ts";
import type { TraceContext } from "../../telemetry/traces/trace_context.ts";

/** `Headers` satisfies it. */
export interface RequestHeaders extends ReceivedHeaders {
  /** Names are in lower case. Going through `Headers` by its iterator takes several times as long. */
  forEach(each: (value: string, name: string) => void): void;
}

export interface McpRequest {
  readonly method: "POST" | "GET" | "DELETE";
  readonly principal: Principal;
  /** The caller that rate limits counted it for; undefined: not limited. */
  readonly caller?: string;
  /** A message for a session over SSE of 2024-11-05, not over streamable HTTP. */
  readonly isForSse?: true;
  /** Asks for the rest of a stream of a session that the receiving worker has handed over. */
  readonly isForReleased?: true;
  /** A call to an upstream session that the receiving worker keeps; the body has its params. */
  readonly upstreamCall?: ForwardedCall & { readonly callId: string };
  /** The client's answer to a question of such a call; the body has it. */
  readonly upstreamAnswer?: { readonly callId: string; readonly question: number };
  /** The virtual server in the path; null for /mcp. */
  readonly serverId: string | null;
  readonly sessionId: string | null;
  /** All headers of the request; some are passed upstream. */
  readonly headers: RequestHeaders;
  readonly protocolVersion: string | null;
  /** From the Accept header: may the response be an event stream, or JSON? JSON_RESPONSE_ENABLED=false leaves one of them. */
  readonly acceptsStream: boolean;
  readonly acceptsJson: boolean;
  /** The body of a POST. */
  readonly body: string;
  /** The nonce under which another replica has handed it on; then it is served here or refused, not handed on again. */
  readonly forwardedAs?: string;
  /** Fields for the access log. Another worker's fields come back with its reply. */
  readonly note?: CallNote;
  /** The span in this worker that the request belongs to. */
  readonly trace?: Traced;
  /** The span in the worker that has forwarded the request here. */
  readonly tracedAs?: TraceContext;
}

export const JSON_HEADERS = { "content-type": "application/json" } as const;

export interface McpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text, an event stream, or no body. */
  readonly body: string | ReadableStream<Uint8Array> | null;
}

export type Serve = (request: McpRequest, signal: CancelSignal) => Promise<McpReply>;

/** What one worker of one replica has, and requests to any other must find. */
export type Owned = "session" | "released_session" | "pending_call" | "sse_stream" | "upstream_call";
