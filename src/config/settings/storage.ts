// Settings of the database, the cache, and Redis.

import {
  bool,
  factor,
  int,
  kind,
  mebibytes,
  milliseconds,
  oneOf,
  seconds,
  setting,
  text,
} from "./setting.ts";

const SQLITE_URL = /^sqlite(\+\w+)?:\/\/\/\/?(?!:memory:)[^?/]([^?]*[^?/])?(\?.*)?$/i;
/** Requires user, host and database; store/postgres/postgres_url.ts reads the parts. */
const POSTGRES_URL = /^postgres(ql)?(\+\w+)?:\/\/[^:/@\s]+(:[^@\s]*)?@[^@/?\s]+\/[^?\s]+(\?\S*)?$/i;

/** Allows neither query nor fragment: no part of the URL would be ignored. cache/redis_url.ts reads the parts. */
const REDIS_URL =
  /^rediss?:\/\/([^:/?#@\s]*(:[^/?#@\s]*)?@)?(\[[0-9a-f:.]+\]|[^:/?#@[\]\s]+)(:\d{1,5})?(\/\d{0,5})?$/i;

export const DATABASE_SETTINGS = [
  setting({
    name: "DATABASE_URL",
    kind: kind(
      null,
      "sqlite:///./relative/file.db, sqlite:////absolute/file.db or postgresql://user:password@host:5432/database",
      (given) => SQLITE_URL.test(given) || POSTGRES_URL.test(given) ? given : undefined,
    ),
    default: "sqlite:///./mcp.db",
    scope: "replica",
    reloadable: false,
    secret: "url",
    state: "active",
    doc: "The database: a SQLite file, with a relative path (three slashes) or an absolute one (four), or " +
      "PostgreSQL, as postgresql:// or postgresql+psycopg://. A PostgreSQL URL takes the parameters " +
      "sslmode, sslrootcert, sslcert, sslkey, application_name and connect_timeout, and pgbouncer=true " +
      "for a PgBouncer whose URL does not contain the word.",
  }),
  setting({
    name: "DB_SQLITE_BUSY_TIMEOUT",
    kind: milliseconds({ min: 1, max: 600_000 }),
    default: "5000",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time that a statement waits for another writer of the SQLite file.",
  }),
  setting({
    name: "DB_POOL_CLASS",
    kind: oneOf(["auto", "queue", "null"]),
    default: "auto",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "`queue` keeps PostgreSQL connections open; `null` opens one for each use. `auto` means `null` if " +
      "DATABASE_URL contains the word pgbouncer, and `queue` otherwise.",
  }),
  setting({
    name: "DB_POOL_PRE_PING",
    kind: oneOf(["false", "true", "auto"], {
      "0": "false",
      no: "false",
      off: "false",
      "1": "true",
      yes: "true",
      on: "true",
    }),
    default: "false",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Test an idle PostgreSQL connection before use. `auto` means true if DB_POOL_CLASS is `queue` and " +
      "DATABASE_URL does not contain the word pgbouncer.",
  }),
  setting({
    name: "DB_POOL_SIZE",
    kind: int({ min: 1, max: 10_000 }),
    default: "5",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "PostgreSQL connections that each worker keeps open.",
  }),
  setting({
    name: "DB_MAX_OVERFLOW",
    kind: int({ min: 0, max: 10_000 }),
    default: "10",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "PostgreSQL connections that each worker may open beyond DB_POOL_SIZE. They are closed after use.",
  }),
  setting({
    name: "DB_POOL_TIMEOUT",
    kind: seconds(),
    default: "30",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time that a query waits for a free PostgreSQL connection.",
  }),
  setting({
    name: "DB_POOL_RECYCLE",
    kind: seconds({ min: 1 }),
    default: "3600",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Age at which a PostgreSQL connection is replaced. Keep it below PgBouncer's CLIENT_IDLE_TIMEOUT.",
  }),
  setting({
    name: "DB_CONNECT_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "5",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time for connecting to PostgreSQL, and again for logging in.",
  }),
  setting({
    name: "DB_STATEMENT_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "30",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time that a PostgreSQL statement may take, including waits for locks.",
  }),
  setting({
    name: "DB_MAX_RETRIES",
    kind: int({ min: 0, max: 100_000 }),
    default: "30",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "How often the start tries again while PostgreSQL does not answer.",
  }),
  setting({
    name: "DB_RETRY_INTERVAL_MS",
    // No unit: the name has it already.
    kind: int({ min: 1, max: 600_000 }),
    default: "2000",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Wait before the first such retry, in milliseconds. The wait doubles up to ten seconds, with " +
      "jitter.",
  }),
] as const;

export const CACHE_SETTINGS = [
  setting({
    name: "CACHE_TYPE",
    kind: oneOf(["database", "memory", "redis", "none"]),
    default: "database",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "Where session records are kept: `database` and `redis` are shared by all replicas, `memory` " +
      "belongs to one worker, `none` keeps no records. With `redis`, replicas also learn of changes " +
      "immediately.",
  }),
  setting({
    name: "REGISTRY_CACHE_ENABLED",
    kind: bool(),
    default: "true",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Cache registry reads in each worker's memory until the registry changes. CACHE_TYPE=none " +
      "disables the cache.",
  }),
  setting({
    name: "RESPONSE_CACHE_TTL",
    kind: seconds({ min: 0, max: 3600 }),
    default: "5.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Time for which a page under /admin is served from memory, to the user it was made for. It is served " +
      "as long again while a new one is made. A change of the registry shows at once. 0 keeps no page, nor " +
      "does CACHE_TYPE=none.",
  }),
  setting({
    name: "RESPONSE_CACHE_MAX_MB",
    kind: mebibytes({ min: 1, max: 65536 }),
    default: "32",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Memory of a worker for cached pages and registry reads, in MiB. When it is full, the caller with the most in it " +
      "loses the least recently used.",
  }),
  setting({
    name: "POLL_INTERVAL",
    kind: seconds({ min: 0.05, max: 3600 }),
    default: "1.0",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Shortest time between two checks for catalog changes by other replicas.",
  }),
  setting({
    name: "MAX_INTERVAL",
    kind: seconds({ min: 0.05, max: 3600 }),
    default: "5.0",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Longest time between two such checks. Without Redis, a replica learns of a change within this " +
      "time.",
  }),
  setting({
    name: "BACKOFF_FACTOR",
    kind: factor(),
    default: "1.5",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Factor by which the time between checks grows from POLL_INTERVAL to MAX_INTERVAL while nothing " +
      "changes.",
  }),
  setting({
    name: "CACHE_PREFIX",
    kind: text("1 to 64 printable characters without spaces", /^[\x21-\x7e]{1,64}$/),
    default: "mcpgw:",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "Prefix of the gateway's Redis keys and channel. Independent gateways need different prefixes.",
  }),
  setting({
    name: "REDIS_URL",
    kind: text("redis://[[user]:password@]host[:port][/number], or rediss:// for TLS", REDIS_URL),
    default: "redis://localhost:6379/0",
    scope: "replica",
    reloadable: false,
    secret: "url",
    state: "active",
    doc: "The Redis server for CACHE_TYPE=redis. rediss:// uses TLS.",
  }),
  setting({
    name: "REDIS_SSL_CA_CERTS",
    kind: text("a file name", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "PEM file of the certificate authorities to trust for rediss://. Not set: the system's " +
      "authorities.",
  }),
  setting({
    name: "REDIS_MAX_CONNECTIONS",
    kind: int({ min: 1, max: 10_000 }),
    default: "50",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Redis connections that each worker may open. A worker opens one and pipelines all commands over " +
      "it; each replica opens one more to listen.",
  }),
  setting({
    name: "REDIS_SOCKET_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "2.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time that a Redis command may take. A command that takes longer ends the connection; requests " +
      "that need Redis then fail immediately until a new connection is open.",
  }),
  setting({
    name: "REDIS_SOCKET_CONNECT_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "2.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time for connecting to Redis.",
  }),
  setting({
    name: "REDIS_HEALTH_CHECK_INTERVAL",
    kind: seconds({ min: 0, hint: "0: never" }),
    default: "30",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Idle time after which a Redis connection is tested.",
  }),
] as const;
