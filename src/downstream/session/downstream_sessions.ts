// The downstream sessions that this worker owns: opened by `initialize`, found by their sealed id, ended by DELETE or idleness.
import { classify } from "../../mcp/json_rpc.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import type { Cancellation } from "../../base/cancellation.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Cache } from "../../cache/cache.ts";
import type { SessionRevision } from "../../mcp/revisions.ts";
import type { TaskIds } from "../../proxy/tasks/task_ids.ts";
import { TaskRelay } from "../../proxy/tasks/task_relay.ts";
import { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import { ClientState } from "../../upstream/client/client_state.ts";
import { receive } from "../client/client_messages.ts";
import type { PersistedSession } from "../client/persisted_session.ts";
import { ClientQuestions } from "../client/client_questions.ts";
import { EventLog, type LoggedStream } from "../exchange/event_log.ts";
import { EventStream } from "../exchange/event_stream.ts";
import {
  isBoundTo,
  ownerOf,
  type SessionClaims,
  type SessionIds,
  type SessionOwner,
  type WorkerPlace,
} from "./session_id.ts";

export interface SessionParts {
  readonly clock: Clock;
  /** MCP_CLIENT_REQUEST_TIMEOUT */
  readonly clientRequestTimeoutMs: number;
  /** STREAM_RESUME_WINDOW */
  readonly resumeWindowMs: number;
  readonly taskIds: TaskIds;
  /** What outlives the worker has changed. */
  readonly persist: (session: DownstreamSession) => Promise<void>;
}

export class DownstreamSession {
  readonly bound: BoundSessions;
  /** Everything that goes out on event streams. */
  readonly log = new EventLog();
  /** What upstreams ask the client. */
  readonly questions: ClientQuestions;
  /** Calls under way, by JSON-RPC id as text, for `notifications/cancelled`. */
  readonly calls = new Map<string, Cancellation>();
  /** The stream for what belongs to no call, carried by GETs. */
  readonly #common = this.log.open();
  readonly #timers = new Set<number>();
  readonly #clock: Clock;
  readonly #resumeWindowMs: number;
  readonly #state: PersistedSession;

  constructor(
    readonly id: string,
    readonly name: string,
    readonly owner: SessionOwner,
    state: PersistedSession,
    public lastUsedAt: number,
    { clock, clientRequestTimeoutMs, resumeWindowMs, taskIds, persist }: SessionParts,
  ) {
    this.#resumeWindowMs = resumeWindowMs;
    this.#state = state;
    this.#clock = clock;
    this.questions = new ClientQuestions(clock, clientRequestTimeoutMs);
    this.bound = new BoundSessions(
      new ClientState({
        capabilities: state.clientCapabilities,
        preferences: state.wishes,
        workerLocalBefore: state.attachedTo,
        peer: {
          notify: (text) => this.notify(text),
          request: (method, params, asking) =>
            this.questions.ask(method, params, { ...asking, send: (text) => this.notify(text) }),
        },
        tasks: (client) => new TaskRelay(taskIds, { ...owner, isSessionless: false }, client),
        onChange: () => persist(this),
      }),
    );
  }

  get serverId(): string | null {
    return this.owner.serverId;
  }

  get revision(): SessionRevision {
    return this.#state.revision;
  }

  get state(): PersistedSession {
    const { preferences, workerLocal } = this.bound.client;
    const { upstreamIds } = workerLocal;
    // What the state was made from may name upstreams that are attached no more.
    const { attachedTo: _before, ...state } = this.#state;
    return {
      ...state,
      wishes: preferences,
      ...(upstreamIds.length === 0 ? {} : { attachedTo: upstreamIds }),
    };
  }

  /** Is there a stream for what belongs to no call? */
  get isCarried(): boolean {
    return this.#common.isCarried;
  }

  /** What it is told between two streams waits for the next one. */
  get isListening(): boolean {
    return this.bound.client.hasListened;
  }

  /** Send a message that belongs to no call: on one stream, as the spec wants it. */
  notify(message: string): void {
    this.#common.send(message);
  }

  /**
   * A stream for what belongs to no call, or for the rest of a stream that was lost.
   * @param lastEventId the Last-Event-ID header
   * @param jti of the token that the request came with
   * @throws {SluiceError} INVALID_REQUEST for an event that is not known (any more)
   */
  listen(lastEventId: string | null, jti: string | null = null): EventStream {
    const found = lastEventId === null ? { stream: this.#common, seq: null } : this.log.find(lastEventId);
    if (found === null) {
      throw new SluiceError("INVALID_REQUEST", { reason: "the Last-Event-ID is unknown or too old" });
    }
    const { stream, seq } = found;
    const carrier = new EventStream(() => stream.drop(carrier), jti);
    stream.carryOn(carrier, seq);
    return carrier;
  }

  /** A finished stream is kept for a client that has lost it. */
  forgetLater(stream: LoggedStream): void {
    this.#afterWindow(() => this.log.forget(stream));
  }

  /** Runs `then` unless somebody has come for the stream in time. */
  ifStillLost(stream: LoggedStream, then: () => void): void {
    this.#afterWindow(() => {
      if (!stream.isCarried && !stream.ended) then();
    });
  }

  async end(): Promise<void> {
    for (const call of this.calls.values()) call.cancel(new SluiceError("SESSION_NOT_FOUND"));
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    this.log.closeCarriers();
    await this.bound.end();
  }

  /** Whoever listens comes back, perhaps to another worker. Calls keep their streams to the end. */
  stopListening(): void {
    this.#common.closeCarriers();
  }

  #afterWindow(run: () => void): void {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, this.#resumeWindowMs);
    this.#timers.add(timer);
  }
}

