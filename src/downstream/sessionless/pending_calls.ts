// Pending calls: their clients were asked for input and have not answered yet. The sealed `requestState` names the worker, so that the
// client's next request finds the call from any worker.
import type { Callers } from "../../auth/callers.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Caller } from "../../base/sharing/caller.ts";
import type { ClientMemory, Holding } from "../../base/sharing/client_memory.ts";
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
  /** The same limit by caller. */
  readonly callers: Pick<Callers, "of" | "enterPending">;
  readonly memory: ClientMemory;
}

interface PendingCall {
  readonly call: InteractiveCall;
  readonly request: RetriedRequest;
  readonly caller: Caller | undefined;
  readonly kept: Holding;
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
   * @param chars what is kept for the call
   * @throws {SluiceError} TOO_MANY_PARKED, TOO_MANY_PENDING_OF_CALLER, CLIENT_MEMORY_FULL; the call has ended then
   */
  add(call: InteractiveCall, request: RetriedRequest, principal: Principal, chars: number): string {
    const { ids, clock, place: { replica, worker }, timeoutMs } = this.#options;
    let name = "";
    const end = (error: SluiceError) => {
      this.#remove(name);
      call.cancellation.cancel(error);
    };
    let room: Pick<PendingCall, "caller" | "kept">;
    try {
      room = this.#makeRoom(principal, chars, () => end(new SluiceError("CLIENT_MEMORY_FULL")));
    } catch (error) {
      call.cancellation.cancel(error);
      throw error;
    }
    const expiresAt = Math.ceil((clock.now() + timeoutMs) / 1000);
    const id = ids.seal({ replica: replica.now, worker, expiresAt, owner: request.owner });
    name = ids.open(id, clock.now())!.name;
    const timer = clock.setTimeout(
      () => end(new SluiceError("CLIENT_DID_NOT_ANSWER", { method: request.method, timeoutMs })),
      timeoutMs,
    );
    this.#calls.set(name, { ...room, call, request, timer });
    return OWN_STATE + id;
  }

  /** Takes a pending call out, to continue it. @throws {SluiceError} INVALID_PARAMS for a state of another request, or a used one */
  take(requestState: string, request: RetriedRequest): InteractiveCall {
    const claims = this.claimsOf(requestState);
    const pending = claims === null ? undefined : this.#calls.get(claims.name);
    const isSame = pending !== undefined &&
      isBoundTo(claims!, request.owner) && pending.request.digest === request.digest;
    if (!isSame) throw stateRefused();
    this.#remove(claims!.name);
    return pending.call;
  }

  /** The client cancels the pending call of this state. Unknown states are ignored. */
  giveUp(requestState: string): void {
    const name = this.claimsOf(requestState)?.name;
    if (name !== undefined) this.#remove(name)?.cancellation.cancel(new SluiceError("REQUEST_CANCELLED"));
  }

  /** The worker ends: ends all pending calls. */
  close(): void {
    for (const name of [...this.#calls.keys()]) {
      this.#remove(name)!.cancellation.cancel(new SluiceError("SHUTTING_DOWN"));
    }
  }

  /** @throws {SluiceError} as `add()` */
  #makeRoom(principal: Principal, chars: number, end: () => void): Pick<PendingCall, "caller" | "kept"> {
    const { limit, callers, memory } = this.#options;
    if (this.#calls.size >= limit) throw new SluiceError("TOO_MANY_PARKED", { limit });
    const caller = callers.of(principal);
    callers.enterPending(caller);
    const kept = memory.hold(principal, { end });
    if (kept.tryGrow(chars)) return { caller, kept };
    kept.close();
    if (caller !== undefined) caller.pending--;
    throw new SluiceError("CLIENT_MEMORY_FULL");
  }

  #remove(name: string): InteractiveCall | undefined {
    const pending = this.#calls.get(name);
    if (pending === undefined) return undefined;
    const { call, caller, kept, timer } = pending;
    this.#calls.delete(name);
    this.#options.clock.clearTimeout(timer);
    kept.close();
    if (caller !== undefined) caller.pending--;
    return call;
  }
}

/** Does a body contain a state of the gateway's? A cheap test; opening the seal corrects a wrong yes. */
export function ownStateIn(body: string): string | null {
  return /"requestState"\s*:\s*"(sluice\.[a-z2-7]{1,128})"/.exec(body)?.[1] ?? null;
}
