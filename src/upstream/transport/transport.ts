// What a session runs on, whatever carries it: streamable HTTP, a child process, an event stream, a WebSocket.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { JsonObject } from "../../mcp/json_rpc.ts";
import type { Deadline } from "../resilience/deadline.ts";

export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

export interface ExchangeOptions {
  readonly deadline: Deadline;
  readonly signal?: CancelSignal;
  /** Headers for this exchange alone, besides the connection's own; transports without headers ignore them. */
  readonly passed?: HeaderList;
  /**
   * Headers that say again what the body says (2026-07-28, transports, "Standard Headers"): frozen, and the same list for
   * the same values, so that the connection can know what it makes of it. Transports without headers ignore them.
   */
  readonly mirrored?: HeaderList;
  /** Headers that say again what this call's arguments say (2026-07-28, "Custom Headers"); ignored likewise. */
  readonly paramHeaders?: HeaderList;
}

/** A notification or a request that the upstream sends of itself. */
export type OnMessage = (value: JsonObject, text: string) => void;

export interface RequestOptions extends ExchangeOptions {
  /** Takes what the upstream sends on this call's own stream before the response. */
  readonly onMessage?: OnMessage;
  /** The upstream has closed the call's stream and will be asked again: see ClientPeer.expectDelay. */
  readonly onDelay?: () => void;
  /** The answer ends a stream that stays open for hours; the deadline does not count. */
  readonly isLongLived?: boolean;
  /** A long-lived one that nobody waits for: the connection may end as if it were not there. */
  readonly isIncidental?: boolean;
}

/** A JSON-RPC response, as value and as text, and the session id that came with it. */
export interface Reply {
  readonly value: JsonObject;
  readonly text: string;
  /** HTTP's, of an error response that came with one that is no success. */
  readonly refusedWith?: number;
  readonly sessionId: string | null;
}

export interface UpstreamConnection {
  /** Streamable HTTP's session id; null where the upstream gave none, and for every other transport. */
  readonly sessionId: string | null;
  /** Does the upstream keep state for this connection? A connection that is one process or one socket always has some. */
  readonly isStateful: boolean;
  /** It runs on a process of this worker's own: what that hands out, to be brought back, may mean nothing to another's. */
  readonly isLocal?: boolean;
  /** It cannot carry anything any more: the process has ended, the socket is closed. */
  readonly closed: boolean;
  /** The handshake has been answered: what follows belongs to the session, and speaks this revision. */
  established(sessionId: string | null, protocolVersion: string): void;
  /** @throws {SluiceError} UPSTREAM_*; a JSON-RPC error is a reply */
  request(id: number, body: string, options: RequestOptions): Promise<Reply>;
  /** Sends a notification or a response. @throws {SluiceError} UPSTREAM_* */
  notify(body: string, options: ExchangeOptions): Promise<void>;
  /**
   * From now on also take what belongs to no call, where that needs asking for (streamable HTTP's GET stream). Idempotent.
   * @param onGone called where that tells that the upstream has forgotten the session
   * @returns resolves when the upstream has opened the stream, or has none. Never rejects
   */
  listen(onGone: () => void): Promise<void> | void;
  /** Another worker goes on with the session: `listen` does nothing from now on. Absent where that cannot be. */
  stopListening?(): void;
  /** Ends the session at the upstream, and the connection. Never throws, takes no longer than a few seconds. */
  close(): Promise<void>;
}

export type TransportKind = "streamable-http" | "sse" | "websocket" | "stdio";

/**
 * The first exchange with whatever a connection without a session opens for its callers: a process that ends is followed by
 * another, and that may be another program.
 */
export interface Greeting {
  readonly method: string;
  /** JSON text. */
  readonly params: string;
  /** @throws {SluiceError} UPSTREAM_REJECTED: the other side is not what it was taken for */
  readonly accept: (answer: JsonObject) => void;
  /** What a process is to tell of itself for as long as it runs, seen from its answer; null: nothing. */
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
  /** The name that error texts and logs use. */
  readonly upstream: string;
  /** What names the upstream among all: a URL, or a command line. Credentials in it are masked nowhere: not for logs. */
  readonly address: string;
  /**
   * A connection for a new session.
   * @param passed the caller's headers that the session is opened with, and keeps
   * @param onMessage takes what the upstream sends of itself outside any call
   * @throws {SluiceError} UPSTREAM_*
   */
  connect(passed: HeaderList, onMessage: OnMessage, exchange: ExchangeOptions): Promise<UpstreamConnection>;
  /** Goes on with a session that another worker has opened; null where that cannot be. */
  resume(
    session: { readonly sessionId: string; readonly protocolVersion: string; readonly passed: HeaderList },
    onMessage: OnMessage,
  ): UpstreamConnection | null;
  /**
   * A connection without a session, usable at once by everybody; null where there is no such thing.
   * @param greeting before anything else, where the connection runs on something of its own
   */
  stateless(protocolVersion: string, greeting?: Greeting): UpstreamConnection | null;
  /** The upstream was changed or deleted: connections that run on something of their own end with the calls under way. */
  retire?(): void;
}
