// Small records that expire, shared as far as CACHE_TYPE says: by all replicas, by one worker, or not kept at all.

/** Keys are printable ASCII without spaces, their parts divided by ":". Values are JSON texts. */
export interface CacheEntry {
  readonly key: string;
  readonly value: string;
}

/** A counter, and what is to be added to it. */
export interface Increment {
  readonly key: string;
  /** A whole number; 0 only reads. */
  readonly by: number;
}

/** Every method throws SluiceError CACHE_UNAVAILABLE or STORE_UNAVAILABLE where the records cannot be reached now. */
export interface Cache {
  /** @returns null where there is none, or it has expired */
  get(key: string): Promise<string | null>;
  /** Keeps the value in place of the one before, for `ttlMs` from now (at least 1). */
  put(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * Keeps the value only where the live record is `expected` now (null: where there is none), in one step that nobody else's
   * can come between. @returns whether it was kept
   */
  compareAndSet(key: string, expected: string | null, value: string, ttlMs: number): Promise<boolean>;
  /**
   * Adds to counters, each of which begins at 0 and keeps for `ttlMs` from what was last added to it. Each is raised in one step,
   * not all of them together. @param increments of keys that differ @returns where the counters stand now, in their order
   */
  add(increments: readonly Increment[], ttlMs: number): Promise<number[]>;
  /** @returns false where there was none */
  delete(key: string): Promise<boolean>;
  /** What has a key with this beginning, in the order of the keys. Looks at every record there is: for rare use. */
  list(prefix: string): Promise<CacheEntry[]>;
  /** Frees the space of what has expired, where nobody else does. @returns how many there were */
  sweep(): Promise<number>;
}

/** CACHE_TYPE=none. */
export const NO_CACHE: Cache = {
  get: () => Promise.resolve(null),
  put: () => Promise.resolve(),
  compareAndSet: () => Promise.resolve(false),
  add: (increments) => Promise.resolve(increments.map(({ by }) => by)),
  delete: () => Promise.resolve(false),
  list: () => Promise.resolve([]),
  sweep: () => Promise.resolve(0),
};

/** As every implementation sorts: by code units, whatever a database's collation. */
export function inKeyOrder(entries: CacheEntry[]): CacheEntry[] {
  return entries.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}
