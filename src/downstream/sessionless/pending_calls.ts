// Pending calls: their clients were asked for input and have not answered yet. The sealed `requestState` names the worker, so that the
// client's next request finds the call from any worker.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Serve } from "../exchange/mcp_exchange.ts";
import type { InteractiveCall } from "./interactive_call.ts";
import { type RetriedRequest, stateRefused } from "./retried_request.ts";
import { isBoundTo, type SessionClaims, type SessionIds, type WorkerPlace } from "../session/session_id.ts";

/** Prefix of the gateway's own states. States of upstreams, sealed by upstream_states.ts, never contain its last character. */
const OWN_STATE = "sluice.";

export interface PendingCallsOptions {
  readonly ids: SessionIds;
  readonly clock: Clock;
  readonly place: WorkerPlace;
  /** The way to this worker's predecessor, which keeps its calls to its end; null: there is none. */
  readonly predecessor: () => Serve | null;
  /** Time for a client to answer: MCP_CLIENT_REQUEST_TIMEOUT. */
  readonly timeoutMs: number;
  /** MAX_STREAMS: a pending call costs what an open stream does. */
  readonly limit: number;
}

interface PendingCall {
  readonly call: InteractiveCall;
  readonly request: RetriedRequest;
  readonly timer: number;
}

export class PendingCalls {
  readonly #options: PendingCallsOptions;
  readonly #calls = new Map<string, PendingCall>();

  constructor(options: PendingCallsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Has the gateway sealed this state, valid or not? Then it must not begin a new call. */
  isOwn(requestState: unknown): requestState is string {
    return typeof requestState === "string" && requestState.startsWith(OWN_STATE);
  }

  /** The place of a pending call; null if the `requestState` is not the gateway's or has expired. */
  claimsOf(requestState: unknown): SessionClaims | null {
    if (!this.isOwn(requestState)) return null;
    const { ids, clock } = this.#options;
    return ids.open(requestState.slice(OWN_STATE.length), clock.now());
  }

  /** The way to a call with this worker's number that its predecessor keeps; null: the call is here, or nowhere. */
  keptBefore({ name }: SessionClaims): Serve | null {
    return this.#calls.has(name) ? null : this.#options.predecessor();
  }

  /**
   * @returns the `requestState` by which the client's next request finds the call
   * @throws {SluiceError} TOO_MANY_PARKED; the call has ended then
   */
  add(call: InteractiveCall, request: RetriedRequest): string {
    const { ids, clock, place: { replica, worker }, timeoutMs, limit } = this.#options;
    if (this.#calls.size >= limit) {
      const error = new SluiceError("TOO_MANY_PARKED", { limit });
      call.cancellation.cancel(error);
      throw error;
    }
    const expiresAt = Math.ceil((clock.now() + timeoutMs) / 1000);
    const id = ids.seal({ replica: replica.now, worker, expiresAt, owner: request.owner });
    const { name } = ids.open(id, clock.now())!;
    const timer = clock.setTimeout(() => {
      this.#calls.delete(name);
      call.cancellation.cancel(
        new SluiceError("CLIENT_DID_NOT_ANSWER", { method: request.method, timeoutMs }),
      );
    }, timeoutMs);
    this.#calls.set(name, { call, request, timer });
    return OWN_STATE + id;
  }

  /** Takes a pending call out, to continue it. @throws {SluiceError} INVALID_PARAMS for a state of another request, or a used one */
  take(requestState: string, request: RetriedRequest): InteractiveCall {
    const claims = this.claimsOf(requestState);
    const pending = claims === null ? undefined : this.#calls.get(claims.name);
    const isSame = pending !== undefined &&
      isBoundTo(claims!, request.owner) && pending.request.digest === request.digest;
    if (!isSame) throw stateRefused();
    this.#options.clock.clearTimeout(pending.timer);
    this.#calls.delete(claims!.name);
    return pending.call;
  }

  /** The client cancels the pending call of this state. Unknown states are ignored. */
  giveUp(requestState: string): void {
    const name = this.claimsOf(requestState)?.name;
    const pending = name === undefined ? undefined : this.#calls.get(name);
    if (pending === undefined) return;
    this.#options.clock.clearTimeout(pending.timer);
    this.#calls.delete(name!);
    pending.call.cancellation.cancel(new SluiceError("REQUEST_CANCELLED"));
  }

  /** The worker ends: ends all pending calls. */
  close(): void {
    for (const { call, timer } of this.#calls.values()) {
      this.#options.clock.clearTimeout(timer);
      call.cancellation.cancel(new SluiceError("SHUTTING_DOWN"));
    }
    this.#calls.clear();
  }
}

/** Does a body contain a state of the gateway's? A cheap test; opening the seal corrects a wrong yes. */
export function ownStateIn(body: string): string | null {
  return /"requestState"\s*:\s*"(sluice\.[a-z2-7]{1,128})"/.exec(body)?.[1] ?? null;
}
