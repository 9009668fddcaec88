// Connections to a test's Redis server, as a worker makes them.
import { openCache, type OpenedCache, redisSettings } from "../../src/cache/open_cache.ts";
import type { RedisConnectionOptions } from "../../src/cache/redis_connection.ts";
import { systemClock } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { MemoryCache } from "../../src/cache/memory_cache.ts";
import { MemorySink } from "./fakes.ts";

/** Settings by their names, over the defaults. */
export type Settings = Readonly<Record<string, string>>;

export function configOf(environment: Settings): Config {
  return loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 }).config;
}

/** Options of a connection that tells nobody how it is. */
export async function connectionOptions(environment: Settings): Promise<RedisConnectionOptions> {
  return { ...await redisSettings(configOf(environment)), name: "under-test" };
}

/** The cache of CACHE_TYPE=redis, and what it logged. */
export async function openRedisCache(
  environment: Settings,
  name = "under-test",
): Promise<OpenedCache & { readonly logged: readonly string[] }> {
  const sink = new MemorySink();
  const opened = await openCache(configOf({ CACHE_TYPE: "redis", ...environment }), {
    records: new MemoryCache(systemClock),
    clock: systemClock,
    log: createLog({ level: "DEBUG", format: "json", sink }),
    name,
  });
  return Object.assign(opened, { logged: sink.lines });
}
