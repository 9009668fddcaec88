// Sessions of clients over streamable HTTP. This folder holds their state and their ids; transports are in `http` and `duplex`.
//
// A worker's downstream sessions: opened by `initialize`, found by their sealed id, ended by DELETE or idleness.
import { classify } from "../../mcp/json_rpc.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import type { Callers } from "../../auth/callers.ts";
import type { Principal } from "../../auth/principal.ts";
import type { CallerTurns } from "../../base/sharing/caller_turns.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Cache } from "../../cache/cache.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { TaskIds } from "../../proxy/tasks/task_ids.ts";
import { receive } from "../client/client_messages.ts";
import type { OwnListsDeps } from "../client/own_lists.ts";
import type { PersistedSession } from "../client/persisted_session.ts";
import { RESTART_RETRY_MS, RETRY_MS } from "../exchange/event_log.ts";
import type { TokenExpiry } from "../exchange/token_expiry.ts";
import { DownstreamSession } from "./downstream_session.ts";
import { SessionLimits, type SessionLimitsOptions } from "./session_limits.ts";
import {
  isBoundTo,
  ownerOf,
  type SessionClaims,
  type SessionIds,
  type SessionOwner,
  type WorkerPlace,
} from "./session_id.ts";

/** A session without its open connections, as plain data. */
export type SessionIdentity = Pick<DownstreamSession, "id" | "name" | "owner" | "principal" | "state">;

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
  readonly expiry: TokenExpiry;
  readonly limits: SessionLimitsOptions;
  readonly memory: ClientMemory;
  readonly callers: Pick<Callers, "owning">;
  readonly lists: OwnListsDeps;
  /** Records of a caller share the database, or Redis, with others. */
  readonly turns: CallerTurns;
}

