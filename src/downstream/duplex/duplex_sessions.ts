// The open duplex sessions of this worker: opened by a transport, ended by the client, a drain or an expired token.
import { SluiceError } from "../../base/errors.ts";
import { type DuplexAddress, type DuplexChannel, type DuplexDeps, DuplexSession } from "./duplex_session.ts";

export class DuplexSessions {
  readonly #deps: DuplexDeps;
  readonly #sessions = new Set<DuplexSession>();
  #isClosing = false;

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
    const session = new DuplexSession(this.#deps, address, channel);
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
    return session;
  }

  /** For a transport that cannot take back what it has begun. @throws {SluiceError} SHUTTING_DOWN */
  requireOpen(): void {
    if (this.#isClosing) throw new SluiceError("SHUTTING_DOWN");
  }

  /** Close the sessions of clients whose token has expired; called by a timer. */
  sweep(): void {
    for (const session of this.#sessions) if (session.hasExpired) session.drain("expired");
  }

  /** Those that are open now end when their calls are answered; who still comes is let in. Resolves when they have ended. */
  async drainOpen(): Promise<void> {
    const open = [...this.#sessions];
    for (const session of open) session.drain("restart");
    await Promise.all(open.map(({ ended }) => ended));
  }

  /** No more sessions: each ends when its calls are answered. Resolves when the last one has ended. */
  async drain(): Promise<void> {
    this.#isClosing = true;
    await this.drainOpen();
  }

  /** The end of everything: calls are cancelled, upstream sessions closed. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.end()));
  }
}
