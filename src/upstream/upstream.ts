// Room `upstream`: the gateway's client side. It sends calls to registered MCP servers over any transport, and knows no
// downstream endpoint.
// This file is one registered upstream. It chooses the session of a call: none where none is needed, the client's own, the caller's,
// a pooled one, or a new one. It also handles sessions that have expired.
import { isError, type SluiceError } from "../base/errors.ts";
import { logLevelIn } from "../mcp/claims.ts";
import { rankOf } from "../mcp/log_levels.ts";
import { LATEST_SESSION_REVISION, STATELESS_REVISION } from "../mcp/revisions.ts";
import type { BoundSessions } from "./bound/bound_sessions.ts";
import type {
  SessionCall,
  SessionTransfer,
  Subscription,
  SubscriptionFilter,
  UpstreamChannel,
} from "./session/upstream_channel.ts";
import { SessionLoss } from "./session/session_loss.ts";
import type { RpcAnswer } from "./client/client_peer.ts";
import { ClientSessions } from "./bound/client_sessions.ts";
import type { HeaderList, UpstreamTransport } from "./transport/transport.ts";
import { SessionOpener } from "./bound/session_opener.ts";
import { isUngreeted, isUnreachable, wantsHandshake } from "./resilience/failures.ts";
import { isRepeatable, RetryBudget } from "./resilience/retry.ts";
import { listFilter } from "./session/list_filter.ts";
import { UpstreamNotifications } from "./notifications/upstream_notifications.ts";
import type { CallerKey } from "./bound/caller_sessions.ts";
import type { ForwardedCall, LiveCall } from "./bound/forwarded_call.ts";
import { PooledCalls } from "./bound/pooled_calls.ts";
import { EVERYBODY, Tenants } from "./bound/tenants.ts";
import { capabilitiesOf, MAX_CAPABILITIES_CHARS } from "./pool/pool_keys.ts";
import type {
  FoundWays,
  OwnSession,
  UpstreamCall,
  UpstreamDeps,
  UpstreamProfile,
} from "./bound/upstream_parts.ts";

export type { UpstreamCall, UpstreamDeps, UpstreamProfile } from "./bound/upstream_parts.ts";

const NO_HEADERS = new Headers();

export class Upstream {
  readonly id: string;
  readonly name: string;
  /** The capabilities at the last discovery. */
  capabilities: UpstreamProfile["capabilities"];
  readonly #transport: UpstreamTransport;
  readonly #profile: UpstreamProfile;
  readonly #deps: UpstreamDeps;
  readonly #retries = new RetryBudget();
  readonly #tenants: Tenants;
  readonly #isHttp: boolean;
  readonly #opener: SessionOpener;
  readonly #clients: ClientSessions;
  readonly #losses = new SessionLoss();
  readonly #pooled: PooledCalls;
  readonly #notifications: UpstreamNotifications;
  #retired = false;

