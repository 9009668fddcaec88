// What each caller of a worker has under way at this moment. Limits by caller keep one caller from taking what all callers share.
import type { Caller } from "../base/sharing/caller.ts";
import { type CallerIdentity, callerKey } from "../base/sharing/caller_identity.ts";
import type { ClientMemory } from "../base/sharing/client_memory.ts";
import { SluiceError } from "../base/errors.ts";
import { ANONYMOUS } from "./authenticate.ts";
import type { Principal } from "./principal.ts";
import { tokenOf } from "./token_reach.ts";

export interface CallerLimits {
  /** MAX_CALLS_PER_CALLER */
  readonly calls: number;
  /** MAX_STREAMS_PER_CALLER */
  readonly streams: number;
}

/** Above this number of callers, those without anything under way are forgotten. */
const MAX_AT_REST = 10_000;

export class Callers {
  readonly limits: CallerLimits;
  readonly #byToken = new Map<string, Caller>();
  /** A principal is the same object for every request with its token, so that a warm request needs no text as a key. */
  #byPrincipal = new WeakMap<Principal, Caller>();
  readonly #memory: Pick<ClientMemory, "ownerFor">;
  readonly #maxAtRest: number;

  constructor(limits: CallerLimits, memory: Pick<ClientMemory, "ownerFor">, maxAtRest = MAX_AT_REST) {
    this.limits = limits;
    this.#memory = memory;
    this.#maxAtRest = maxAtRest;
  }

  /** Undefined for callers without a token: they cannot be told apart, and no limit by caller applies to them. */
  of(principal: Principal): Caller | undefined {
    return this.#byPrincipal.get(principal) ?? this.#find(principal);
  }

  /** The caller that owns a session, whether it has called in this worker or not. Undefined as for `of()`. */
  owning(owner: CallerIdentity): Caller | undefined {
    return callerKey(owner) === callerKey(ANONYMOUS) ? undefined : this.#named(owner);
  }

  /** Counts a call, to be given back by `calls--`. @throws {SluiceError} TOO_MANY_CALLS_OF_CALLER */
  enter(principal: Principal): Caller | undefined {
    const caller = this.of(principal);
    if (caller === undefined) return undefined;
    if (caller.calls >= this.limits.calls) {
      throw new SluiceError("TOO_MANY_CALLS_OF_CALLER", { limit: this.limits.calls });
    }
    caller.calls++;
    return caller;
  }

  /** @throws {SluiceError} TOO_MANY_STREAMS_OF_CALLER */
  requireStream(principal: Principal): void {
    const caller = this.of(principal);
    if (caller !== undefined && caller.streams >= this.limits.streams) {
      throw new SluiceError("TOO_MANY_STREAMS_OF_CALLER", { limit: this.limits.streams });
    }
  }

  /** The response to a call is a stream, and counts as one until `ended` settles. Above the limit it keeps its place as a call. */
  leaveAsStream(caller: Caller, ended: Promise<unknown>): void {
    const keepsPlace = caller.streams >= this.limits.streams;
    if (!keepsPlace) {
      caller.calls--;
      caller.streams++;
    }
    const leave = () => {
      if (keepsPlace) caller.calls--;
      else caller.streams--;
    };
    ended.then(leave, leave);
  }

  /** Counts a call that goes on without a request, to be given back by `pending--`. @throws {SluiceError} TOO_MANY_PENDING_OF_CALLER */
  enterPending(caller: Caller | undefined): void {
    if (caller === undefined) return;
    const limit = this.limits.streams;
    if (caller.pending >= limit) throw new SluiceError("TOO_MANY_PENDING_OF_CALLER", { limit });
    caller.pending++;
  }

  get size(): number {
    return this.#byToken.size;
  }

  #find(principal: Principal): Caller | undefined {
    const token = tokenOf(principal);
    if (token === null) return undefined;
    const caller = this.#named(token);
    this.#byPrincipal.set(principal, caller);
    return caller;
  }

  #named(identity: CallerIdentity): Caller {
    const key = callerKey(identity);
    let caller = this.#byToken.get(key);
    if (caller === undefined) {
      if (this.#byToken.size >= this.#maxAtRest) this.#forgetThoseAtRest();
      caller = {
        ...this.#memory.ownerFor(identity),
        ...{ calls: 0, streams: 0, pending: 0, connections: 0, upstreamStreams: 0 },
      };
      this.#byToken.set(key, caller);
    }
    return caller;
  }

  #forgetThoseAtRest(): void {
    for (const [key, { calls, streams, pending, connections, upstreamStreams }] of this.#byToken) {
      if (calls + streams + pending + connections + upstreamStreams === 0) this.#byToken.delete(key);
    }
    this.#byPrincipal = new WeakMap();
  }
}
