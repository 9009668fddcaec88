// What PostgreSQL, PgBouncer and Redis need for the connections of all workers and replicas.
import type { Demand, Load } from "./demand.ts";
import { atLeast, exactly, type Figure, suggested } from "./figure.ts";
import { CLIENT_IDLE_SECONDS } from "./setting_figures.ts";
import { redisConnections } from "./sums.ts";

/** Connections for administrators, backups and monitoring. */
const OTHER_CONNECTIONS = 20;

/** PostgreSQL keeps these for superusers. */
const SUPERUSER_CONNECTIONS = 3;

/** The guide's pool of PgBouncer, and its values for 600 connections: 100 kept, 150 in reserve. */
const [LEAST_POOL, MOST_POOL] = [20, 600];

/** Memory of a session's record in Redis: most have 1 KiB, those with many subscriptions more. */
const RECORD_KIB = 4;

/** @param connections of all workers of all replicas */
export function pgbouncerFigures(connections: number, users: number): Figure[] {
  const pool = Math.min(MOST_POOL, Math.max(LEAST_POOL, Math.ceil(connections / 2)));
  const reserve = Math.ceil(pool / 4);
  return [
    exactly(
      "pool_mode",
      "transaction",
      "The guide's value. The gateway keeps nothing in a database session.",
    ),
    atLeast(
      "max_client_conn",
      Math.max(1_000, 2 * connections),
      `max(1000, 2 x ${connections} connections of all workers of all replicas), the guide's formula: a restart has old and new ones.`,
      connections,
    ),
    atLeast(
      "default_pool_size",
      pool,
      `${connections} / 2, from ${LEAST_POOL} to the guide's ${MOST_POOL}. The guide's calls ask the database. Measured here: ` +
        "a call makes no statement, so that half of the connections are enough.",
    ),
    suggested(
      "min_pool_size",
      Math.ceil(pool / 6),
      `default_pool_size ${pool} / 6, as the guide's 100 of 600.`,
    ),
    suggested("reserve_pool_size", reserve, `default_pool_size ${pool} / 4, as the guide's 150 of 600.`),
    suggested("reserve_pool_timeout", 2, "The guide's value."),
    suggested(
      "max_db_connections",
      pool + reserve,
      `default_pool_size ${pool} + reserve_pool_size ${reserve}. The guide's 700 would cut its own 600 + 150. max_connections of ` +
        "PostgreSQL is above it.",
    ),
    suggested("max_user_connections", pool + reserve, "max_db_connections: the gateway is one user."),
    suggested("server_lifetime", 1800, "The guide's value, s."),
    suggested("server_idle_timeout", 600, "The guide's value, s."),
    suggested("query_wait_timeout", users >= 1_000 ? 60 : 120, "The guide's value, s."),
    suggested(
      "client_idle_timeout",
      CLIENT_IDLE_SECONDS,
      "The guide's value, s. DB_POOL_RECYCLE is half of it, so that no statement meets a connection which PgBouncer closes.",
    ),
    suggested("server_connect_timeout", 5, "The guide's value, s."),
    suggested(
      "idle_transaction_timeout",
      60,
      "The guide's value, s. Transactions of the gateway end after DB_STATEMENT_TIMEOUT; this ends those of other programs.",
    ),
    suggested("server_reset_query", "DISCARD ALL", "The guide's value."),
    suggested(
      "server_reset_query_always",
      1,
      "The guide's value. The gateway leaves no state; other programs may.",
    ),
  ];
}

/** @param connections of all workers of all replicas. @param pgbouncer the figures of a PgBouncer in front; empty: none */
export function postgresFigures(connections: number, pgbouncer: readonly Figure[]): Figure[] {
  const pooled = pgbouncer.find(({ name }) => name === "max_db_connections");
  const from = pooled === undefined ? 2 * connections : Number(pooled.value);
  return [
    atLeast(
      "max_connections",
      Math.max(100, from + OTHER_CONNECTIONS + SUPERUSER_CONNECTIONS),
      `max(100, ${
        pooled === undefined
          ? `2 x ${connections} connections of all workers, for restarts with old and new ones`
          : `PgBouncer's max_db_connections ${from}`
      } + ${OTHER_CONNECTIONS} for other programs + ${SUPERUSER_CONNECTIONS} for superusers).`,
    ),
    suggested("superuser_reserved_connections", SUPERUSER_CONNECTIONS, "PostgreSQL's own value."),
    suggested(
      "shared_buffers",
      256,
      "In MB. The registry and its session records are small: this holds them all.",
    ),
    suggested(
      "idle_in_transaction_session_timeout",
      60,
      "In s, the guide's IDLE_TRANSACTION_TIMEOUT: a transaction that is never committed gives its connection back.",
    ),
    suggested(
      "password_encryption",
      "scram-sha-256",
      "PostgreSQL's own value. PgBouncer logs in with the same kind.",
    ),
  ].map((figure) => ({ ...figure, value: withUnit(figure) }));
}

function withUnit({ name, value }: Figure): string {
  if (name === "shared_buffers") return `${value}MB`;
  return name === "idle_in_transaction_session_timeout" ? `${value}s` : value;
}

export function redisFigures({ users, replicas }: Load, { workers }: Demand): Figure[] {
  const connections = redisConnections({ workers }, replicas);
  const records = Math.ceil(4 * users * RECORD_KIB / 1024 / 64) * 64;
  return [
    atLeast(
      "maxclients",
      Math.max(10_000, 2 * connections + 100),
      `max(Redis' own 10000, 2 x ${connections} connections of all replicas + 100 for other programs).`,
      2 * connections + 100,
    ),
    atLeast(
      "maxmemory",
      Math.max(64, records),
      `In MB: 2 sessions x ${users} users x ${RECORD_KIB} KiB, twice, from 64. Records have a time to live.`,
    ),
    exactly(
      "maxmemory-policy",
      "noeviction",
      "Evicted records would be lost sessions. A full Redis refuses new ones instead.",
    ),
    suggested(
      "save",
      '""',
      "No snapshots. Measured: a Redis that comes back empty loses no session, because the replicas write their records again.",
    ),
    suggested("appendonly", "no", "No log, for the same reason."),
    suggested(
      "tcp-keepalive",
      60,
      "In s. The guide has none: a connection whose other end is gone is noticed.",
    ),
    suggested("timeout", 0, "Redis closes no idle connection: REDIS_HEALTH_CHECK_INTERVAL tests them."),
  ].map((figure) => figure.name === "maxmemory" ? { ...figure, value: `${figure.value}mb` } : figure);
}
