// Which connection carries which request: idle lists per origin, one cap over all, a fair queue before it.

import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { DeadlineTimer, Expiring } from "../../base/deadline_timer.ts";
import { type Deadline, upstreamTimeout } from "../resilience/deadline.ts";

/** What the pool knows of a connection. It is watched by the deadlines already; `expire` while idle closes it. */
export interface PooledConnection extends Expiring {
  readonly key: string;
  readonly isClosed: boolean;
  readonly keepAliveHintMs: number;
  reused: boolean;
  /** Called by the connection, once, when it has been closed. */
  onClosed: () => void;
  /** Becomes idle. */
  rest(): void;
  close(): void;
  abort(error: unknown): void;
}

export interface PoolOptions<C, T> {
  /** Connections of every state, those being opened included. */
  readonly maxConnections: number;
  readonly maxKeepaliveConnections: number;
  readonly keepaliveExpiryMs: number;
  readonly poolTimeoutMs: number;
  readonly deadlines: DeadlineTimer;
  readonly clock: Clock;
  /** Opens a connection that the first caller will use. Rejects soon after `signal` is aborted. */
  readonly dial: (target: T, upstream: string, signal: AbortSignal) => Promise<C>;
}

export interface AcquireOptions {
  readonly upstream: string;
  readonly signal?: CancelSignal;
  /** Do not use a connection that has been idle. */
  readonly fresh?: boolean;
  /** Waiting and dialling end with it. */
  readonly deadline?: Deadline;
}

export interface PoolStats {
  /** Slots in use: busy, idle, and connecting. */
  readonly open: number;
  readonly idle: number;
  readonly waiting: number;
  /** Since the start. */
  readonly created: number;
  /** Requests since the start that went over a connection that had carried one before. */
  readonly reused: number;
}

/**
 * What is idle beyond HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS is closed after this long. Under load a connection is idle for
 * microseconds between two calls; closing it there would cost every call beyond the limit a new one.
 */
const SURPLUS_IDLE_MS = 1_000;

/**
 * An origin may use this many times the connections that nobody uses: up to four fifths of all where it is alone, and less
 * where others are busy too. So one that hangs leaves the others room.
 */
const SHARE = 4;

/**
 * Invariants: nobody queues while a connection of its origin is idle, or while a slot is free that its origin may use;
 * whoever waits for a connection that is being opened takes the first that comes free for its origin. Both are served in
 * the order they came.
 */
export class ConnectionPool<T extends { readonly key: string }, C extends PooledConnection> {
  readonly #options: PoolOptions<C, T>;
  readonly #all = new Set<C>();
  /** Of long answers: in no list, counted by no limit. */
  readonly #apart = new Set<C>();
  /** Oldest first. */
  readonly #idle = new Set<C>();
  /** Most recently used last. */
  readonly #idleByKey = new Map<string, C[]>();
  readonly #queue = new Set<Waiter<T, C>>();
  readonly #dialing = new Map<string, Set<Waiter<T, C>>>();
  /** Dials under way, and the origin of each. */
  readonly #dials = new Map<AbortController, string>();
  #created = 0;
  #reused = 0;
  #isClosed = false;
  #isServing = false;

  constructor(options: PoolOptions<C, T>) {
    this.#options = options;
  }

  get stats(): PoolStats {
    return {
      open: this.#all.size + this.#dials.size,
      idle: this.#idle.size,
      waiting: this.#queue.size,
      created: this.#created,
      reused: this.#reused,
    };
  }

  /** An idle connection for `key`, now the caller's; undefined where there is none. */
  takeIdle(key: string): C | undefined {
    const connection = this.#idleByKey.get(key)?.pop();
    if (connection === undefined) return undefined;
    this.#idle.delete(connection);
    this.#options.deadlines.set(connection, Infinity);
    if (connection.reused) this.#reused++;
    return connection;
  }

