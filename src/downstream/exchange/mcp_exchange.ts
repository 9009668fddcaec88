// A streamable HTTP request and its reply, less all that ties them to a connection, so that they can cross to the worker
// that owns the session.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Principal } from "../../auth/principal.ts";
import type { CallNote } from "../../telemetry/call_note.ts";

export interface McpRequest {
  readonly method: "POST" | "GET" | "DELETE";
  readonly principal: Principal;
  /** Whose requests it has been counted among; undefined: they are not limited. */
  readonly caller?: string;
  /** A message for a legacy SSE session, and not for one of streamable HTTP. */
  readonly isForSse?: true;
  /** The virtual server of the address; null for /mcp. */
  readonly serverId: string | null;
  readonly sessionId: string | null;
  /** All headers of the request, for those that go upstream. */
  readonly headers: Headers;
  readonly protocolVersion: string | null;
  /** May the reply be an event stream, or JSON? From the Accept header. */
  readonly acceptsStream: boolean;
  readonly acceptsJson: boolean;
  /** The body of a POST. */
  readonly body: string;
  /** The nonce under which another replica has handed it on; then it is served here or refused, not handed on again. */
  readonly forwardedAs?: string;
  /** For the access log; what another worker notes comes back with its reply. */
  readonly note?: CallNote;
}

export const JSON_HEADERS = { "content-type": "application/json" } as const;

export interface McpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text, an event stream, or nothing. */
  readonly body: string | ReadableStream<Uint8Array> | null;
}

export type Serve = (request: McpRequest, signal: CancelSignal) => Promise<McpReply>;

/** What one worker of one replica has, and requests to any other must find. */
export type Owned = "session" | "parked_call" | "sse_stream";
