// Assigns connections to requests: idle connections by origin, one limit for all of them, and a fair queue.

import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import type { DeadlineTimer } from "../../base/deadline_timer.ts";
import { upstreamTimeout } from "../resilience/deadline.ts";
import type { StreamPlaces } from "./stream_places.ts";
import { type AcquireOptions, hold, letGo, type PooledConnection, Waiter } from "./connection_waiter.ts";

export type { AcquireOptions, PooledConnection } from "./connection_waiter.ts";

export interface PoolOptions<C, T> {
  /** Limit of connections in every state, including those that are being opened. */
  readonly maxConnections: number;
  readonly maxKeepaliveConnections: number;
  readonly keepaliveExpiryMs: number;
  readonly poolTimeoutMs: number;
  readonly streamPlaces: StreamPlaces;
  readonly deadlines: DeadlineTimer;
  readonly clock: Clock;
  /** Told of each request that has waited for a connection, when it gets one or gives up. */
  readonly onWaited?: (ms: number) => void;
  /** Opens a connection. Rejects soon after the signal is aborted. */
  readonly dial: (target: T, upstream: string, signal: AbortSignal) => Promise<C>;
}

export interface PoolStats {
  /** Busy, idle and connecting. */
  readonly open: number;
  readonly idle: number;
  readonly waiting: number;
  /** The total since the start. */
  readonly created: number;
  /** The number of requests since the start on a connection that had carried another request before. */
  readonly reused: number;
}

/**
 * Time after which an idle connection beyond HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS is closed, ms. Under load a connection is idle
 * for microseconds between two calls. If it were closed at once, every call beyond the limit would need a new connection.
 */
const SURPLUS_IDLE_MS = 1_000;

/**
 * An origin may use this many times the number of unused connections: four fifths of all connections if it is the only one, and
 * fewer if other origins are busy too. Therefore an origin that hangs leaves room for others.
 */
const SHARE = 4;

/**
 * Likewise for a caller, over all origins: three quarters of all connections if it is the only one, and fewer if other callers are
 * busy too. A caller without a connection may always have one, if any is free.
 */
const HOLDER_SHARE = 3;

/**
 * Invariants: no request of a caller below its share queues while a connection to its origin is idle, or while a slot is free that
 * its origin may use. A request that waits for a connection being opened takes the first free connection to its origin. The queue
 * is fair between callers: the next request is of the caller with the fewest connections. Requests of one caller are served in
 * order of arrival.
 */