/** A session id expires after this time even in use, so that a stolen one does not work for ever. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000;

export class DownstreamSessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, DownstreamSession>();
  readonly #limits: SessionLimits<DownstreamSession>;
  /** Sessions handed over to the successor, by name. They end with this worker. */
  readonly #released = new Map<string, DownstreamSession>();
  /** Sessions whose records are being deleted. */
  readonly #ending = new Set<DownstreamSession>();

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#limits = new SessionLimits(options.limits);
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The upstream sessions of each client. */
  bounds(): BoundSessions[] {
    return [...this.#sessions.values()].map(({ bound }) => bound);
  }

  get streamCount(): number {
    let count = 0;
    for (const { log } of this.#sessions.values()) count += log.carrierCount;
    return count;
  }

  /** @throws {SluiceError} TOO_MANY_SESSIONS, OVERLOADED */
  async open(
    principal: Principal,
    serverId: string | null,
    state: PersistedSession,
  ): Promise<DownstreamSession> {
    const { ids, records, turns, clock, lists, place: { replica, worker } } = this.#options;
    const expiresAt = Math.floor((clock.now() + MAX_AGE_MS) / 1000);
    const owner = ownerOf(principal, serverId);
    this.#makeRoom(owner);
    const id = ids.seal({ replica: replica.now, worker, expiresAt, owner });
    const { name } = ids.open(id, clock.now())!;
    // Counted before the record is written: further sessions may be opened meanwhile.
    const session = this.#remember(this.#make({ id, name, owner, principal, state }));
    session.since = lists.catalog().version;
    try {
      const record = JSON.stringify(state);
      await turns.run(owner, () => records.put(sessionRecordKey(name), record, MAX_AGE_MS), record.length);
    } catch (error) {
      this.#forget(session);
      throw error;
    }
    return session;
  }

  /** The session, if this principal used it last at this endpoint; null: `find` has to check more. */
  inUse(id: string, principal: Principal, serverId: string | null): DownstreamSession | null {
    const known = this.#sessions.get(id);
    if (known === undefined || !isUsedBy(known, principal, serverId)) return null;
    known.lastUsedAt = this.#options.clock.now();
    return known;
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
    const session = await this.#ownedBy(
      ownerOf(principal, serverId),
      this.#sessions.get(id),
      id,
      claims,
    );
    if (session === null) throw new SluiceError("SESSION_NOT_FOUND");
    session.lastUsedAt = this.#options.clock.now();
    return session;
  }

  /** @param why see `DownstreamSession.end()` */
  async end(session: DownstreamSession, why?: Parameters<DownstreamSession["end"]>[0]): Promise<void> {
    this.#ending.add(session);
    try {
      // The record is deleted first: a concurrent request would restore the session from it.
      const { records, turns } = this.#options;
      await turns.run(session.owner, async () => {
        await records.delete(sessionRecordKey(session.name));
        if (this.#isTakenOver(session)) await records.delete(ownerRecordKey(session.name));
      });
    } finally {
      this.#ending.delete(session);
    }
    this.#forget(session);
    await session.end(why);
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
      if (session.isBusy) session.lastUsedAt = now;
      else if (session.lastUsedAt < now - this.#options.idleMs) idle.push(session);
    }
    await Promise.all(idle.map((session) => this.end(session)));
  }

  /** Applies a new catalog to all sessions. Those whose endpoint is gone end, after their calls have been answered. */
  review(catalog: Catalog, upstreams: Pick<Upstreams, "review">): void {
    const { clock } = this.#options;
    for (const session of this.#sessions.values()) {
      if (!session.review(catalog, upstreams)) clock.setTimeout(() => this.#endSoon(session), 0);
    }
    // Their records belong to the successor.
    for (const session of this.#released.values()) {
      if (!session.review(catalog, upstreams)) clock.setTimeout(() => void session.end(), 0);
    }
  }

  /** Releases all sessions to the successor. Their streams end, so that clients open them there. */
  release(): DownstreamSession[] {
    const all = [...this.#sessions.values()];
    for (const session of all) {
      this.#forget(session);
      session.stopListening(RETRY_MS);
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

  /** A session of this caller that was handed over. @throws {SluiceError} SESSION_NOT_FOUND */
  released({ name }: SessionClaims, principal: Principal, serverId: string | null): DownstreamSession {
    const session = this.#released.get(name);
    if (session === undefined || !isSameOwner(session.owner, ownerOf(principal, serverId))) {
      throw new SluiceError("SESSION_NOT_FOUND");
    }
    return session;
  }

  /** A client of a session that was handed over polls for the rest of a call. */
  get awaitsPoll(): boolean {
    for (const { log } of this.#released.values()) if (log.awaitsPoll) return true;
    return false;
  }

  /** Takes over a session that another worker has released. */
  adopt(identity: SessionIdentity): DownstreamSession {
    return this.#sessions.get(identity.id) ?? this.#remember(this.#make(identity));
  }

  keepStreamsAlive(): void {
    for (const { log } of this.#sessions.values()) log.keepalive();
  }

  /** The gateway stops, and has no other worker for these sessions. */
  endStreams(): void {
    for (const session of this.#sessions.values()) session.stopListening(RESTART_RETRY_MS);
  }

  /** Ends the GET streams of these callers. Calls under way are completed. */
  endStreamsOf(hasLapsed: (principal: Principal) => boolean): void {
    for (const { log } of this.#sessions.values()) {
      log.closeCarriers(({ opener }) => opener !== null && hasLapsed(opener));
    }
  }

  /** The worker ends: closes upstream sessions and keeps the records for the successor. */
  async close(): Promise<void> {
    const all = [...this.#sessions.values()];
    for (const session of all) this.#forget(session);
    await Promise.all(all.map((session) => session.end()));
  }

  *[Symbol.iterator](): IterableIterator<DownstreamSession> {
    yield* this.#sessions.values();
  }

  async #ownedBy(
    owner: SessionOwner,
    known: DownstreamSession | undefined,
    id: string,
    claims: SessionClaims,
  ): Promise<DownstreamSession | null> {
    // Checked first: another caller, or another endpoint, must not restore a session.
    const isOwn = known === undefined ? isBoundTo(claims, owner) : isSameOwner(known.owner, owner);
    return isOwn ? known ?? await this.#restore(id, claims, owner) : null;
  }

  async #restore(
    id: string,
    { name }: SessionClaims,
    owner: SessionOwner,
  ): Promise<DownstreamSession | null> {
    const { records, turns } = this.#options;
    const record = await turns.run(owner, () => records.get(sessionRecordKey(name)));
    if (record === null) return null;
    // A concurrent request may have restored it.
    const restored = this.#sessions.get(id);
    if (restored !== undefined) return restored;
    this.#makeRoom(owner);
    return this.#remember(this.#make({ id, name, owner, principal: null, state: JSON.parse(record) }));
  }

  #make({ id, name, owner, principal, state }: SessionIdentity): DownstreamSession {
    const { clock, clientRequestTimeoutMs, resumeWindowMs, taskIds, expiry, memory, lists, callers } =
      this.#options;
    const session = new DownstreamSession(id, name, owner, state, clock.now(), {
      clock,
      clientRequestTimeoutMs,
      resumeWindowMs,
      taskIds,
      expiry,
      memory,
      callers,
      lists,
      onShed: (ended) => this.#endSoon(ended),
      persist: (session) => this.#persist(session),
    });
    session.principal = principal;
    return session;
  }

  async #persist(session: DownstreamSession): Promise<number> {
    const { ids, records, turns, clock, place: { replica } } = this.#options;
    const { id, name, state } = session;
    // A call that is still under way must not write the record of a session that has ended or moved.
    if (this.#ending.has(session)) return 0;
    if (this.#sessions.get(id) !== session && this.#released.get(name) !== session) return 0;
    const now = clock.now();
    const claims = ids.open(id, now);
    if (claims === null) return 0;
    const ttlMs = claims.expiresAt * 1000 - now;
    const record = JSON.stringify(state);
    await turns.run(session.owner, async () => {
      await records.put(sessionRecordKey(name), record, ttlMs);
      if (this.#isTakenOver(session)) await records.put(ownerRecordKey(name), String(replica.now), ttlMs);
    }, record.length);
    return record.length;
  }

  /** The session's id names another replica, which is gone. */
  #isTakenOver({ id }: DownstreamSession): boolean {
    const { ids, clock, place } = this.#options;
    const claims = ids.open(id, clock.now());
    return claims !== null && claims.replica !== place.replica.now;
  }

  /** @throws {SluiceError} TOO_MANY_SESSIONS, OVERLOADED */
  #makeRoom(owner: SessionOwner): void {
    for (const session of this.#limits.makeRoom(owner)) this.#endSoon(session);
  }

  /** Nobody waits for the end. If the record cannot be deleted, it expires. */
  #endSoon(session: DownstreamSession): void {
    this.end(session).catch(() => {
      this.#forget(session);
      return session.end();
    }).catch(() => {});
  }

  #remember(session: DownstreamSession): DownstreamSession {
    this.#sessions.set(session.id, session);
    this.#limits.add(session);
    return session;
  }

  #forget(session: DownstreamSession): void {
    this.#sessions.delete(session.id);
    this.#limits.delete(session);
  }
}

export function sessionRecordKey(name: string): string {
  return `session:${name}`;
}

/** Cache key of the replica number that took the session over from the replica in its id. */
export function ownerRecordKey(name: string): string {
  return `owner:${name}`;
}

/** Did the same principal use the session last, at the same endpoint? Then its owner need not be compared. */
function isUsedBy(
  { principal: last, owner }: DownstreamSession,
  principal: Principal,
  serverId: string | null,
): boolean {
  return last === principal && owner.serverId === (serverId ?? principal.serverId);
}

function isSameOwner(one: SessionOwner, other: SessionOwner): boolean {
  return one.subject === other.subject && one.issuer === other.issuer && one.reach === other.reach &&
    one.serverId === other.serverId;
}