  constructor(profile: UpstreamProfile, transport: UpstreamTransport, deps: UpstreamDeps) {
    this.id = profile.id;
    this.name = transport.upstream;
    this.#profile = profile;
    this.capabilities = profile.capabilities;
    this.#transport = transport;
    this.#deps = deps;
    this.#isHttp = transport.kind === "streamable-http";
    const opener = this.#opener = new SessionOpener(profile, transport, deps);
    const parts = {
      upstreamId: this.id,
      transport,
      opener,
      hasLogging: () => "logging" in this.capabilities,
      isRetired: () => this.#retired,
      losses: this.#losses,
      isWatched: () => this.promisesListChanges,
      onLost: () => deps.onSessionLost(this.name),
    };
    this.#clients = new ClientSessions({ ...parts, isRetired: () => this.#retired || !this.#keepsSessions });
    this.#pooled = new PooledCalls({ ...parts, deps });
    this.#tenants = new Tenants(profile.isolation, deps.identities);
    this.#notifications = new UpstreamNotifications({
      id: this.id,
      name: this.name,
      capabilities: () => this.capabilities,
      without: (revision) => opener.without(revision),
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
    if (this.#keepsSessions) await this.#clients.reopen(bound);
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
    const { clientCapabilities } = call;
    const passed = this.#profile.passthrough.select(call);
    const tenant = this.#tenants.of({ ...call, bound: null }, passed);
    return this.#notifications.subscribe(filter, { onMessage, clientCapabilities, passed, tenant }, signal);
  }

  /**
   * Reports changes of the upstream's lists; `onListChanged` receives the notification's method. `ended` works as for
   * `subscribe`.
   */
  watchLists(onListChanged: (method: string) => void, signal: AbortSignal): Subscription {
    return this.#notifications.lists(onListChanged, signal, this.#profile.passthrough.ofGateway);
  }

  /** Names the subscriptions. After a change, listeners subscribe again. */
  get subscribed(): unknown {
    return this.#notifications.present;
  }

  /**
   * Whether the upstream reports changes of any list to a listener without calls. A process has state of its own, so a change is heard
   * in the processes that serve calls: one that only listened would cost its memory, and tell of itself.
   */
  get promisesListChanges(): boolean {
    return this.#transport.kind !== "stdio" && this.#notifications.promisesListChanges;
  }

  /** The client's own session for such a call; null: another one serves it. */
  ownSession(call: UpstreamCall): OwnSession | null {
    const { bound } = call;
    if (bound === null || this.#retired || this.#profile.isolation !== "session") return null;
    if (this.#opener.without(call.revision) !== null || bound.isBarredFrom(this.id)) return null;
    const passed = this.#profile.passthrough.select(call);
    return {
      reports: (list) =>
        (!this.#isHttp || bound.client.listening) &&
        listFilter(this.capabilities)[`${list}ListChanged`],
      opened: this.#clients.opened(bound, passed),
      open: () => this.#clients.open(bound, passed, call),
    };
  }

  /** Sends the client's log level to its open sessions. Sessions opened later receive it on opening. */
  async setLogLevel(bound: BoundSessions): Promise<void> {
    await this.#clients.tellLogLevel(bound);
  }

  /** Sends a client's notification to its sessions: the whole message as JSON text. */
  async notify(bound: BoundSessions, notification: string): Promise<void> {
    await Promise.all((await this.#clients.of(bound)).map((session) => session.notify(notification)));
  }

  /** Applies what discovery has found. What leads there in a way that is still spoken stays open; the rest closes after its calls. */
  learn(found: FoundWays): void {
    this.#opener.learn(found);
    this.#notifications.renew();
    if (this.#keepsSessions) return;
    this.drainPool();
    this.#deps.callers.review(this.id, false);
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
    this.#deps.callers.review(this.id, false);
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
    this.#deps.callers.review(this.id, true);
    this.#transport.close?.();
  }

  get #keepsSessions(): boolean {
    return this.#opener.without(LATEST_SESSION_REVISION) === null;
  }

  #route(method: string, params: string | undefined, call: UpstreamCall): Promise<RpcAnswer> {
    this.#opener.requireOpen();
    const passed = this.#profile.passthrough.select(call);
    const own = this.#isHttp ? call : this.#asTenant(call, passed);
    return this.#send(method, params, own, passed);
  }

  /** Gives the call the processes and sockets of its tenant. Those of a session end with it. */
  #asTenant(call: UpstreamCall, passed: HeaderList): UpstreamCall {
    const tenant = this.#tenants.of(call, passed);
    if (tenant === call.bound?.tenant) {
      call.bound.releaseAtEnd(this.id, () => this.#opener.release(tenant));
    }
    return { ...call, tenant };
  }

  /** Sends a call by the first way that fits: without a session, in the client's own, pooled, or in its caller's. */
  #send(
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const channel = this.#opener.without(call.revision);
    const own = this.#profile.isolation === "session" ? call.bound : null;
    if (channel !== null && (own !== null || this.#isHttp)) {
      return this.#callWithoutSession(channel, method, params, call, passed);
    }
    if (own !== null) return this.#clients.call(own, method, params, call, passed);
    if (channel === null && (this.#retired || this.#mayPool(call))) {
      return this.#pooled.call(method, params, call, passed);
    }
    const tenant = call.tenant ?? this.#tenants.of(call, passed);
    // A question of the upstream in everybody's session could reach the wrong client. So that session declares no capabilities.
    const capabilities = tenant === EVERYBODY ? undefined : capabilitiesOf(call);
    const key = { upstreamId: this.id, tenant, capabilities };
    const way = this.#deps.owners.wayTo(key);
    if (way === null) return this.#callAsTenant(key, method, params, call, passed);
    const { revision, token, timeoutMs, timeoutSetting, startedAt, paramHeaders, wrapsResults } = call;
    const clientCapabilities = call.bound?.client.capabilities ?? call.clientCapabilities;
    const limits = { timeoutMs, timeoutSetting, startedAt, paramHeaders, wrapsResults };
    const isAskable = call.client?.request !== undefined;
    const caller = { token, revision, clientCapabilities, isAskable, passed, tracedAs: call.trace?.context };
    return way({ ...key, ...limits, ...caller, method }, params, call);
  }

  /**
   * Serves a call that another worker has forwarded, because this one keeps the caller's sessions.
   * @throws {SluiceError} like `request`
   */
  async serve(
    forwarded: ForwardedCall,
    params: string | undefined,
    live: LiveCall & Pick<SessionCall, "caller">,
  ): Promise<RpcAnswer> {
    this.#opener.requireOpen();
    const { method, passed, upstreamId, tenant, capabilities } = forwarded;
    const call = { ...forwarded, ...live, bound: null, received: NO_HEADERS };
    return await this.#callAsTenant({ upstreamId, tenant, capabilities }, method, params, call, passed);
  }

  #callAsTenant(
    key: CallerKey,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const channel = this.#opener.without(call.revision);
    if (channel !== null) return this.#callWithoutSession(channel, method, params, call, passed);
    const isTooLong = key.capabilities !== undefined && key.capabilities.length > MAX_CAPABILITIES_CHARS;
    return isTooLong
      ? this.#pooled.call(method, params, call, passed)
      : this.#callAsCaller(key, method, params, call, passed);
  }

  /** Whether the pool, or a session for the call alone, serves a call that does not use its client's own session. */
  #mayPool({ revision }: UpstreamCall): boolean {
    if (!this.#isHttp) return false;
    switch (this.#profile.isolation) {
      case "session":
        // In these revisions a call without a session expects nothing to be kept for it.
        return revision !== STATELESS_REVISION;
      case "caller":
        return this.#deps.poolEnabled;
      case "shared":
        return false;
    }
  }

  /** Uses the session of the caller, or of everybody. */
  async #callAsCaller(
    key: CallerKey,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const isShared = key.tenant === EVERYBODY;
    return await this.#deps.callers.run(key, isShared ? undefined : call.caller, async (own) => {
      if (!isShared) await this.#tellLogLevel(own, params, call);
      return await this.#clients.call(own, method, params, call, passed);
    });
  }

  /** A request of 2026-07-28 names its own log level. The session gets the most talkative; clients hear what they have asked for. */
  async #tellLogLevel(own: BoundSessions, params: string | undefined, call: UpstreamCall): Promise<void> {
    if (call.revision !== STATELESS_REVISION || !("logging" in this.capabilities)) return;
    const level = logLevelIn(params);
    const { logLevel: before } = own.client;
    if (level === null || (before !== null && rankOf(before) <= rankOf(level))) return;
    await own.client.setLogLevel(level);
    await this.#clients.tellLogLevel(own);
  }

  async #callWithoutSession(
    session: UpstreamChannel,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    // The stream will use the headers of the subscription request.
    if (method === "resources/subscribe" && call.bound !== null) {
      this.#notifications.streamFor(call.bound, passed, call.tenant);
    }
    // Without sessions there is no handshake to count, so the circuit breaker counts the calls.
    const opener = this.#opener;
    const { circuit } = opener;
    if (circuit !== undefined && circuit.state !== "closed") await opener.probe(session, call, passed);
    try {
      const answer = await session.request(method, params, call, passed);
      if (circuit !== undefined) opener.answered();
      return answer;
    } catch (error) {
      if (!wantsHandshake(error)) {
        if (isUnreachable(error)) opener.silent(error);
        throw error;
      }
      // The upstream may have been replaced by one with sessions. Its refusal then executed nothing, and the call is sent
      // again.
      if (!isUngreeted(error) && await opener.stillSpeaksStateless(session, call, passed)) throw error;
      opener.forget(session);
      return this.#send(method, params, call, passed);
    }
  }
}
