// Room `cache`: records that expire, and events between replicas. CACHE_TYPE decides whether all replicas share the records, one
// worker keeps them, or nobody does. Other rooms use `Cache` and `Publisher`; `openCache` makes them.

/** Keys are printable ASCII without spaces, with parts separated by ":". Values are JSON texts. */
export interface CacheEntry {
  readonly key: string;
  readonly value: string;
}

/** A counter, and its increment. */
export interface Increment {
  readonly key: string;
  /** A whole number. 0 only reads the counter. */
  readonly by: number;
}

/** Every method throws SluiceError CACHE_UNAVAILABLE or STORE_UNAVAILABLE if the records are not available. */
export interface Cache {
  /** @returns null if there is no record, or it has expired */
  get(key: string): Promise<string | null>;
  /** Stores or replaces the value, for `ttlMs` from now (at least 1). */
  put(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * Stores the value if the present record is `expected`, or if there is none and `expected` is null. The operation is atomic.
   * @returns whether the value was stored
   */
  compareAndSet(key: string, expected: string | null, value: string, ttlMs: number): Promise<boolean>;
  /**
   * Adds to counters. A counter starts at 0, and expires `ttlMs` after the last addition. Each addition is atomic, but not all of
   * them together. @param increments the keys must differ @returns the values of the counters, in the same order
   */
  add(increments: readonly Increment[], ttlMs: number): Promise<number[]>;
  /** @returns false if there was no record */
  delete(key: string): Promise<boolean>;
  /** All records whose key has this prefix, sorted by key. The search visits every record, so it is for rare use. */
  list(prefix: string): Promise<CacheEntry[]>;
  /** Deletes expired records. @returns how many */
  sweep(): Promise<number>;
}

/** CACHE_TYPE=none: no records are kept. */
export const NO_CACHE: Cache = {
  get: () => Promise.resolve(null),
  put: () => Promise.resolve(),
  compareAndSet: () => Promise.resolve(false),
  add: (increments) => Promise.resolve(increments.map(({ by }) => by)),
  delete: () => Promise.resolve(false),
  list: () => Promise.resolve([]),
  sweep: () => Promise.resolve(0),
};

/** The sort order of every implementation: by code units, independent of a database's collation. */
export function inKeyOrder(entries: CacheEntry[]): CacheEntry[] {
  return entries.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}
