// Reads the state of Redis.
import type { Redis } from "ioredis";
import { resolveHost } from "../../../base/egress/egress_guard.ts";
import { reasonOf } from "../../../base/errors.ts";
import { type CacheSettings, redisSettings, remedyFor } from "../../../cache/open_cache.ts";
import { RedisConnection } from "../../../cache/redis_connection.ts";
import { type Reach, reachOf } from "../address_reach.ts";

export interface RedisFacts {
  /** Host and port. */
  readonly location: string;
  /** Where the server is: on this machine, in private networks, or at a public address. */
  readonly reach: Reach;
  readonly tls: boolean;
  /** The number of the database. */
  readonly database: number;
  /** Who logs in there, and what the keys and channels of the gateway begin with. */
  readonly user: string;
  readonly prefix: string;
  /** What the server answers; or why it does not, and what an operator can do. */
  readonly answer: RedisAnswer | { readonly reason: string; readonly remedy: string | undefined };
}

export interface RedisAnswer {
  /** 0: no limit; null: the server does not tell the user. */
  readonly maxMemoryBytes: number | null;
  readonly policy: string | null;
  readonly usedMemoryBytes: number | null;
  /** Does it follow another Redis? Then it takes no writes, unless it was told to. */
  readonly isReplica: boolean;
  /** Host and port of the Redis that it follows; null: it follows none, or does not tell. */
  readonly primary: string | null;
  /** Why it refuses to write a key of the gateway, or to publish; null: it does not. */
  readonly refusal: string | null;
  /** It could not write its snapshot or its log, and refuses writes until it can. */
  readonly isWriteStopped: boolean;
  readonly maxClients: number | null;
  /** Connections of all programs, without this command's. */
  readonly clients: number | null;
  /** How far the server's clock is ahead of this machine's; null: the server does not tell the user. */
  readonly clockAheadMs: number | null;
  /** Replicas that are registered; null: not counted. */
  readonly replicas: number | null;
  /** Their records by number; null: not read. */
  readonly records: readonly { readonly number: number; readonly text: string }[] | null;
}

/** Keys of other programs make a scan long: it ends after as many steps of as many keys. */
const [SCAN_STEPS, SCAN_COUNT] = [100, 1_000];

/** @throws {SluiceError} SETTINGS_INVALID for a REDIS_URL or a file of authorities that cannot be read */
export async function readRedis(settings: CacheSettings): Promise<RedisFacts> {
  const redis = await redisSettings(settings);
  const { host, tls, username, database } = redis.target;
  let reason = "no answer";
  const connection = new RedisConnection({
    ...redis,
    name: "sluice-doctor",
    onDown: (why) => reason = why,
  });
  const facts = {
    location: connection.location,
    reach: reachOf(await resolveHost(host).catch(() => [])),
    tls,
    database,
    user: username ?? "default",
    prefix: settings.cachePrefix,
  };
  try {
    await connection.tried;
    if (!connection.isUp) return { ...facts, answer: { reason, remedy: remedyFor(reason) } };
    const state = await connection.run((client) => ask(client, settings.cachePrefix));
    // A large Redis may need longer for it than a command may take.
    const records = await connection.run((client) => readRecords(client, settings.cachePrefix)).catch(() =>
      null
    );
    const replicas = records?.filter(({ text }) => !text.includes('"gone":true')).length ?? null;
    return { ...facts, answer: { ...state, replicas, records } };
  } catch (error) {
    return { ...facts, answer: { reason: reasonOf((error as Error).cause ?? error), remedy: undefined } };
  } finally {
    await connection.close();
  }
}

/** A write that Redis judges and does not do: no key of the name is there. */
const UNWRITTEN = "return redis.call('SET', KEYS[1], '', 'XX')";

/** A user may lack the right for TIME, INFO and CONFIG. */
async function ask(redis: Redis, prefix: string): Promise<Omit<RedisAnswer, "replicas" | "records">> {
  const askedAt = Date.now();
  const time = await redis.time().catch(() => null);
  const halfway = (askedAt + Date.now()) / 2;
  const info = await redis.info().catch(() => "");
  const told = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1] ?? null;
  const number = (text: string | null) => text === null || text === "" ? null : Number(text);
  const configured = await redis.config("GET", "maxclients").catch(() => []) as string[];
  const clients = number(told("connected_clients"));
  const refusal = await redis.eval(UNWRITTEN, 1, `${prefix}doctor`).then(() =>
    redis.publish(`${prefix}doctor`, "")
  ).then(
    () => null,
    reasonOf,
  );
  const [, stops] = await redis.config("GET", "stop-writes-on-bgsave-error").catch(() => []) as string[];
  const followed = told("master_host");
  return {
    refusal,
    primary: followed === null ? null : `${followed}:${told("master_port")}`,
    usedMemoryBytes: number(told("used_memory")),
    isReplica: told("role") === "slave" && told("slave_read_only") !== "0",
    isWriteStopped: told("aof_last_write_status") === "err" ||
      (told("rdb_last_bgsave_status") === "err" && stops === "yes"),
    maxMemoryBytes: number(told("maxmemory")),
    policy: told("maxmemory_policy"),
    maxClients: number(told("maxclients") ?? configured[1] ?? null),
    clients: clients === null ? null : clients - 1,
    clockAheadMs: time === null ? null : Number(time[0]) * 1000 + Number(time[1]) / 1000 - halfway,
  };
}

async function readRecords(redis: Redis, prefix: string): Promise<RedisAnswer["records"]> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}replica:*`;
  const keys = new Set<string>();
  let cursor = "0";
  for (let step = 0; step < SCAN_STEPS; step++) {
    const [next, found] = await redis.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT);
    for (const key of found) keys.add(key);
    cursor = next;
    if (cursor === "0") break;
  }
  if (cursor !== "0") return null;
  if (keys.size === 0) return [];
  const texts = await redis.mget([...keys]);
  return [...keys].flatMap((key, index) => {
    const text = texts[index];
    return text === null || text === undefined
      ? []
      : [{ number: Number(key.slice(key.lastIndexOf(":") + 1)), text }];
  });
}
