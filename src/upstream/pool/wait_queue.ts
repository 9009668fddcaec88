// The callers of one pool key who have no session yet: first come, first served.
import { type Linked, LinkedList } from "./linked_list.ts";

/** A caller in the queue. `T` is what it waits for, `C` how a session is opened on its account. */
export class Waiter<T, C> implements Linked<Waiter<T, C>> {
  readonly create: C;
  /** When it came, ms since the epoch. */
  readonly sinceMs: number;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
  queued = false;
  /** Called when it leaves the queue, however it does: stops its timer, takes its ear off the signal. */
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

  /** The longest waiting caller leaves. */
  shift(): Waiter<T, C> | undefined {
    const waiter = this.#list.first;
    if (waiter !== undefined) this.remove(waiter);
    return waiter;
  }

  /** A caller in the queue leaves. */
  remove(waiter: Waiter<T, C>): void {
    this.#list.remove(waiter);
    waiter.queued = false;
    waiter.onLeave?.();
  }

  /** The caller that `position` others stand before; linear in `position`. */
  at(position: number): Waiter<T, C> | undefined {
    let waiter = this.#list.first;
    while (waiter !== undefined && position-- > 0) waiter = waiter.next;
    return waiter;
  }

  /** Is it among the first `count`? Linear in `count`. */
  isAmongFirst(waiter: Waiter<T, C>, count: number): boolean {
    for (let other = this.#list.first; other !== undefined && count-- > 0; other = other.next) {
      if (other === waiter) return true;
    }
    return false;
  }
}
