// Room `session`: one channel to an upstream, in any revision. `open_session.ts` opens channels; other rooms see them as
// `UpstreamChannel`.
// This file is the interface: a channel is a session, or a connection that needs none.
import type { Caller } from "../../base/sharing/caller.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { ClientPeer, RpcAnswer } from "../client/client_peer.ts";
import type { ClientState } from "../client/client_state.ts";
import { Deadline } from "../resilience/deadline.ts";
import type { HeaderList } from "../transport/transport.ts";
import { pause } from "../transport/stream_reopening.ts";
import type { Span } from "../../telemetry/traces/span.ts";
import type { PoolSession } from "../pool/pool_entry.ts";

export interface SessionCall {
  readonly timeoutMs: number;
  /** The setting that defines `timeoutMs`. */
  readonly timeoutSetting: string;
  /** Start of `timeoutMs`, ms since the epoch; default: the time of the request. */
  readonly startedAt?: number;
  readonly signal?: CancelSignal;
  /** The caller; undefined: the gateway itself, or a caller that cannot be told apart. */
  readonly caller?: Caller;
  /** The tenant whose state in a process or socket the call may use; see `ExchangeOptions`. */
  readonly tenant?: string;
  /** Receives what the upstream sends on this call's stream. */
  readonly client?: ClientPeer;
  /** The client's revision; absent for the gateway's own requests. */
  readonly revision?: AnyRevision;
  /** Capabilities of a client without a session, as JSON text. `bound` holds those of a client with a session. */
  readonly clientCapabilities?: string;
  /** The downstream session's client; absent or null for a call without a session. */
  readonly bound?: { readonly client: ClientState } | null;
  /** `Mcp-Param-*` headers of the call, encoded, names in lower case (2026-07-28, transports, "Custom Headers"). */
  readonly paramHeaders?: HeaderList;
  /** A call of a tool whose results are wrapped for clients of the revisions with sessions (mcp/session_tool.ts). */
  readonly wrapsResults?: boolean;
  /** The span of the request. */
  readonly trace?: Span;
}

/** Longest wait for the GET stream of a new session. Some servers open the stream only when they have a message for it. */
const MAX_STREAM_WAIT_MS = 500;

/** Makes a new session listen. Some servers ask the client on the GET stream, and lose what they ask before it is open. */
export async function listenSoon(session: Pick<UpstreamChannel, "listen">): Promise<void> {
  await Promise.race([session.listen(), pause(MAX_STREAM_WAIT_MS, undefined)]);
}

/** The call's time limit, counted from the start of the call. */
export function deadlineOf({ timeoutMs, timeoutSetting, startedAt }: SessionCall): Deadline {
  return new Deadline(timeoutMs, timeoutSetting, startedAt);
}

/** A session as plain data, for another worker. Contains credentials: must not be logged. */
export interface SessionTransfer {
  readonly sessionId: string;
  readonly protocolVersion: string;
  readonly passed: HeaderList;
  readonly nextId: number;
}

/** The notifications that a subscriber wants (2026-07-28, subscriptions). */
export interface SubscriptionFilter {
  readonly toolsListChanged?: boolean;
  readonly promptsListChanged?: boolean;
  readonly resourcesListChanged?: boolean;
  readonly resourceSubscriptions?: readonly string[];
  /** From the tasks extension. */
  readonly taskIds?: readonly string[];
}

export interface SubscribeOptions {
  readonly signal: AbortSignal;
  /** Receives each notification as JSON text. */
  readonly onMessage: (text: string) => void;
  /** The capabilities of the client behind the subscription, as JSON text; default: none. */
  readonly clientCapabilities?: string;
  readonly passed?: HeaderList;
  /** As for calls. */
  readonly tenant?: string;
}

export interface Subscription {
  /**
   * Resolves when the upstream first acknowledges. After a failed first try, attempts continue with growing pauses until the
   * signal is aborted. @throws {SluiceError} UPSTREAM_*: why the first try failed
   */
  readonly opened: Promise<void>;
  /** Resolves when the subscription is aborted or refused by the upstream. Never throws. */
  readonly ended: Promise<void>;
}

export interface UpstreamChannel extends PoolSession {
  readonly protocolVersion: string;
  /** False: the upstream keeps no session for us. */
  readonly isStateful: boolean;
  /** Grows with each request. Absent for a connection without a session. */
  readonly requestCount?: number;
  /**
   * Calls a method; `params` is JSON text.
   * @param passed the caller's headers for this call, if the upstream keeps no session
   * @throws {SluiceError} UPSTREAM_*; UPSTREAM_SESSION_EXPIRED closes the session, and nothing was executed
   */
  request(
    method: string,
    params: string | undefined,
    call: SessionCall,
    passed?: HeaderList,
  ): Promise<RpcAnswer>;
  /** Resolves if the upstream answers; a JSON-RPC error is an answer too. @throws {SluiceError} UPSTREAM_* */
  checkReachable(call: SessionCall, passed?: HeaderList): Promise<void>;
  /** Sends a client's notification: the whole message as JSON text. Never throws. */
  notify(text: string): Promise<void>;
  /** Starts to receive what the upstream sends outside calls. */
  listen(): Promise<void> | void;
  /** The data that another worker needs to resume this session. Null: it has ended or cannot leave this worker. */
  transfer(): SessionTransfer | null;
  /**
   * Stops listening, because another worker listens now and many servers allow one stream per session. Running calls
   * continue.
   */
  stopListening?(): void;
  /** Closes the processes and sockets of a tenant that has ended. Absent if the channel has none. */
  release?(tenant: string): void;
  /**
   * Receives no more notifications outside calls, and closes after the running calls. Calls that have waited for the channel to open
   * begin in the same turn of the event loop, and count as running. Absent if there is nothing to close.
   */
  retire?(): void;
  /** Subscribes with a request of its own; absent if subscriptions belong to the session. */
  readonly subscribe?: (filter: SubscriptionFilter, options: SubscribeOptions) => Subscription;
}
