// CACHE_TYPE=memory: the records are in the memory of one worker, and are lost with it.
import type { Clock } from "../base/clock.ts";
import { type Cache, type CacheEntry, type Increment, inKeyOrder } from "./cache.ts";

interface Record {
  readonly value: string;
  /** When the record expires, ms since the epoch. */
  readonly expiresAt: number;
}

export class MemoryCache implements Cache {
  readonly #clock: Clock;
  readonly #records = new Map<string, Record>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): Promise<string | null> {
    const record = this.#records.get(key);
    return Promise.resolve(record !== undefined && this.#isLive(record) ? record.value : null);
  }

  put(key: string, value: string, ttlMs: number): Promise<void> {
    this.#records.set(key, { value, expiresAt: this.#clock.now() + ttlMs });
    return Promise.resolve();
  }

  async compareAndSet(key: string, expected: string | null, value: string, ttlMs: number): Promise<boolean> {
    const record = this.#records.get(key);
    const current = record !== undefined && this.#isLive(record) ? record.value : null;
    if (current !== expected) return false;
    // Atomic, because put() stores the value synchronously.
    await this.put(key, value, ttlMs);
    return true;
  }

  async add(increments: readonly Increment[], ttlMs: number): Promise<number[]> {
    return await Promise.all(increments.map(async ({ key, by }) => {
      const record = this.#records.get(key);
      const sum = by + (record !== undefined && this.#isLive(record) ? Number(record.value) : 0);
      if (by !== 0) await this.put(key, String(sum), ttlMs);
      return sum;
    }));
  }

  delete(key: string): Promise<boolean> {
    const record = this.#records.get(key);
    this.#records.delete(key);
    return Promise.resolve(record !== undefined && this.#isLive(record));
  }

  list(prefix: string): Promise<CacheEntry[]> {
    const entries = [...this.#records]
      .filter(([key, record]) => key.startsWith(prefix) && this.#isLive(record))
      .map(([key, { value }]) => ({ key, value }));
    return Promise.resolve(inKeyOrder(entries));
  }

  sweep(): Promise<number> {
    const expired = [...this.#records].filter(([, record]) => !this.#isLive(record));
    for (const [key] of expired) this.#records.delete(key);
    return Promise.resolve(expired.length);
  }

  #isLive({ expiresAt }: Record): boolean {
    return expiresAt > this.#clock.now();
  }
}
