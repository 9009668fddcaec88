// One registered upstream: which session a call runs in (DESIGN, "Sessions"), and what happens when that session has ended.
import { type CancelSignal, unlessAborted } from "../base/cancellation.ts";
import { isError, SluiceError } from "../base/errors.ts";
import { logLevelIn } from "../mcp/claims.ts";
import { MODERN_REVISION } from "../mcp/revisions.ts";
import type { BoundSessions } from "./bound_sessions.ts";
import type { SessionTransfer, Subscription, SubscriptionFilter, UpstreamChannel } from "./channel.ts";
import type { ClientState } from "./client_state.ts";
import type { Attempt, CircuitBreaker } from "./circuit_breaker.ts";
import type { RpcAnswer } from "./client_peer.ts";
import type { HeaderList, UpstreamTransport } from "./connection.ts";
import { isBreakerFailure, isOurDoing, isUnreachable, wantsHandshake } from "./failures.ts";
import { inTime, type Wait } from "./in_time.ts";
import { openChannel, statelessChannel } from "./open_session.ts";
import { isRepeatable, RetryBudget } from "./retry.ts";
import { declaredBy, PoolKeys } from "./pool_keys.ts";
import type { PoolKey } from "./session_key.ts";
import { UpstreamSession } from "./session.ts";
import { pause } from "./listening.ts";
import { type Opening, UpstreamListening } from "./upstream_listening.ts";
import type { UpstreamCall, UpstreamDeps, UpstreamProfile } from "./upstream_parts.ts";
import { restoreWishes, tellLogLevel } from "./wishes.ts";

export type { UpstreamCall, UpstreamDeps, UpstreamProfile } from "./upstream_parts.ts";

/** A server that opens no stream before it has something to say on it holds a session's first call up no longer than this. */
const MAX_STREAM_WAIT_MS = 500;

export class Upstream {
  readonly id: string;
  readonly name: string;
  /** As of its last discovery. */
  capabilities: UpstreamProfile["capabilities"];
  readonly #transport: UpstreamTransport;
  readonly #profile: UpstreamProfile;
  readonly #deps: UpstreamDeps;
  readonly #url: string;
  /** Not the id: where address or credentials have changed, sessions that were opened with the old ones are not used. */
  readonly #boundKey = crypto.randomUUID();
  readonly #retries = new RetryBudget();
  readonly #keys: PoolKeys;
  /** Of an upstream that keeps no sessions: there is nothing to share, so everybody uses it, without a handshake. */
  #stateless: UpstreamChannel | null;
  readonly #listening: UpstreamListening;
  readonly #opening: Wait;
  #retired = false;

