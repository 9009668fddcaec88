// What is under way, by a number that the table gives out: for replies that name their request.

/**
 * An array, because members come and go with every call (see LinkedList). A number's place is its remainder by the length, so numbers
 * whose place is taken are left out. Numbers do not repeat.
 */
export class NumberedTable<T extends NonNullable<unknown>> {
  #size = 0;
  #next = 1;
  /** The number at each place; 0: it is free. The length is a power of two. */
  #numbers: number[] = new Array(16).fill(0);
  #members: (T | undefined)[] = new Array(16).fill(undefined);

  get size(): number {
    return this.#size;
  }

  /** @returns the member's number, from 1 */
  add(member: T): number {
    if (2 * this.#size >= this.#numbers.length) this.#grow();
    while (this.#numbers[this.#placeOf(this.#next)] !== 0) this.#next++;
    const number = this.#next++;
    this.#put(number, member);
    this.#size++;
    return number;
  }

  get(number: number): T | undefined {
    const place = this.#placeOf(number);
    return this.#numbers[place] === number ? this.#members[place] : undefined;
  }

  /** @returns false if the table has no such number */
  delete(number: number): boolean {
    const place = this.#placeOf(number);
    if (number === 0 || this.#numbers[place] !== number) return false;
    this.#numbers[place] = 0;
    this.#members[place] = undefined;
    this.#size--;
    return true;
  }

  /** The members at this moment. */
  members(): T[] {
    return this.#members.filter((member) => member !== undefined);
  }

  #placeOf(number: number): number {
    return number % this.#numbers.length;
  }

  #put(number: number, member: T): void {
    const place = this.#placeOf(number);
    this.#numbers[place] = number;
    this.#members[place] = member;
  }

  /** Numbers with different places have different places in a table of twice the length too. */
  #grow(): void {
    const [numbers, members] = [this.#numbers, this.#members];
    this.#numbers = new Array(2 * numbers.length).fill(0);
    this.#members = new Array(2 * numbers.length).fill(undefined);
    numbers.forEach((number, place) => number !== 0 && this.#put(number, members[place]!));
  }
}
