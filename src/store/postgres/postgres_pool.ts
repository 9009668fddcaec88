// A connection pool with the rules of SQLAlchemy's QueuePool, which ContextForge's settings describe: kept connections, overflow,
// a bounded wait, recycling, pre-ping.
import { type Clock, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { unavailable } from "./postgres_errors.ts";

export interface PoolSettings {
  /** Connections that stay open while idle; 0 closes each after use. */
  readonly keep: number;
  /** Connections that may be open at the same time. */
  readonly limit: number;
  /** Time that a caller waits for a connection, ms. */
  readonly timeoutMs: number;
  /** Age at which a connection is closed, ms: immediately if it is idle, and after use otherwise. */
  readonly recycleMs: number;
  /** Test an idle connection before use. */
  readonly prePing: boolean;
}

/** A connection, as the pool sees it. */
export interface Poolable {
  readonly isUsable: boolean;
  set onLost(listener: () => void);
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

interface Waiter<C> {
  readonly timer: number;
  readonly resolve: (connection: C) => void;
  readonly reject: (error: unknown) => void;
}

/** The connections of one worker. Each is idle, leased, or closed. */
export class PostgresPool<C extends Poolable> {
  readonly #connect: () => Promise<C>;
  readonly #location: string;
  readonly #settings: PoolSettings;
  readonly #clock: Clock;
  /** The connection used last is at the end, and is used next. */
  readonly #idle: C[] = [];
  readonly #leased = new Set<C>();
  readonly #waiting: Waiter<C>[] = [];
  /** Timers by connection. A connection that is too old has no timer. */
  readonly #recycling = new Map<C, number>();
  readonly #closing = new Set<Promise<void>>();
  #opening = 0;
  #isClosed = false;
  #closed: Promise<void> | null = null;
  #onDrained: (() => void) | null = null;

  constructor(
    connect: () => Promise<C>,
    { location, settings, clock = systemClock }: {
      readonly location: string;
      readonly settings: PoolSettings;
      readonly clock?: Clock;
    },
  ) {
    this.#connect = connect;
    this.#location = location;
    this.#settings = settings;
    this.#clock = clock;
  }

  /** The number of connections that are open or being opened. */
  get size(): number {
    return this.#idle.length + this.#leased.size + this.#opening;
  }

  /**
   * Lends a connection to `fn`.
   * @throws {SluiceError} STORE_POOL_TIMEOUT if no connection becomes free in time; STORE_UNAVAILABLE if none can be opened
   */
  async use<T>(fn: (connection: C) => Promise<T>): Promise<T> {
    const connection = await this.#lease();
    try {
      return await fn(connection);
    } finally {
      this.#release(connection);
    }
  }

  /** Stops lending, waits for leased connections, and closes all. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#failWaiters(unavailable(this.#location, "it is closed"));
    this.#dropIdle();
    if (this.#leased.size + this.#opening > 0) {
      await new Promise<void>((resolve) => this.#onDrained = resolve);
    }
    await Promise.all(this.#closing);
  }

  async #lease(): Promise<C> {
    for (;;) {
      if (this.#isClosed) throw unavailable(this.#location, "it is closed");
      const connection = this.#idle.pop();
      if (connection === undefined) break;
      this.#leased.add(connection);
      if (!this.#settings.prePing || await connection.ping()) return connection;
      this.#release(connection);
    }
    return await (this.size < this.#settings.limit ? this.#open() : this.#wait());
  }

  #release(connection: C): void {
    this.#leased.delete(connection);
    const isTooOld = !this.#recycling.has(connection);
    if (!connection.isUsable) {
      // The idle connections have probably been lost for the same reason.
      this.#dropIdle();
      this.#discard(connection);
    } else if (this.#isClosed || isTooOld || this.#settings.keep === 0) {
      this.#discard(connection);
    } else if (this.#waiting.length > 0) {
      this.#leased.add(connection);
      this.#takeWaiter().resolve(connection);
    } else if (this.#idle.length < this.#settings.keep) {
      this.#idle.push(connection);
    } else {
      this.#discard(connection);
    }
    this.#onChange();
  }

  async #open(): Promise<C> {
    this.#opening++;
    try {
      const connection = await this.#connect();
      this.#leased.add(connection);
      const { recycleMs } = this.#settings;
      this.#recycling.set(connection, this.#clock.setTimeout(() => this.#recycle(connection), recycleMs));
      connection.onLost = () => this.#forgetIdle(connection);
      return connection;
    } catch (error) {
      // Nothing else would wake the waiting callers, and each of them would meet the same failure.
      if (this.#leased.size === 0) this.#failWaiters(error);
      throw error;
    } finally {
      this.#opening--;
      this.#onChange();
    }
  }

  #wait(): Promise<C> {
    const { limit, timeoutMs } = this.#settings;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => {
        this.#waiting.splice(this.#waiting.findIndex((each) => each.timer === timer), 1);
        reject(new SluiceError("STORE_POOL_TIMEOUT", { limit, timeoutMs }));
      }, timeoutMs);
      this.#waiting.push({ timer, resolve, reject });
    });
  }

  #takeWaiter(): Waiter<C> {
    const waiter = this.#waiting.shift()!;
    this.#clock.clearTimeout(waiter.timer);
    return waiter;
  }

  #failWaiters(error: unknown): void {
    while (this.#waiting.length > 0) this.#takeWaiter().reject(error);
  }

  /** Called when a connection may have become free. */
  #onChange(): void {
    while (this.#waiting.length > 0 && this.size < this.#settings.limit) {
      const { resolve, reject } = this.#takeWaiter();
      this.#open().then(resolve, reject);
    }
    if (this.#isClosed && this.#leased.size + this.#opening === 0) this.#onDrained?.();
  }

  #recycle(connection: C): void {
    this.#recycling.delete(connection);
    if (this.#forgetIdle(connection)) this.#discard(connection);
  }

  /** @returns whether the connection was idle */
  #forgetIdle(connection: C): boolean {
    const index = this.#idle.indexOf(connection);
    if (index < 0) return false;
    this.#idle.splice(index, 1);
    this.#stopTimer(connection);
    return true;
  }

  #dropIdle(): void {
    for (const connection of this.#idle.splice(0)) this.#discard(connection);
  }

  #discard(connection: C): void {
    this.#stopTimer(connection);
    const closing = connection.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #stopTimer(connection: C): void {
    const timer = this.#recycling.get(connection);
    if (timer !== undefined) this.#clock.clearTimeout(timer);
    this.#recycling.delete(connection);
  }
}
