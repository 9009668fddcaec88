// The pool's books: every session is in exactly one state, and moves between them here and nowhere else.
import type { PoolKey } from "./session_key.ts";
import type { Probed } from "./idle_check.ts";
import { type Linked, LinkedList } from "./linked_list.ts";
import { WaitQueue } from "./wait_queue.ts";

/** All that the pool needs to know of a session. */
export interface PoolSession extends Probed {
  /** It noticed that it is no longer usable. */
  readonly closed: boolean;
  /** End it, at the upstream too. Never throws. */
  close(): Promise<void>;
}

/** Opens a session; must give up when the signal is aborted. */
export type CreateSession<S> = (signal: AbortSignal) => Promise<S>;

export type SessionState = "creating" | "idle" | "leased" | "validating" | "closing" | "closed";

/** `leased` to `leased` is the hand-off to the next caller. A creation that failed has nothing to close. */
const MOVES: Readonly<Record<SessionState, readonly SessionState[]>> = {
  creating: ["leased", "idle", "closing", "closed"],
  idle: ["leased", "validating", "closing"],
  validating: ["leased", "idle", "closing"],
  leased: ["leased", "idle", "closing"],
  closing: ["closed"],
  closed: [],
};

/** One slot of a key, from the moment its creation starts. */
export class PoolEntry<S extends PoolSession, L> implements Linked<PoolEntry<S, L>> {
  state: SessionState = "creating";
  /** Set when it leaves `creating`. */
  session: S | undefined;
  createdAtMs = 0;
  idleSinceMs = 0;
  /** Stops what prepares it; only while `creating` or `validating`. */
  cancel: ((reason: unknown) => void) | undefined;
  readonly group: KeyGroup<S, L>;
  /** Its neighbours among the idle ones of the pool. */
  previous: PoolEntry<S, L> | undefined;
  next: PoolEntry<S, L> | undefined;

  constructor(group: KeyGroup<S, L>) {
    this.group = group;
  }
}

/** What belongs to one key. `L` is what a caller is given. */
export class KeyGroup<S extends PoolSession, L> {
  readonly key: PoolKey;
  /** Everything that holds a slot: creating, idle, leased, validating. */
  readonly entries = new Set<PoolEntry<S, L>>();
  /**
   * Coldest first, taken from the end (LIFO): a few sessions stay warm and need no validation, while those that a burst
   * left behind cool down and are evicted. Taking the coldest would keep them all alive for ever.
   */
  readonly idle: PoolEntry<S, L>[] = [];
  readonly callers = new WaitQueue<L, CreateSession<S>>();
  creating = 0;
  validating = 0;
  leased = 0;
  /** Drained: no longer in the table, serves the callers that it has, and keeps no session. */
  retired = false;

  constructor(key: PoolKey) {
    this.key = key;
  }

  /** Sessions that will be handed out shortly, unless they fail. */
  get preparing(): number {
    return this.creating + this.validating;
  }
}

/** Where every session of a pool is; the metrics are a read of this. */
export class PoolLists<S extends PoolSession, L> {
  readonly groups = new Map<string, KeyGroup<S, L>>();
  readonly retired = new Set<KeyGroup<S, L>>();
  /** Every idle session of the pool, coldest first. */
  readonly idle = new LinkedList<PoolEntry<S, L>>();
  /** Keys with a caller and a free slot, for which only the total cap leaves no room. First come, first served. */
  readonly starved = new Set<KeyGroup<S, L>>();
  /** Sessions that hold a slot. One that is closing does not: its caller's successor must not wait for that. */
  occupied = 0;
  /** Sessions whose end is on its way to the upstream. */
  readonly closings = new Set<Promise<void>>();

  readonly #onEmpty: () => void;

  /** `onEmpty`: the last key is gone. */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  /** Take a slot. */
  admit(group: KeyGroup<S, L>): PoolEntry<S, L> {
    const entry = new PoolEntry(group);
    group.entries.add(entry);
    group.creating++;
    this.occupied++;
    return entry;
  }

  /** The one way from state to state. @throws {Error} for a move that there is not: a bug in the pool */
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

  /** The session ends and gives up its slot; whoever calls this sees to those that wait for it. */
  discard(entry: PoolEntry<S, L>, reason?: unknown): void {
    entry.cancel?.(reason);
    entry.cancel = undefined;
    this.move(entry, "closing");
    if (entry.session === undefined) this.move(entry, "closed");
    else this.close(entry.session, () => this.move(entry, "closed"));
  }

  /** End a session, whether it ever had an entry or not. */
  close(session: S, onClosed: () => void = () => {}): void {
    // `close()` throws nothing; if one does, a forgotten session is better than a dead worker.
    const closing = (async () => session.close())().catch(() => {}).then(() => {
      onClosed();
      this.closings.delete(closing);
    });
    this.closings.add(closing);
  }

  /** Forget a key that has neither session nor caller; true if it was there. */
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

/** What the metrics read besides the lists. */
export interface PoolCounters {
  total_sessions_created: number;
  /** Leases of a session that lay idle or had served another call. */
  total_sessions_reused: number;
  /** Leases granted at once. */
  pool_hits: number;
  /** Leases that had to wait: for a session to be opened, validated or given back. */
  pool_misses: number;
  /** Good sessions closed for their age when met, or to make room under a cap. */
  evictions: number;
  health_check_failures: number;
  creation_failures: number;
  /** Keys dropped for idleness or to make room under MCP_SESSION_POOL_MAX_TOTAL_KEYS. */
  pool_keys_evicted: number;
  /** Sessions closed by the timer: too old, idle for too long, or found dead. */
  sessions_reaped: number;
  /** Leases asked for by nobody in particular. */
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
