// Room `transport`: what sessions need from streamable HTTP, processes, event streams and WebSockets alike. Only interfaces
// and shared timing; each transport has a room of its own.
import type { Caller } from "../../base/sharing/caller.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import type { JsonObject } from "../../mcp/json_rpc.ts";
import type { Span } from "../../telemetry/traces/span.ts";
import type { Deadline } from "../resilience/deadline.ts";

export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

export interface ExchangeOptions {
  readonly deadline: Deadline;
  readonly signal?: CancelSignal;
  /** The caller. Connections and processes are shared out between callers; undefined: the call has no caller. */
  readonly caller?: Caller;
  /**
   * Whose state the other side may keep. Exchanges of different tenants never share a process or socket. Default: nobody's.
   * Transports without processes and sockets ignore it.
   */
  readonly tenant?: string;
  /** Headers for this exchange, in addition to the connection's own. Transports without headers ignore them. */
  readonly passed?: HeaderList;
  /**
   * Headers that repeat parts of the body (2026-07-28, transports, "Standard Headers"). The list is frozen and identical for
   * identical values, so that a connection can cache its encoding. Transports without headers ignore them.
   */
  readonly mirrored?: HeaderList;
  /** Headers that repeat this call's arguments (2026-07-28, "Custom Headers"). Transports without headers ignore them. */
  readonly paramHeaders?: HeaderList;
  /** The span that the upstream continues. Transports without headers ignore it. */
  readonly trace?: Span;
}

export interface ConnectOptions extends ExchangeOptions {
  /** Calls of different callers will use the connection: a message that names no call belongs to none of them. */
  readonly isShared?: boolean;
}

/** Receives a notification or request from the upstream. */
export type OnMessage = (value: JsonObject, text: string) => void;

export interface RequestOptions extends ExchangeOptions {
  /** Receives what the upstream sends on this call's stream before the response. */
  readonly onMessage?: OnMessage;
  /** Called when the upstream has closed the call's stream and will be polled; see ClientPeer.expectDelay. */
  readonly onDelay?: (retryMs: number | null) => void;
  /** The response ends a stream that stays open for hours; the deadline does not apply. */
  readonly isLongLived?: boolean;
  /** A long-lived request that does not keep the connection open. */
  readonly isIncidental?: boolean;
}

/** A JSON-RPC response as value and text, with the session id that came with it. */
export interface Reply {
  readonly value: JsonObject;
  readonly text: string;
  /** The HTTP status, if an error response came with an error status. */
  readonly refusedWith?: number;
  readonly sessionId: string | null;
}

export interface UpstreamConnection {
  /** The session id of streamable HTTP. Null: the upstream gave none, or the transport is another one. */
  readonly sessionId: string | null;
  /** Whether the upstream keeps state for this connection. A process or socket always does. */
  readonly isStateful: boolean;
  /**
   * The connection is a process of this worker. References that the process issues may be unknown to another worker's
   * process.
   */
  readonly isLocal?: boolean;
  /** The connection is unusable: the process has ended, or the socket is closed. */
  readonly closed: boolean;
  /** Called after the handshake. Later messages belong to the session and speak this revision. */
  established(sessionId: string | null, protocolVersion: string): void;
  /** @throws {SluiceError} UPSTREAM_*; a JSON-RPC error is a reply */
  request(id: number, body: string, options: RequestOptions): Promise<Reply>;
  /** Sends a notification or a response. @throws {SluiceError} UPSTREAM_* */
  notify(body: string, options: ExchangeOptions): Promise<void>;
  /**
   * Starts to receive messages outside calls, if that takes a request (streamable HTTP's GET stream). Idempotent.
   * @param onGone called if the stream shows that the upstream has lost the session, or that it may have
   * @returns resolves when the upstream has opened the stream, or has none. Never rejects
   */
  listen(onGone: (isCertain: boolean) => void): Promise<void> | void;
  /** Makes `listen` ineffective, because another worker resumes the session. Absent if sessions cannot be resumed. */
  stopListening?(): void;
  /** Closes the processes and sockets of a tenant that has ended. Absent if a connection serves one session. */
  release?(tenant: string): void;
  /** Closes after the running requests. Absent if a connection without a session has nothing to close. */
  retire?(): void;
  /** Ends the session at the upstream, and the connection, within a few seconds. Never throws. */
  close(): Promise<void>;
}

export type TransportKind = "streamable-http" | "sse" | "websocket" | "stdio";

/**
 * The first exchange on each process or socket behind a connection without a session. The replacement of a process that has
 * ended may be another program.
 */
export interface Greeting {
  readonly method: string;
  /** JSON text. */
  readonly params: string;
  /** @throws {SluiceError} UPSTREAM_REJECTED: the other side does not speak the expected revision */
  readonly accept: (answer: JsonObject) => void;
  /** The request that a process keeps open for notifications, derived from its answer; null: none. */
  readonly follow: (answer: JsonObject) => Following | null;
}

export interface Following {
  readonly method: string;
  /** JSON text. */
  readonly params: string;
  readonly onMessage: OnMessage;
}

/** How one upstream is reached. */
export interface UpstreamTransport {
  readonly kind: TransportKind;
  /** The upstream's name in errors and logs. */
  readonly upstream: string;
  /** Identifies the upstream: a URL or a command line. May contain credentials: must not be logged. */
  readonly address: string;
  /**
   * Opens a connection for a new session.
   * @param passed the caller's headers for opening the session, kept for its lifetime
   * @param onMessage receives what the upstream sends outside calls
   * @throws {SluiceError} UPSTREAM_*
   */
  connect(passed: HeaderList, onMessage: OnMessage, exchange: ConnectOptions): Promise<UpstreamConnection>;
  /**
   * Resumes a session that another worker opened. Null: this transport cannot resume sessions.
   * @param caller who its event stream counts for; undefined: nobody in particular
   */
  resume(
    session: { readonly sessionId: string; readonly protocolVersion: string; readonly passed: HeaderList },
    onMessage: OnMessage,
    caller?: Caller,
  ): UpstreamConnection | null;
  /**
   * Returns a connection without a session, usable at once by everyone. Null: this transport always has sessions.
   * Each tenant has processes and sockets of its own behind it.
   * @param greeting sent first on each process or socket that the connection opens
   */
  stateless(protocolVersion: string, greeting?: Greeting): UpstreamConnection | null;
  /** Reports a fault of the upstream that the gateway tolerates, for the log. Absent: nobody listens. */
  readonly tolerated?: (what: string) => void;
  /** The upstream was changed: processes and sockets of calls without a session end after the calls under way. */
  retire?(): void;
  /** The upstream was disabled or deleted: processes and sockets end, and no more are opened. */
  close?(): void;
}
