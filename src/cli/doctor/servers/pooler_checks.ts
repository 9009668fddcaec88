// Judges a PgBouncer in front of PostgreSQL. The gateway keeps nothing in a database session and bounds its own transactions, so
// reset queries and idle_transaction_timeout need no setting for it.
import type { PoolSettings } from "../../../store/postgres/postgres_pool.ts";
import type { Finding } from "../finding.ts";
import type { PoolerFacts, PostgresAnswer } from "./postgres_facts.ts";

export interface PoolerUse {
  /** Connections that all workers of all replicas may open, and how they add up. */
  readonly needed: number;
  readonly sum: string;
  readonly pool: Pick<PoolSettings, "keep" | "recycleMs">;
  /** The user of DATABASE_URL. */
  readonly user: string;
}

export function checkPooler(
  use: PoolerUse,
  server: PostgresAnswer,
  { settings, database }: PoolerFacts,
): Finding[] {
  if (settings === null) return [untold(use.user)];
  const number = (name: string) => Number(settings[name] ?? 0);
  const mode = database.poolMode ?? settings.pool_mode;
  const poolSize = database.poolSize ?? number("default_pool_size");
  return [
    ...checkMode(mode, poolSize, use),
    ...checkClients(number("max_client_conn"), use),
    ...checkServerConnections(poolSize, number("reserve_pool_size"), number("max_db_connections"), server),
    ...checkIdle(number("client_idle_timeout"), use),
  ];
}

function untold(user: string): Finding {
  return {
    id: "pgbouncer.untold",
    severity: "note",
    found: `PgBouncer does not tell its settings to the user ${user}: they were not examined.`,
    why: "Its pool mode, limits and timeouts must fit the gateway's.",
    fix: `stats_users = ${user}`,
    remark: "in pgbouncer.ini, then RELOAD",
    page: "doctor#what-is-examined",
  };
}

function checkMode(mode: string | undefined, poolSize: number, { needed, sum }: PoolerUse): Finding[] {
  const finding = {
    id: "pgbouncer.pool_mode",
    fix: "pool_mode = transaction",
    remark: "in pgbouncer.ini",
  } as const;
  if (mode === "statement") {
    return [{
      ...finding,
      severity: "error",
      found: "The pool_mode of PgBouncer is statement.",
      why: "It refuses transactions, which every write of the registry is.",
      page: "doctor#what-is-examined",
    }];
  }
  if (mode !== "session" || needed <= poolSize) return [];
  return [{
    ...finding,
    severity: "warning",
    found:
      `The pool_mode of PgBouncer is session, and its pool has ${poolSize} connections for the ${needed} of the workers (${sum}).`,
    why:
      "Each connection of a worker holds one of the server as long as it is open: others wait for DB_POOL_TIMEOUT, and fail.",
    page: "doctor#what-is-examined",
  }];
}

function checkClients(maxClients: number, { needed, sum }: PoolerUse): Finding[] {
  if (maxClients === 0 || needed <= maxClients) return [];
  return [{
    id: "pgbouncer.max_client_conn",
    severity: "warning",
    found:
      `The workers may open ${needed} connections (${sum}), and the max_client_conn of PgBouncer is ${maxClients}.`,
    why: "A connection above the limit is refused: registry writes and session records fail under load.",
    fix: `max_client_conn = ${2 * needed}`,
    remark: "in pgbouncer.ini; its limit of open files must allow it",
    page: "doctor#what-is-examined",
  }];
}

function checkServerConnections(
  poolSize: number,
  reserve: number,
  maxDatabase: number,
  { maxConnections }: PostgresAnswer,
): Finding[] {
  const most = maxDatabase > 0 ? Math.min(maxDatabase, poolSize + reserve) : poolSize + reserve;
  if (most <= maxConnections) return [];
  return [{
    id: "pgbouncer.server_connections",
    severity: "warning",
    found: `PgBouncer may open ${most} connections to the database, and PostgreSQL allows ${maxConnections}.`,
    why: "PostgreSQL refuses those above its limit, to every other program too.",
    fix: `max_db_connections = ${Math.max(1, Math.floor(maxConnections * 0.9))}`,
    remark: "in pgbouncer.ini; or ALTER SYSTEM SET max_connections and a restart of PostgreSQL",
    page: "doctor#what-is-examined",
  }];
}

function checkIdle(idleSeconds: number, { pool: { keep, recycleMs } }: PoolerUse): Finding[] {
  if (keep === 0 || idleSeconds === 0 || recycleMs < idleSeconds * 1000) return [];
  return [{
    id: "pgbouncer.client_idle_timeout",
    severity: "warning",
    found: `DB_POOL_RECYCLE is ${
      recycleMs / 1000
    } s, and the client_idle_timeout of PgBouncer is ${idleSeconds} s.`,
    why: "PgBouncer closes an idle connection first, and the statement that meets it fails.",
    fix: `DB_POOL_RECYCLE=${Math.max(1, Math.floor(idleSeconds / 2))}`,
    page: "settings#database",
  }];
}
