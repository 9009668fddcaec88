// Room `call`: what one call carries, independent of HTTP: its context, its cursors, its headers and its result.
// This file is the context that a method handler receives.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { SluiceError } from "../../base/errors.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Scope } from "../../catalog/snapshot/catalog.ts";
import type { RequestMessage } from "../../mcp/json_rpc.ts";
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { CallNote } from "../../telemetry/call_note.ts";
import type { Traced } from "../../telemetry/traces/span.ts";
import type { ListName } from "../../upstream/session/list_filter.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";
import type { ClientPeer, RpcAnswer } from "../../upstream/client/client_peer.ts";

/** What the client's own upstream sessions list, where that may differ from the catalog. */
export interface SessionLists {
  /**
   * Asks the sessions whose lists may differ.
   * @param missed a name or URI of the client that the scope does not have; null: the client lists
   * @returns the scope then; null: there is nothing to ask
   */
  ask(call: CallContext, list: ListName, missed: string | null): Promise<Scope> | null;
}

export interface CallContext {
  readonly principal: Principal;
  /** The entries of the endpoint. */
  readonly scope: Scope;
  readonly revision: AnyRevision;
  /** Whether a method name may be a tool's name, as on ContextForge's `/rpc`. */
  readonly toolsAsMethods: boolean;
  /** The downstream session's own upstream sessions; null for a call without a session. */
  readonly bound: BoundSessions | null;
  /** Absent for a call without a session. */
  readonly lists?: SessionLists | null;
  /** The capabilities of a client without a session, as JSON text. */
  readonly clientCapabilities?: string;
  /** The headers of the request; `Headers` satisfies it. */
  readonly received: ReceivedHeaders;
  /** Headers in which a 2026-07-28 request repeats claims and arguments; absent if the transport has no headers. */
  readonly claimHeaders?: ReceivedHeaders;
  /** Aborted when the client gives up the call. */
  readonly signal?: CancelSignal;
  /** Receives what the upstream sends during this call; absent if the client cannot be sent anything. */
  readonly client?: ClientPeer;
  /** Takes the error of a quota that refuses the call; absent if its answer has HTTP status 200 in any case. */
  readonly quotaRefusal?: { overQuota?: SluiceError };
  /** Collects data for the access log. */
  readonly note?: CallNote;
  /** Where the spans of the call belong. While the dispatcher serves it, that is the span of the operation. */
  trace?: Traced;
}

/** Serves one method. Failures throw; an upstream's JSON-RPC error is an answer. */
export type MethodHandler = (call: CallContext, message: RequestMessage) => RpcAnswer | Promise<RpcAnswer>;
