// Closes connections that hold a descriptor without making progress. Deno's HTTP server waits for ever for a request's head (tried:
// 2.7 and 2.9), and no handler sees a request before its head is complete. The byte counters of the kernel show such connections.
import { type Clock, repeat, sleep } from "../../base/clock.ts";
import type { PeerSocket, PeerSockets } from "./peer_sockets.ts";

export interface WatchLimits {
  /** Limit for a request's head, and for the first byte of a new connection, ms. */
  readonly headerMs: number;
  /** Limit without a request, or without the client reading what is sent to it, ms. */
  readonly idleMs: number;
}

export type CutReason = "slow header" | "idle" | "unread answer" | "no room";

export interface ConnectionWatchOptions {
  readonly sockets: PeerSockets;
  readonly limits: WatchLimits;
  /** Above this number connections that carry no request are closed. */
  readonly maxConnections: number;
  /** The remote ports of all workers' connections with a request under way. Rejects if they are unknown. */
  readonly busyPeerPorts: () => Promise<ReadonlySet<number>>;
  readonly clock: Clock;
  /** Called after connections were closed, with their number by reason. */
  readonly onCut: (counts: ReadonlyMap<CutReason, number>) => void;
}

/** The state of one connection between two checks. */
interface Watched {
  socket: PeerSocket;
  /** When the client last read part of an answer, had a request under way, or connected. Wall clock, ms. */
  progressAt: number;
  /** How much the client had sent by then, bytes. */
  receivedAtProgress: number;
  /** When the client was first seen to have sent more. */
  partialAt: number | null;
  /** When the client was first seen not to read what we have sent. */
  unreadAt: number | null;
}

/** Checks per limit: a limit is exceeded by a fourth at most. */
const LOOKS_PER_LIMIT = 4;
/** A living worker has read what was sent to it within this. */
const CLAIM_MS = 500;
const [MIN_INTERVAL_MS, MAX_INTERVAL_MS] = [250, 5_000];
/** Where there is no room, this part of all connections is closed at most. */
const ROOM_SHARE = 0.25;

export class ConnectionWatch {
  readonly #options: ConnectionWatchOptions;
  #makingRoom: Promise<void> | null = null;
  #watched = new Map<number, Watched>();
  /** Stops the checks. */
  readonly stop: () => void;

  constructor(options: ConnectionWatchOptions) {
    this.#options = options;
    const { clock, limits: { headerMs, idleMs } } = options;
    const interval = Math.min(headerMs, idleMs) / LOOKS_PER_LIMIT;
    // A worker did not say which of its connections are busy, so that none is closed this time.
    this.stop = repeat(
      clock,
      Math.min(Math.max(interval, MIN_INTERVAL_MS), MAX_INTERVAL_MS),
      () => this.look().catch(() => {}),
    );
  }

  /** Checks every connection once, and closes those over a limit. */
  async look(): Promise<void> {
    const { sockets, clock, busyPeerPorts, onCut, maxConnections } = this.#options;
    this.#update(sockets.list(), clock.now());
    if (this.#watched.size > maxConnections) await this.makeRoom();
    const overdue = [...this.#watched.values()].filter((watched) => this.#reasonFor(watched) !== null);
    // The workers are asked only if a connection is over a limit. A connection with a long call is as well.
    if (overdue.length === 0) return;
    const busy = await busyPeerPorts();
    const counts = new Map<CutReason, number>();
    for (const watched of overdue) {
      const reason = this.#reasonFor(watched)!;
      if (busy.has(watched.socket.peerPort) && reason !== "unread answer") {
        markProgress(watched, clock.now());
        continue;
      }
      // A request may have come since the check. Its connection must not be closed.
      sockets.cut(watched.socket, { unlessMoreCame: reason === "idle" });
      this.#watched.delete(watched.socket.fd);
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    if (counts.size > 0) onCut(counts);
  }

  /** Descriptors are short: closes connections that carry no request, some of them at a time. */
  makeRoom(): Promise<void> {
    return this.#makingRoom ??= this.#cutSome().finally(() => this.#makingRoom = null);
  }

  /** Cuts connections that have never sent anything first, then those of the client address with the most connections, then the oldest. */
  async #cutSome(): Promise<void> {
    const { sockets, clock, busyPeerPorts, onCut } = this.#options;
    this.#update(sockets.list(), clock.now());
    const byHost = new Map<string, number>();
    for (const { socket: { peerHost } } of this.#watched.values()) {
      byHost.set(peerHost, (byHost.get(peerHost) ?? 0) + 1);
    }
    // A worker that is blocked does not say which of its connections are busy: only silent ones certainly are not.
    const busy = await busyPeerPorts().catch(() => null);
    const isFree = ({ received, peerPort }: PeerSocket) =>
      received === 0 || busy !== null && !busy.has(peerPort);
    const candidates = [...this.#watched.values()].filter(({ socket }) => isFree(socket)).sort((a, b) =>
      Number(a.socket.received > 0) - Number(b.socket.received > 0) ||
      byHost.get(b.socket.peerHost)! - byHost.get(a.socket.peerHost)! ||
      a.progressAt - b.progressAt
    );
    const chosen = candidates.slice(0, Math.ceil(this.#watched.size * ROOM_SHARE));
    for (const { socket } of chosen) {
      sockets.cut(socket, { unlessMoreCame: true });
      this.#watched.delete(socket.fd);
    }
    if (chosen.length > 0) onCut(new Map([["no room", chosen.length]]));
  }

  /**
   * For a blocked worker: closes its connections instead of leaving their requests unanswered. The other workers claim theirs.
   */
  async cutUnclaimed(): Promise<void> {
    const { sockets, clock, busyPeerPorts } = this.#options;
    const before = sockets.list().filter(({ awaitsAnswer }) => awaitsAnswer);
    if (before.length === 0) return;
    await sleep(clock, CLAIM_MS);
    const busy = await busyPeerPorts();
    for (const socket of before) {
      // A connection whose request has been answered meanwhile is not cut either: see `cut`.
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
  peerHost: "",
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