  constructor(profile: UpstreamProfile, transport: UpstreamTransport, deps: UpstreamDeps) {
    this.id = profile.id;
    this.name = transport.upstream;
    this.#opening = { upstream: this.name, phase: "open a session" };
    this.#profile = profile;
    this.capabilities = profile.capabilities;
    this.#transport = transport;
    this.#deps = deps;
    this.#url = transport.address;
    this.#keys = new PoolKeys(deps.identities, {
      url: this.#url,
      transport: transport.kind,
      upstreamId: this.id,
      upstream: this.name,
    });
    this.#stateless = profile.statelessRevision === null
      ? null
      : this.#statelessOf(profile.statelessRevision);
    this.#listening = new UpstreamListening({
      id: this.id,
      name: this.name,
      capabilities: () => this.capabilities,
      stateless: () => this.#stateless,
      open: (opening) => this.#open(opening),
      limits: this.#openLimits(),
    });
  }

  /** Its circuit is open: calls fail at once. */
  get isDown(): boolean {
    return this.#deps.breakers.known(this.#url)?.state === "open";
  }

  /**
   * Call a method; `params` is JSON text.
   * @throws {SluiceError} UPSTREAM_*, SESSION_POOL_*; a JSON-RPC error of the upstream is an answer, not an exception
   */
  async request(method: string, params: string | undefined, call: UpstreamCall): Promise<RpcAnswer> {
    call.signal?.throwIfAborted();
    this.#retries.earn();
    try {
      return await this.#route(method, params, call);
    } catch (error) {
      if (!isRepeatable(error, method) || call.signal?.aborted || !this.#retries.spend()) throw error;
      return await this.#route(method, params, call).catch((again) => {
        // Refused by the circuit, it was no second try: what happened is the first failure.
        throw isError(again, "UPSTREAM_CIRCUIT_OPEN") ? error : again;
      });
    }
  }

  /** This upstream's sessions among a downstream session's own, for the worker that takes it over. */
  async transfer(bound: BoundSessions): Promise<SessionTransfer[]> {
    bound.closeStream(this.id);
    return (await this.#sessionsIn(bound)).flatMap((session) => session.transfer() ?? []);
  }

  /** Take over what `transfer` gave. */
  adopt(bound: BoundSessions, transfer: SessionTransfer): void {
    const { client } = bound;
    const peers = { client: client.peerFor(this.id), onListChanged: this.#onListChanged };
    const session = UpstreamSession.resume(this.#transport, transfer, peers);
    if (session === null) return;
    if (client.listening || client.subscriptionsTo(this.id).size > 0) session.listen();
    bound.adopt(this.#keyFor(transfer.passed), session);
  }

  /**
   * The client takes messages that belong to no call, or has other subscriptions now: they are listened for.
   * @throws {SluiceError} UPSTREAM_*: a 2026-07-28 upstream refuses the subscription
   */
  async listen(bound: BoundSessions): Promise<void> {
    const { client } = bound;
    const hasSubscriptions = client.subscriptionsTo(this.id).size > 0;
    await this.#listening.streamFor(bound)?.update(this.#deps.createTimeoutMs);
    if (!client.listening && !hasSubscriptions) return;
    for (const session of await this.#sessionsIn(bound)) session.listen();
  }

  /**
   * Hear of resources and tasks for a client without a session, subscribed to with the caller's headers and capabilities.
   * `ended` resolves also when the upstream is another now, and there is a new one to subscribe at.
   * @param onMessage takes a notification, the whole message as JSON text
   */
  subscribe(
    filter: Pick<SubscriptionFilter, "resourceSubscriptions" | "taskIds">,
    onMessage: (text: string) => void,
    signal: AbortSignal,
    { received, clientCapabilities }: Pick<UpstreamCall, "received" | "clientCapabilities">,
  ): Subscription {
    const passed = this.#profile.passthrough.select(received);
    return this.#listening.subscribe(filter, { onMessage, clientCapabilities, passed }, signal);
  }

  /** Hear of changes of its lists; `onListChanged` takes the notification's method. `ended` is as that of `subscribe`. */
  watchLists(onListChanged: (method: string) => void, signal: AbortSignal): Subscription {
    return this.#listening.lists(onListChanged, signal);
  }

  /** Does it tell of changes of any list? */
  get promisesListChanges(): boolean {
    return this.#listening.promisesListChanges;
  }

  /** Tell the client's sessions which log level it wants; those that are still to be opened are told then. */
  async setLogLevel(bound: BoundSessions): Promise<void> {
    if (!("logging" in this.capabilities)) return;
    const limits = this.#openLimits();
    await Promise.all(
      (await this.#sessionsIn(bound)).map((session) => tellLogLevel(session, bound.client.logLevel, limits)),
    );
  }

  /** Pass a notification of the client's on, the whole message as JSON text. */
  async notify(bound: BoundSessions, notification: string): Promise<void> {
    await Promise.all((await this.#sessionsIn(bound)).map((session) => session.notify(notification)));
  }

  /** A downstream session's own sessions to this upstream. */
  async #sessionsIn(bound: BoundSessions): Promise<UpstreamChannel[]> {
    const own = [...bound.entries()].filter(([key]) => key.startsWith(this.#boundKey));
    const sessions = await Promise.all(own.map(([, opening]) => opening.catch(() => null)));
    return sessions.filter((session) => session !== null);
  }

  /** A session never serves a call whose pinned headers differ from those it was opened with. */
  #keyFor(passed: HeaderList): string {
    return passed.length === 0 ? this.#boundKey : `${this.#boundKey} ${JSON.stringify(passed)}`;
  }

  /**
   * It was changed or deleted, and its place is another's: calls under way end as they began, but whatever they still open
   * is theirs alone. In the pool it would serve others with the old credentials.
   */
  retire(): void {
    this.#retired = true;
    this.#listening.end();
    this.#transport.retire?.();
    this.#deps.pool.closeUpstream(this.id);
  }

  #route(method: string, params: string | undefined, call: UpstreamCall): Promise<RpcAnswer> {
    const passed = this.#profile.passthrough.select(call.received);
    if (this.#stateless !== null) return this.#callStateless(this.#stateless, method, params, call, passed);
    const shared = this.#profile.sessionMode === "shared";
    if (call.bound !== null && !shared) return this.#callBound(call.bound, method, params, call, passed);
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
    // Its stream will be opened with the headers that the subscription came with.
    if (method === "resources/subscribe" && call.bound !== null) {
      this.#listening.streamFor(call.bound, passed);
    }
    // There is no session to open, so the connection is what the circuit watches. A warm call finds no circuit at all.
    const circuit = this.#deps.breakers.known(this.#url);
    if (circuit !== undefined && circuit.state !== "closed") await this.#knock(session, call, passed);
    try {
      const answer = await session.request(method, params, call, passed);
      circuit?.observed("answer");
      return answer;
    } catch (error) {
      if (!wantsHandshake(error)) {
        if (isUnreachable(error)) this.#circuit().observed("silence");
        throw error;
      }
      // It may have been replaced by one that keeps sessions. The refusal executed nothing, so the call may go out again.
      if (this.#stateless === session) this.#stateless = null;
      return this.#route(method, params, call);
    }
  }

  /**
   * The circuit is open: ask whether anybody is there before a call goes out. The call itself is no probe, for it may take
   * minutes, and all others fail until the probe is back.
   */
  async #knock(session: UpstreamChannel, { signal }: UpstreamCall, passed: HeaderList): Promise<void> {
    const attempt = this.#enterCircuit();
    const timeoutMs = this.#deps.createTimeoutMs;
    try {
      const limits = { timeoutMs, timeoutSetting: "MCP_SESSION_POOL_CREATE_TIMEOUT", signal };
      await session.knock(limits, passed);
    } catch (error) {
      const failed = isUnreachable(error) || isError(error, "UPSTREAM_TIMEOUT");
      if (failed) attempt.failed();
      else if (isOurDoing(error) || signal?.aborted) attempt.abandoned();
      // Whatever else it says, it is there.
      else return attempt.succeeded();
      throw error;
    }
    attempt.succeeded();
  }

  async #callBound(
    bound: BoundSessions,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const key = this.#keyFor(passed);
    const session = await this.#boundSessionFor(call, bound, key, passed);
    try {
      return await session.request(method, params, call, session.isStateful ? undefined : passed);
    } catch (error) {
      if (!isError(error, "UPSTREAM_SESSION_EXPIRED")) throw error;
      await bound.drop(key, session);
      const fresh = await this.#boundSessionFor(call, bound, key, passed);
      return await fresh.request(method, params, call);
    }
  }

  /** Others may wait for the same session: it is opened to the end, whoever gives up. */
  #boundSessionFor(
    call: UpstreamCall,
    bound: BoundSessions,
    key: string,
    passed: HeaderList,
  ): UpstreamChannel | Promise<UpstreamChannel> {
    const opened = bound.opened(key);
    if (opened !== undefined && !opened.closed && opened.isStateful) return opened;
    const open = (signal: CancelSignal) => unlessAborted(this.#boundSession(bound, key, passed), signal);
    return inTime(call, this.#opening, open);
  }

  async #boundSession(bound: BoundSessions, key: string, passed: HeaderList): Promise<UpstreamChannel> {
    // A fresh one in its place would answer as if nothing had ever been.
    if (bound.client.attachments.takeLoss(this.id)) {
      throw new SluiceError("UPSTREAM_STATE_LOST", { upstream: this.name });
    }
    const open = () => this.#openFor(bound.client, passed);
    let session = await bound.get(key, open);
    if (session.closed) {
      // Its process or socket ended between two calls.
      await bound.drop(key, session);
      session = await bound.get(key, open);
    }
    if (session.isStateful) return session;
    // Of a stateless upstream there is nothing to keep; kept, it would outlive the day that the upstream takes up sessions.
    await bound.drop(key, session);
    if (this.#stateless === null) return session;
    void session.close();
    return this.#stateless;
  }

  /** A session of a client's own: the upstream hears of the client what it would hear from it, now and after an expiry. */
  async #openFor(client: ClientState, passed: HeaderList): Promise<UpstreamChannel> {
    const session = await this.#open({
      passed,
      clientCapabilities: client.capabilities,
      client: client.peerFor(this.id),
    });
    if (!session.isStateful) return session;
    await Promise.all([
      restoreWishes(session, client, {
        upstreamId: this.id,
        hasLogging: "logging" in this.capabilities,
        limits: this.#openLimits(),
      }),
      // Whoever has the client after this worker cannot have the session.
      session.transfer() === null ? client.attachments.add(this.id) : null,
    ]);
    // Some servers ask their client on this stream, and lose what they ask before it is there.
    if (client.listening) await Promise.race([session.listen(), pause(MAX_STREAM_WAIT_MS, undefined)]);
    return session;
  }

  #openLimits() {
    return {
      timeoutMs: this.#deps.createTimeoutMs,
      timeoutSetting: "MCP_SESSION_POOL_CREATE_TIMEOUT",
    };
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
        call,
        { upstream: this.name, phase: "have a session for the call" },
        (waiting) =>
          pool.lease(
            key,
            (signal) => this.#handshake({ passed, signal, clientCapabilities: declaredBy(call) }),
            waiting,
          ),
      );
      try {
        const { session } = lease;
        const answer = await session.request(method, params, call, session.isStateful ? undefined : passed);
        // Of a stateless upstream there is nothing to keep.
        lease.release(lease.session.isStateful ? "ok" : "broken");
        return answer;
      } catch (error) {
        lease.release(isOurDoing(error) ? "ok" : "broken");
        // The upstream forgot a session that lay in the pool, and perhaps the next one too: down to a new one; and once that
        // one too, as an upstream does that restarts just then.
        if (!isError(error, "UPSTREAM_SESSION_EXPIRED") || !(lease.reused || mayBeNew)) throw error;
        mayBeNew &&= lease.reused;
      }
      if (this.#retired) return await this.#callOnce(method, params, call, passed);
    }
  }

  /** A call of nobody's session to an upstream that keeps sessions: one for this call alone. */
  async #callOnce(
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const { client } = call;
    const clientCapabilities = declaredBy(call);
    const session = await inTime(
      call,
      this.#opening,
      (signal) => this.#open({ passed, signal, clientCapabilities, client }),
    );
    try {
      // Nobody else uses it, so it may be set up for this request.
      const logLevel = this.#logLevelOf(params, call);
      if (logLevel !== null) await tellLogLevel(session, logLevel, this.#openLimits());
      return await session.request(method, params, call, session.isStateful ? undefined : passed);
    } finally {
      // The answer does not wait for the farewell.
      if (session !== this.#stateless) void session.close();
    }
  }

  /** Open a session outside the pool, under the same circuit breaker. */
  async #open(options: Opening): Promise<UpstreamChannel> {
    const attempt = this.#enterCircuit();
    try {
      const session = await this.#handshake(options);
      attempt.succeeded();
      return session;
    } catch (error) {
      // Whoever asked gave up, or had no time left: that is no word of the upstream's.
      if (isBreakerFailure(error) && !options.signal?.aborted) attempt.failed();
      else attempt.abandoned();
      throw error;
    }
  }

  async #handshake(opening: Opening): Promise<UpstreamChannel> {
    const { clientInfo } = this.#deps;
    const session = await openChannel(this.#transport, {
      onListChanged: this.#onListChanged,
      ...opening,
      ...this.#openLimits(),
      clientInfo,
    });
    if (!session.isStateful) {
      this.#stateless = this.#statelessOf(session.protocolVersion);
    }
    return session;
  }

  #statelessOf(revision: string): UpstreamChannel | null {
    const peers = { onListChanged: this.#onListChanged };
    return statelessChannel(this.#transport, revision, this.#deps.clientInfo, peers);
  }

  /** The log level that a 2026-07-28 request wants of an upstream where it belongs to the session. */
  #logLevelOf(params: string | undefined, { revision, bound }: UpstreamCall): string | null {
    return revision === MODERN_REVISION && bound === null && "logging" in this.capabilities
      ? logLevelIn(params)
      : null;
  }

  readonly #onListChanged = (method: string) => this.#deps.onListChanged(this.id, method);

  /** @throws {SluiceError} UPSTREAM_CIRCUIT_OPEN */
  #enterCircuit(): Attempt {
    const circuit = this.#circuit();
    const waitMs = circuit.waitMs();
    if (waitMs > 0) throw new SluiceError("UPSTREAM_CIRCUIT_OPEN", { upstream: this.name, waitMs });
    return circuit.enter();
  }

  #circuit(): CircuitBreaker {
    return this.#deps.breakers.of({ url: this.#url, upstreamId: this.id });
  }
}
