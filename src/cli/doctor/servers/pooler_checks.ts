// Judges a PgBouncer in front of PostgreSQL. The gateway keeps nothing in a database session and bounds its own transactions, so
// reset queries and idle_transaction_timeout need no setting for it.
import type { PoolSettings } from "../../../store/postgres/postgres_pool.ts";
import { counted, type Finding } from "../finding.ts";
import type { PoolerFacts } from "./pooler_facts.ts";
import type { PostgresAnswer } from "./postgres_facts.ts";

export interface PoolerUse {
  /** Connections that all workers of all replicas may open, and how they add up. */
  readonly needed: number;
  readonly sum: string;
  readonly pool: Pick<PoolSettings, "keep" | "recycleMs">;
  /** Workers of all replicas. */
  readonly workers: number;
  /** The user of DATABASE_URL. */
  readonly user: string;
}

/** The time-outs of PgBouncer, s. */
type Timeouts = Readonly<
  Record<
    | "server_lifetime"
    | "server_idle_timeout"
    | "server_connect_timeout"
    | "query_wait_timeout"
    | "reserve_pool_timeout",
    number
  >
>;

/** What PgBouncer does where a setting is not told. https://www.pgbouncer.org/config.html */
const DEFAULT_TIMEOUTS: Timeouts = {
  server_lifetime: 3600,
  server_idle_timeout: 600,
  server_connect_timeout: 15,
  query_wait_timeout: 120,
  reserve_pool_timeout: 5,
};

/** Below it, each pause of the gateway closes the connections to the server. */
const SHORT_IDLE_SECONDS = 10;

const PAGE = "doctor#pgbouncer";

/** Connections to the server that PgBouncer may have open for the gateway; null: it does not tell. */
export function mostOf({ settings }: PoolerFacts): number | null {
  return settings === null ? null : serverConnections(settings, ["default_pool_size", "reserve_pool_size"]);
}

function serverConnections(
  settings: NonNullable<PoolerFacts["settings"]>,
  pools: readonly ("default_pool_size" | "reserve_pool_size")[],
): number {
  const number = (name: string) => Number(settings[name] ?? 0);
  const limits = ["max_db_connections", "max_user_connections"].map(number).filter((limit) => limit > 0);
  return Math.min(pools.map(number).reduce((total, each) => total + each), ...limits);
}

export function checkPooler(use: PoolerUse, server: PostgresAnswer, pooler: PoolerFacts): Finding[] {
  const { settings } = pooler;
  if (settings === null) return [untold(use.user)];
  const number = (name: string) => Number(settings[name] ?? 0);
  const findings = [
    ...checkMode(settings.pool_mode, serverConnections(settings, ["default_pool_size"]), use),
    ...checkClients(number("max_client_conn"), use),
    ...checkServerConnections(mostOf(pooler)!, server),
    ...checkPoolSizes(settings, use),
    ...checkTimeouts(
      Object.fromEntries(
        Object.entries(DEFAULT_TIMEOUTS).map(([name, usual]) => [name, Number(settings[name] ?? usual)]),
      ) as Timeouts,
      number("reserve_pool_size"),
    ),
    ...checkIdle(number("client_idle_timeout"), use),
  ];
  return findings.map((finding) => inItsSection(finding, pooler));
}

/** What the other sections call a setting of [pgbouncer]. https://www.pgbouncer.org/config.html */
const OWN_NAMES: Readonly<Record<"[databases]" | "[users]", Readonly<Record<string, string>>>> = {
  "[databases]": { default_pool_size: "pool_size", max_client_conn: "max_db_client_connections" },
  "[users]": { default_pool_size: "pool_size", max_client_conn: "max_user_client_connections" },
};

/** The line of a setting that the database or the user overrules belongs into that section. */
function inItsSection(finding: Finding, { overruled }: PoolerFacts): Finding {
  const [, name = "", value] = /^(\w+) = (.*)$/.exec(finding.fix) ?? [];
  const section = overruled[name];
  if (section === undefined) return finding;
  return {
    ...finding,
    fix: `${OWN_NAMES[section][name] ?? name}=${value}`,
    remark: `in pgbouncer.ini, in the line of the ${
      section === "[users]" ? "user" : "database"
    } in ${section}, which has a value of its own; then RELOAD`,
  };
}

function untold(user: string): Finding {
  return {
    id: "pgbouncer.untold",
    severity: "note",
    found: `PgBouncer does not tell its settings to the user ${user}: they were not examined.`,
    why: "Its pool mode, limits and timeouts must fit the gateway's.",
    fix: `stats_users = ${user}`,
    remark: "in pgbouncer.ini, then RELOAD; or sluice doctor --pgbouncer-ini FILE, as a user who may read it",
    page: PAGE,
  };
}

