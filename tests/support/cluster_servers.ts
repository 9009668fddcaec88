// What the replicas of a cluster share: PostgreSQL, PgBouncer before it, and Redis.
//
// scripts/test.ts starts them once and hands them on in an environment variable, so that every test file of the run finds them.
import type { Settings } from "./gateway.ts";
import { PgBouncer } from "./pgbouncer.ts";
import { Postgres, PostgresServer, type PostgresServerOptions } from "./postgres.ts";
import { canLeaveOut } from "./programs.ts";
import { RedisServer } from "./redis.ts";

/** Names the ports of the run's servers, as JSON. */
const VARIABLE = "SLUICE_TEST_SERVERS";

/** The test files of a run use them side by side: a database each, and a key prefix for each test. */
const POSTGRES_OF_A_RUN: PostgresServerOptions = { settings: { max_connections: "300" } };
const PGBOUNCER_OF_A_RUN = { max_client_conn: "2000", server_idle_timeout: "10" };

/** Servers, whoever started them. */
export interface Servers {
  readonly postgres: Postgres;
  readonly pgbouncer: { readonly port: number };
  readonly redis: { url(): string };
}

/** Servers of one's own: what has them may stop them. */
export interface OwnServers extends Servers, AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly pgbouncer: PgBouncer;
  readonly redis: RedisServer;
}

export const SERVERS_MISSING = ["initdb", "pgbouncer", "redis-server"].some(canLeaveOut);

/** The settings that replicas on one database have in common. @param database in PostgreSQL, behind PgBouncer */
export function replicaSettings({ postgres, pgbouncer, redis }: Servers, database: string): Settings {
  return {
    DATABASE_URL: postgres.url(database, { port: pgbouncer.port }),
    JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
    AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
    CACHE_TYPE: "redis",
    REDIS_URL: redis.url(),
    CACHE_PREFIX: `${crypto.randomUUID()}:`,
    LOG_LEVEL: "INFO",
    // No test is about a machine that is too busy to answer in time.
    DB_CONNECT_TIMEOUT: "30",
    REDIS_SOCKET_TIMEOUT: "30",
  };
}

export async function startServers(
  { postgres: options, pgbouncer: settings = {} }: {
    readonly postgres?: PostgresServerOptions;
    readonly pgbouncer?: Readonly<Record<string, string>>;
  } = {},
): Promise<OwnServers> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await PostgresServer.start(options));
  const redis = stack.use(await RedisServer.start());
  const pgbouncer = stack.use(
    await PgBouncer.start(postgres.port, { settings: { server_login_retry: "1", ...settings } }),
  );
  const owned = stack.move();
  return { postgres, pgbouncer, redis, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Those of a run of several test files, until it disposes of them. @returns `env` for the processes that run the tests */
export async function startServersOfRun(): Promise<
  AsyncDisposable & { readonly env: Readonly<Record<string, string>> }
> {
  if (SERVERS_MISSING) return { env: {}, [Symbol.asyncDispose]: () => Promise.resolve() };
  const servers = await startServers({ postgres: POSTGRES_OF_A_RUN, pgbouncer: PGBOUNCER_OF_A_RUN });
  const { postgres, pgbouncer, redis } = servers;
  const ports = { postgres: postgres.port, pgbouncer: pgbouncer.port, redis: redis.port };
  return {
    env: { [VARIABLE]: JSON.stringify(ports) },
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  };
}

/** Those that the run has started; null where it has not. */
export function serversOfRun(): Servers | null {
  const text = Deno.env.get(VARIABLE);
  if (text === undefined) return null;
  const ports = JSON.parse(text);
  return {
    postgres: new Postgres(ports.postgres),
    pgbouncer: { port: ports.pgbouncer },
    redis: { url: () => `redis://127.0.0.1:${ports.redis}/0` },
  };
}
