// The open duplex sessions of a worker. A transport opens them; the client, a drain or an expired token ends them.
import { SluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { DuplexAddress, DuplexChannel } from "./client_channel.ts";
import { type DuplexDeps, DuplexSession } from "./duplex_session.ts";

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

  /** The upstream sessions of each client. */
  bounds(): BoundSessions[] {
    return [...this.#sessions].map(({ bound }) => bound).filter((bound) => bound !== null);
  }

  /** @throws {SluiceError} SHUTTING_DOWN */
  open(address: DuplexAddress, channel: DuplexChannel): DuplexSession {
    this.requireOpen();
    const session = new DuplexSession(this.#deps, address, channel);
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
    return session;
  }

  /** Checks before a transport begins what it cannot undo. @throws {SluiceError} SHUTTING_DOWN */
  requireOpen(): void {
    if (this.#isClosing) throw new SluiceError("SHUTTING_DOWN");
  }

  /** Closes sessions of revoked tokens and changed users. A timer closes those whose token has expired. */
  endLapsed(): void {
    for (const session of this.#sessions) if (session.hasExpired) session.drain("expired");
  }

  /** Applies a new catalog to all sessions. */
  review(catalog: Catalog): void {
    for (const session of this.#sessions) session.review(catalog);
  }

  /** Drains the sessions that are open now; new ones are still accepted. Resolves when the drained ones have ended. */
  async drainOpen(): Promise<void> {
    const open = [...this.#sessions];
    for (const session of open) session.drain("restart");
    await Promise.all(open.map(({ ended }) => ended));
  }

  /** Accepts no more sessions and drains all. Resolves when the last one has ended. */
  async drain(): Promise<void> {
    this.#isClosing = true;
    await this.drainOpen();
  }

  /** Cancels all calls and closes all upstream sessions. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.end()));
  }
}