export class ConnectionPool<T extends { readonly key: string }, C extends PooledConnection & Linked<C>> {
  readonly #options: PoolOptions<C, T>;
  readonly #all = new Set<C>();
  /** Connections of event streams. The limit of connections does not count them. */
  readonly #apart = new Set<C>();
  /** Oldest first. */
  readonly #idle = new LinkedList<C>();
  /** Most recently used last. */
  readonly #idleByKey = new Map<string, C[]>();
  readonly #queue = new Set<Waiter<T, C>>();
  readonly #dialing = new Map<string, Set<Waiter<T, C>>>();
  /** Connections that are being opened, with their origins. */
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
      idle: this.#idle.length,
      waiting: this.#queue.size,
      created: this.#created,
      reused: this.#reused,
    };
  }

  /** Takes an idle connection for `key`. @returns undefined if there is none, or if the caller has its share */
  takeIdle(key: string, holder?: ConnectionHolder): C | undefined {
    if (!this.#mayHold(holder, key, 0)) return undefined;
    const connection = this.#idleByKey.get(key)?.pop();
    if (connection === undefined) return undefined;
    if (holder !== undefined) hold(connection, holder);
    this.#idle.remove(connection);
    this.#options.deadlines.set(connection, Infinity);
    if (connection.reused) this.#reused++;
    return connection;
  }

  /**
   * Takes or opens a connection for `target`. The caller owns it until it is released or closed.
   * @throws {SluiceError} HTTP_POOL_TIMEOUT, SHUTTING_DOWN, errors of dialling; the signal's reason
   */
  acquire(target: T, options: AcquireOptions): Promise<C> {
    if (this.#isClosed) return Promise.reject(new SluiceError("SHUTTING_DOWN"));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const idle = options.fresh === true ? undefined : this.takeIdle(target.key, options.holder);
    if (idle !== undefined) return Promise.resolve(idle);
    return new Promise((resolve, reject) => {
      const waiter = new Waiter<T, C>(
        target,
        options,
        resolve,
        reject,
        this.#options.clock.now(),
        (w) => this.#leave(w),
      );
      this.#options.deadlines.watch(waiter);
      const may = this.#mayHold(options.holder, target.key, 0) && this.#mayOpen(target.key, 0);
      if (may && this.#makeRoom()) return this.#dial(waiter);
      this.#queue.add(waiter);
      this.#options.deadlines.set(waiter, this.#options.poolTimeoutMs, options.deadline?.at);
      waiter.expire = () => waiter.fail(this.#waitedTooLong(options));
    });
  }

  /**
   * Opens a connection for one event stream. It takes no slot, so that streams do not delay calls, and it is not reused.
   * @throws {SluiceError} TOO_MANY_STREAMS_OF_CALLER, errors of dialling; the signal's reason
   */
  async openApart(target: T, { upstream, signal, holder, deadline }: AcquireOptions): Promise<C> {
    const leave = this.#options.streamPlaces.take({ holder, deadline });
    const dial = new AbortController();
    const onAbort = () => dial.abort(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    try {
      const connection = await this.#options.dial(target, upstream, dial.signal);
      this.#apart.add(connection);
      connection.onClosed = () => {
        this.#apart.delete(connection);
        leave();
      };
      if (this.#isClosed) connection.abort(new SluiceError("SHUTTING_DOWN"));
      return connection;
    } catch (error) {
      leave();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Takes back a connection that may carry another request. */
  release(connection: C): void {
    if (connection.isClosed) return;
    letGo(connection);
    const next = this.#nextFor(connection);
    if (next?.target.key === connection.key) {
      if (connection.reused) this.#reused++;
      return next.succeed(connection);
    }
    const { maxKeepaliveConnections, keepaliveExpiryMs, deadlines } = this.#options;
    // The peer closes the connection at the promised time. A request sent just then would be lost, so the pool closes earlier.
    const hintMs = connection.keepAliveHintMs;
    const idleMs = Math.min(keepaliveExpiryMs, Math.max(hintMs - 1000, hintMs / 2));
    // The slot goes to a request for another origin.
    const isGivenUp = next !== undefined;
    const mustNotRest = this.#isClosed || isGivenUp || maxKeepaliveConnections < 1 || idleMs <= 0;
    if (mustNotRest) return connection.close();
    const isSurplus = this.#idle.length >= maxKeepaliveConnections;
    this.#idle.push(connection);
    const list = this.#idleByKey.get(connection.key);
    if (list === undefined) this.#idleByKey.set(connection.key, [connection]);
    else list.push(connection);
    connection.rest();
    deadlines.set(connection, isSurplus ? Math.min(idleMs, SURPLUS_IDLE_MS) : idleMs);
  }

  /** Closes every connection. Requests that use one or wait for one fail with SHUTTING_DOWN. */
  close(): void {
    this.#isClosed = true;
    const error = new SluiceError("SHUTTING_DOWN");
    for (const waiter of [...this.#queue]) waiter.fail(error);
    for (const waiters of [...this.#dialing.values()]) for (const waiter of [...waiters]) waiter.fail(error);
    for (const dial of [...this.#dials.keys()]) dial.abort(error);
    for (const connection of [...this.#all, ...this.#apart]) connection.abort(error);
    this.#options.deadlines.stop();
  }

  /** The first waiter that may use the returned connection, or its slot. */
  #nextFor(connection: C): Waiter<T, C> | undefined {
    return this.#dialing.get(connection.key)?.values().next().value ?? this.#firstServable(connection);
  }

  /** Of the waiters that may have a new connection, or the returned one: the first of the caller with the fewest connections. */
  #firstServable(returned?: C): Waiter<T, C> | undefined {
    if (this.#queue.size === 0) return undefined;
    const back = returned === undefined ? 0 : 1;
    const verdicts = new Map<string, boolean>();
    const mayOpen = (key: string) => {
      let may = verdicts.get(key);
      if (may === undefined) verdicts.set(key, may = this.#mayOpen(key, back));
      return may;
    };
    let found: Waiter<T, C> | undefined;
    let fewest = Infinity;
    for (const waiter of this.#queue) {
      const { target: { key }, options: { holder } } = waiter;
      const held = holder?.connections ?? 0;
      if (held >= fewest || !this.#mayHold(holder, key, back)) continue;
      if (key !== returned?.key && !mayOpen(key)) continue;
      if (held === 0) return waiter;
      [found, fewest] = [waiter, held];
    }
    return found;
  }

  /** Connections in use or being opened, after `returned` of them are closed. */
  #used(returned: number): number {
    return this.#all.size - this.#idle.length + this.#dials.size - returned;
  }

  /**
   * Whether a caller may use one more connection to `key`, after `returned` connections are closed. See HOLDER_SHARE. A caller beyond
   * its share gets its first connection to an origin while two are free, so that an upstream that hangs does not cut it off from others.
   */
  #mayHold(holder: ConnectionHolder | undefined, key: string, returned: number): boolean {
    if (holder === undefined) return true;
    const free = this.#options.maxConnections - this.#used(returned);
    return holder.connections < HOLDER_SHARE * free || (free > 1 && !this.#holds(holder, key));
  }

  #holds(holder: ConnectionHolder, key: string): boolean {
    for (const connection of this.#all) {
      if (connection.key === key && connection.holder === holder) return true;
    }
    for (const waiter of this.#dialing.get(key) ?? []) if (waiter.options.holder === holder) return true;
    return false;
  }

  /** Whether an origin may use one more connection, after `returned` connections of others are closed. See SHARE. */
  #mayOpen(key: string, returned: number): boolean {
    const used = this.#used(returned);
    let own = 0;
    for (const connection of this.#all) if (connection.key === key) own++;
    for (const dialled of this.#dials.values()) if (dialled === key) own++;
    own -= this.#idleByKey.get(key)?.length ?? 0;
    return own < SHARE * (this.#options.maxConnections - used);
  }

  /** Makes room for one more connection; may close an idle one. @returns false if there is no room */
  #makeRoom(): boolean {
    const open = this.#all.size + this.#dials.size;
    if (open < this.#options.maxConnections) return true;
    // The freed slot is not for the queue, which counted idle connections as free already.
    return this.#idle.length > 0 && (this.#closeOldestIdle(), true);
  }

  #waitedTooLong({ deadline, upstream }: AcquireOptions): SluiceError {
    if (deadline !== undefined && this.#options.deadlines.isPast(deadline.at)) {
      return upstreamTimeout(upstream, "free a connection", deadline);
    }
    return new SluiceError("HTTP_POOL_TIMEOUT", { timeoutMs: this.#options.poolTimeoutMs });
  }

  #closeOldestIdle(): void {
    this.#idle.first?.close();
  }

  #dial(waiter: Waiter<T, C>): void {
    const { target: { key }, options: { upstream, deadline } } = waiter;
    // `dial` has its own time limit. Only the deadline of the exchange can be earlier.
    this.#options.deadlines.set(waiter, Infinity, deadline?.at);
    waiter.expire = () => waiter.fail(upstreamTimeout(upstream, "connect", deadline!));
    waiter.reserve();
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
      // The waiter that started this attempt comes first, because no other attempt serves it.
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
    letGo(connection);
    if (this.#idle.remove(connection)) {
      const list = this.#idleByKey.get(connection.key)!;
      list.splice(list.indexOf(connection), 1);
    }
    if (this.#idleByKey.get(connection.key)?.length === 0) this.#idleByKey.delete(connection.key);
    this.#useFreeSlot();
  }

  #useFreeSlot(): void {
    // The connection was closed to make room for the waiter that is being served.
    if (this.#isClosed || this.#isServing) return;
    this.#isServing = true;
    for (let waiter = this.#firstServable(); waiter !== undefined; waiter = this.#firstServable()) {
      if (!this.#makeRoom()) break;
      this.#queue.delete(waiter);
      this.#dial(waiter);
    }
    this.#isServing = false;
  }

  /** Removes a waiter that is served or has given up. */
  #leave(waiter: Waiter<T, C>): void {
    this.#options.deadlines.forget(waiter);
    this.#queue.delete(waiter);
    this.#options.onWaited?.(this.#options.clock.now() - waiter.since);
    const dialing = this.#dialing.get(waiter.target.key);
    if (dialing?.delete(waiter) && dialing.size === 0) this.#dialing.delete(waiter.target.key);
  }
}
