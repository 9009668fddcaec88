// Floor `tuning`: which settings follow from a number of users and a machine. Everything here is computed: no file of this floor reads
// or measures. This file adds up what the settings of all workers and replicas can need.
import type { Config } from "../config/schema.ts";
import { MAX_LIMIT as AUTO_BACKPRESSURE } from "../http/limits/admission_gradient.ts";

export type DescriptorConfig = Pick<
  Config,
  | "workers"
  | "backpressure"
  | "maxStreams"
  | "httpClientMaxConnections"
  | "databaseUrl"
  | "dbPoolSize"
  | "dbMaxOverflow"
  | "cacheType"
>;

/** Descriptors of a worker besides connections: its listener (two while a certificate is replaced), event loop, timers. */
const WORKER_OVERHEAD = 16;

/** Descriptors of the process: standard streams, the main thread's event loop, signals, the program's own files. */
const PROCESS_OVERHEAD = 64;

/** Descriptors of a SQLite connection: the database, its log and its shared index. */
const SQLITE_DESCRIPTORS = 3;

/** A worker sends all commands over one connection to Redis; the process has one more that listens. */
const [REDIS_OF_A_WORKER, REDIS_OF_A_PROCESS] = [1, 1];

/** How many descriptors the process can need at once with its settings, one for each connection or file. Idle connections come on top. */
export function descriptorsNeeded(config: DescriptorConfig): number {
  const requests = config.backpressure === "auto" ? AUTO_BACKPRESSURE : config.backpressure;
  const database = config.databaseUrl.startsWith("sqlite")
    ? SQLITE_DESCRIPTORS
    : config.dbPoolSize + config.dbMaxOverflow;
  const redis = config.cacheType === "redis" ? REDIS_OF_A_WORKER : 0;
  const perWorker = requests + config.maxStreams + config.httpClientMaxConnections + database + redis +
    WORKER_OVERHEAD;
  return config.workers * perWorker + PROCESS_OVERHEAD;
}

/** Connections to PostgreSQL that the workers of all replicas may have open at once. */
export function databaseConnections(
  { workers, dbPoolSize, dbMaxOverflow }: Pick<Config, "workers" | "dbPoolSize" | "dbMaxOverflow">,
  replicas: number,
): number {
  return replicas * workers * (dbPoolSize + dbMaxOverflow);
}

/** Connections to Redis that the workers of all replicas have. */
export function redisConnections({ workers }: Pick<Config, "workers">, replicas: number): number {
  return replicas * (workers * REDIS_OF_A_WORKER + REDIS_OF_A_PROCESS);
}
