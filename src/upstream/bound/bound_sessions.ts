// Room `bound`: upstream sessions that belong to one downstream session. `ClientSessions` is the way in for calls.
// This file holds them: one session per upstream and set of pinned headers, never shared between clients
// (https://github.com/IBM/mcp-context-forge/issues/4205).
import { BoundedMap } from "../../base/bounded_map.ts";
import { SluiceError } from "../../base/errors.ts";
import type { UpstreamChannel } from "../session/upstream_channel.ts";
import { ClientState } from "../client/client_state.ts";
import type { ResourceStream } from "./resource_stream.ts";

/** Limit per client. The oldest session is closed when a client exceeds it. */
const MAX_SESSIONS = 256;

export class BoundSessions {
  readonly #sessions = new BoundedMap<string, Promise<UpstreamChannel>>({
    maxEntries: MAX_SESSIONS,
    onEvict: (opening) => void opening.then((session) => session.close(), () => {}),
  });
  readonly #opened = new WeakMap<Promise<UpstreamChannel>, UpstreamChannel>();
  /** Resource streams to upstreams without sessions, by upstream id. */
  readonly #streams = new Map<string, ResourceStream>();
  #ended = false;

  /** @param client owner of these sessions */
  constructor(readonly client: ClientState = new ClientState()) {}

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Returns this client's session to an upstream. `key` names the upstream and the pinned headers. Concurrent callers wait
   * for the same opening.
   */
  get(key: string, open: () => Promise<UpstreamChannel>): Promise<UpstreamChannel> {
    if (this.#ended) return Promise.reject(new SluiceError("SESSION_NOT_FOUND"));
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const opening = open();
    this.#sessions.set(key, opening);
    opening.then((session) => this.#opened.set(opening, session), () => this.#forget(key, opening));
    return opening;
  }

  /** Returns the session that `get` would return without waiting. This is the warm path. */
  opened(key: string): UpstreamChannel | undefined {
    const known = this.#sessions.get(key);
    return known === undefined ? undefined : this.#opened.get(known);
  }

  /** Adds a session that another worker opened. A session that this worker already has takes precedence. */
  adopt(key: string, session: UpstreamChannel): void {
    if (this.#ended || this.#sessions.has(key)) return;
    const opened = Promise.resolve(session);
    this.#sessions.set(key, opened);
    this.#opened.set(opened, session);
  }

  /** All sessions by key, including those that are still being opened. */
  entries(): Iterable<[key: string, opening: Promise<UpstreamChannel>]> {
    return this.#sessions;
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
    if (known !== undefined && await known.catch(() => null) === session) this.#forget(key, known);
  }

  /** Closes every upstream session, including those that are still being opened. Later calls fail with SESSION_NOT_FOUND. */
  async end(): Promise<void> {
    this.#ended = true;
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const upstreamId of [...this.#streams.keys()]) this.closeStream(upstreamId);
    await Promise.all(all.map((opening) => opening.then((session) => session.close(), () => {})));
  }

  #forget(key: string, opening: Promise<UpstreamChannel>): void {
    if (this.#sessions.get(key) === opening) this.#sessions.delete(key);
  }
}
