// Room `upstream`: the gateway's client side. It sends calls to registered MCP servers over any transport, and knows no
// downstream endpoint.
// This file is one registered upstream. It chooses the session of a call: the shared stateless connection, the client's own
// session, a pooled session, or a new one. It also handles sessions that have expired.
import { isError, type SluiceError } from "../base/errors.ts";
import { logLevelIn } from "../mcp/claims.ts";
import { STATELESS_REVISION } from "../mcp/revisions.ts";
import type { BoundSessions } from "./bound/bound_sessions.ts";
import type {
  SessionTransfer,
  Subscription,
  SubscriptionFilter,
  UpstreamChannel,
} from "./session/upstream_channel.ts";
import { unlessAborted } from "../base/cancellation.ts";
import {
  endOf,
  failureInLostSession,
  type Outcome,
  SessionLoss,
  type Suspicion,
} from "./session/session_loss.ts";
import type { RpcAnswer } from "./client/client_peer.ts";
import { ClientSessions } from "./bound/client_sessions.ts";
import type { HeaderList, UpstreamTransport } from "./transport/transport.ts";
import { SessionOpener } from "./bound/session_opener.ts";
import { isOurDoing, isUngreeted, isUnreachable, wantsHandshake } from "./resilience/failures.ts";
import { inTime } from "./resilience/deadline.ts";
import { deadlineOf } from "./session/upstream_channel.ts";
import { declaredBy, PoolKeys } from "./pool/pool_keys.ts";
import { isRepeatable, RetryBudget } from "./resilience/retry.ts";
import type { PoolKey } from "./pool/session_key.ts";
import { UpstreamNotifications } from "./notifications/upstream_notifications.ts";
import { Tenants } from "./bound/tenants.ts";
import type { UpstreamCall, UpstreamDeps, UpstreamProfile } from "./bound/upstream_parts.ts";
import { tellLogLevel } from "./bound/client_preferences.ts";

export type { UpstreamCall, UpstreamDeps, UpstreamProfile } from "./bound/upstream_parts.ts";

export class Upstream {
  readonly id: string;
  readonly name: string;
  /** The capabilities at the last discovery. */
  capabilities: UpstreamProfile["capabilities"];
  readonly #transport: UpstreamTransport;
  readonly #profile: UpstreamProfile;
  readonly #deps: UpstreamDeps;
  readonly #retries = new RetryBudget();
  readonly #keys: PoolKeys;
  readonly #tenants: Tenants;
  readonly #opener: SessionOpener;
  readonly #clients: ClientSessions;
  readonly #losses = new SessionLoss();
  readonly #notifications: UpstreamNotifications;
  #retired = false;

