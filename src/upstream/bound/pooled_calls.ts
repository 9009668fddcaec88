// Calls that have no session of their own at the upstream, and whose caller keeps none there: they lease a pooled session, or run in a
// session that ends with them.
import { unlessAborted } from "../../base/cancellation.ts";
import { isError } from "../../base/errors.ts";
import { logLevelIn } from "../../mcp/claims.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { RpcAnswer } from "../client/client_peer.ts";
import { declaredBy, PoolKeys } from "../pool/pool_keys.ts";
import type { PoolKey } from "../pool/session_key.ts";
import { inTime } from "../resilience/deadline.ts";
import { isOurDoing } from "../resilience/failures.ts";
import {
  endOf,
  failureInLostSession,
  type Outcome,
  type SessionLoss,
  type Suspicion,
} from "../session/session_loss.ts";
import { deadlineOf, type UpstreamChannel } from "../session/upstream_channel.ts";
import { traced } from "../../telemetry/traces/traced.ts";
import type { HeaderList, UpstreamTransport } from "../transport/transport.ts";
import { tellLogLevel } from "./client_preferences.ts";
import type { SessionOpener } from "./session_opener.ts";
import type { UpstreamCall, UpstreamDeps } from "./upstream_parts.ts";

export interface PooledCallsOptions {
  readonly upstreamId: string;
  readonly transport: UpstreamTransport;
  readonly opener: SessionOpener;
  readonly deps: UpstreamDeps;
  /** Whether the upstream supported log levels at its last discovery. */
  readonly hasLogging: () => boolean;
  /** Whether the upstream was changed, disabled or deleted since. */
  readonly isRetired: () => boolean;
  readonly losses: SessionLoss;
}

export class PooledCalls {
  readonly #options: PooledCallsOptions;
  readonly #keys: PoolKeys;

  constructor(options: PooledCallsOptions) {
    this.#options = options;
    const { upstreamId, transport: { address, kind, upstream }, deps } = options;
    this.#keys = new PoolKeys(deps.identities, { url: address, transport: kind, upstreamId, upstream });
  }

  /** @throws {SluiceError} UPSTREAM_*, SESSION_POOL_* */
  call(
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const { deps, isRetired } = this.#options;
    const isPooled = deps.poolEnabled && !isRetired() && this.#logLevelOf(params, call) === null;
    const key = isPooled ? this.#keys.of(call, passed) : null;
    return key !== null
      ? this.#lease(key, method, params, call, passed)
      : this.#once(method, params, call, passed);
  }

  async #lease(
    key: PoolKey,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const { transport: { upstream }, opener, deps: { pool }, isRetired, losses } = this.#options;
    let mayBeNew = true;
    for (;;) {
      const lease = pool.tryLease(key) ?? await traced(call.trace, "pool wait", () =>
        inTime(
          deadlineOf(call),
          { upstream, phase: "provide a session for the call", signal: call.signal },
          (waiting) =>
            pool.lease(
              key,
              (signal) =>
                opener.handshake({
                  passed,
                  signal,
                  caller: call.caller,
                  clientCapabilities: declaredBy(call),
                  listens: declaredBy(call) !== undefined,
                }),
              waiting,
            ),
        ));
      const { session } = lease;
      let outcome: Outcome;
      try {
        const answer = await session.request(method, params, call, session.isStateful ? undefined : passed);
        if (!answer.failed) {
          // A stateless connection is not worth pooling.
          lease.release(session.isStateful ? "ok" : "broken");
          return answer;
        }
        outcome = { answer };
      } catch (error) {
        outcome = { error };
      }
      const isExpired = "error" in outcome && isError(outcome.error, "UPSTREAM_SESSION_EXPIRED");
      const suspicion = isExpired ? null : await this.#suspects(session, outcome, call);
      const isSound = suspicion === null && session.isStateful &&
        ("answer" in outcome || isOurDoing(outcome.error));
      lease.release(isSound ? "ok" : "broken");
      // A session that was opened for this call cannot have been lost by a restart that nobody noticed.
      if (suspicion !== null && !lease.reused) losses.disproved();
      // The upstream no longer knows this pooled session. Try the remaining ones, then a new one; allow that one to be lost
      // once as well, in case the upstream is restarting.
      const isLost = isExpired || suspicion?.isUnexecuted === true;
      if (!isLost || !(lease.reused || mayBeNew)) {
        return endOf(suspicion === null ? outcome : failureInLostSession(outcome, upstream));
      }
      mayBeNew &&= lease.reused;
      if (isRetired()) return await this.#once(method, params, call, passed);
    }
  }

  /** See `SessionLoss.suspects`; within the time of the call. */
  async #suspects(
    session: UpstreamChannel,
    outcome: Outcome,
    call: UpstreamCall,
  ): Promise<Suspicion | null> {
    if (call.signal?.aborted) return null;
    const { transport: { upstream }, losses } = this.#options;
    const work = { upstream, phase: "answer a ping", signal: call.signal };
    return await inTime(
      deadlineOf(call),
      work,
      (giveUp) => unlessAborted(losses.suspects(session, outcome), giveUp),
    ).catch(() => null);
  }

  /** Runs a call in a session of its own, when the call has no downstream session and cannot use the pool. */
  async #once(
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const { transport: { upstream }, opener } = this.#options;
    const clientCapabilities = declaredBy(call);
    const listens = clientCapabilities !== undefined;
    const session = await traced(call.trace, "open session", () =>
      inTime(
        deadlineOf(call),
        { upstream, phase: "open a session", signal: call.signal },
        (signal) => opener.open({ passed, signal, caller: call.caller, clientCapabilities, listens }),
      ));
    try {
      // The session serves this request only, so its log level can be set for it.
      const logLevel = this.#logLevelOf(params, call);
      if (logLevel !== null) await tellLogLevel(session, logLevel, opener.limits);
      return await session.request(method, params, call, session.isStateful ? undefined : passed);
    } finally {
      // The answer does not wait for the session to close.
      if (session !== opener.without(call.revision)) void session.close();
    }
  }

  /** The log level of a 2026-07-28 request, for an upstream where the level belongs to the session. */
  #logLevelOf(params: string | undefined, { revision, bound }: UpstreamCall): string | null {
    return revision === STATELESS_REVISION && bound === null && this.#options.hasLogging()
      ? logLevelIn(params)
      : null;
  }
}
