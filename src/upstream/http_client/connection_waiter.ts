// A request that waits for a connection of the pool, and the connection that it gets.
import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Expiring } from "../../base/deadline_timer.ts";
import type { Deadline } from "../resilience/deadline.ts";

/** A connection as the pool sees it. The deadline timer watches it already. `expire` closes an idle connection. */
export interface PooledConnection extends Expiring {
  readonly key: string;
  readonly isClosed: boolean;
  readonly keepAliveHintMs: number;
  reused: boolean;
  /** The caller whose request the connection carries; undefined: idle, or no particular caller. */
  holder: ConnectionHolder | undefined;
  /** The connection calls this once, when it has been closed. */
  onClosed: () => void;
  /** Makes the connection idle. */
  rest(): void;
  close(): void;
  abort(error: unknown): void;
}

export interface AcquireOptions {
  readonly upstream: string;
  readonly signal?: CancelSignal;
  /** The caller that the connection counts for; undefined: no limit by caller applies. */
  readonly holder?: ConnectionHolder;
  /** Excludes idle connections. */
  readonly fresh?: boolean;
  /** Limits waiting and dialling. */
  readonly deadline?: Deadline;
}

export function hold(connection: PooledConnection, holder: ConnectionHolder): void {
  holder.connections++;
  connection.holder = holder;
}

export function letGo(connection: PooledConnection): void {
  if (connection.holder === undefined) return;
  connection.holder.connections--;
  connection.holder = undefined;
}

/** A request that waits for a connection. Settled once. */
export class Waiter<T, C extends PooledConnection> implements Expiring {
  deadlineAt = Infinity;
  slot = -1;
  expire: () => void = () => {};
  dial: AbortController | undefined;
  isSettled = false;
  #isReserved = false;
  readonly target: T;
  readonly options: AcquireOptions;
  /** Time of arrival, ms since the epoch. */
  readonly since: number;
  readonly #resolve: (connection: C) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onSettled: (waiter: Waiter<T, C>) => void;

  constructor(
    target: T,
    options: AcquireOptions,
    resolve: (connection: C) => void,
    reject: (error: unknown) => void,
    since: number,
    onSettled: (waiter: Waiter<T, C>) => void,
  ) {
    this.target = target;
    this.options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.since = since;
    this.#onSettled = onSettled;
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  /** A connection is being opened for the request. It counts for the caller. */
  reserve(): void {
    if (this.options.holder === undefined) return;
    this.#isReserved = true;
    this.options.holder.connections++;
  }

  /** Its own attempt to connect continues: the connection will serve another request. */
  succeed(connection: C): void {
    if (!this.#settle()) return;
    if (this.options.holder !== undefined) hold(connection, this.options.holder);
    this.#resolve(connection);
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
    if (this.#isReserved) this.options.holder!.connections--;
    this.#onSettled(this);
    return true;
  }

  readonly #onAbort = () => this.fail(this.options.signal!.reason);
}
