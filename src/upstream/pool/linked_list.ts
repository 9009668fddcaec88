// A doubly linked list that any member can leave at constant cost.

/** What a member carries; it is in one list at most. */
export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

/**
 * In order of arrival. (A `Set` keeps that order too, but a member that leaves and comes back all the time, which is what
 * idle sessions do, leaves a trail of holes behind: measured at 25 µs for each lease with 10,000 keys.)
 */
export class LinkedList<T extends Linked<T>> {
  length = 0;
  first: T | undefined;
  #last: T | undefined;

  push(member: T): void {
    member.previous = this.#last;
    if (this.#last === undefined) this.first = member;
    else this.#last.next = member;
    this.#last = member;
    this.length++;
  }

  /** Take out one that is in the list. */
  remove(member: T): void {
    const { previous, next } = member;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    member.previous = member.next = undefined;
    this.length--;
  }

  /** The member just yielded may leave; others must not. */
  *[Symbol.iterator](): Generator<T> {
    for (let member = this.first; member !== undefined;) {
      const { next } = member;
      yield member;
      member = next;
    }
  }
}
