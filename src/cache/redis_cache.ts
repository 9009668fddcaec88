// CACHE_TYPE=redis: the records are in Redis, which all replicas share. Redis deletes expired records.
import type { Redis } from "ioredis";
import { type Cache, type CacheEntry, type Increment, inKeyOrder } from "./cache.ts";
import type { RedisConnection } from "./redis_connection.ts";

/** The number of keys that one SCAN step visits. */
const SCAN_COUNT = 1_000;

/** Scripts are atomic: Redis runs no other command meanwhile. */
const SET_IF_SAME =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end return false";

/** ARGV: the time to live, then the increment of each key. */
const ADD = `
local sums = {}
for i, key in ipairs(KEYS) do
  local by = tonumber(ARGV[i + 1])
  if by == 0 then
    sums[i] = tonumber(redis.call('GET', key) or 0)
  else
    sums[i] = redis.call('INCRBY', key, by)
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return sums`;

export class RedisCache implements Cache {
  readonly #connection: Pick<RedisConnection, "run">;
  readonly #prefix: string;

  /** @param prefix the prefix of every key (CACHE_PREFIX) */
  constructor(connection: Pick<RedisConnection, "run">, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  get(key: string): Promise<string | null> {
    return this.#connection.run((redis) => redis.get(this.#prefix + key));
  }

  async put(key: string, value: string, ttlMs: number): Promise<void> {
    await this.#connection.run((redis) => redis.set(this.#prefix + key, value, "PX", Math.ceil(ttlMs)));
  }

  async compareAndSet(key: string, expected: string | null, value: string, ttlMs: number): Promise<boolean> {
    const name = this.#prefix + key;
    const ttl = Math.ceil(ttlMs);
    const kept = await this.#connection.run((redis) =>
      expected === null
        ? redis.set(name, value, "PX", ttl, "NX")
        : redis.eval(SET_IF_SAME, 1, name, expected, value, ttl)
    );
    return kept === "OK";
  }

  async add(increments: readonly Increment[], ttlMs: number): Promise<number[]> {
    if (increments.length === 0) return [];
    const names = increments.map(({ key }) => this.#prefix + key);
    const amounts = increments.map(({ by }) => by);
    const sums = await this.#connection.run((redis) =>
      redis.eval(ADD, names.length, ...names, Math.ceil(ttlMs), ...amounts)
    );
    return sums as number[];
  }

  async delete(key: string): Promise<boolean> {
    return await this.#connection.run((redis) => redis.del(this.#prefix + key)) > 0;
  }

  async list(prefix: string): Promise<CacheEntry[]> {
    const entries = new Map<string, string>();
    const match = `${escapePattern(this.#prefix + prefix)}*`;
    let cursor = "0";
    do {
      // Each step has its own time limit: a whole walk may take longer than one command may.
      const step = await this.#connection.run((redis) => scan(redis, cursor, match));
      for (const [key, value] of step.found) entries.set(key.slice(this.#prefix.length), value);
      cursor = step.cursor;
    } while (cursor !== "0");
    return inKeyOrder([...entries].map(([key, value]) => ({ key, value })));
  }

  sweep(): Promise<number> {
    return Promise.resolve(0);
  }
}

async function scan(redis: Redis, cursor: string, match: string) {
  const [next, keys] = await redis.scan(cursor, "MATCH", match, "COUNT", SCAN_COUNT);
  const values = keys.length === 0 ? [] : await redis.mget(keys);
  // A record that expired meanwhile has no value.
  const found = keys.flatMap((key, i): [string, string][] => values[i] == null ? [] : [[key, values[i]]]);
  return { cursor: next, found };
}

/** Escapes the special characters of a Redis pattern. */
function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}