function checkMode(mode: string | undefined, size: number, { needed, sum }: PoolerUse): Finding[] {
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
      page: PAGE,
    }];
  }
  if (mode !== "session" || needed <= size) return [];
  return [{
    ...finding,
    severity: "warning",
    found:
      `The pool_mode of PgBouncer is session, and its pool has ${size} connections for the ${needed} of the workers (${sum}).`,
    why:
      "Each connection of a worker holds one of the server as long as it is open: others wait for DB_POOL_TIMEOUT, and fail.",
    page: PAGE,
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
    page: PAGE,
  }];
}

function checkServerConnections(most: number, { maxConnections }: PostgresAnswer): Finding[] {
  if (most <= maxConnections) return [];
  return [{
    id: "pgbouncer.server_connections",
    severity: "warning",
    found: `PgBouncer may open ${most} connections to the database, and PostgreSQL allows ${maxConnections}.`,
    why: "PostgreSQL refuses those above its limit, to every other program too.",
    fix: `max_db_connections = ${Math.max(1, Math.floor(maxConnections * 0.9))}`,
    remark: "in pgbouncer.ini; or ALTER SYSTEM SET max_connections and a restart of PostgreSQL",
    page: PAGE,
  }];
}

/** Sizes that contradict each other, or that are below one connection for each worker. */
function checkPoolSizes(settings: NonNullable<PoolerFacts["settings"]>, { workers }: PoolerUse): Finding[] {
  const number = (name: string) => Number(settings[name] ?? 0);
  const [poolSize, least] = [number("default_pool_size"), number("min_pool_size")];
  const most = serverConnections(settings, ["default_pool_size", "reserve_pool_size"]);
  const findings: Finding[] = [];
  const add = (id: string, found: string, why: string, fix: string, remark: string) =>
    findings.push({ id, severity: "note", found, why, fix, remark, page: PAGE });
  if (least > poolSize) {
    add(
      "pgbouncer.min_pool_size",
      `The min_pool_size of PgBouncer is ${least}, and its pool has ${poolSize} connections.`,
      "The lower number counts.",
      `min_pool_size = ${Math.ceil(poolSize / 6)}`,
      "in pgbouncer.ini",
    );
  }
  if (settings.pool_mode === "transaction" && most < workers) {
    const limits = ["max_db_connections", "max_user_connections"].filter((name) => number(name) === most);
    const [bounding = "default_pool_size", other] = most < poolSize ? limits : [];
    add(
      "pgbouncer.pool_size",
      `PgBouncer may open ${
        counted(most, "connection")
      } to the database for ${workers} workers of all replicas.`,
      "Workers that write session records at the same time wait for each other.",
      `${bounding} = ${Math.max(20, workers)}`,
      other === undefined ? "in pgbouncer.ini" : `in pgbouncer.ini, and the same for ${other}`,
    );
  }
  return findings;
}

/** Time-outs that make PgBouncer refuse, or open connections again and again. 0 switches each off, but for server_lifetime. */
function checkTimeouts(timeouts: Timeouts, reserve: number): Finding[] {
  const { server_lifetime, server_idle_timeout, server_connect_timeout, query_wait_timeout } = timeouts;
  const findings: Finding[] = [];
  const add = (
    severity: Finding["severity"],
    name: keyof Timeouts,
    found: string,
    why: string,
    value: number,
  ) =>
    findings.push({
      id: `pgbouncer.${name}`,
      severity,
      found,
      why,
      fix: `${name} = ${value}`,
      remark: "in pgbouncer.ini",
      page: PAGE,
    });
  if (server_lifetime === 0) {
    add(
      "warning",
      "server_lifetime",
      "The server_lifetime of PgBouncer is 0.",
      "PgBouncer closes each connection to PostgreSQL after one use: each transaction waits for a new one.",
      1800,
    );
  }
  if (server_idle_timeout > 0 && server_idle_timeout < SHORT_IDLE_SECONDS) {
    add(
      "note",
      "server_idle_timeout",
      `The server_idle_timeout of PgBouncer is ${server_idle_timeout} s.`,
      "PgBouncer closes its connections to PostgreSQL in each pause: writes after it wait for new ones.",
      600,
    );
  }
  if (query_wait_timeout > 0 && query_wait_timeout < server_connect_timeout) {
    add(
      "warning",
      "query_wait_timeout",
      `The query_wait_timeout of PgBouncer is ${query_wait_timeout} s, and its server_connect_timeout ${server_connect_timeout} s.`,
      "Statements are refused while PgBouncer still opens a connection for them.",
      60,
    );
  }
  const after = timeouts.reserve_pool_timeout;
  if (reserve > 0 && (after === 0 || (query_wait_timeout > 0 && after >= query_wait_timeout))) {
    add(
      "note",
      "reserve_pool_timeout",
      `The reserve_pool_size of PgBouncer is ${reserve}, and its reserve_pool_timeout ${after} s.`,
      after === 0
        ? "0 switches the reserve off."
        : `Statements are refused after query_wait_timeout ${query_wait_timeout} s, before the reserve is used.`,
      2,
    );
  }
  return findings;
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
