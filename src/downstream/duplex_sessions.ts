// The open duplex sessions of this worker: opened by a transport, ended by the client, a drain or an expired token.
import { SluiceError } from "../base/errors.ts";
import { type DuplexAddress, type DuplexChannel, type DuplexDeps, DuplexSession } from "./duplex_session.ts";

export class DuplexSessions {
  readonly #deps: DuplexDeps;
  readonly #sessions = new Set<DuplexSession>();
  #drained: PromiseWithResolvers<void> | null = null;

  constructor(deps: DuplexDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#sessions.size;
  }

  [Symbol.iterator](): Iterator<DuplexSession> {
    return this.#sessions[Symbol.iterator]();
  }

  /** @throws {SluiceError} SHUTTING_DOWN */
  open(address: DuplexAddress, channel: DuplexChannel): DuplexSession {
    this.requireOpen();
    const session = new DuplexSession(this.#deps, address, channel, () => {
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#drained?.resolve();
    });
    this.#sessions.add(session);
    return session;
  }

  /** For a transport that cannot take back what it has begun. @throws {SluiceError} SHUTTING_DOWN */
  requireOpen(): void {
    if (this.#drained !== null) throw new SluiceError("SHUTTING_DOWN");
  }

  /** Say farewell to clients whose token has expired; called by a timer. */
  sweep(): void {
    for (const session of this.#sessions) if (session.hasExpired) session.drain("expired");
  }

  /** No more sessions: each ends when its calls are answered. Resolves when the last one has ended. */
  drain(): Promise<void> {
    if (this.#drained === null) {
      this.#drained = Promise.withResolvers();
      if (this.#sessions.size === 0) this.#drained.resolve();
      for (const session of this.#sessions) session.drain("restart");
    }
    return this.#drained.promise;
  }

  /** The end of everything: calls are cancelled, upstream sessions closed. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.end()));
  }
}
