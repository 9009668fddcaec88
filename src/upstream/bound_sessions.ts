// The upstream sessions that belong to one downstream session, one for each upstream: never shared (ContextForge #4205).
import { SluiceError } from "../base/errors.ts";
import type { UpstreamSession } from "./session.ts";

export class BoundSessions {
  readonly #sessions = new Map<string, Promise<UpstreamSession>>();
  #ended = false;

  get size(): number {
    return this.#sessions.size;
  }

  /** This downstream session's session to an upstream; opened by whoever asks first, the others wait for the same one. */
  get(upstreamId: string, open: () => Promise<UpstreamSession>): Promise<UpstreamSession> {
    if (this.#ended) return Promise.reject(new SluiceError("SESSION_NOT_FOUND"));
    const known = this.#sessions.get(upstreamId);
    if (known !== undefined) return known;
    const opening = open();
    this.#sessions.set(upstreamId, opening);
    opening.catch(() => this.#forget(upstreamId, opening));
    return opening;
  }

  /** Let go of a session that has ended, unless somebody has replaced it already. */
  async drop(upstreamId: string, session: UpstreamSession): Promise<void> {
    const known = this.#sessions.get(upstreamId);
    if (known !== undefined && await known.catch(() => null) === session) this.#forget(upstreamId, known);
  }

  /** The downstream session is over: end every upstream session, also those that are still being opened. */
  async end(): Promise<void> {
    this.#ended = true;
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(all.map((opening) => opening.then((session) => session.close(), () => {})));
  }

  #forget(upstreamId: string, opening: Promise<UpstreamSession>): void {
    if (this.#sessions.get(upstreamId) === opening) this.#sessions.delete(upstreamId);
  }
}
