// The parts and the call options of an `Upstream`.
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { SpokenRevisions } from "../../mcp/spoken_revisions.ts";
import type { Isolation } from "../../store/registry/rows.ts";
import type { CallerSessions } from "./caller_sessions.ts";
import type { CallOwners } from "./forwarded_call.ts";
import type { BoundSessions } from "./bound_sessions.ts";
import type { ListName } from "../session/list_filter.ts";
import type { SessionCall, UpstreamChannel } from "../session/upstream_channel.ts";
import type { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import type { Passthrough, ReceivedHeaders } from "../client/passthrough.ts";
import type { SessionPool } from "../pool/session_pool.ts";
import type { Caller, IdentityHasher } from "../pool/session_key.ts";

/** Dependencies that all upstreams of a worker share. */
export interface UpstreamDeps {
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** Time limit for the handshake of a new session; for a process STDIO_START_TIMEOUT. */
  readonly createTimeoutMs: number;
  readonly stdioStartTimeoutMs: number;
  readonly pool: SessionPool<UpstreamChannel>;
  /** MCP_SESSION_POOL_ENABLED: calls without a downstream session share pooled sessions. */
  readonly poolEnabled: boolean;
  readonly callers: CallerSessions;
  readonly owners: CallOwners;
  readonly breakers: CircuitBreakers;
  readonly identities: IdentityHasher;
  /** Called when an upstream reports a changed list; `method` is the notification's method. */
  readonly onListChanged: (upstreamId: string, method: string) => void;
  /** Called when an upstream has lost a client's session without saying so as the specification has it. */
  readonly onSessionLost: (upstream: string) => void;
  /** Called when an upstream has refused the kind of revisions that it is known to speak: it has to be asked again. */
  readonly onRevisionRefused: (upstreamId: string) => void;
  /** A process of the upstream works (null), or has failed. */
  readonly onProcess: (upstreamId: string, failure: unknown) => void;
}

/** What discovery has found of the ways to speak to an upstream. */
export interface FoundWays {
  readonly revisions: SpokenRevisions;
  /** The revision with sessions in which the upstream keeps none, as registered; null: it keeps some, or is not known to. */
  readonly plainRevision: string | null;
}

export interface UpstreamProfile extends FoundWays {
  readonly id: string;
  readonly isolation: Isolation;
  /** The revision that `initialize` asks for by the operator's decision; null: our newest. */
  readonly wantedRevision: string | null;
  readonly passthrough: Passthrough;
  /** The capabilities as registered. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** A client's own session to an upstream. */
export interface OwnSession {
  /** Whether the session receives the upstream's reports of changes of this list. */
  readonly reports: (list: ListName) => boolean;
  /** Undefined: it is not open. */
  readonly opened: UpstreamChannel | undefined;
  /** @throws {SluiceError} UPSTREAM_* */
  readonly open: () => Promise<UpstreamChannel>;
}

export interface UpstreamCall extends SessionCall {
  /** The downstream session's own upstream sessions; null for a call without a session. */
  readonly bound: BoundSessions | null;
  /** The caller: the verified token's issuer and subject, and the request's headers. */
  readonly token: Caller["token"];
  readonly received: ReceivedHeaders;
  /** The client's revision. */
  readonly revision: AnyRevision;
}
