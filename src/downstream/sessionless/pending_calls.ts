// Calls whose client has been asked something and has not come back yet. The way back is sealed into `requestState`: it names
// the worker, so that the client's next request finds it from any.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Serve } from "../exchange/mcp_exchange.ts";
import type { InteractiveCall } from "./interactive_call.ts";
import { type RetriedRequest, stateRefused } from "./retried_request.ts";
import { isBoundTo, type SessionClaims, type SessionIds, type WorkerPlace } from "../session/session_id.ts";

/** How a state of our own begins; that of an upstream, as upstream_states.ts seals it, has no such character as the last. */
const OWN_STATE = "sluice.";

export interface PendingCallsOptions {
  readonly ids: SessionIds;
  readonly clock: Clock;
  readonly place: WorkerPlace;
  /** The way to the worker whose successor this one is, and which keeps its calls to its end; null: there is none. */
  readonly predecessor: () => Serve | null;
  /** How long a client may take to come back: MCP_CLIENT_REQUEST_TIMEOUT. */
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

  /** Is the state one of ours, still good or not? Then it must not begin a call anew. */
  isOwn(requestState: unknown): requestState is string {
    return typeof requestState === "string" && requestState.startsWith(OWN_STATE);
  }

  /** Where the call of a `requestState` is pending; null where the state is not ours, or no longer good. */
  claimsOf(requestState: unknown): SessionClaims | null {
    if (!this.isOwn(requestState)) return null;
    const { ids, clock } = this.#options;
    return ids.open(requestState.slice(OWN_STATE.length), clock.now());
  }

  /** The way to a call of this worker's number that its predecessor keeps; null: the call is here, or nowhere. */
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

  /** Take a call up again. @throws {SluiceError} INVALID_PARAMS where the state is not for this request, or was used before */
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

  /** The client has given the call up that it would come back to with this state; one that is not pending here is left alone. */
  giveUp(requestState: string): void {
    const name = this.claimsOf(requestState)?.name;
    const pending = name === undefined ? undefined : this.#calls.get(name);
    if (pending === undefined) return;
    this.#options.clock.clearTimeout(pending.timer);
    this.#calls.delete(name!);
    pending.call.cancellation.cancel(new SluiceError("REQUEST_CANCELLED"));
  }

  /** The worker ends: nobody can come back. */
  close(): void {
    for (const { call, timer } of this.#calls.values()) {
      this.#options.clock.clearTimeout(timer);
      call.cancellation.cancel(new SluiceError("SHUTTING_DOWN"));
    }
    this.#calls.clear();
  }
}

/** Does a body hold a state of ours? Cheap; a wrong yes is found out by the seal. */
export function ownStateIn(body: string): string | null {
  return /"requestState"\s*:\s*"(sluice\.[a-z2-7]{1,128})"/.exec(body)?.[1] ?? null;
}
