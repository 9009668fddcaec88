// Room `bound`: upstream sessions that belong to one downstream session. `ClientSessions` is the way in for calls.
// This file holds them: one session per upstream and set of pinned headers, never shared between clients
// (https://github.com/IBM/mcp-context-forge/issues/4205).
import { BoundedMap } from "../../base/bounded_map.ts";
import { SluiceError } from "../../base/errors.ts";
import type { UpstreamChannel } from "../session/upstream_channel.ts";
import { ClientState } from "../client/client_state.ts";
import { type Barrier, cutsOff, refusedBy } from "./barrier.ts";
import type { ResourceStream } from "./resource_stream.ts";

/** Limit per client. The oldest session is closed when a client exceeds it. */
const MAX_SESSIONS = 256;

/** The upstream that a session leads to. A changed upstream is another object with the same id. */
export interface BoundUpstream {
  readonly upstreamId: string;
  /** Whether the upstream was changed, disabled or deleted since. */
  readonly isRetired: () => boolean;
}

/** Follows what a client's own sessions list. */
export interface OwnListsWatch {
  /** A session has reported changed lists; `method` is the notification's method. */
  changed(upstreamId: string, method: string, session: UpstreamChannel): void;
  /** A session was opened, perhaps in place of one that was lost. */
  opened(upstreamId: string, session: UpstreamChannel): void;
  /** The client has ended. */
  end(): void;
}

interface BoundSession {
  readonly upstream: BoundUpstream;
  readonly opening: Promise<UpstreamChannel>;
  opened: UpstreamChannel | undefined;
}

