// Settings of what keeps state: the database, the cache, Redis.

import { bool, factor, int, kind, milliseconds, oneOf, seconds, setting, text } from "./setting.ts";

const SQLITE_URL = /^sqlite(\+\w+)?:\/\/\/\/?(?!:memory:)[^?/]([^?]*[^?/])?(\?.*)?$/i;
/** Has a user, a host and a database; store/postgres_url.ts reads the parts. */
const POSTGRES_URL = /^postgres(ql)?(\+\w+)?:\/\/[^:/@\s]+(:[^@\s]*)?@[^@/?\s]+\/[^?\s]+(\?\S*)?$/i;

/** Nothing is left aside: no query, no fragment; cache/redis_url.ts reads the parts. */
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
    doc:
      "The database: a SQLite file, relative (three slashes) or absolute (four), or PostgreSQL, as postgresql:// " +
      "or postgresql+psycopg://; behind a ? may stand sslmode, sslrootcert, sslcert, sslkey, application_name, " +
      "connect_timeout, and pgbouncer=true where the address is PgBouncer's and does not say so.",
  }),
  setting({
    name: "DB_SQLITE_BUSY_TIMEOUT",
    kind: milliseconds({ min: 1, max: 600_000 }),
    default: "5000",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "How long a statement waits for another writer of the SQLite file.",
  }),
  setting({
    name: "DB_POOL_CLASS",
    kind: oneOf(["auto", "queue", "null"]),
    default: "auto",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "queue keeps PostgreSQL connections open, null opens one per use, auto is null where DATABASE_URL has the " +
      "word pgbouncer in it and queue elsewhere.",
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
    doc:
      "Test a PostgreSQL connection that was idle before it is used; auto does so where DB_POOL_CLASS is queue " +
      "and DATABASE_URL does not have the word pgbouncer in it.",
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
    doc:
      "PostgreSQL connections that each worker may open beyond DB_POOL_SIZE for a burst; they are closed after use.",
  }),
  setting({
    name: "DB_POOL_TIMEOUT",
    kind: seconds(),
    default: "30",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "How long a query waits for a free PostgreSQL connection.",
  }),
  setting({
    name: "DB_POOL_RECYCLE",
    kind: seconds({ min: 1 }),
    default: "3600",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "The age at which a PostgreSQL connection is replaced; keep it below PgBouncer's CLIENT_IDLE_TIMEOUT.",
  }),
  setting({
    name: "DB_CONNECT_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "5",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "How long connecting to PostgreSQL may take, and then logging in.",
  }),
  setting({
    name: "DB_STATEMENT_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "30",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "How long a statement may take in PostgreSQL, waiting for locks included.",
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
    // Without a unit: its name has it already.
    kind: int({ min: 1, max: 600_000 }),
    default: "2000",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "The first wait between those tries, in milliseconds; it doubles up to ten seconds, with jitter.",
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
    doc:
      "Where session records are kept: the database or Redis, which replicas share, the worker's memory, or nowhere. " +
      "With redis, replicas tell each other of changes at once.",
  }),
  setting({
    name: "REGISTRY_CACHE_ENABLED",
    kind: bool(),
    default: "true",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Keep answers to reads of the registry in each worker's memory until the registry changes; never with CACHE_TYPE=none.",
  }),
  setting({
    name: "POLL_INTERVAL",
    kind: seconds({ min: 0.05, max: 3600 }),
    default: "1.0",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "How soon after a change a process looks again whether other replicas have changed the catalog.",
  }),
  setting({
    name: "MAX_INTERVAL",
    kind: seconds({ min: 0.05, max: 3600 }),
    default: "5.0",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "The longest time between two such looks, and so the longest time until a change is seen by replicas without Redis.",
  }),
  setting({
    name: "BACKOFF_FACTOR",
    kind: factor(),
    default: "1.5",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "By how much the time between those looks grows while nothing changes, from POLL_INTERVAL to MAX_INTERVAL.",
  }),
  setting({
    name: "CACHE_PREFIX",
    kind: text("1 to 64 printable characters without spaces", /^[\x21-\x7e]{1,64}$/),
    default: "mcpgw:",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "What the gateway's Redis keys and channel begin with; gateways apart need different ones.",
  }),
  setting({
    name: "REDIS_URL",
    kind: text("redis://[[user]:password@]host[:port][/number], or rediss:// for TLS", REDIS_URL),
    default: "redis://localhost:6379/0",
    scope: "replica",
    reloadable: false,
    secret: "url",
    state: "active",
    doc: "The Redis server that CACHE_TYPE=redis uses; rediss:// for TLS.",
  }),
  setting({
    name: "REDIS_SSL_CA_CERTS",
    kind: text("a file name", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "The PEM file of the authorities that may vouch for Redis with rediss://; not set: the system's.",
  }),
  setting({
    name: "REDIS_MAX_CONNECTIONS",
    kind: int({ min: 1, max: 10_000 }),
    default: "50",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Redis connections that each worker may open. It opens one, over which all its commands go at the same time; " +
      "each replica has one more, which listens.",
  }),
  setting({
    name: "REDIS_SOCKET_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "2.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "How long a Redis command may take; one that takes longer ends the connection, and until there is a new one " +
      "everything that needs Redis fails at once.",
  }),
  setting({
    name: "REDIS_SOCKET_CONNECT_TIMEOUT",
    kind: seconds({ max: 3600 }),
    default: "2.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "How long connecting to Redis may take.",
  }),
  setting({
    name: "REDIS_HEALTH_CHECK_INTERVAL",
    kind: seconds({ min: 0, hint: "0: never" }),
    default: "30",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "A Redis connection that was idle for so long is tested.",
  }),
] as const;
