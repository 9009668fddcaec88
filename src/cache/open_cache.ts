// Opens the cache of CACHE_TYPE, and the bus between replicas.
import type { Redis } from "ioredis";
import type { Clock } from "../base/clock.ts";
import { Emitter } from "../base/emitter.ts";
import { SluiceError } from "../base/errors.ts";
import { readFault } from "../base/file_error.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import { type Listener, NO_PUBLISHER, type Publisher } from "./bus.ts";
import { type Cache, NO_CACHE } from "./cache.ts";
import { MemoryCache } from "./memory_cache.ts";
import type { RedisQuotaCounters } from "./redis_quota_counters.ts";
import type { RedisConnectionOptions, RedisSettings } from "./redis_connection.ts";
import { parseRedisUrl, redisLocation } from "./redis_url.ts";

export type CacheSettings = Pick<
  Config,
  | "cacheType"
  | "cachePrefix"
  | "redisUrl"
  | "redisSslCaCerts"
  | "redisSocketTimeoutMs"
  | "redisSocketConnectTimeoutMs"
  | "redisHealthCheckIntervalMs"
>;

/** The cache and the bus, as a worker uses them. */
export interface OpenedCache {
  readonly cache: Cache;
  readonly publisher: Publisher;
  /** Who deletes expired records: one worker of all that share them, each worker, or nobody because Redis does. */
  readonly sweptBy: "one" | "each" | "nobody";
  /** The state of Redis, for readiness and metrics; null if Redis is not used. */
  readonly redis: {
    readonly isUp: boolean;
    /** Adds a listener that is called when Redis is available again. Redis may have lost its records. */
    onBack(listener: () => void): void;
    /** Tests a write, because a full or read-only Redis still answers PING. @throws {SluiceError} CACHE_UNAVAILABLE */
    ping(): Promise<void>;
    readonly quotaCounters: RedisQuotaCounters;
  } | null;
  close(): Promise<void>;
}

export interface CacheParts {
  /** The records of CACHE_TYPE=database. */
  readonly records: Cache;
  readonly clock: Clock;
  readonly log: Log;
  /** The connection's name in Redis' CLIENT LIST, without spaces. */
  readonly name: string;
}

/** A script that writes and deletes a key. */
const TRIAL = "redis.call('SET', KEYS[1], '1') return redis.call('DEL', KEYS[1])";

/**
 * Opens the cache. An unavailable Redis is not an error: the gateway serves, and connects in the background.
 * @throws {SluiceError} SETTINGS_INVALID
 */
export async function openCache(
  settings: CacheSettings,
  { records, clock, log, name }: CacheParts,
): Promise<OpenedCache> {
  const alone = { publisher: NO_PUBLISHER, redis: null, close: () => Promise.resolve() };
  switch (settings.cacheType) {
    case "none":
      return { ...alone, cache: NO_CACHE, sweptBy: "nobody" };
    case "memory":
      return { ...alone, cache: new MemoryCache(clock), sweptBy: "each" };
    case "database":
      return { ...alone, cache: records, sweptBy: "one" };
    case "redis": {
      // Loaded only with Redis: other workers save the memory.
      const [
        { isReadOnly, RedisConnection },
        { RedisCache },
        { redisPublisher },
        { RedisQuotaCounters },
      ] = await Promise.all([
        import("./redis_connection.ts"),
        import("./redis_cache.ts"),
        import("./redis_bus.ts"),
        import("./redis_quota_counters.ts"),
      ]);
      const returns = new Emitter<[]>();
      const options = await connectionOptions(settings, { clock, log, name, onBack: returns.emit });
      const prefix = settings.cachePrefix;
      const write = (redis: Redis) => redis.eval(TRIAL, 1, `${prefix}trial`);
      const connection = new RedisConnection({
        ...options,
        prepare: (redis) =>
          write(redis).catch((error) => {
            if (isReadOnly(error)) throw error;
          }),
      });
      const redis = {
        get isUp() {
          return connection.isUp;
        },
        onBack: (listener: () => void) => returns.add(listener),
        ping: async () => void await connection.run(write),
        quotaCounters: new RedisQuotaCounters(connection, prefix),
      };
      await connection.tried;
      return {
        cache: new RedisCache(connection, prefix),
        publisher: redisPublisher(connection, {
          prefix,
          warn: (reason) => log.warning("other replicas were not told of a change", { reason }),
        }),
        sweptBy: "nobody",
        redis,
        close: () => connection.close(),
      };
    }
  }
}

/**
 * Listens to the events of other replicas.
 * @returns a function that stops listening; null if there is no bus
 * @throws {SluiceError} SETTINGS_INVALID
 */
export async function listenToReplicas(
  settings: CacheSettings,
  { listener, ...parts }: Omit<CacheParts, "records"> & { readonly listener: Listener },
): Promise<(() => Promise<void>) | null> {
  if (settings.cacheType !== "redis") return null;
  const { listenOnRedis } = await import("./redis_bus.ts");
  const options = await connectionOptions(settings, parts);
  const connection = listenOnRedis(options, { prefix: settings.cachePrefix, listener });
  return () => connection.close();
}

async function connectionOptions(
  settings: CacheSettings,
  { clock, log, name, onBack }: Omit<CacheParts, "records"> & { readonly onBack?: () => void },
): Promise<RedisConnectionOptions> {
  const redis = await redisSettings(settings);
  const address = redisLocation(redis.target);
  let wasDown = false;
  return {
    ...redis,
    clock,
    name,
    onUp: () => {
      if (!wasDown) return;
      wasDown = false;
      log.info("redis is back", { address, connection: name });
      onBack?.();
    },
    onDown: (reason) => {
      wasDown = true;
      log.warning("redis is unavailable", { address, connection: name, reason, remedy: remedyFor(reason) });
    },
  };
}

/** What an operator can do about a Redis that is unavailable; undefined where there is nothing to advise. */
export function remedyFor(reason: string): string | undefined {
  if (/WRONGPASS|NOAUTH/.test(reason)) return "correct the user and the password in REDIS_URL";
  if (/certificate/i.test(reason)) {
    return "name the authority that signed its certificate in REDIS_SSL_CA_CERTS";
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) return "correct the host in REDIS_URL";
  return /ECONNREFUSED|no connection/.test(reason)
    ? "start Redis, or correct the host and the port in REDIS_URL"
    : undefined;
}

/** @throws {SluiceError} SETTINGS_INVALID */
export async function redisSettings(settings: CacheSettings): Promise<RedisSettings> {
  const target = parseRedisUrl(settings.redisUrl);
  if (target === null) throw invalid("REDIS_URL cannot be read: is its password percent-encoded?");
  return {
    target,
    caCertificates: settings.redisSslCaCerts === null ? null : await readPem(settings.redisSslCaCerts),
    connectTimeoutMs: settings.redisSocketConnectTimeoutMs,
    timeoutMs: settings.redisSocketTimeoutMs,
    healthCheckIntervalMs: settings.redisHealthCheckIntervalMs,
  };
}

async function readPem(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw invalid(`REDIS_SSL_CA_CERTS ${path} cannot be read: ${readFault(error)}`);
  }
}

function invalid(mistake: string): SluiceError {
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}
