import { assertEquals, assertStringIncludes } from "@std/assert";
import { loadConfig } from "../../../config/load.ts";
import { parsePostgresUrl } from "../../../store/postgres/postgres_url.ts";
import type { Finding } from "../finding.ts";
import { checkPostgres } from "./postgres_checks.ts";
import { effective, type PoolerFacts, UNTOLD } from "./pooler_facts.ts";
import type { PostgresAnswer, PostgresFacts } from "./postgres_facts.ts";
import { checkRedis } from "./redis_checks.ts";
import type { RedisAnswer, RedisFacts } from "./redis_facts.ts";

const ANSWER: PostgresAnswer = {
  version: 150_004,
  encoding: "UTF8",
  maxConnections: 97,
  others: 3,
  readOnly: null,
  mayCreate: true,
  schema: "public",
  missingRights: [],
  hasTables: true,
  userLimit: null,
  databaseLimit: null,
  idleInTransaction: 0,
  unseenTransactions: 0,
  isEncrypted: true,
  clockAheadMs: 20,
  foreign: null,
  replicas: null,
};
const POOLER: PoolerFacts = {
  settings: {
    pool_mode: "transaction",
    max_client_conn: "1000",
    default_pool_size: "20",
    reserve_pool_size: "0",
    max_db_connections: "0",
    client_idle_timeout: "0",
  },
  overruled: {},
};
const FACTS: PostgresFacts = {
  location: "db:5432/mcp",
  user: "a",
  reach: "network",
  answer: ANSWER,
  pooler: null,
};

const REDIS_ANSWER: RedisAnswer = {
  maxMemoryBytes: 0,
  policy: "noeviction",
  usedMemoryBytes: 2e6,
  isReplica: false,
  primary: null,
  isWriteStopped: false,
  refusal: null,
  maxClients: 10_000,
  clients: 5,
  clockAheadMs: -20,
  replicas: 0,
  records: [],
};
const REDIS: RedisFacts = {
  ...{ location: "cache:6379", reach: "machine", tls: false, database: 2, user: "default", prefix: "mcpgw:" },
  answer: REDIS_ANSWER,
};

function config(environment: Record<string, string> = {}) {
  return loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 }).config;
}

const shown = (findings: readonly Finding[]) =>
  findings.map(({ severity, id, fix }) => `${severity} ${id} ${fix}`);

function postgres(
  facts: Partial<PostgresFacts>,
  { environment = {}, query = "", replicas = null as number | null } = {},
): Finding[] {
  const target = parsePostgresUrl(`postgresql://a:b@db/mcp${query}`);
  return checkPostgres({ settings: config(environment), target, replicas }, { ...FACTS, ...facts });
}

const answer = (given: Partial<PostgresAnswer>) => ({ answer: { ...ANSWER, ...given } });
/** @param database a row of SHOW DATABASES. @param user one of SHOW USERS */
const pooler = (
  settings: Record<string, string>,
  database: Record<string, unknown> = {},
  user: Record<string, unknown> = {},
) => ({ pooler: effective({ ...POOLER.settings, ...settings }, database, user) });

Deno.test("checkPostgres() finds nothing in a server that suffices, with PgBouncer and without", () => {
  assertEquals(postgres({}), []);
  assertEquals(postgres({ pooler: POOLER }), []);
  assertEquals(postgres({ reach: "world" }, { query: "?sslmode=verify-full" }), []);
  // On this machine, and where a pooler hides it, nothing is said of TLS.
  assertEquals(postgres({ reach: "machine", ...answer({ isEncrypted: false }) }), []);
  assertEquals(postgres({ reach: "world", pooler: POOLER, ...answer({ isEncrypted: null }) }), []);
  // Three replicas through PgBouncer, or with fewer connections each.
  assertEquals(postgres({ pooler: POOLER }, { replicas: 3 }), []);
  assertEquals(postgres(pooler({ pool_mode: "session" }, { pool_size: 60 })), []);
  // What the database or the user has of its own wins: limits that are lower, and a mode that is right.
  const own = pooler({ default_pool_size: "600" }, { pool_size: 20, max_connections: "0" });
  assertEquals(postgres(own), []);
  assertEquals(postgres(pooler({ pool_mode: "statement" }, { pool_mode: "transaction" })), []);
  const ofUser = { pool_mode: "transaction", pool_size: "", max_user_client_connections: 0 };
  assertEquals(postgres(pooler({}, { pool_mode: "session" }, ofUser)), []);
});

