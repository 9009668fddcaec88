// Counters of quotas in memory that the workers of a process share: what one worker counts, the others see at once. An open-addressed
// table of fixed size, whose slots are claimed and counted by atomic operations.

/** What has been used in a window. */
export interface Used {
  readonly calls: number;
  readonly micros: number;
  readonly bytes: number;
}

export type Amount = keyof Used;

/** The place of each number within a slot, in elements of 8 bytes. */
const KEY = 0;
const ENDS = 1;
const AMOUNTS: Readonly<Record<Amount, number>> = { calls: 2, micros: 3, bytes: 4 };
const SLOT = 5;

/** Keys of slots that are not in use. */
const FREE = 0n;
const CLAIMED = 1n;

/** Slots that a key may be in. */
const PROBES = 16;

/** How often a look at a claimed slot is repeated: a claim takes five writes. */
const SPINS = 1_000;

/** Time after the end of a window, ms, until its slot may be reused: a call that ends just then may still be counted. */
const KEPT_MS = 1_000;

/** The memory of `counters` counters. It is given to each worker. */
export function quotaMemory(counters: number): SharedArrayBuffer {
  return new SharedArrayBuffer(counters * SLOT * BigInt64Array.BYTES_PER_ELEMENT);
}

export class QuotaCounters {
  readonly #cells: BigInt64Array;
  readonly #slots: number;
  readonly #onDropped: () => void;

  /** @param onDropped a live counter gave its slot to another one */
  constructor(memory: SharedArrayBuffer, onDropped: () => void) {
    this.#cells = new BigInt64Array(memory);
    this.#slots = this.#cells.length / SLOT;
    this.#onDropped = onDropped;
  }

  /**
   * The slot of a key; a new one starts at zero. If all places of the key are in use, the counter that ends first gives up its slot.
   * @param key of 64 bits that differ at random
   * @param endsMs the end of the window, ms since the epoch
   * @param known where the slot was last; -1: not known
   */
  slotOf(key: bigint, endsMs: number, nowMs: number, known = -1): number {
    if (known >= 0 && Atomics.load(this.#cells, known + KEY) === key) return known;
    return this.#find(key) ?? this.#claim(key, endsMs, nowMs);
  }

  /** Adds to an amount. @returns the sum before */
  add(slot: number, amount: Amount, by: number): number {
    return Number(Atomics.add(this.#cells, slot + AMOUNTS[amount], BigInt(Math.round(by))));
  }

  used(slot: number): Used {
    const read = (amount: Amount) => Number(Atomics.load(this.#cells, slot + AMOUNTS[amount]));
    return { calls: read("calls"), micros: read("micros"), bytes: read("bytes") };
  }

  /** Raises the amounts to what is known from elsewhere. */
  learn(slot: number, used: Used): void {
    for (const amount of ["calls", "micros", "bytes"] as const) {
      const cell = slot + AMOUNTS[amount];
      const known = BigInt(Math.round(used[amount]));
      let own = Atomics.load(this.#cells, cell);
      while (own < known) {
        const seen = Atomics.compareExchange(this.#cells, cell, own, known);
        if (seen === own) break;
        own = seen;
      }
    }
  }

  /** The number of counters whose window has not ended. Visits every slot. */
  live(nowMs: number): number {
    let live = 0;
    for (let slot = 0; slot < this.#cells.length; slot += SLOT) {
      if (this.#cells[slot + KEY] !== FREE && Number(this.#cells[slot + ENDS]) > nowMs) live++;
    }
    return live;
  }

  #placesOf(key: bigint): number[] {
    const first = Number(BigInt.asUintN(48, key)) % this.#slots;
    return Array.from(
      { length: Math.min(PROBES, this.#slots) },
      (_, i) => ((first + i) % this.#slots) * SLOT,
    );
  }

  #find(key: bigint): number | null {
    return this.#placesOf(key).find((slot) => this.#keyAt(slot) === key) ?? null;
  }

  #claim(key: bigint, endsMs: number, nowMs: number): number {
    const places = this.#placesOf(key);
    const endOf = (slot: number) => Number(Atomics.load(this.#cells, slot + ENDS));
    const isFree = (slot: number) => this.#keyAt(slot) === FREE || endOf(slot) + KEPT_MS <= nowMs;
    for (;;) {
      const free = places.find(isFree);
      const slot = free ?? places.reduce((first, next) => endOf(next) < endOf(first) ? next : first);
      const former = this.#keyAt(slot);
      if (Atomics.compareExchange(this.#cells, slot + KEY, former, CLAIMED) !== former) continue;
      if (free === undefined) this.#onDropped();
      Atomics.store(this.#cells, slot + ENDS, BigInt(Math.ceil(endsMs)));
      for (const cell of Object.values(AMOUNTS)) Atomics.store(this.#cells, slot + cell, 0n);
      Atomics.store(this.#cells, slot + KEY, key);
      // Another worker may have claimed a slot for the same key meanwhile. The first of them in the order of places counts.
      const first = this.#find(key)!;
      if (first !== slot) Atomics.store(this.#cells, slot + KEY, FREE);
      return first;
    }
  }

  /** Waits for a claim under way, but not for one whose worker ended in between. */
  #keyAt(slot: number): bigint {
    let key = Atomics.load(this.#cells, slot + KEY);
    for (let spins = 0; key === CLAIMED && spins < SPINS; spins++) {
      key = Atomics.load(this.#cells, slot + KEY);
    }
    return key;
  }
}
