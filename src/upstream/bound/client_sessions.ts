// The sessions to one upstream that belong to downstream sessions. Each client has sessions of its own.
import type { Caller } from "../../base/sharing/caller.ts";
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import type { BoundSessions, BoundUpstream } from "./bound_sessions.ts";
import {
  deadlineOf,
  listenSoon,
  type SessionTransfer,
  type UpstreamChannel,
} from "../session/upstream_channel.ts";
import type { RpcAnswer } from "../client/client_peer.ts";
import type { ClientState } from "../client/client_state.ts";
import type { HeaderList, UpstreamTransport } from "../transport/transport.ts";
import { type SessionOpener, START_MS } from "./session_opener.ts";
import { inTime } from "../resilience/deadline.ts";
import { endOf, failureInLostSession, type Outcome, type SessionLoss } from "../session/session_loss.ts";
import { UpstreamSession } from "../session/upstream_session.ts";
import type { UpstreamCall } from "./upstream_parts.ts";
import { restorePreferences, tellLogLevel } from "./client_preferences.ts";
import { traced } from "../../telemetry/traces/traced.ts";

export interface ClientSessionsOptions extends BoundUpstream {
  readonly transport: UpstreamTransport;
  readonly opener: SessionOpener;
  /** Whether the upstream supported log levels at its last discovery. */
  readonly hasLogging: () => boolean;
  readonly losses: SessionLoss;
  /** Whether a session of the gateway's own hears of changed lists. Else those of clients stand in for it. */
  readonly isWatched: () => boolean;
  /** Called when a session was found lost, and a new one is in its place. */
  readonly onLost: () => void;
}

export class ClientSessions {
  readonly #options: ClientSessionsOptions;
  /**
   * The key is random, because sessions opened with an old address or old credentials must not be used under the same
   * upstream id.
   */
  readonly #key = crypto.randomUUID();
  readonly #replacements = new WeakMap<UpstreamChannel, Promise<UpstreamChannel | null>>();

  constructor(options: ClientSessionsOptions) {
    this.#options = options;
  }

  /** @throws {SluiceError} UPSTREAM_* */
  async call(
    bound: BoundSessions,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const key = this.#keyFor(passed);
    const session = await this.#sessionFor(call, bound, key, passed);
    let outcome: Outcome;
    try {
      const answer = await session.request(method, params, call, session.isStateful ? undefined : passed);
      if (!answer.failed) return answer;
      outcome = { answer };
    } catch (error) {
      if (isError(error, "UPSTREAM_SESSION_EXPIRED")) {
        await bound.drop(key, session);
        const fresh = await this.#sessionFor(call, bound, key, passed);
        return await fresh.request(method, params, call);
      }
      outcome = { error };
    }
    const { fresh, failure } = await this.#recover(bound, { key, passed, session, call, outcome });
    if (fresh !== null) return await fresh.request(method, params, call);
    return endOf(failure);
  }

