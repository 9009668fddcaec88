// The callers of one pool key that wait for a session, in order of arrival.
import { type Linked, LinkedList } from "../../base/linked_list.ts";

/** A waiting caller. `T` is the value it waits for; `C` opens a session on its behalf. */
export class Waiter<T, C> implements Linked<Waiter<T, C>> {
  readonly create: C;
  /** Time of arrival, ms since the epoch. */
  readonly sinceMs: number;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
  queued = false;
  /** Called when the caller leaves the queue: stops its timer and its abort listener. */
  onLeave: (() => void) | undefined;
  previous: Waiter<T, C> | undefined;
  next: Waiter<T, C> | undefined;

  constructor(create: C, sinceMs: number, resolve: (value: T) => void, reject: (error: unknown) => void) {
    this.create = create;
    this.sinceMs = sinceMs;
    this.resolve = resolve;
    this.reject = reject;
  }
}

export class WaitQueue<T, C> {
  readonly #list = new LinkedList<Waiter<T, C>>();

  get length(): number {
    return this.#list.length;
  }

  push(waiter: Waiter<T, C>): void {
    waiter.queued = true;
    this.#list.push(waiter);
  }

  /** Removes the caller that has waited longest. */
  shift(): Waiter<T, C> | undefined {
    const waiter = this.#list.first;
    if (waiter !== undefined) this.remove(waiter);
    return waiter;
  }

  /** Removes a caller. */
  remove(waiter: Waiter<T, C>): void {
    this.#list.remove(waiter);
    waiter.queued = false;
    waiter.onLeave?.();
  }

  /** Returns the caller with `position` others before it. Linear in `position`. */
  at(position: number): Waiter<T, C> | undefined {
    let waiter = this.#list.first;
    while (waiter !== undefined && position-- > 0) waiter = waiter.next;
    return waiter;
  }

  /** Whether a caller is among the first `count`. Linear in `count`. */
  isAmongFirst(waiter: Waiter<T, C>, count: number): boolean {
    for (let other = this.#list.first; other !== undefined && count-- > 0; other = other.next) {
      if (other === waiter) return true;
    }
    return false;
  }
}