Deno.test("checkPostgres() finds each thing that does not fit", () => {
  const unreachable = { reason: "nothing listens there", remedy: "Start the server" };
  const connections = (size: number, overflow: number) =>
    `warning postgres.connections printf '\\nDB_POOL_SIZE=${size}\\nDB_MAX_OVERFLOW=${overflow}\\n' >> .env`;
  const cases: [findings: Finding[], expected: string][] = [
    [postgres({ answer: unreachable }), "error postgres.unreachable pg_isready -h db -p 5432"],
    [
      postgres({ answer: { ...unreachable, reason: 'database "mcp" does not exist' } }),
      "error postgres.unreachable createdb -h db -p 5432 -T template0 -E UTF8 mcp",
    ],
    [
      postgres({ answer: { ...unreachable, reason: 'password authentication failed for user "a"' } }),
      "error postgres.unreachable DATABASE_URL=postgresql://a:PASSWORD@db:5432/mcp",
    ],
    [postgres(answer({ maxConnections: 20 })), connections(4, 4)],
    [postgres({}, { replicas: 4 }), connections(6, 5)],
    [postgres(answer({ replicas: 4 })), connections(6, 5)],
    [postgres({}, { environment: { WORKERS: "8" } }), connections(6, 5)],
    [
      postgres(answer({ foreign: "it is another program's database" })),
      "error postgres.foreign createdb -h db -p 5432 -T template0 -E UTF8 sluice",
    ],
    [
      postgres({
        answer: { reason: "sslrootcert /a.pem cannot be read: there is no such file", remedy: "" },
      }),
      "error postgres.unreachable DATABASE_URL=postgresql://a:PASSWORD@db:5432/mcp?sslmode=verify-full&sslrootcert=/etc/ssl/postgres-ca.pem",
    ],
    [
      postgres(answer({ version: 130_010 })),
      "warning postgres.version pg_dumpall -h db -p 5432 > postgresql-13.sql",
    ],
    [
      postgres(answer({ encoding: "LATIN1" })),
      "error postgres.encoding CREATE DATABASE mcp TEMPLATE template0 ENCODING 'UTF8';",
    ],
    [
      postgres(answer({ idleInTransaction: 1 })),
      "warning postgres.idle_in_transaction ALTER SYSTEM SET idle_in_transaction_session_timeout = '60s';",
    ],
    [
      postgres(answer({ isEncrypted: false })),
      "note postgres.no_tls DATABASE_URL=postgresql://a:PASSWORD@db:5432/mcp?sslmode=verify-full&sslrootcert=/etc/ssl/postgres-ca.pem",
    ],
    [
      postgres({ reach: "world", ...answer({ isEncrypted: false }) }),
      "warning postgres.no_tls DATABASE_URL=postgresql://a:PASSWORD@db:5432/mcp?sslmode=verify-full&sslrootcert=/etc/ssl/postgres-ca.pem",
    ],
    [
      postgres({ reach: "world" }),
      "note postgres.tls_unverified DATABASE_URL=postgresql://a:PASSWORD@db:5432/mcp?sslmode=verify-full&sslrootcert=/etc/ssl/postgres-ca.pem",
    ],
    [
      postgres(answer({ readOnly: "standby" })),
      "error postgres.read_only DATABASE_URL=postgresql://a:PASSWORD@PRIMARY:5432/mcp",
    ],
    [
      postgres(answer({ readOnly: "setting" })),
      "error postgres.read_only ALTER DATABASE mcp SET default_transaction_read_only = off;",
    ],
    [
      postgres(answer({ mayCreate: false, hasTables: false })),
      "error postgres.create GRANT USAGE, CREATE ON SCHEMA public TO a;",
    ],
    [
      postgres(answer({ missingRights: ["SELECT", "INSERT"], schema: "Mine" })),
      'error postgres.rights GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "Mine" TO a;',
    ],
    [
      postgres(answer({ mayCreate: false })),
      "note postgres.create GRANT USAGE, CREATE ON SCHEMA public TO a;",
    ],
    [
      postgres(answer({ userLimit: 29 })),
      "warning postgres.connection_limit ALTER ROLE a CONNECTION LIMIT -1;",
    ],
    [
      postgres({ pooler: POOLER, ...answer({ databaseLimit: 19 }) }),
      "warning postgres.connection_limit ALTER DATABASE mcp CONNECTION LIMIT -1;",
    ],
    [postgres(answer({ clockAheadMs: 9_000 })), "warning postgres.clock timedatectl set-ntp true"],
    [postgres(pooler({ pool_mode: "statement" })), "error pgbouncer.pool_mode pool_mode = transaction"],
    [postgres(pooler({}, { pool_mode: "statement" })), "error pgbouncer.pool_mode pool_mode=transaction"],
    [postgres(pooler({}, {}, { pool_mode: "statement" })), "error pgbouncer.pool_mode pool_mode=transaction"],
    [
      postgres(pooler({ pool_mode: "session", default_pool_size: "60" }, { max_connections: 29 })),
      "warning pgbouncer.pool_mode pool_mode = transaction",
    ],
    [postgres(pooler({}, { pool_size: 1 })), "note pgbouncer.pool_size pool_size=20"],
    [postgres(pooler({}, { max_connections: 1 })), "note pgbouncer.pool_size max_db_connections=20"],
    [
      postgres(pooler({}, {}, { max_user_connections: 1 })),
      "note pgbouncer.pool_size max_user_connections=20",
    ],
    [
      postgres(pooler({}, { max_client_connections: 20 })),
      "warning pgbouncer.max_client_conn max_db_client_connections=60",
    ],
    [
      postgres(answer({ unseenTransactions: 2 })),
      "note postgres.unseen GRANT pg_read_all_stats TO a;",
    ],
    [postgres(pooler({ pool_mode: "session" })), "warning pgbouncer.pool_mode pool_mode = transaction"],
    [postgres(pooler({ max_client_conn: "20" })), "warning pgbouncer.max_client_conn max_client_conn = 60"],
    [
      postgres(pooler({ default_pool_size: "600" })),
      "warning pgbouncer.server_connections max_db_connections = 87",
    ],
    [
      postgres(pooler({ client_idle_timeout: "120" }), { environment: { DB_POOL_RECYCLE: "120" } }),
      "warning pgbouncer.client_idle_timeout DB_POOL_RECYCLE=60",
    ],
    [
      postgres(pooler({ max_user_connections: "1" })),
      "note pgbouncer.pool_size max_user_connections = 20",
    ],
    [postgres(pooler({ min_pool_size: "21" })), "note pgbouncer.min_pool_size min_pool_size = 4"],
    [postgres(pooler({ default_pool_size: "1" })), "note pgbouncer.pool_size default_pool_size = 20"],
    [postgres(pooler({ server_lifetime: "0" })), "warning pgbouncer.server_lifetime server_lifetime = 1800"],
    [
      postgres(pooler({ server_idle_timeout: "9" })),
      "note pgbouncer.server_idle_timeout server_idle_timeout = 600",
    ],
    [
      postgres(pooler({ query_wait_timeout: "14" })),
      "warning pgbouncer.query_wait_timeout query_wait_timeout = 60",
    ],
    [
      postgres(pooler({ reserve_pool_size: "5", reserve_pool_timeout: "120" })),
      "note pgbouncer.reserve_pool_timeout reserve_pool_timeout = 2",
    ],
    [
      postgres(pooler({ reserve_pool_size: "5", reserve_pool_timeout: "0" })),
      "note pgbouncer.reserve_pool_timeout reserve_pool_timeout = 2",
    ],
    [postgres({ pooler: UNTOLD }), "note pgbouncer.untold stats_users = a"],
  ];
  for (const [findings, expected] of cases) assertEquals(shown(findings), [expected]);
});