  /**
   * Replaces the session of a failed call if the upstream has lost it. The replacement outlives a call that gives up.
   * @returns the session for repeating the call, if it had no effect; else the failure of the call
   */
  async #recover(
    bound: BoundSessions,
    { key, passed, session, call, outcome }: {
      readonly key: string;
      readonly passed: HeaderList;
      readonly session: UpstreamChannel;
      readonly call: UpstreamCall;
      readonly outcome: Outcome;
    },
  ): Promise<{ readonly fresh: UpstreamChannel | null; readonly failure: Outcome }> {
    const { losses, transport: { upstream } } = this.#options;
    const kept = { fresh: null, failure: outcome };
    if (call.signal?.aborted) return kept;
    const recovery = async () => {
      const suspicion = await losses.suspects(session, outcome);
      if (suspicion === null) return kept;
      const fresh = await this.#replacement(bound, key, passed, session, call.caller);
      if (fresh === null) return kept;
      return {
        fresh: suspicion.isUnexecuted ? fresh : null,
        failure: failureInLostSession(outcome, upstream),
      };
    };
    return await inTime(
      deadlineOf(call),
      { upstream, phase: "open a session", signal: call.signal },
      (giveUp) => unlessAborted(recovery(), giveUp),
    ).catch(() => kept);
  }

  /** Calls that lose their session together share its replacement. Null: the session is not lost. Never throws. */
  #replacement(
    bound: BoundSessions,
    key: string,
    passed: HeaderList,
    lost: UpstreamChannel,
    caller: Caller | undefined,
  ): Promise<UpstreamChannel | null> {
    let replacement = this.#replacements.get(lost);
    if (replacement === undefined) {
      replacement = this.#replaceLost(bound, key, passed, lost, caller).catch(() => null);
      this.#replacements.set(lost, replacement);
    }
    return replacement;
  }

  async #replaceLost(
    bound: BoundSessions,
    key: string,
    passed: HeaderList,
    lost: UpstreamChannel,
    caller: Caller | undefined,
  ): Promise<UpstreamChannel | null> {
    const { losses, onLost } = this.#options;
    const fresh = await this.#open(bound, passed, caller).catch((error) => {
      losses.disproved();
      throw error;
    });
    if (!await losses.isProvenBy(fresh, lost)) {
      this.#replacements.delete(lost);
      void fresh.close();
      return null;
    }
    onLost();
    await bound.drop(key, lost);
    void lost.close();
    bound.adopt(key, this.#options, fresh);
    const present = bound.opened(key);
    // The client has ended, or another session has taken the place meanwhile.
    if (present !== fresh) void fresh.close();
    return present ?? null;
  }

  /** Returns the client's session for calls with these headers, if it is open. */
  opened(bound: BoundSessions, passed: HeaderList): UpstreamChannel | undefined {
    const session = bound.opened(this.#keyFor(passed));
    return session?.closed === false && session.isStateful ? session : undefined;
  }

  /** Returns the client's session for calls with these headers, or opens it. @throws {SluiceError} UPSTREAM_* */
  async open(bound: BoundSessions, passed: HeaderList, call: UpstreamCall): Promise<UpstreamChannel> {
    return await this.#sessionFor(call, bound, this.#keyFor(passed), passed);
  }

  /** Returns the client's sessions to this upstream. */
  async of(bound: BoundSessions): Promise<UpstreamChannel[]> {
    const sessions = await Promise.all(bound.to(this.#options).map((opening) => opening.catch(() => null)));
    return sessions.filter((session) => session !== null);
  }

  /** Returns the client's sessions as plain data, for the worker that takes the client over. */
  async transfer(bound: BoundSessions): Promise<SessionTransfer[]> {
    return (await this.of(bound)).flatMap((session) => {
      session.stopListening?.();
      return session.transfer() ?? [];
    });
  }

  /** Resumes a session from the data that `transfer` returned. */
  adopt(bound: BoundSessions, transfer: SessionTransfer): void {
    const { upstreamId, transport } = this.#options;
    const { client } = bound;
    const { passed } = transfer;
    const onExpired = () => this.#replace(bound, passed, session!);
    const onListChanged = (method: string) => this.#listChanged(bound, method, session!);
    const isShared = client.standsFor === "everybody";
    const caller = client.caller();
    const peers = { client: client.peerFor(upstreamId), isShared, onListChanged, onExpired, caller };
    const session = UpstreamSession.resume(transport, transfer, peers);
    if (session === null) return;
    if (this.#isListening(client) || client.standsFor === "caller") session.listen();
    bound.adopt(this.#keyFor(passed), this.#options, session);
  }

  /** Sends the client's log level to its open sessions. Sessions opened later receive it on opening. */
  async tellLogLevel(bound: BoundSessions): Promise<void> {
    const { hasLogging, opener: { limits } } = this.#options;
    if (!hasLogging()) return;
    const sessions = await this.of(bound);
    await Promise.all(sessions.map((session) => tellLogLevel(session, bound.client.logLevel, limits)));
  }

  /**
   * The key includes the pinned headers: a session never serves a call whose headers differ from those it was opened with.
   */
  #keyFor(passed: HeaderList): string {
    return passed.length === 0 ? this.#key : `${this.#key} ${JSON.stringify(passed)}`;
  }

  /**
   * Returns the session, or opens it. A caller that gives up does not stop the opening, because other callers may wait for
   * it.
   */
  #sessionFor(
    call: UpstreamCall,
    bound: BoundSessions,
    key: string,
    passed: HeaderList,
  ): UpstreamChannel | Promise<UpstreamChannel> {
    const opened = bound.opened(key);
    if (opened !== undefined && !opened.closed && opened.isStateful) return opened;
    const open = (signal: CancelSignal) => unlessAborted(this.#session(bound, key, passed, call), signal);
    const { upstream } = this.#options.transport;
    return traced(
      call.trace,
      "open session",
      () => inTime(deadlineOf(call), { upstream, phase: "open a session", signal: call.signal }, open),
    );
  }

  async #session(
    bound: BoundSessions,
    key: string,
    passed: HeaderList,
    call: UpstreamCall,
  ): Promise<UpstreamChannel> {
    const { upstreamId, transport, opener } = this.#options;
    // A new session would lack the client's state without saying so. Therefore the loss is reported once.
    if (bound.client.workerLocal.takeLoss(upstreamId)) {
      throw new SluiceError("UPSTREAM_STATE_LOST", { upstream: transport.upstream });
    }
    const open = () => this.#open(bound, passed, call.caller);
    let session = await bound.get(key, this.#options, open);
    if (session.closed) {
      // The process or socket ended between two calls.
      await bound.drop(key, session);
      session = await bound.get(key, this.#options, open);
    }
    if (session.isStateful) return session;
    // A connection to a stateless upstream is not kept, so that the upstream may start to use sessions later.
    await bound.drop(key, session);
    const shared = opener.without(call.revision);
    if (shared === null) return session;
    void session.close();
    return shared;
  }

  /** Opens a session with the client's capabilities and preferences. This also replaces an expired session. */
  async #open(
    bound: BoundSessions,
    passed: HeaderList,
    caller: Caller | undefined = bound.client.caller(),
  ): Promise<UpstreamChannel> {
    const { upstreamId, transport, opener, hasLogging } = this.#options;
    const { client } = bound;
    // Some servers report changed lists while the session opens.
    const early = new Set<string>();
    let opened: UpstreamChannel | null = null;
    let startedAt = Infinity;
    const session: UpstreamChannel = await opener.open({
      passed,
      onListChanged: (method) =>
        opened === null ? void early.add(method) : this.#listChanged(bound, method, opened, startedAt),
      caller,
      clientCapabilities: client.capabilities,
      client: client.peerFor(upstreamId),
      isShared: client.standsFor === "everybody",
      onExpired: () => this.#replace(bound, passed, session),
    });
    startedAt = Date.now();
    if (!session.isStateful) {
      for (const method of early) opener.onListChanged(method);
      return session;
    }
    try {
      bound.requireReach(upstreamId, transport.upstream);
    } catch (error) {
      void session.close();
      throw error;
    }
    await Promise.all([
      restorePreferences(session, client, { upstreamId, hasLogging: hasLogging(), limits: opener.limits }),
      // A session that cannot move to another worker is recorded, so that the loss can be reported.
      session.transfer() === null ? client.workerLocal.add(upstreamId) : null,
    ]);
    // A caller is asked on the stream of a call, and on the GET stream during its calls.
    if (client.listening || client.standsFor === "caller") await listenSoon(session);
    opened = session;
    bound.lists?.opened(upstreamId, session);
    for (const method of early) this.#listChanged(bound, method, session, startedAt);
    return session;
  }

  /** What a process announces as it starts tells nothing new of the upstream. A client has its own list all the same. */
  #listChanged(bound: BoundSessions, method: string, session: UpstreamChannel, startedAt = 0): void {
    const { upstreamId, transport, opener, isWatched } = this.#options;
    const isStarting = transport.kind === "stdio" && Date.now() < startedAt + START_MS;
    if (!isStarting && (bound.lists === null || !isWatched())) opener.onListChanged(method);
    bound.lists?.changed(upstreamId, method, session);
  }

  /** Replaces a lost session of a client that listens. Such a client may make no call that would discover the loss. */
  async #replace(bound: BoundSessions, passed: HeaderList, lost: UpstreamChannel): Promise<void> {
    if (!this.#isListening(bound.client)) return;
    await bound.drop(this.#keyFor(passed), lost);
    await this.reopen(bound, passed);
  }

  /** Opens a session for a client that listens, so that it receives messages before its next call. Never throws. */
  async reopen(bound: BoundSessions, passed: HeaderList = []): Promise<void> {
    const { upstreamId, isRetired } = this.#options;
    if (!this.#isListening(bound.client) || isRetired() || bound.isBarredFrom(upstreamId)) return;
    // If the replacement fails, the next call opens a session.
    await bound.get(this.#keyFor(passed), this.#options, () => this.#open(bound, passed)).catch(() => {});
  }

  #isListening(client: ClientState): boolean {
    return client.listening || client.subscriptionsTo(this.#options.upstreamId).size > 0;
  }
}
