// The upstream sessions that belong to one downstream session, one for each upstream: never shared (ContextForge #4205).
import { BoundedMap } from "../../base/bounded_map.ts";
import { SluiceError } from "../../base/errors.ts";
import type { UpstreamChannel } from "../session/upstream_channel.ts";
import { ClientState } from "../client/client_state.ts";
import type { ResourceStream } from "./resource_stream.ts";

/** Sessions to so many upstreams, or with so many different pinned headers, end the oldest: a client cannot fill our memory. */
const MAX_SESSIONS = 256;

export class BoundSessions {
  readonly #sessions = new BoundedMap<string, Promise<UpstreamChannel>>({
    maxEntries: MAX_SESSIONS,
    onEvict: (opening) => void opening.then((session) => session.close(), () => {}),
  });
  readonly #opened = new WeakMap<Promise<UpstreamChannel>, UpstreamChannel>();
  /** What is listened to for the client at upstreams without sessions, by upstream id. */
  readonly #streams = new Map<string, ResourceStream>();
  #ended = false;

  /** @param client whose sessions these are */
  constructor(readonly client: ClientState = new ClientState()) {}

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * This downstream session's session to an upstream, or to one with these pinned headers: `key` names both. Opened by
   * whoever asks first, the others wait for the same one.
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

  /** The session that `get` would give without waiting; the warm path. */
  opened(key: string): UpstreamChannel | undefined {
    const known = this.#sessions.get(key);
    return known === undefined ? undefined : this.#opened.get(known);
  }

  /** Take in a session that another worker opened; one that is here already wins. */
  adopt(key: string, session: UpstreamChannel): void {
    if (this.#ended || this.#sessions.has(key)) return;
    const opened = Promise.resolve(session);
    this.#sessions.set(key, opened);
    this.#opened.set(opened, session);
  }

  /** All sessions, opened or being opened, by key. */
  entries(): Iterable<[key: string, opening: Promise<UpstreamChannel>]> {
    return this.#sessions;
  }

  /** The stream for an upstream's resources; `make` where there is none. @throws {SluiceError} SESSION_NOT_FOUND */
  stream(upstreamId: string, make: () => ResourceStream): ResourceStream {
    if (this.#ended) throw new SluiceError("SESSION_NOT_FOUND");
    let stream = this.#streams.get(upstreamId);
    if (stream === undefined) this.#streams.set(upstreamId, stream = make());
    return stream;
  }

  /** The worker gives the client away, or the upstream is another now: its stream is opened elsewhere. */
  closeStream(upstreamId: string): void {
    this.#streams.get(upstreamId)?.close();
    this.#streams.delete(upstreamId);
  }

  /** Let go of a session that has ended, unless somebody has replaced it already. */
  async drop(key: string, session: UpstreamChannel): Promise<void> {
    const known = this.#sessions.get(key);
    if (known !== undefined && await known.catch(() => null) === session) this.#forget(key, known);
  }

  /** The downstream session is over: end every upstream session, also those that are still being opened. */
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