export class BoundSessions {
  readonly #sessions = new BoundedMap<string, BoundSession>({
    maxEntries: MAX_SESSIONS,
    onEvict: ({ opening }) => void opening.then((session) => session.close(), () => {}),
  });
  /** Resource streams to upstreams without sessions, by upstream id. */
  readonly #streams = new Map<string, ResourceStream>();
  /** Closes the processes and sockets of this client at upstreams without sessions, by upstream id. */
  readonly #releases = new Map<string, () => void>();
  /** Upstreams that a review has closed and that are not open again. */
  readonly #closed = new Set<string>();
  /** Null: what these sessions report of lists concerns everybody. */
  lists: OwnListsWatch | null = null;
  #barrierTo: (upstreamId: string) => Barrier | null = () => null;
  #tenant: string | undefined;
  #ended = false;

  /** @param client owner of these sessions */
  constructor(readonly client: ClientState = new ClientState()) {}

  get size(): number {
    return this.#sessions.size;
  }

  /** The id of the upstream of each session. */
  upstreamIds(): string[] {
    return [...this.#sessions.values()].map(({ upstream }) => upstream.upstreamId);
  }

  /** Names this client where an upstream without sessions keeps a process or socket for it. */
  get tenant(): string {
    return this.#tenant ??= `session ${crypto.randomUUID()}`;
  }

  /** Calls `release` when the client ends or may not use the upstream any more. @throws {SluiceError} SESSION_NOT_FOUND */
  releaseAtEnd(upstreamId: string, release: () => void): void {
    if (this.#ended) throw new SluiceError("SESSION_NOT_FOUND");
    this.#releases.set(upstreamId, release);
  }

  /**
   * Returns this client's session to an upstream. `key` names the upstream and the pinned headers. Concurrent callers wait
   * for the same opening.
   */
  get(key: string, upstream: BoundUpstream, open: () => Promise<UpstreamChannel>): Promise<UpstreamChannel> {
    if (this.#ended) return Promise.reject(new SluiceError("SESSION_NOT_FOUND"));
    const known = this.#sessions.get(key);
    if (known !== undefined) return known.opening;
    const session: BoundSession = { upstream, opening: open(), opened: undefined };
    this.#sessions.set(key, session);
    session.opening.then((opened) => this.#isOpen(session, opened), () => this.#forget(key, session));
    return session.opening;
  }

  /** Returns the session that `get` would return without waiting. This is the warm path. */
  opened(key: string): UpstreamChannel | undefined {
    return this.#sessions.get(key)?.opened;
  }

  /** Adds a session that another worker opened. A session that this worker already has takes precedence. */
  adopt(key: string, upstream: BoundUpstream, session: UpstreamChannel): void {
    if (this.#ended || this.#sessions.has(key)) return;
    const adopted = { upstream, opening: Promise.resolve(session), opened: undefined };
    this.#sessions.set(key, adopted);
    this.#isOpen(adopted, session);
  }

  /** The sessions to an upstream, including those that are still being opened. */
  to(upstream: BoundUpstream): Promise<UpstreamChannel>[] {
    return [...this.#sessions.values()].filter((session) => session.upstream === upstream)
      .map(({ opening }) => opening);
  }

  /** Returns the resource stream of an upstream; `make` creates a missing one. @throws {SluiceError} SESSION_NOT_FOUND */
  stream(upstreamId: string, make: () => ResourceStream): ResourceStream {
    if (this.#ended) throw new SluiceError("SESSION_NOT_FOUND");
    let stream = this.#streams.get(upstreamId);
    if (stream === undefined) this.#streams.set(upstreamId, stream = make());
    return stream;
  }

  /** Closes the resource stream when another worker takes the client over, or when the upstream is changed or deleted. */
  closeStream(upstreamId: string): void {
    this.#streams.get(upstreamId)?.close();
    this.#streams.delete(upstreamId);
  }

  /** Removes a closed session, unless another one has replaced it. */
  async drop(key: string, session: UpstreamChannel): Promise<void> {
    const known = this.#sessions.get(key);
    if (known !== undefined && await known.opening.catch(() => null) === session) this.#forget(key, known);
  }

  /**
   * Closes what leads to upstreams that the client may not use any more. Sessions to a changed upstream close after the calls under
   * way, and those to one that is being drained too. Called after each change of the catalog.
   * @param barrierTo why the client may not use an upstream; null: it may
   * @returns the upstreams that a listening client has to hear again: changed ones, and those that it may use again
   */
  review(barrierTo: (upstreamId: string) => Barrier | null): string[] {
    this.#barrierTo = barrierTo;
    const isBarred = (upstreamId: string) => barrierTo(upstreamId) !== null;
    for (const [key, session] of [...this.#sessions]) {
      const { upstream: { upstreamId, isRetired }, opening, opened } = session;
      const barrier = barrierTo(upstreamId);
      if (barrier === null && !isRetired()) continue;
      this.#closed.add(upstreamId);
      this.#forget(key, session);
      const end = (channel: UpstreamChannel) => cutsOff(barrier) ? void channel.close() : channel.retire?.();
      if (opened !== undefined) end(opened);
      else opening.then(end, () => {});
    }
    for (const [upstreamId, stream] of [...this.#streams]) {
      if (!isBarred(upstreamId) && !stream.isGone) continue;
      this.#closed.add(upstreamId);
      this.closeStream(upstreamId);
    }
    for (const [upstreamId, release] of [...this.#releases]) {
      if (!cutsOff(barrierTo(upstreamId))) continue;
      this.#releases.delete(upstreamId);
      release();
    }
    const again = [...this.#closed].filter((upstreamId) => !isBarred(upstreamId));
    for (const upstreamId of again) this.#closed.delete(upstreamId);
    return again;
  }

  /** Whether the client may begin nothing new at the upstream. */
  isBarredFrom(upstreamId: string): boolean {
    return this.#ended || this.#barrierTo(upstreamId) !== null;
  }

  /**
   * Checks that calls under way at the upstream may go on.
   * @param upstream name for the error
   * @throws {SluiceError} SESSION_NOT_FOUND, UPSTREAM_DISABLED, NOT_FOUND: the endpoint is gone
   */
  requireReach(upstreamId: string, upstream: string): void {
    if (this.#ended) throw new SluiceError("SESSION_NOT_FOUND");
    const barrier = this.#barrierTo(upstreamId);
    if (cutsOff(barrier)) throw refusedBy(barrier, upstream);
  }

  /** Closes every upstream session, including those that are still being opened. Later calls fail with SESSION_NOT_FOUND. */
  async end(): Promise<void> {
    this.#ended = true;
    this.lists?.end();
    this.client.end();
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const upstreamId of [...this.#streams.keys()]) this.closeStream(upstreamId);
    for (const release of this.#releases.values()) release();
    this.#releases.clear();
    await Promise.all(all.map(({ opening }) => opening.then((session) => session.close(), () => {})));
  }

  /** A call under way may open a session to an upstream that was changed meanwhile. Such a session ends with its calls. */
  #isOpen(session: BoundSession, opened: UpstreamChannel): void {
    session.opened = opened;
    if (session.upstream.isRetired()) opened.retire?.();
  }

  #forget(key: string, session: BoundSession): void {
    if (this.#sessions.get(key) === session) this.#sessions.delete(key);
  }
}
