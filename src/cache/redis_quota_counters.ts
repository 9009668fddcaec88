// Counters of quotas in Redis: exact across replicas, because each call is checked and counted in one script.
import type { RedisConnection } from "./redis_connection.ts";

interface Counter {
  readonly name: string;
  readonly limits: {
    readonly calls: number | null;
    readonly micros: number | null;
    readonly bytes: number | null;
  };
  readonly ttlMs: number;
}

interface Used {
  readonly calls: number;
  readonly micros: number;
  readonly bytes: number;
}

/** ARGV: of each key the limits of calls, microseconds and bytes (-1: none) and its time to live. */
const TAKE = `
local used, taken = {}, 1
for i, key in ipairs(KEYS) do
  local now = redis.call('HMGET', key, 'calls', 'micros', 'bytes')
  for j = 1, 3 do
    local amount, limit = tonumber(now[j] or 0), tonumber(ARGV[(i - 1) * 4 + j])
    if limit >= 0 and amount >= limit then taken = 0 end
    used[(i - 1) * 3 + j] = amount
  end
end
if taken == 1 then
  for i, key in ipairs(KEYS) do
    used[(i - 1) * 3 + 1] = redis.call('HINCRBY', key, 'calls', 1)
    redis.call('PEXPIRE', key, ARGV[i * 4])
  end
end
return {taken, used}`;

/** ARGV: microseconds, bytes, then the time to live of each key. */
const CHARGE = `
for i, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'micros', ARGV[1])
  redis.call('HINCRBY', key, 'bytes', ARGV[2])
  redis.call('PEXPIRE', key, ARGV[i + 2])
end
return 1`;

export class RedisQuotaCounters {
  readonly #connection: Pick<RedisConnection, "run">;
  readonly #prefix: string;

  /** @param prefix CACHE_PREFIX */
  constructor(connection: Pick<RedisConnection, "run">, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** Counts a call on all counters, or on none if one of them is used up. @throws {SluiceError} CACHE_UNAVAILABLE */
  async take(counters: readonly Counter[]): Promise<{ taken: boolean; used: Used[] }> {
    const limits = counters.flatMap(({ limits: { calls, micros, bytes }, ttlMs }) => [
      calls ?? -1,
      micros ?? -1,
      bytes ?? -1,
      Math.ceil(ttlMs),
    ]);
    const [taken, used] = await this.#run(TAKE, counters, limits) as [number, number[]];
    return {
      taken: taken === 1,
      used: counters.map((_, i) => ({
        calls: used[i * 3],
        micros: used[i * 3 + 1],
        bytes: used[i * 3 + 2],
      })),
    };
  }

  /** @throws {SluiceError} CACHE_UNAVAILABLE */
  async charge(counters: readonly Counter[], micros: number, bytes: number): Promise<void> {
    const lives = counters.map(({ ttlMs }) => Math.ceil(ttlMs));
    await this.#run(CHARGE, counters, [Math.round(micros), bytes, ...lives]);
  }

  async #run(script: string, counters: readonly Counter[], args: readonly number[]): Promise<unknown> {
    const keys = counters.map(({ name }) => this.#prefix + name);
    return await this.#connection.run((redis) => redis.eval(script, keys.length, ...keys, ...args));
  }
}