  /**
   * A connection for `target`, the caller's until it is released or closed.
   * @throws {SluiceError} HTTP_POOL_TIMEOUT, SHUTTING_DOWN, and whatever dialling throws; the signal's reason
   */
  acquire(target: T, options: AcquireOptions): Promise<C> {
    if (this.#isClosed) return Promise.reject(new SluiceError("SHUTTING_DOWN"));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const idle = options.fresh === true ? undefined : this.takeIdle(target.key);
    if (idle !== undefined) return Promise.resolve(idle);
    return new Promise((resolve, reject) => {
      const waiter = new Waiter<T, C>(target, options, resolve, reject, (w) => this.#leave(w));
      this.#options.deadlines.watch(waiter);
      if (this.#mayOpen(target.key, 0) && this.#makeRoom()) return this.#dial(waiter);
      this.#queue.add(waiter);
      this.#options.deadlines.set(waiter, this.#options.poolTimeoutMs, options.deadline?.at);
      waiter.expire = () => waiter.fail(this.#waitedTooLong(options));
    });
  }

  /** A connection for one long answer: it takes no slot, so that streams never keep calls waiting, and is not used again. */
  async openApart(target: T, { upstream, signal }: AcquireOptions): Promise<C> {
    const dial = new AbortController();
    const onAbort = () => dial.abort(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    try {
      const connection = await this.#options.dial(target, upstream, dial.signal);
      this.#apart.add(connection);
      connection.onClosed = () => this.#apart.delete(connection);
      if (this.#isClosed) connection.abort(new SluiceError("SHUTTING_DOWN"));
      return connection;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Takes back a connection that may carry another request. */
  release(connection: C): void {
    if (connection.isClosed) return;
    const next = this.#nextFor(connection);
    if (next?.target.key === connection.key) {
      if (connection.reused) this.#reused++;
      return next.succeed(connection);
    }
    const { maxKeepaliveConnections, keepaliveExpiryMs, deadlines } = this.#options;
    // A peer closes at the end of the time it promises; a request sent just then would be lost, so stay clear of it.
    const hintMs = connection.keepAliveHintMs;
    const idleMs = Math.min(keepaliveExpiryMs, Math.max(hintMs - 1000, hintMs / 2));
    // Its slot is for another origin's caller.
    const isGivenUp = next !== undefined;
    const mustNotRest = this.#isClosed || isGivenUp || maxKeepaliveConnections < 1 || idleMs <= 0;
    if (mustNotRest) return connection.close();
    const isSurplus = this.#idle.size >= maxKeepaliveConnections;
    this.#idle.add(connection);
    const list = this.#idleByKey.get(connection.key);
    if (list === undefined) this.#idleByKey.set(connection.key, [connection]);
    else list.push(connection);
    connection.rest();
    deadlines.set(connection, isSurplus ? Math.min(idleMs, SURPLUS_IDLE_MS) : idleMs);
  }

  /** Closes every connection; whoever uses or awaits one gets SHUTTING_DOWN. */
  close(): void {
    this.#isClosed = true;
    const error = new SluiceError("SHUTTING_DOWN");
    for (const waiter of [...this.#queue]) waiter.fail(error);
    for (const waiters of [...this.#dialing.values()]) for (const waiter of [...waiters]) waiter.fail(error);
    for (const dial of [...this.#dials.keys()]) dial.abort(error);
    for (const connection of [...this.#all, ...this.#apart]) connection.abort(error);
    this.#options.deadlines.stop();
  }

  /** Who has waited longest among those that may use a connection that comes back, or the slot that it gives up. */
  #nextFor(connection: C): Waiter<T, C> | undefined {
    return this.#dialing.get(connection.key)?.values().next().value ?? this.#firstServable(connection);
  }

  /** The first in the queue that may have a new connection; or `returned`, where one comes back. */
  #firstServable(returned?: C): Waiter<T, C> | undefined {
    if (this.#queue.size === 0) return undefined;
    const verdicts = new Map<string, boolean>();
    for (const waiter of this.#queue) {
      const { key } = waiter.target;
      if (key === returned?.key) return waiter;
      let may = verdicts.get(key);
      if (may === undefined) verdicts.set(key, may = this.#mayOpen(key, returned === undefined ? 0 : 1));
      if (may) return waiter;
    }
    return undefined;
  }

  /** May an origin use one more, once `returned` of other origins are given up? See SHARE. */
  #mayOpen(key: string, returned: number): boolean {
    const used = this.#all.size - this.#idle.size + this.#dials.size - returned;
    let own = 0;
    for (const connection of this.#all) if (connection.key === key) own++;
    for (const dialled of this.#dials.values()) if (dialled === key) own++;
    own -= this.#idleByKey.get(key)?.length ?? 0;
    return own < SHARE * (this.#options.maxConnections - used);
  }

  /** True: a connection may be opened, for which an idle one was closed if need be. */
  #makeRoom(): boolean {
    const open = this.#all.size + this.#dials.size;
    if (open < this.#options.maxConnections) return true;
    // Closing it frees its slot; nobody in the queue may have it, for idle ones counted as free before.
    return this.#idle.size > 0 && (this.#closeOldestIdle(), true);
  }

  #waitedTooLong({ deadline, upstream }: AcquireOptions): SluiceError {
    if (deadline !== undefined && this.#options.deadlines.isPast(deadline.at)) {
      return upstreamTimeout(upstream, "free a connection", deadline);
    }
    return new SluiceError("HTTP_POOL_TIMEOUT", { timeoutMs: this.#options.poolTimeoutMs });
  }

  #closeOldestIdle(): void {
    this.#idle.values().next().value?.close();
  }

  #dial(waiter: Waiter<T, C>): void {
    const { target: { key }, options: { upstream, deadline } } = waiter;
    // From here the dialler keeps the time; only the end of the whole exchange can come sooner.
    this.#options.deadlines.set(waiter, Infinity, deadline?.at);
    waiter.expire = () => waiter.fail(upstreamTimeout(upstream, "connect", deadline!));
    const dial = new AbortController();
    waiter.dial = dial;
    this.#dials.set(dial, key);
    let waiters = this.#dialing.get(key);
    if (waiters === undefined) this.#dialing.set(key, waiters = new Set());
    waiters.add(waiter);
    this.#options.dial(waiter.target, upstream, dial.signal).then((connection) => {
      this.#dials.delete(dial);
      this.#all.add(connection);
      this.#created++;
      connection.onClosed = () => this.#onClosed(connection);
      if (this.#isClosed || dial.signal.aborted) connection.close();
      // Its own waiter first: one whose dialling has come to its end must not be left without.
      else if (waiter.isSettled) this.release(connection);
      else waiter.succeed(connection);
    }, (error) => {
      this.#dials.delete(dial);
      waiter.fail(error);
      this.#useFreeSlot();
    });
  }

  #onClosed(connection: C): void {
    this.#all.delete(connection);
    if (this.#idle.delete(connection)) {
      const list = this.#idleByKey.get(connection.key)!;
      list.splice(list.indexOf(connection), 1);
    }
    if (this.#idleByKey.get(connection.key)?.length === 0) this.#idleByKey.delete(connection.key);
    this.#useFreeSlot();
  }

  #useFreeSlot(): void {
    // Closed to make room for the waiter that is being served.
    if (this.#isClosed || this.#isServing) return;
    this.#isServing = true;
    for (let waiter = this.#firstServable(); waiter !== undefined; waiter = this.#firstServable()) {
      if (!this.#makeRoom()) break;
      this.#queue.delete(waiter);
      this.#dial(waiter);
    }
    this.#isServing = false;
  }

  /** The waiter is served or has given up. */
  #leave(waiter: Waiter<T, C>): void {
    this.#options.deadlines.forget(waiter);
    this.#queue.delete(waiter);
    const dialing = this.#dialing.get(waiter.target.key);
    if (dialing?.delete(waiter) && dialing.size === 0) this.#dialing.delete(waiter.target.key);
  }
}

/** Somebody who asked for a connection and has none yet; settled once. */
class Waiter<T, C> implements Expiring {
  deadlineAt = Infinity;
  expire: () => void = () => {};
  dial: AbortController | undefined;
  isSettled = false;
  readonly target: T;
  readonly options: AcquireOptions;
  readonly #resolve: (connection: C) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onSettled: (waiter: Waiter<T, C>) => void;

  constructor(
    target: T,
    options: AcquireOptions,
    resolve: (connection: C) => void,
    reject: (error: unknown) => void,
    onSettled: (waiter: Waiter<T, C>) => void,
  ) {
    this.target = target;
    this.options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#onSettled = onSettled;
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  /** Its own dialling, if it has begun, goes on: the connection will serve another. */
  succeed(connection: C): void {
    if (this.#settle()) this.#resolve(connection);
  }

  fail(error: unknown): void {
    if (!this.#settle()) return;
    this.#reject(error);
    this.dial?.abort(error);
  }

  #settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    this.options.signal?.removeEventListener("abort", this.#onAbort);
    this.#onSettled(this);
    return true;
  }

  readonly #onAbort = () => this.fail(this.options.signal!.reason);
}
