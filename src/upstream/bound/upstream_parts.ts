// What an Upstream is made of, and what a call to it says of itself.
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { BoundSessions } from "./bound_sessions.ts";
import type { SessionCall, UpstreamChannel } from "../session/upstream_channel.ts";
import type { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import type { Passthrough, ReceivedHeaders } from "../client/passthrough.ts";
import type { SessionPool } from "../pool/session_pool.ts";
import type { Caller, IdentityHasher } from "../pool/session_key.ts";

/** What all upstreams of a worker share. */
export interface UpstreamDeps {
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** The longest that the handshake of a new session may take. */
  readonly createTimeoutMs: number;
  readonly pool: SessionPool<UpstreamChannel>;
  /** MCP_SESSION_POOL_ENABLED: do calls without a downstream session share sessions? */
  readonly poolEnabled: boolean;
  readonly breakers: CircuitBreakers;
  readonly identities: IdentityHasher;
  /** An upstream says that one of its lists has changed; `method` is the notification's. */
  readonly onListChanged: (upstreamId: string, method: string) => void;
}

export interface UpstreamProfile {
  readonly id: string;
  readonly sessionMode: "bound" | "shared";
  /** As of its registration: the revision of an upstream that keeps no sessions; null where it keeps them, or nobody knows. */
  readonly statelessRevision: string | null;
  readonly passthrough: Passthrough;
  /** As of its registration. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

export interface UpstreamCall extends SessionCall {
  /** The downstream session's own upstream sessions; null for a call without a session. */
  readonly bound: BoundSessions | null;
  /** Who calls: the verified token's issuer and subject, and the request's headers. */
  readonly token: Caller["token"];
  readonly received: ReceivedHeaders;
  /** The client's. */
  readonly revision: AnyRevision;
}
