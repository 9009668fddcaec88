// The pool that the guide's section 8.1 describes: kept connections, overflow, a bounded wait, recycling, pre-ping.
import { type Clock, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { unavailable } from "./postgres_errors.ts";

export interface PoolSettings {
  /** Connections that stay open when nobody uses them; 0: each is closed after its use. */
  readonly keep: number;
  /** Connections that may be open at the same time. */
  readonly limit: number;
  /** How long a caller waits for one, ms. */
  readonly timeoutMs: number;
  /** The age at which one is closed, ms: at once when it is idle, else after its use. */
  readonly recycleMs: number;
  /** Test one that was idle before it is used. */
  readonly prePing: boolean;
}

/** What the pool needs of a connection. */
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

/** The connections of one worker. A connection is idle or leased, and gone when it is neither. */
export class PostgresPool<C extends Poolable> {
  readonly #connect: () => Promise<C>;
  readonly #location: string;
  readonly #settings: PoolSettings;
  readonly #clock: Clock;
  /** The one used last is at the end, and is used first. */
  readonly #idle: C[] = [];
  readonly #leased = new Set<C>();
  readonly #waiting: Waiter<C>[] = [];
  /** Timers by connection; one that is too old has none any more. */
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

  /** Connections open or being opened. */
  get size(): number {
    return this.#idle.length + this.#leased.size + this.#opening;
  }

  /**
   * Lends a connection to `fn`.
   * @throws {SluiceError} STORE_POOL_TIMEOUT when none became free in time; STORE_UNAVAILABLE when none can be opened
   */
  async use<T>(fn: (connection: C) => Promise<T>): Promise<T> {
    const connection = await this.#lease();
    try {
      return await fn(connection);
    } finally {
      this.#release(connection);
    }
  }

  /** Lends out nothing more, waits for what is lent out, and closes all. */
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
      // What ended this one has probably ended those that nobody is looking at.
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
      // Nobody would wake who waits; and they need not try one after the other what has just failed.
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

  /** A place may have become free. */
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

  /** @returns was it idle? */
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
