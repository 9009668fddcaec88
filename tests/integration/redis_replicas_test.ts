// How replicas hear of each other's changes: by looking at the database, and over a real Redis.
import { createLog } from "../../src/telemetry/log.ts";
import { openCache } from "../../src/cache/open_cache.ts";
import { CacheRecords } from "../../src/store/cache_records.ts";
import { raiseRegistryVersion } from "../../src/store/sql/catalog_version.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { createRegistry } from "../../src/store/registry/registry.ts";
import type { Database } from "../../src/store/sql/sql.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import { keepCatalogs } from "../../src/supervisor/catalog_watch.ts";
import { systemClock } from "../../src/base/clock.ts";
import { MemorySink } from "../support/fakes.ts";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { freshPostgres } from "../support/postgres_database.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import { configOf, type Settings } from "../support/redis_connections.ts";
import { sharedServers } from "../support/shared_servers.ts";
import { replicaContract, type TwoReplicas } from "../support/replica_contract.ts";
import type { FreshDatabase } from "../support/store_contract.ts";

async function freshSqlite(): Promise<FreshDatabase> {
  const directory = await Deno.makeTempDir();
  const another = () => openSqlite(`${directory}/test.db`, { busyTimeoutMs: 5000 });
  const opened = [await another()];
  return {
    database: opened[0],
    another: async () => {
      opened.push(await another());
      return opened.at(-1)!;
    },
    dispose: async () => {
      for (const database of opened) await database.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

type Wires = Pick<TwoReplicas, "cutOff" | "reconnect" | "boundMs">;

/** Two replicas with the settings; `seen` is what the second's one worker has read. */
async function twoReplicas(
  fresh: FreshDatabase,
  settings: Settings,
  wires: (second: { isCut: boolean }) => Wires,
): Promise<TwoReplicas> {
  await migrate(fresh.database);
  const config = configOf(settings);
  const log = createLog({ level: "ERROR", format: "json", sink: new MemorySink() });
  const first: Database = fresh.database;
  const { publisher, close } = await openCache(config, {
    records: new CacheRecords(first),
    clock: systemClock,
    log,
    name: "first",
  });
  const second = { isCut: false, seen: null as string | null };
  const registry = createRegistry(await fresh.another());
  const stop = await keepCatalogs(config, {
    askOne: (async () => second.isCut ? null : await registry.readCatalogVersion()) as never,
    askAll: (async () => [second.seen = await registry.readCatalogVersion()]) as never,
  }, log);
  return {
    ...wires(second),
    change: async () => {
      const version = await first.transaction(async (tx) => {
        await raiseRegistryVersion(tx);
        return await createRegistry(tx).readCatalogVersion();
      });
      publisher.publish({ type: "catalog_changed" });
      return version;
    },
    get seen() {
      return second.seen;
    },
    dispose: async () => {
      await stop();
      await close();
      await fresh.dispose();
    },
  };
}

const POLLING = { POLL_INTERVAL: "0.1", MAX_INTERVAL: "0.2" };

/** The database cannot be reached by the second. */
const polled = (second: { isCut: boolean }): Wires => ({
  boundMs: 200 + 50,
  cutOff: () => Promise.resolve(void (second.isCut = true)),
  reconnect: () => Promise.resolve(void (second.isCut = false)),
});

for (const type of ["database", "memory", "none"]) {
  const settings = { CACHE_TYPE: type, ...POLLING };
  replicaContract(`CACHE_TYPE=${type} on SQLite`, async () => {
    return await twoReplicas(await freshSqlite(), settings, polled);
  }).forEach((each) => Deno.test(each));
}

/** The database, and a server that ends with it. */
function on(server: AsyncDisposable, fresh: FreshDatabase): FreshDatabase {
  const { database, another } = fresh;
  return {
    database,
    another,
    dispose: async () => (await fresh.dispose(), await server[Symbol.asyncDispose]()),
  };
}

replicaContract("CACHE_TYPE=database on PostgreSQL", async () => {
  const { postgres } = await sharedServers();
  return await twoReplicas(await freshPostgres(postgres), POLLING, polled);
}, { ignore: SERVERS_MISSING }).forEach((each) => Deno.test(each));

replicaContract("CACHE_TYPE=redis", async () => {
  const server = await RedisServer.start();
  // So seldom that only Redis can be what was heard.
  const settings = {
    CACHE_TYPE: "redis",
    REDIS_URL: server.url(),
    POLL_INTERVAL: "3600",
    MAX_INTERVAL: "3600",
  };
  return await twoReplicas(on(server, await freshSqlite()), settings, () => ({
    boundMs: 250,
    cutOff: () => server.kill(),
    reconnect: () => server.startAgain(),
  }));
}, { ignore: canLeaveOut("redis-server") }).forEach((each) => Deno.test(each));
