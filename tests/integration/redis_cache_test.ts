// The cache on a real Redis server and on PostgreSQL: the same suite as in memory and on SQLite.
import { assertEquals } from "@std/assert";
import { CacheRecords } from "../../src/store/cache_records.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { agedBy, cacheContract } from "../support/cache_contract.ts";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { freshPostgres } from "../support/postgres_database.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import { openRedisCache } from "../support/redis_connections.ts";
import { sharedServers } from "../support/shared_servers.ts";

const noRedis = canLeaveOut("redis-server");

cacheContract("Redis", async () => {
  const server = await RedisServer.start();
  const settings = { REDIS_URL: server.url(), CACHE_PREFIX: "a*[b]:" };
  const [one, other] = [await openRedisCache(settings), await openRedisCache(settings)];
  return {
    cache: one.cache,
    other: other.cache,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    dispose: async () => {
      await one.close();
      await other.close();
      await server[Symbol.asyncDispose]();
    },
  };
}, { ignore: noRedis, expiresAlone: true }).forEach((each) => Deno.test(each));

cacheContract("PostgreSQL", async () => {
  const { postgres } = await sharedServers();
  const fresh = await freshPostgres(postgres);
  await migrate(fresh.database);
  return {
    cache: new CacheRecords(fresh.database),
    other: new CacheRecords(await fresh.another()),
    pass: (ms) => agedBy(fresh.database, ms),
    dispose: async () => {
      await fresh.dispose();
    },
  };
}, { ignore: SERVERS_MISSING }).forEach((each) => Deno.test(each));

Deno.test({
  name: "Cache, Redis: every key begins with CACHE_PREFIX and has a time to live; other prefixes are apart",
  ignore: noRedis,
  fn: async () => {
    await using server = await RedisServer.start();
    const a = await openRedisCache({ REDIS_URL: server.url(), CACHE_PREFIX: "a:" });
    const b = await openRedisCache({ REDIS_URL: server.url(), CACHE_PREFIX: "b:" });
    await a.cache.put("x", "1", 60_000);
    const { keys, ttl } = await server.use(async (redis) => ({
      keys: await redis.keys("*"),
      ttl: await redis.pttl("a:x"),
    }));
    assertEquals([keys, ttl > 50_000 && ttl <= 60_000], [["a:x"], true]);
    assertEquals([await b.cache.get("x"), await b.cache.list("")], [null, []]);
    await a.close();
    await b.close();
  },
});
