// Sessions of clients over streamable HTTP. This folder holds their state and their ids; transports are in `http` and `duplex`.
//
// A worker's downstream sessions: opened by `initialize`, found by their sealed id, ended by DELETE or idleness.
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
  /** Called when state changed that outlives the worker. */
  readonly persist: (session: DownstreamSession) => Promise<void>;
}

export class DownstreamSession {
  readonly bound: BoundSessions;
  /** The events that were sent to the client. */
  readonly log = new EventLog();
  /** Requests of upstreams to the client. */
  readonly questions: ClientQuestions;
  /** Calls under way, by JSON-RPC id as text, for `notifications/cancelled`. */
  readonly calls = new Map<string, Cancellation>();
  /** The stream of messages that belong to no call; GETs carry it. */
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
    // The record that the state was made from may name upstreams that keep nothing any more.
    const { attachedTo: _before, ...state } = this.#state;
    return {
      ...state,
      wishes: preferences,
      ...(upstreamIds.length === 0 ? {} : { attachedTo: upstreamIds }),
    };
  }

  /** Does a GET carry the stream of messages that belong to no call? */
  get isCarried(): boolean {
    return this.#common.isCarried;
  }

  /** Messages between two GET streams wait for the next one. */
  get isListening(): boolean {
    return this.bound.client.hasListened;
  }

  /** Sends a message that belongs to no call, on one stream only (2025-11-25, transports, "Multiple Connections"). */
  notify(message: string): void {
    this.#common.send(message);
  }

  /**
   * Opens a stream for messages that belong to no call, or for the rest of a lost stream.
   * @param lastEventId the Last-Event-ID header
   * @param jti id of the request's token
   * @throws {SluiceError} INVALID_REQUEST for an unknown or dropped event
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

  /** Keeps a finished stream for a while, for a client that lost it. */
  forgetLater(stream: LoggedStream): void {
    this.#afterWindow(() => this.log.forget(stream));
  }

  /** Runs `then` unless the client resumes the stream in time. */
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

  /** Ends the GET streams: clients open them again, perhaps at another worker. Streams of calls go on. */
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

/** A session without its open connections, as plain data. */
export type SessionIdentity = Pick<DownstreamSession, "id" | "name" | "owner" | "state">;

export interface SessionsOptions {
  readonly ids: SessionIds;
  /** Records of sessions, which outlive the worker (CACHE_TYPE). */
  readonly records: Pick<Cache, "put" | "get" | "delete">;
  readonly clock: Clock;
  /** This worker's place; ids of new sessions name it. */
  readonly place: WorkerPlace;
  /** An unused session ends after this time (SESSION_TTL). */
  readonly idleMs: number;
  /** How long a client may take to answer a request of an upstream's (MCP_CLIENT_REQUEST_TIMEOUT). */
  readonly clientRequestTimeoutMs: number;
  /** After a lost stream its call goes on for this time, and its result is kept for this time (STREAM_RESUME_WINDOW). */
  readonly resumeWindowMs: number;
  readonly taskIds: TaskIds;
}

/** A session id expires after this time even in use, so that a stolen one does not work for ever. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000;

export class DownstreamSessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, DownstreamSession>();
  /** Sessions handed over to the successor, by name. They end with this worker. */
  readonly #released = new Map<string, DownstreamSession>();
  /** Sessions whose records are being deleted. */
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
   * Finds a session of this worker. The session of a dead worker is taken over from its record.
   * @param claims of the opened id; the caller is checked here
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
    // Checked first: another caller, or another endpoint, must not restore a session.
    const isOwn = known === undefined ? isBoundTo(claims, owner) : isSameOwner(known.owner, owner);
    const session = isOwn ? known ?? await this.#restore(id, claims, owner) : null;
    if (session === null) throw new SluiceError("SESSION_NOT_FOUND");
    session.lastUsedAt = this.#options.clock.now();
    return session;
  }

  async end(session: DownstreamSession): Promise<void> {
    this.#ending.add(session);
    try {
      // The record is deleted first: a concurrent request would restore the session from it.
      await this.#options.records.delete(sessionRecordKey(session.name));
      if (this.#isTakenOver(session)) await this.#options.records.delete(ownerRecordKey(session.name));
    } finally {
      this.#ending.delete(session);
    }
    this.#sessions.delete(session.id);
    await session.end();
  }

  /** Writes all records again. The cache is back, perhaps empty. */
  async persist(): Promise<void> {
    // Begun in one turn of the event loop: a session that ends meanwhile deletes its record after it was written.
    await Promise.all([...this.#sessions.values()].map((session) => this.#persist(session)));
  }

  /** Ends idle sessions; called by a timer. */
  async sweep(): Promise<void> {
    const now = this.#options.clock.now();
    const idle: DownstreamSession[] = [];
    for (const session of this.#sessions.values()) {
      // A client that listened for hours and lost its connection gets the full idle time to return.
      if (session.log.carrierCount > 0 || session.calls.size > 0) session.lastUsedAt = now;
      else if (session.lastUsedAt < now - this.#options.idleMs) idle.push(session);
    }
    await Promise.all(idle.map((session) => this.end(session)));
  }

  /** Releases all sessions to the successor. Their streams end, so that clients open them there. */
  release(): DownstreamSession[] {
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of all) {
      session.stopListening();
      this.#released.set(session.name, session);
    }
    return all;
  }

  /** Takes a client's message for a released session: its calls and questions end in this worker. */
  async hear(name: string, text: string, upstreams: Pick<Upstreams, "notify">): Promise<null> {
    const session = this.#released.get(name);
    const message = classify(JSON.parse(text), text);
    if (session !== undefined && message.kind !== "request") await receive(session, message, upstreams);
    return null;
  }

  /** Takes over a session that another worker has released. */
  adopt(identity: SessionIdentity): DownstreamSession {
    return this.#sessions.get(identity.id) ?? this.#remember(this.#make(identity));
  }

  keepStreamsAlive(): void {
    for (const { log } of this.#sessions.values()) log.keepalive();
  }

  endStreams(): void {
    for (const session of this.#sessions.values()) session.stopListening();
  }

  /** Ends the GET streams that these tokens opened. Calls under way are completed. */
  endStreamsOf(revoked: ReadonlySet<string>): void {
    for (const { log } of this.#sessions.values()) {
      log.closeCarriers(({ jti }) => jti !== null && revoked.has(jti));
    }
  }

  /** The worker ends: closes upstream sessions and keeps the records for the successor. */
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
    // A concurrent request may have restored it.
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
    // A call that is still under way must not write the record of a session that has ended or moved.
    if (this.#ending.has(session)) return;
    if (this.#sessions.get(id) !== session && this.#released.get(name) !== session) return;
    const now = clock.now();
    const claims = ids.open(id, now);
    if (claims === null) return;
    const ttlMs = claims.expiresAt * 1000 - now;
    await records.put(sessionRecordKey(name), JSON.stringify(state), ttlMs);
    if (this.#isTakenOver(session)) await records.put(ownerRecordKey(name), String(replica.now), ttlMs);
  }

  /** The session's id names another replica, which is gone. */
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

/** Cache key of the replica number that took the session over from the replica in its id. */
export function ownerRecordKey(name: string): string {
  return `owner:${name}`;
}

function isSameOwner(one: SessionOwner, other: SessionOwner): boolean {
  return one.subject === other.subject && one.issuer === other.issuer && one.serverId === other.serverId;
}