Deno.test("checkPostgres() knows what bounds a pooler", () => {
  // A limit of the database, a worker that keeps no connections, and one that recycles in time.
  assertEquals(postgres(pooler({ default_pool_size: "600", max_db_connections: "90" })), []);
  // Limits of the user and the database that suffice, directly and behind the pooler.
  assertEquals(postgres(answer({ userLimit: 30, databaseLimit: 30 })), []);
  assertEquals(postgres({ pooler: POOLER, ...answer({ userLimit: 20 }) }), []);
  // The values of the tuning guide, and time-outs that are switched off.
  const guide = {
    ...{ max_client_conn: "5000", default_pool_size: "60", min_pool_size: "10", reserve_pool_size: "15" },
    ...{ max_db_connections: "70", max_user_connections: "70", server_lifetime: "1800" },
    ...{ reserve_pool_timeout: "2", server_idle_timeout: "600", query_wait_timeout: "60" },
    ...{ server_connect_timeout: "5" },
  };
  assertEquals(postgres(pooler(guide)), []);
  assertEquals(postgres(pooler({ server_idle_timeout: "0", query_wait_timeout: "0" })), []);
  const idle = pooler({ client_idle_timeout: "120" });
  assertEquals(postgres(idle, { environment: { DB_POOL_RECYCLE: "119" } }), []);
  assertEquals(postgres(idle, { query: "?pgbouncer=true" }), []);
});