  constructor(profile: UpstreamProfile, transport: UpstreamTransport, deps: UpstreamDeps) {
    this.id = profile.id;
    this.name = transport.upstream;
    this.#profile = profile;
    this.capabilities = profile.capabilities;
    this.#transport = transport;
    this.#deps = deps;
    this.#keys = new PoolKeys(deps.identities, {
      url: transport.address,
      transport: transport.kind,
      upstreamId: this.id,
      upstream: this.name,
    });
    const opener = this.#opener = new SessionOpener(profile, transport, deps);
    this.#clients = new ClientSessions({
      upstreamId: this.id,
      transport,
      opener,
      hasLogging: () => "logging" in this.capabilities,
      isRetired: () => this.#retired,
      losses: this.#losses,
      onLost: () => deps.onSessionLost(this.name),
    });
    this.#tenants = new Tenants(profile, deps.identities);
    this.#notifications = new UpstreamNotifications({
      id: this.id,
      name: this.name,
      capabilities: () => this.capabilities,
      stateless: () => opener.stateless,
      open: (opening) => opener.open(opening),
      limits: opener.limits,
      tenantOf: (bound) => this.#tenants.ofSession(bound),
    });
  }

  /** The circuit breaker is open: calls fail at once. */
  get isDown(): boolean {
    return this.#opener.circuit?.state === "open";
  }

  /**
   * Calls a method; `params` is JSON text.
   * @throws {SluiceError} UPSTREAM_*, SESSION_POOL_*; a JSON-RPC error of the upstream is returned as an answer
   */
  async request(method: string, params: string | undefined, call: UpstreamCall): Promise<RpcAnswer> {
    call.signal?.throwIfAborted();
    this.#retries.earn();
    try {
      return await this.#route(method, params, call);
    } catch (error) {
      if (!isRepeatable(error, method) || call.signal?.aborted || !this.#retries.spend()) throw error;
      return await this.#route(method, params, call).catch((again) => {
        // If the circuit breaker refused the second try, the first failure is the one to report.
        throw isError(again, "UPSTREAM_CIRCUIT_OPEN") ? error : again;
      });
    }
  }

  /** Returns the client's sessions to this upstream as plain data, for the worker that takes the client over. */
  async transfer(bound: BoundSessions): Promise<SessionTransfer[]> {
    bound.closeStream(this.id);
    return await this.#clients.transfer(bound);
  }

  /** Resumes a session from the data that `transfer` returned. */
  adopt(bound: BoundSessions, transfer: SessionTransfer): void {
    this.#clients.adopt(bound, transfer);
  }

  /**
   * Opens or updates the streams for messages outside calls, after the client began to listen or changed its subscriptions.
   * @throws {SluiceError} UPSTREAM_*: a 2026-07-28 upstream refuses the subscription
   */
  async listen(bound: BoundSessions): Promise<void> {
    if (bound.isBarredFrom(this.id)) return;
    const { client } = bound;
    const hasSubscriptions = client.subscriptionsTo(this.id).size > 0;
    await this.#notifications.streamFor(bound)?.update(this.#deps.createTimeoutMs);
    if (!client.listening && !hasSubscriptions) return;
    for (const session of await this.#clients.of(bound)) session.listen();
  }

  /** Lets a client that listens hear the upstream again, after its sessions were closed by a change of the catalog. */
  async reopen(bound: BoundSessions): Promise<void> {
    if (this.#opener.stateless === null) await this.#clients.reopen(bound);
    await this.listen(bound);
  }

  /**
   * Subscribes to resources and tasks for a client without a session, with the caller's headers and capabilities. `ended`
   * also resolves when the upstream is replaced; the caller then subscribes to the new one.
   * @param onMessage receives each notification as JSON text
   */
  subscribe(
    filter: Pick<SubscriptionFilter, "resourceSubscriptions" | "taskIds">,
    onMessage: (text: string) => void,
    signal: AbortSignal,
    call: Pick<UpstreamCall, "token" | "received" | "clientCapabilities">,
  ): Subscription {
    const { received, clientCapabilities } = call;
    const passed = this.#profile.passthrough.select(received);
    const tenant = this.#tenants.of({ ...call, bound: null }, passed);
    return this.#notifications.subscribe(filter, { onMessage, clientCapabilities, passed, tenant }, signal);
  }

  /**
   * Reports changes of the upstream's lists; `onListChanged` receives the notification's method. `ended` works as for
   * `subscribe`.
   */
  watchLists(onListChanged: (method: string) => void, signal: AbortSignal): Subscription {
    return this.#notifications.lists(onListChanged, signal);
  }

  /** Whether the upstream reports changes of any list. */
  get promisesListChanges(): boolean {
    return this.#notifications.promisesListChanges;
  }

  /** Sends the client's log level to its open sessions. Sessions opened later receive it on opening. */
  async setLogLevel(bound: BoundSessions): Promise<void> {
    await this.#clients.tellLogLevel(bound);
  }

  /** Sends a client's notification to its sessions: the whole message as JSON text. */
  async notify(bound: BoundSessions, notification: string): Promise<void> {
    await Promise.all((await this.#clients.of(bound)).map((session) => session.notify(notification)));
  }

  /**
   * Retires an upstream that was changed. Running calls finish. Sessions that they still open are not pooled, because the pool
   * would lend them out with the old credentials.
   */
  retire(): void {
    this.#retired = true;
    this.#notifications.end();
    this.#transport.retire?.();
    this.#deps.pool.closeUpstream(this.id);
  }

  /** Closes the pooled sessions. Those that are in use are closed when they are returned. */
  drainPool(): void {
    this.#deps.pool.drain(({ upstreamId }) => upstreamId === this.id);
  }

  /**
   * Ends everything that leads to an upstream that was disabled or deleted, except for the sessions of clients: see
   * `BoundSessions.review`. Later calls fail with `reason`.
   */
  close(reason: SluiceError): void {
    this.#retired = true;
    this.#opener.close(reason);
    this.#notifications.end();
    this.#deps.pool.cutUpstream(this.id, reason);
    this.#transport.close?.();
  }

  #route(method: string, params: string | undefined, call: UpstreamCall): Promise<RpcAnswer> {
    this.#opener.requireOpen();
    const passed = this.#profile.passthrough.select(call.received);
    const own = this.#transport.kind === "streamable-http" ? call : this.#asTenant(call, passed);
    return this.#send(method, params, own, passed);
  }

  /** Gives the call the processes and sockets of its tenant. Those of a session end with it. */
  #asTenant(call: UpstreamCall, passed: HeaderList): UpstreamCall {
    const tenant = this.#tenants.of(call, passed);
    if (tenant === call.bound?.tenant) {
      call.bound.releaseAtEnd(this.id, () => this.#opener.stateless?.release?.(tenant));
    }
    return { ...call, tenant };
  }

  #send(
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const { stateless } = this.#opener;
    if (stateless !== null) return this.#callStateless(stateless, method, params, call, passed);
    const shared = this.#profile.sessionMode === "shared";
    if (call.bound !== null && !shared) return this.#clients.call(call.bound, method, params, call, passed);
    const isPooled = (shared || this.#deps.poolEnabled) && !this.#retired;
    const key = isPooled && this.#logLevelOf(params, call) === null ? this.#keys.of(call, passed) : null;
    return key !== null
      ? this.#callPooled(key, method, params, call, passed)
      : this.#callOnce(method, params, call, passed);
  }

  async #callStateless(
    session: UpstreamChannel,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    // The stream will use the headers of the subscription request.
    if (method === "resources/subscribe" && call.bound !== null) {
      this.#notifications.streamFor(call.bound, passed);
    }
    // Without sessions there is no handshake to count, so the circuit breaker counts the calls.
    const opener = this.#opener;
    const { circuit } = opener;
    if (circuit !== undefined && circuit.state !== "closed") await opener.probe(session, call, passed);
    try {
      const answer = await session.request(method, params, call, passed);
      circuit?.observed("answer");
      return answer;
    } catch (error) {
      if (!wantsHandshake(error)) {
        if (isUnreachable(error)) opener.silent();
        throw error;
      }
      // The upstream may have been replaced by one with sessions. Its refusal then executed nothing, and the call is sent
      // again.
      if (!isUngreeted(error) && await opener.stillSpeaksStateless(session, call, passed)) throw error;
      opener.forget(session);
      return this.#send(method, params, call, passed);
    }
  }

  async #callPooled(
    key: PoolKey,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const { pool } = this.#deps;
    let mayBeNew = true;
    for (;;) {
      const lease = pool.tryLease(key) ?? await inTime(
        deadlineOf(call),
        { upstream: this.name, phase: "provide a session for the call", signal: call.signal },
        (waiting) =>
          pool.lease(
            key,
            (signal) =>
              this.#opener.handshake({
                passed,
                signal,
                caller: call.caller,
                clientCapabilities: declaredBy(call),
              }),
            waiting,
          ),
      );
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
      if (suspicion !== null && !lease.reused) this.#losses.disproved();
      // The upstream no longer knows this pooled session. Try the remaining ones, then a new one; allow that one to be lost
      // once as well, in case the upstream is restarting.
      const isLost = isExpired || suspicion?.isUnexecuted === true;
      if (!isLost || !(lease.reused || mayBeNew)) {
        return endOf(suspicion === null ? outcome : failureInLostSession(outcome, this.name));
      }
      mayBeNew &&= lease.reused;
      if (this.#retired) return await this.#callOnce(method, params, call, passed);
    }
  }

  /** See `SessionLoss.suspects`; within the time of the call. */
  async #suspects(
    session: UpstreamChannel,
    outcome: Outcome,
    call: UpstreamCall,
  ): Promise<Suspicion | null> {
    if ("error" in outcome && isError(outcome.error, "UPSTREAM_SESSION_EXPIRED")) {
      return { isUnexecuted: true };
    }
    if (call.signal?.aborted) return null;
    const work = { upstream: this.name, phase: "answer a ping", signal: call.signal };
    return await inTime(
      deadlineOf(call),
      work,
      (giveUp) => unlessAborted(this.#losses.suspects(session, outcome), giveUp),
    ).catch(() => null);
  }

  /** Runs a call in a session of its own, when the call has no downstream session and cannot use the pool. */
  async #callOnce(
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const { client } = call;
    const clientCapabilities = declaredBy(call);
    const opener = this.#opener;
    const session = await inTime(
      deadlineOf(call),
      { upstream: this.name, phase: "open a session", signal: call.signal },
      (signal) => opener.open({ passed, signal, caller: call.caller, clientCapabilities, client }),
    );
    try {
      // The session serves this request only, so its log level can be set for it.
      const logLevel = this.#logLevelOf(params, call);
      if (logLevel !== null) await tellLogLevel(session, logLevel, opener.limits);
      return await session.request(method, params, call, session.isStateful ? undefined : passed);
    } finally {
      // The answer does not wait for the session to close.
      if (session !== opener.stateless) void session.close();
    }
  }

  /** The log level of a 2026-07-28 request, for an upstream where the level belongs to the session. */
  #logLevelOf(params: string | undefined, { revision, bound }: UpstreamCall): string | null {
    return revision === STATELESS_REVISION && bound === null && "logging" in this.capabilities
      ? logLevelIn(params)
      : null;
  }
}
