// One session of a client: its streams, its calls under way, the requests of upstreams to it, and its own upstream sessions.
import type { Callers } from "../../auth/callers.ts";
import type { Principal } from "../../auth/principal.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { barrierTo, reachedScope } from "../../catalog/snapshot/reach.ts";
import { cutsOff } from "../../upstream/bound/barrier.ts";
import type { SessionRevision } from "../../mcp/revisions.ts";
import type { TaskIds } from "../../proxy/tasks/task_ids.ts";
import { TaskRelay } from "../../proxy/tasks/task_relay.ts";
import { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { ClientPeer } from "../../upstream/client/client_peer.ts";
import { ClientState } from "../../upstream/client/client_state.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import type { PersistedSession } from "../client/persisted_session.ts";
import { ClientQuestions } from "../client/client_questions.ts";
import { RunningCalls } from "../client/running_calls.ts";
import { EventLog, type LoggedStream, PRIMED_SINCE } from "../exchange/event_log.ts";
import { EventStream } from "../exchange/event_stream.ts";
import type { TokenExpiry } from "../exchange/token_expiry.ts";
import { RecordWrites } from "./record_writes.ts";
import type { ListListener } from "../client/list_changes.ts";
import { OwnLists, type OwnListsDeps } from "../client/own_lists.ts";
import type { CountedSession } from "./session_limits.ts";
import type { SessionOwner } from "./session_id.ts";

export interface SessionParts {
  readonly clock: Clock;
  /** MCP_CLIENT_REQUEST_TIMEOUT */
  readonly clientRequestTimeoutMs: number;
  /** STREAM_RESUME_WINDOW */
  readonly resumeWindowMs: number;
  readonly taskIds: TaskIds;
  readonly expiry: TokenExpiry;
  readonly memory: ClientMemory;
  readonly callers: Pick<Callers, "owning">;
  readonly lists: OwnListsDeps;
  /** Ends the session because memory is short. */
  readonly onShed: (session: DownstreamSession) => void;
  /** Writes the state that outlives the worker. Resolves with the characters written. */
  readonly persist: (session: DownstreamSession) => Promise<number>;
}

/** What a session without any state takes, measured: 1.3 kB. */
const BASE_CHARS = 1_300;

export class DownstreamSession implements CountedSession, ListListener {
  readonly bound: BoundSessions;
  /** What the client's upstream sessions list in place of the catalog. */
  readonly lists: OwnLists;
  /** The events that were sent to the client. */
  readonly log: EventLog;
  /** Requests of upstreams to the client. */
  readonly questions: ClientQuestions;
  readonly calls = new RunningCalls();
  /** The caller of the last request; null before the first one in this worker. */
  principal: Principal | null = null;
  since: string | null = null;
  /** The stream of messages that belong to no call; GETs carry it. */
  readonly #common: LoggedStream;
  readonly #timers = new Set<number>();
  readonly #clock: Clock;
  readonly #resumeWindowMs: number;
  readonly #expiry: TokenExpiry;
  readonly #memory: ClientMemory;
  readonly #state: PersistedSession;
  /** Clients find the session elsewhere from now on. */
  #isLeaving = false;

  constructor(
    readonly id: string,
    readonly name: string,
    readonly owner: SessionOwner,
    state: PersistedSession,
    public lastUsedAt: number,
    parts: SessionParts,
  ) {
    const { clock, clientRequestTimeoutMs, resumeWindowMs, taskIds, expiry, memory, onShed, persist } = parts;
    this.#expiry = expiry;
    this.#memory = memory;
    this.log = new EventLog(memory, owner);
    this.#common = this.log.open();
    this.#resumeWindowMs = resumeWindowMs;
    this.#state = state;
    this.#clock = clock;
    this.questions = new ClientQuestions(clock, clientRequestTimeoutMs);
    const kept = memory.hold(owner, { end: () => onShed(this) });
    kept.grow(BASE_CHARS + (JSON.stringify(state.clientInfo)?.length ?? 0));
    const writes = new RecordWrites(clock, () => persist(this));
    this.bound = new BoundSessions(
      new ClientState({
        capabilities: state.clientCapabilities,
        preferences: state.wishes,
        workerLocalBefore: state.attachedTo,
        peer: this.#peer(null),
        caller: () => parts.callers.owning(owner),
        memory: kept,
        tasks: (client) => new TaskRelay(taskIds, { ...owner, isSessionless: false }, client),
        onChange: () => writes.changed(),
      }),
    );
    this.lists = new OwnLists(parts.lists, this, this.bound, owner);
  }

  get serverId(): string | null {
    return this.owner.serverId;
  }

  get revision(): SessionRevision {
    return this.#state.revision;
  }

  /**
   * Closes what leads to upstreams that the caller may not use.
   * @returns false if the caller may not use the endpoint: everything is closed, and the session must end
   */
  review(catalog: Catalog, upstreams: Pick<Upstreams, "review">): boolean {
    const barrier = (upstreamId: string) => barrierTo(catalog, this, upstreamId);
    upstreams.review(this.bound, barrier);
    this.log.forgetOf((upstreamId) => cutsOff(barrier(upstreamId)));
    this.lists.review(catalog);
    return reachedScope(catalog, this) !== null;
  }

  get state(): PersistedSession {
    const { preferences, workerLocal } = this.bound.client;
    const { upstreamIds } = workerLocal;
    // The record that the state was made from may name upstreams that keep nothing any more.
    const { attachedTo: _before, ...state } = this.#state;
    return {
      ...state,
      wishes: preferences,
      ...(upstreamIds.length === 0 ? {} : { attachedTo: upstreamIds }),
    };
  }

  get isBusy(): boolean {
    return this.calls.size > 0 || this.log.carrierCount > 0;
  }

  /** Does a GET carry the stream of messages that belong to no call? */
  get isCarried(): boolean {
    return this.#common.isCarried;
  }

  /** Messages between two GET streams wait for the next one. */
  get isListening(): boolean {
    return this.bound.client.hasListened;
  }

  hears(): boolean {
    return this.isListening;
  }

  follows(catalog: Catalog): boolean {
    return this.lists.follow(catalog);
  }

  /** Sends a message that belongs to no call, on one stream only (2025-11-25, transports, "Multiple Connections"). */
  notify(message: string): void {
    this.#common.send(message);
  }

  /**
   * Opens a stream for messages that belong to no call, or for the rest of a lost stream. It ends when the token expires.
   * @param lastEventId the Last-Event-ID header
   * @param principal of the request
   * @throws {SluiceError} INVALID_REQUEST for an unknown or dropped event
   */
  listen(lastEventId: string | null, principal: Principal): EventStream {
    const found = lastEventId === null ? { stream: this.#common, seq: null } : this.log.find(lastEventId);
    if (found === null) {
      throw new SluiceError("INVALID_REQUEST", { reason: "the Last-Event-ID is unknown or too old" });
    }
    const { stream, seq } = found;
    const carrier = new EventStream(this.#memory.hold(this.owner), () => {
      unwatch();
      stream.drop(carrier);
    }, principal);
    const unwatch = this.#expiry.watch(principal, () => carrier.close());
    stream.carryOn(carrier, seq);
    return carrier;
  }

  /** Is there such an event, of a stream of this worker? */
  knows(lastEventId: string | null): boolean {
    return lastEventId === null || this.log.find(lastEventId) !== null;
  }

  /** Does this Last-Event-ID belong to a call that the client has cancelled? Nothing will follow. */
  isWithdrawn(lastEventId: string | null): boolean {
    return lastEventId !== null && this.log.find(lastEventId)?.stream.isWithdrawn === true;
  }

  /** Keeps a finished stream for a while, for a client that lost it. */
  forgetLater(stream: LoggedStream): void {
    this.#afterWindow(() => this.log.forget(stream));
  }

  /** Runs `then` unless the client resumes the stream in time. */
  ifStillLost(stream: LoggedStream, then: () => void): void {
    const { losses } = stream;
    this.#afterWindow(() => {
      if (stream.losses === losses && !stream.isCarried && !stream.ended) then();
    });
  }

  /** May the stream of a call end, so that the client polls after `retryMs`? Half the window is left for its way back. */
  mayPoll(retryMs: number): boolean {
    return this.revision >= PRIMED_SINCE && !this.#isLeaving && 2 * retryMs <= this.#resumeWindowMs;
  }

  /** @param why the calls under way fail. One that the client itself has cancelled gets no response */
  async end(why: "SESSION_NOT_FOUND" | "REQUEST_CANCELLED" = "SESSION_NOT_FOUND"): Promise<void> {
    this.calls.cancelAll(() => new SluiceError(why));
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    this.log.close();
    await this.bound.end();
  }

  /**
   * Ends the GET streams: clients open them again, perhaps at another worker. Streams of calls go on.
   * @param retryMs their pause before that (2025-11-25, transports, "Sending Messages to the Server")
   */
  stopListening(retryMs: number): void {
    this.#isLeaving = true;
    if (this.revision >= PRIMED_SINCE) this.#common.suspendCarriers(retryMs);
    else this.#common.closeCarriers();
  }

  /** The client outside calls, for the messages of one upstream; null: of any. */
  #peer(upstreamId: string | null): ClientPeer {
    const send = (text: string, isOurs?: true) => this.#common.send(text, isOurs ? null : upstreamId);
    return {
      notify: (text) => send(text),
      request: (method, params, asking) => this.questions.ask(method, params, { ...asking, send }),
      from: (id) => this.#peer(id),
    };
  }

  #afterWindow(run: () => void): void {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, this.#resumeWindowMs);
    this.#timers.add(timer);
  }
}
