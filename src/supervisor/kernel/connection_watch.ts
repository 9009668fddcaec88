// Closes connections that hold a descriptor and give nothing for it. Deno's HTTP server waits for ever for a request's head
// (tried: 2.7 and 2.9), and no handler sees a request before its head is whole; the kernel's byte counters tell.
import { type Clock, repeat, sleep } from "../../base/clock.ts";
import type { PeerSocket, PeerSockets } from "./peer_sockets.ts";

export interface WatchLimits {
  /** For a request's head, and for a new connection's first byte, ms. */
  readonly headerMs: number;
  /** Without a request, or without the client taking what is sent to it, ms. */
  readonly idleMs: number;
}

export type CutReason = "slow header" | "idle" | "unread answer";

export interface ConnectionWatchOptions {
  readonly sockets: PeerSockets;
  readonly limits: WatchLimits;
  /** The remote ports of connections with a request under way, over all workers. A failure means that nobody knows. */
  readonly busyPeerPorts: () => Promise<ReadonlySet<number>>;
  readonly clock: Clock;
  /** After connections were closed: how many, by reason. */
  readonly onCut: (counts: ReadonlyMap<CutReason, number>) => void;
}

/** One connection between two looks at it. */
interface Watched {
  socket: PeerSocket;
  /** When the client last took something of an answer, had a request under way, or connected. Wall clock, ms. */
  progressAt: number;
  /** How much it had sent by then, bytes. */
  receivedAtProgress: number;
  /** When it was first seen to have sent more than that. */
  partialAt: number | null;
  /** When it was first seen not to take what we have for it. */
  unreadAt: number | null;
}

/** How many looks a limit is divided into: it is kept to within a fourth. */
const LOOKS_PER_LIMIT = 4;
/** A worker that is alive has taken up what was sent to it within this. */
const CLAIM_MS = 500;
const [MIN_INTERVAL_MS, MAX_INTERVAL_MS] = [250, 5_000];

export class ConnectionWatch {
  readonly #options: ConnectionWatchOptions;
  #watched = new Map<number, Watched>();
  /** Ends the looks. */
  readonly stop: () => void;

  constructor(options: ConnectionWatchOptions) {
    this.#options = options;
    const { clock, limits: { headerMs, idleMs } } = options;
    const interval = Math.min(headerMs, idleMs) / LOOKS_PER_LIMIT;
    // A worker that cannot answer knows of no request that could be spared: nothing is closed this time.
    this.stop = repeat(
      clock,
      Math.min(Math.max(interval, MIN_INTERVAL_MS), MAX_INTERVAL_MS),
      () => this.look().catch(() => {}),
    );
  }

  /** Looks at every connection once, and closes those that are over a limit. */
  async look(): Promise<void> {
    const { sockets, clock, busyPeerPorts, onCut } = this.#options;
    this.#update(sockets.list(), clock.now());
    const overdue = [...this.#watched.values()].filter((watched) => this.#reasonFor(watched) !== null);
    // The workers are asked only when somebody is overdue, which a long call is, too.
    if (overdue.length === 0) return;
    const busy = await busyPeerPorts();
    const counts = new Map<CutReason, number>();
    for (const watched of overdue) {
      const reason = this.#reasonFor(watched)!;
      if (busy.has(watched.socket.peerPort) && reason !== "unread answer") {
        markProgress(watched, clock.now());
        continue;
      }
      // A request may have come since the look: it must not meet a closed door.
      sockets.cut(watched.socket, { unlessMoreCame: reason === "idle" });
      this.#watched.delete(watched.socket.fd);
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    if (counts.size > 0) onCut(counts);
  }

  /**
   * A worker stands still: what is asked of it gets a closed connection instead of no answer. The other workers claim theirs.
   */
  async cutUnclaimed(): Promise<void> {
    const { sockets, clock, busyPeerPorts } = this.#options;
    const before = sockets.list().filter(({ awaitsAnswer }) => awaitsAnswer);
    if (before.length === 0) return;
    await sleep(clock, CLAIM_MS);
    const busy = await busyPeerPorts();
    for (const socket of before) {
      // One that has been answered meanwhile is not cut either: see `cut`.
      if (!busy.has(socket.peerPort)) sockets.cut(socket, { unlessMoreCame: false });
    }
  }

  #update(sockets: readonly PeerSocket[], now: number): void {
    const before = this.#watched;
    this.#watched = new Map();
    for (const socket of sockets) {
      const watched = before.get(socket.fd);
      const known = watched !== undefined && isSame(watched.socket, socket)
        ? watched
        : { socket: NOTHING_YET, progressAt: now, receivedAtProgress: 0, partialAt: null, unreadAt: null };
      const tookSomething = socket.acknowledged > known.socket.acknowledged;
      known.socket = socket;
      if (tookSomething) markProgress(known, now);
      else if (socket.received > known.receivedAtProgress) known.partialAt ??= now;
      if (socket.hasUnsent) known.unreadAt ??= now;
      else known.unreadAt = null;
      this.#watched.set(socket.fd, known);
    }
  }

  #reasonFor({ socket, progressAt, partialAt, unreadAt }: Watched): CutReason | null {
    const { headerMs, idleMs } = this.#options.limits;
    const now = this.#options.clock.now();
    if (unreadAt !== null) return now - unreadAt >= idleMs ? "unread answer" : null;
    if (partialAt !== null) return now - partialAt >= headerMs ? "slow header" : null;
    if (socket.received === 0) return now - progressAt >= headerMs ? "slow header" : null;
    return now - progressAt >= idleMs ? "idle" : null;
  }
}

const NOTHING_YET: PeerSocket = {
  fd: -1,
  peerPort: 0,
  received: 0,
  acknowledged: 0,
  hasUnsent: false,
  awaitsAnswer: false,
};

function isSame(before: PeerSocket, now: PeerSocket): boolean {
  return before.peerPort === now.peerPort && before.received <= now.received &&
    before.acknowledged <= now.acknowledged;
}

function markProgress(watched: Watched, now: number): void {
  watched.progressAt = now;
  watched.receivedAtProgress = watched.socket.received;
  watched.partialAt = null;
  watched.unreadAt = null;
}
