// A call to sessions or processes that another worker keeps: each caller's are in one worker, so that all its calls meet the same state.
import type { AnyRevision } from "../../mcp/revisions.ts";
import type { RpcAnswer } from "../client/client_peer.ts";
import type { Caller } from "../pool/session_key.ts";
import type { SessionCall } from "../session/upstream_channel.ts";
import type { HeaderList } from "../transport/transport.ts";
import type { TraceContext } from "../../telemetry/traces/trace_context.ts";
import type { CallerKey } from "./caller_sessions.ts";

/** Plain data. Contains credentials: must not be logged. */
export interface ForwardedCall
  extends
    CallerKey,
    Pick<SessionCall, "timeoutMs" | "timeoutSetting" | "startedAt" | "paramHeaders" | "wrapsResults"> {
  readonly method: string;
  readonly revision: AnyRevision;
  /** As declared, as JSON text. */
  readonly clientCapabilities: string | undefined;
  /** Whether the client can be asked during the call. */
  readonly isAskable: boolean;
  readonly token: Caller["token"];
  /** The caller's headers that are sent upstream. */
  readonly passed: HeaderList;
  /** The span of the request in the worker that forwards it. */
  readonly tracedAs?: TraceContext;
}

/** The part of a call that stays in its worker: the client, and the signal to give up. */
export type LiveCall = Pick<SessionCall, "client" | "signal" | "trace">;

/** @throws {SluiceError} WORKER_GONE; what the call throws in the other worker */
export type ForwardCall = (
  call: ForwardedCall,
  params: string | undefined,
  live: LiveCall,
) => Promise<RpcAnswer>;

export interface CallOwners {
  /** The way to the worker that keeps these sessions; null: this worker. */
  wayTo(key: Pick<CallerKey, "upstreamId" | "tenant">): ForwardCall | null;
}

/** For a process that serves alone. */
export const ALL_HERE: CallOwners = { wayTo: () => null };
