// The pool's bookkeeping. Every session is in exactly one state; only this file changes states.
import type { PoolKey } from "./session_key.ts";
import type { HealthCheckable } from "./idle_check.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import { WaitQueue } from "./wait_queue.ts";

/** The part of a session that the pool needs. */
export interface PoolSession extends HealthCheckable {
  /** The session is no longer usable. */
  readonly closed: boolean;
  /** Ends the session, at the upstream too. Never throws. */
  close(): Promise<void>;
}

/** Opens a session; must give up when the signal is aborted. */
export type CreateSession<S> = (signal: AbortSignal) => Promise<S>;

export type SessionState = "creating" | "idle" | "leased" | "validating" | "closing" | "closed";

/** `leased` to `leased` is the hand-off to the next caller. A failed creation has nothing to close. */
const MOVES: Readonly<Record<SessionState, readonly SessionState[]>> = {
  creating: ["leased", "idle", "closing", "closed"],
  idle: ["leased", "validating", "closing"],
  validating: ["leased", "idle", "closing"],
  leased: ["leased", "idle", "closing"],
  closing: ["closed"],
  closed: [],
};

/** One slot of a key, from the start of its creation. */
export class PoolEntry<S extends PoolSession, L> implements Linked<PoolEntry<S, L>> {
  state: SessionState = "creating";
  /** Set when the entry leaves `creating`. */
  session: S | undefined;
  createdAtMs = 0;
  idleSinceMs = 0;
  /** Cancels the preparation; only while `creating` or `validating`. */
  cancel: ((reason: unknown) => void) | undefined;
  readonly group: KeyGroup<S, L>;
  /** Neighbours in the pool's list of idle entries. */
  previous: PoolEntry<S, L> | undefined;
  next: PoolEntry<S, L> | undefined;

  constructor(group: KeyGroup<S, L>) {
    this.group = group;
  }
}

/** The sessions and callers of one key. `L` is what callers receive. */
export class KeyGroup<S extends PoolSession, L> {
  readonly key: PoolKey;
  /** All entries with a slot: creating, idle, leased, validating. */
  readonly entries = new Set<PoolEntry<S, L>>();
  /**
   * Coldest first, taken from the end (LIFO). Thus a few sessions stay warm without validation, and those left by a burst
   * cool down and are evicted. Taking the coldest would keep all of them alive.
   */
  readonly idle: PoolEntry<S, L>[] = [];
  readonly callers = new WaitQueue<L, CreateSession<S>>();
  creating = 0;
  validating = 0;
  leased = 0;
  /** The key is drained: it serves its remaining callers and keeps no session. */
  retired = false;

  constructor(key: PoolKey) {
    this.key = key;
  }

  /** The number of sessions that will be handed out shortly, unless they fail. */
  get preparing(): number {
    return this.creating + this.validating;
  }
}

/** All sessions of a pool by state. The metrics read these lists. */
export class PoolLists<S extends PoolSession, L> {
  readonly groups = new Map<string, KeyGroup<S, L>>();
  readonly retired = new Set<KeyGroup<S, L>>();
  /** All idle sessions of the pool, coldest first. */
  readonly idle = new LinkedList<PoolEntry<S, L>>();
  /** Keys with a caller and a free slot that only the total cap blocks, in order of arrival. */
  readonly starved = new Set<KeyGroup<S, L>>();
  /** Sessions with a slot. A closing session has none, so that the next caller need not wait for it. */
  occupied = 0;
  /** Sessions that are being closed at the upstream. */
  readonly closings = new Set<Promise<void>>();

  readonly #onEmpty: () => void;

  /** @param onEmpty called when the last key is gone */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  /** Takes a slot. */
  admit(group: KeyGroup<S, L>): PoolEntry<S, L> {
    const entry = new PoolEntry(group);
    group.entries.add(entry);
    group.creating++;
    this.occupied++;
    return entry;
  }

  /** Changes a session's state. @throws {Error} for an impossible change: a bug in the pool */
  move(entry: PoolEntry<S, L>, to: SessionState): void {
    const { group, state } = entry;
    if (!MOVES[state].includes(to)) throw new Error(`Cannot move a session from ${state} to ${to}`);
    entry.state = to;
    if (state === "idle") {
      if (group.idle.at(-1) === entry) group.idle.pop();
      else group.idle.splice(group.idle.indexOf(entry), 1);
      this.idle.remove(entry);
    } else if (state !== "closing") group[state as "creating" | "validating" | "leased"]--;

    if (to === "idle") {
      group.idle.push(entry);
      this.idle.push(entry);
    } else if (to === "leased" || to === "validating") group[to]++;
    else if (state !== "closing") {
      group.entries.delete(entry);
      this.occupied--;
    }
  }

  /** Closes the session and frees its slot. The caller then serves the waiting callers. */
  discard(entry: PoolEntry<S, L>, reason?: unknown): void {
    entry.cancel?.(reason);
    entry.cancel = undefined;
    this.move(entry, "closing");
    if (entry.session === undefined) this.move(entry, "closed");
    else this.close(entry.session, () => this.move(entry, "closed"));
  }

  /** Closes a session, with or without an entry. */
  close(session: S, onClosed: () => void = () => {}): void {
    // `close()` should not throw. If it does, a forgotten session is better than a dead worker.
    const closing = (async () => session.close())().catch(() => {}).then(() => {
      onClosed();
      this.closings.delete(closing);
    });
    this.closings.add(closing);
  }

  /** Removes a key without sessions and callers; true if it was there. */
  dropIfEmpty(group: KeyGroup<S, L>): boolean {
    if (group.entries.size > 0 || group.callers.length > 0) return false;
    this.starved.delete(group);
    const known = group.retired ? this.retired.delete(group) : this.groups.delete(group.key.text);
    if (this.groups.size === 0 && this.retired.size === 0) this.#onEmpty();
    return known;
  }

  *all(): Generator<KeyGroup<S, L>> {
    yield* this.groups.values();
    yield* this.retired;
  }
}

/** Counters for the metrics. */
export interface PoolCounters {
  total_sessions_created: number;
  /** Leases of a session that was idle or had served another call. */
  total_sessions_reused: number;
  /** Leases granted at once. */
  pool_hits: number;
  /** Leases that waited for a session to be opened, validated or returned. */
  pool_misses: number;
  /** Usable sessions closed because of their age, or to make room under a cap. */
  evictions: number;
  health_check_failures: number;
  creation_failures: number;
  /** Keys dropped as idle, or to make room under MCP_SESSION_POOL_MAX_TOTAL_KEYS. */
  pool_keys_evicted: number;
  /** Sessions closed by the timer: too old, idle for too long, or dead. */
  sessions_reaped: number;
  /** Leases of anonymous callers. */
  anonymous_identity_count: number;
  acquire_timeouts: number;
}

export function noCounts(): PoolCounters {
  return {
    total_sessions_created: 0,
    total_sessions_reused: 0,
    pool_hits: 0,
    pool_misses: 0,
    evictions: 0,
    health_check_failures: 0,
    creation_failures: 0,
    pool_keys_evicted: 0,
    sessions_reaped: 0,
    anonymous_identity_count: 0,
    acquire_timeouts: 0,
  };
}