/** What a session is, less what it holds open. Plain data. */
export type SessionIdentity = Pick<DownstreamSession, "id" | "name" | "owner" | "state">;

export interface SessionsOptions {
  readonly ids: SessionIds;
  /** Where sessions are kept for the time after their worker (CACHE_TYPE). */
  readonly records: Pick<Cache, "put" | "get" | "delete">;
  readonly clock: Clock;
  /** This worker; new sessions name it. */
  readonly place: WorkerPlace;
  /** A session that nobody uses for so long ends (SESSION_TTL). */
  readonly idleMs: number;
  /** How long a client may take to answer a request of an upstream's (MCP_CLIENT_REQUEST_TIMEOUT). */
  readonly clientRequestTimeoutMs: number;
  /** So long a call goes on whose client has lost its stream, and so long its end is kept (STREAM_RESUME_WINDOW). */
  readonly resumeWindowMs: number;
  readonly taskIds: TaskIds;
}

/** However busy, a session's id is worth nothing after this: a stolen one does not live for ever. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000;

export class DownstreamSessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, DownstreamSession>();
  /** Given away, by name. This worker is about to end, and they with it. */
  readonly #released = new Map<string, DownstreamSession>();
  /** Their records are being deleted. */
  readonly #ending = new Set<DownstreamSession>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get streamCount(): number {
    let count = 0;
    for (const { log } of this.#sessions.values()) count += log.carrierCount;
    return count;
  }

  async open(
    principal: Principal,
    serverId: string | null,
    state: PersistedSession,
  ): Promise<DownstreamSession> {
    const { ids, records, clock, place: { replica, worker } } = this.#options;
    const expiresAt = Math.floor((clock.now() + MAX_AGE_MS) / 1000);
    const owner = ownerOf(principal, serverId);
    const id = ids.seal({ replica: replica.now, worker, expiresAt, owner });
    const { name } = ids.open(id, clock.now())!;
    await records.put(sessionRecordKey(name), JSON.stringify(state), MAX_AGE_MS);
    return this.#remember(this.#make({ id, name, owner, state }));
  }

  /**
   * A session of this worker; one whose worker died is taken over from its record.
   * @param claims of the opened id, which is checked against the caller here
   * @throws {SluiceError} SESSION_NOT_FOUND
   */
  async find(
    id: string,
    claims: SessionClaims,
    principal: Principal,
    serverId: string | null,
  ): Promise<DownstreamSession> {
    const owner = ownerOf(principal, serverId);
    const known = this.#sessions.get(id);
    // Compared before anything else: a stranger must not bring a session back to life at an address that is not its own.
    const isOwn = known === undefined ? isBoundTo(claims, owner) : isSameOwner(known.owner, owner);
    const session = isOwn ? known ?? await this.#restore(id, claims, owner) : null;
    if (session === null) throw new SluiceError("SESSION_NOT_FOUND");
    session.lastUsedAt = this.#options.clock.now();
    return session;
  }

  async end(session: DownstreamSession): Promise<void> {
    this.#ending.add(session);
    try {
      // The record goes first: a request that comes meanwhile would bring the session back from it.
      await this.#options.records.delete(sessionRecordKey(session.name));
      if (this.#isTakenOver(session)) await this.#options.records.delete(ownerRecordKey(session.name));
    } finally {
      this.#ending.delete(session);
    }
    this.#sessions.delete(session.id);
    await session.end();
  }

  /** Write every session's record again: what keeps them has come back, perhaps without them. */
  async persist(): Promise<void> {
    // All in one turn: a session that ends meanwhile has its record deleted after it was written, not before.
    await Promise.all([...this.#sessions.values()].map((session) => this.#persist(session)));
  }

  /** End what has been idle for too long; called by a timer. */
  async sweep(): Promise<void> {
    const now = this.#options.clock.now();
    const idle: DownstreamSession[] = [];
    for (const session of this.#sessions.values()) {
      // Who has listened for hours and loses the connection has the whole time again to come back.
      if (session.log.carrierCount > 0 || session.calls.size > 0) session.lastUsedAt = now;
      else if (session.lastUsedAt < now - this.#options.idleMs) idle.push(session);
    }
    await Promise.all(idle.map((session) => this.end(session)));
  }

  /** Give all sessions away: they live on in another worker. Their streams end, so that clients open them there. */
  release(): DownstreamSession[] {
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of all) {
      session.stopListening();
      this.#released.set(session.name, session);
    }
    return all;
  }

  /** A client's message about a call or a question of a session that was given away meanwhile: they end here. */
  async hear(name: string, text: string, upstreams: Pick<Upstreams, "notify">): Promise<null> {
    const session = this.#released.get(name);
    const message = classify(JSON.parse(text), text);
    if (session !== undefined && message.kind !== "request") await receive(session, message, upstreams);
    return null;
  }

  /** Take in a session that another worker has released. */
  adopt(identity: SessionIdentity): DownstreamSession {
    return this.#sessions.get(identity.id) ?? this.#remember(this.#make(identity));
  }

  keepStreamsAlive(): void {
    for (const { log } of this.#sessions.values()) log.keepalive();
  }

  endStreams(): void {
    for (const session of this.#sessions.values()) session.stopListening();
  }

  /** End the streams that tokens with these ids have opened by GET. A call under way is answered to its end. */
  endStreamsOf(revoked: ReadonlySet<string>): void {
    for (const { log } of this.#sessions.values()) {
      log.closeCarriers(({ jti }) => jti !== null && revoked.has(jti));
    }
  }

  /** The worker ends: upstream sessions are closed, records stay for the successor. */
  async close(): Promise<void> {
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(all.map((session) => session.end()));
  }

  *[Symbol.iterator](): IterableIterator<DownstreamSession> {
    yield* this.#sessions.values();
  }

  async #restore(
    id: string,
    { name }: SessionClaims,
    owner: SessionOwner,
  ): Promise<DownstreamSession | null> {
    const { records } = this.#options;
    const record = await records.get(sessionRecordKey(name));
    if (record === null) return null;
    // Another request may have restored it meanwhile.
    return this.#sessions.get(id) ??
      this.#remember(this.#make({ id, name, owner, state: JSON.parse(record) }));
  }

  #make({ id, name, owner, state }: SessionIdentity): DownstreamSession {
    const { clock, clientRequestTimeoutMs, resumeWindowMs, taskIds } = this.#options;
    return new DownstreamSession(id, name, owner, state, clock.now(), {
      clock,
      clientRequestTimeoutMs,
      resumeWindowMs,
      taskIds,
      persist: (session) => this.#persist(session),
    });
  }

  async #persist(session: DownstreamSession): Promise<void> {
    const { ids, records, clock, place: { replica } } = this.#options;
    const { id, name, state } = session;
    // A call that is still under way must not bring back the record of a session that has ended, or is another's.
    if (this.#ending.has(session)) return;
    if (this.#sessions.get(id) !== session && this.#released.get(name) !== session) return;
    const now = clock.now();
    const claims = ids.open(id, now);
    if (claims === null) return;
    const ttlMs = claims.expiresAt * 1000 - now;
    await records.put(sessionRecordKey(name), JSON.stringify(state), ttlMs);
    if (this.#isTakenOver(session)) await records.put(ownerRecordKey(name), String(replica.now), ttlMs);
  }

  /** Its id names another replica, which is gone. */
  #isTakenOver({ id }: DownstreamSession): boolean {
    const { ids, clock, place } = this.#options;
    const claims = ids.open(id, clock.now());
    return claims !== null && claims.replica !== place.replica.now;
  }

  #remember(session: DownstreamSession): DownstreamSession {
    this.#sessions.set(session.id, session);
    return session;
  }
}

export function sessionRecordKey(name: string): string {
  return `session:${name}`;
}

/** Holds the number of the replica that took the session over from the one that its id names. */
export function ownerRecordKey(name: string): string {
  return `owner:${name}`;
}

function isSameOwner(one: SessionOwner, other: SessionOwner): boolean {
  return one.subject === other.subject && one.issuer === other.issuer && one.serverId === other.serverId;
}