Deno.test("checkPostgres() adds up the connections of all workers and replicas", () => {
  const [{ found }] = postgres({}, { replicas: 4 });
  assertStringIncludes(
    found,
    "4 replicas may open 120 connections (4 x WORKERS 2 x (DB_POOL_SIZE 5 + DB_MAX_OVERFLOW 10))",
  );
  assertStringIncludes(found, "has 94 for them: 97 without those for superusers, and other programs have 3.");
});

Deno.test("checkRedis() finds nothing in a server that suffices, nor where it does not tell", () => {
  const untold = {
    ...{ maxMemoryBytes: null, policy: null, usedMemoryBytes: null, maxClients: null, clients: null },
    ...{ clockAheadMs: null, replicas: null },
  };
  const evicts = { policy: "allkeys-lru" }; // without a limit
  for (const given of [{}, untold, evicts, { maxMemoryBytes: 1e9 }]) {
    assertEquals(checkRedis(config(), { ...REDIS, answer: { ...REDIS_ANSWER, ...given } }), []);
  }
  assertEquals(checkRedis(config(), { ...REDIS, reach: "world", tls: true }), []);
  // Two replicas of two workers have six connections already.
  const running = { maxClients: 6, clients: 6, replicas: 2 };
  assertEquals(checkRedis(config(), { ...REDIS, answer: { ...REDIS_ANSWER, ...running } }), []);
});

Deno.test("checkRedis() finds each thing that does not fit", () => {
  const cases: [facts: Partial<RedisFacts>, expected: string][] = [
    [
      { answer: { reason: "refused", remedy: undefined } },
      "error redis.unreachable redis-cli -h cache -p 6379 ping",
    ],
    [
      { answer: { reason: "WRONGPASS invalid username-password pair", remedy: undefined } },
      "error redis.unreachable REDIS_URL=redis://default:PASSWORD@cache:6379/2",
    ],
    [
      { answer: { ...REDIS_ANSWER, maxMemoryBytes: 1e8, policy: "volatile-lru" } },
      "warning redis.eviction CONFIG SET maxmemory-policy noeviction",
    ],
    [
      { answer: { ...REDIS_ANSWER, maxMemoryBytes: 2.1e6 } },
      "warning redis.memory CONFIG SET maxmemory 64mb",
    ],
    [
      { answer: { ...REDIS_ANSWER, isReplica: true, primary: "10.0.0.7:6380" } },
      "error redis.replica REDIS_URL=redis://10.0.0.7:6380/2",
    ],
    [{ answer: { ...REDIS_ANSWER, isReplica: true } }, "error redis.replica REPLICAOF NO ONE"],
    [{ answer: { ...REDIS_ANSWER, isWriteStopped: true } }, 'error redis.persistence CONFIG SET save ""'],
    [{ answer: { ...REDIS_ANSWER, maxClients: 7 } }, "warning redis.maxclients CONFIG SET maxclients 16"],
    [{ reach: "network" }, "note redis.no_tls REDIS_URL=rediss://cache:6379/2"],
    [{ reach: "world" }, "warning redis.no_tls REDIS_URL=rediss://cache:6379/2"],
    [{ answer: { ...REDIS_ANSWER, clockAheadMs: -9_000 } }, "warning redis.clock timedatectl set-ntp true"],
  ];
  for (const [facts, expected] of cases) {
    assertEquals(shown(checkRedis(config(), { ...REDIS, ...facts })), [expected]);
  }
});
