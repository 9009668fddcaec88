// A map with an upper bound: a new entry evicts old ones. It holds caches, and state that callers could otherwise make grow.

export interface BoundedMapOptions<K, V> {
  /** At least 1. */
  readonly maxEntries?: number;
  /** Upper bound for the sum of all weights. An entry that is heavier by itself is not kept. */
  readonly maxWeight?: number;
  /** The weight of an entry, for example in bytes. The same key and value must always have the same weight. */
  readonly weightOf?: (key: K, value: V) => number;
  /**
   * "set" evicts the entry that was set first; a `get` then costs no more than with a `Map`. "get" evicts the least recently
   * used entry. Default: "set".
   */
  readonly ageFrom?: "set" | "get";
  /** Selects entries that are evicted before older ones. The map searches for them only when it is full. */
  readonly isDispensable?: (value: V) => boolean;
  /** Called after an eviction, and not after `delete`, `clear` or a new value for a key. */
  readonly onEvict?: (value: V, key: K) => void;
}

export class BoundedMap<K, V extends NonNullable<unknown>> implements Iterable<[K, V]> {
  /** Oldest first. */
  readonly #entries = new Map<K, V>();
  readonly #maxEntries: number;
  readonly #maxWeight: number;
  readonly #options: Pick<BoundedMapOptions<K, V>, "weightOf" | "isDispensable" | "onEvict">;
  readonly #countsGets: boolean;
  /** The key at the end of `#entries` if it is known. A `get` of this key need not move it there. */
  #newest: K | undefined;
  #weight = 0;

  constructor(options: BoundedMapOptions<K, V>) {
    const { maxEntries = Infinity, maxWeight = Infinity, ageFrom = "set" } = options;
    this.#maxEntries = maxEntries;
    this.#maxWeight = maxWeight;
    this.#countsGets = ageFrom === "get";
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The sum of all weights; 0 if the map has no `weightOf`. */
  get weight(): number {
    return this.#weight;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (this.#countsGets && value !== undefined && key !== this.#newest) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
      this.#newest = key;
    }
    return value;
  }

  /** Makes the entry the newest one, even if the map has the key already. */
  set(key: K, value: V): void {
    this.delete(key);
    const weight = this.#options.weightOf?.(key, value) ?? 0;
    if (weight > this.#maxWeight) return;
    while (this.#entries.size >= this.#maxEntries || this.#weight + weight > this.#maxWeight) this.#evict();
    this.#entries.set(key, value);
    this.#weight += weight;
    this.#newest = key;
  }

  delete(key: K): boolean {
    const { weightOf } = this.#options;
    if (weightOf !== undefined) {
      const value = this.#entries.get(key);
      if (value !== undefined) this.#weight -= weightOf(key, value);
    }
    if (key === this.#newest) this.#newest = undefined;
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
    this.#newest = undefined;
  }

  keys(): MapIterator<K> {
    return this.#entries.keys();
  }

  values(): MapIterator<V> {
    return this.#entries.values();
  }

  /** All entries, the oldest first. */
  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#entries.entries();
  }

  #evict(): void {
    const [key, value] = this.#mostDispensable();
    this.delete(key);
    this.#options.onEvict?.(value, key);
  }

  #mostDispensable(): [K, V] {
    const { isDispensable } = this.#options;
    if (isDispensable !== undefined) {
      for (const entry of this.#entries) if (isDispensable(entry[1])) return entry;
    }
    return this.#entries.entries().next().value!;
  }
}
