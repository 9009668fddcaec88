// What calls to an upstream go through, of whichever era: a session that was opened, or none.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { ClientPeer, RpcAnswer } from "../client/client_peer.ts";
import type { ClientState } from "../client/client_state.ts";
import { Deadline } from "../resilience/deadline.ts";
import type { HeaderList } from "../transport/transport.ts";
import type { PoolSession } from "../pool/pool_entry.ts";

export interface SessionCall {
  readonly timeoutMs: number;
  /** The setting that `timeoutMs` comes from. */
  readonly timeoutSetting: string;
  /** Since when `timeoutMs` counts, ms since the epoch; default: since the session is asked. */
  readonly startedAt?: number;
  readonly signal?: CancelSignal;
  /** Takes what the upstream sends of itself on this call's stream. */
  readonly client?: ClientPeer;
  /** The client's; absent for what we ask ourselves. */
  readonly revision?: AnyRevision;
  /** Of a call without a session: what its client can do, as JSON text. A session's are in `bound`. */
  readonly clientCapabilities?: string;
  /** The downstream session's own upstream sessions, and its client; absent or null for a call without one. */
  readonly bound?: { readonly client: ClientState } | null;
  /** `Mcp-Param-*` of the call, encoded, names in lower case (2026-07-28, transports, "Custom Headers"). */
  readonly paramHeaders?: HeaderList;
}

/** The call's time limit, running since the call began. */
export function deadlineOf({ timeoutMs, timeoutSetting, startedAt }: SessionCall): Deadline {
  return new Deadline(timeoutMs, timeoutSetting, startedAt);
}

/** A session as plain data, for the worker that takes it over. Holds credentials: not for logs. */
export interface SessionTransfer {
  readonly sessionId: string;
  readonly protocolVersion: string;
  readonly passed: HeaderList;
  readonly nextId: number;
}

/** What a listener wants to hear of (2026-07-28, subscriptions). */
export interface SubscriptionFilter {
  readonly toolsListChanged?: boolean;
  readonly promptsListChanged?: boolean;
  readonly resourcesListChanged?: boolean;
  readonly resourceSubscriptions?: readonly string[];
  /** Of the tasks extension. */
  readonly taskIds?: readonly string[];
}

export interface SubscribeOptions {
  readonly signal: AbortSignal;
  /** Takes a notification, the whole message as JSON text. */
  readonly onMessage: (text: string) => void;
  /** What the client behind it can do, as JSON text; without one: nothing. */
  readonly clientCapabilities?: string;
  readonly passed?: HeaderList;
}

export interface Subscription {
  /**
   * Resolves when the upstream has agreed for the first time. Where it cannot be reached it is still tried again, more and
   * more slowly: who does not want that aborts. @throws {SluiceError} UPSTREAM_*: why the first try failed
   */
  readonly opened: Promise<void>;
  /** Resolves when it is over: aborted, or refused by the upstream. Never throws. */
  readonly ended: Promise<void>;
}

export interface UpstreamChannel extends PoolSession {
  readonly protocolVersion: string;
  /** False: the upstream keeps no session for us. */
  readonly isStateful: boolean;
  /**
   * Call a method; `params` is JSON text.
   * @param passed the caller's headers for this call alone; only where the upstream keeps no session
   * @throws {SluiceError} UPSTREAM_*; UPSTREAM_SESSION_EXPIRED closes the session, and nothing was executed
   */
  request(
    method: string,
    params: string | undefined,
    call: SessionCall,
    passed?: HeaderList,
  ): Promise<RpcAnswer>;
  /** Is anybody there? An error in answer is an answer too. @throws {SluiceError} UPSTREAM_* */
  checkReachable(call: SessionCall, passed?: HeaderList): Promise<void>;
  /** Sends a notification of the client's, the whole message as JSON text. Never throws: nobody waits for it. */
  notify(text: string): Promise<void>;
  /** Also take what the upstream sends outside any call. */
  listen(): Promise<void> | void;
  /** What another worker needs to go on with this session; null where it has ended, or cannot leave this worker. */
  transfer(): SessionTransfer | null;
  /** Another worker does: many servers have room for one listener a session. Calls under way here end as they began. */
  stopListening?(): void;
  /** Listens by a request of its own; absent where subscriptions belong to the session. */
  readonly subscribe?: (filter: SubscriptionFilter, options: SubscribeOptions) => Subscription;
}
