// What a method handler knows of the call it serves; nothing in it comes from HTTP.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Scope } from "../../catalog/snapshot/catalog.ts";
import type { RequestMessage } from "../../mcp/json_rpc.ts";
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { CallNote } from "../../telemetry/call_note.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";
import type { ClientPeer, RpcAnswer } from "../../upstream/client/client_peer.ts";

export interface CallContext {
  readonly principal: Principal;
  /** What the endpoint shows. */
  readonly scope: Scope;
  readonly revision: AnyRevision;
  /** May a method name be a tool's? So on `/rpc`, as ContextForge's users know it. */
  readonly toolsAsMethods: boolean;
  /** The downstream session's own upstream sessions; null for a call without a session. */
  readonly bound: BoundSessions | null;
  /** Of a call without a session: what its client can do, as JSON text. */
  readonly clientCapabilities?: string;
  /** The headers that the call came with; a `Headers` will do. */
  readonly received: ReceivedHeaders;
  /** Headers that a 2026-07-28 request repeats its claims and arguments in; absent where its transport has none. */
  readonly claimHeaders?: ReceivedHeaders;
  /** Aborted when the client gives the call up. */
  readonly signal?: CancelSignal;
  /** Takes what the upstream sends of itself during this call; absent where the client cannot be sent anything. */
  readonly client?: ClientPeer;
  /** Takes what the access log should know. */
  readonly note?: CallNote;
}

/** Serves one method. Throws what goes wrong; an upstream's JSON-RPC error is an answer. */
export type Handler = (call: CallContext, message: RequestMessage) => RpcAnswer | Promise<RpcAnswer>;
