// Judges PostgreSQL: connections of all workers and replicas, idle transactions, TLS, version, clock.
import type { Config } from "../../../config/schema.ts";
import { type DatabaseSettings, poolSettings } from "../../../store/open_database.ts";
import type { PostgresTarget, TlsMode } from "../../../store/postgres/postgres_url.ts";
import { databaseConnections } from "../../../tuning/sums.ts";
import type { Finding } from "../finding.ts";
import { checkPooler } from "./pooler_checks.ts";
import type { PostgresAnswer, PostgresFacts } from "./postgres_facts.ts";
import { checkClock, severityOfPlain } from "./shared_checks.ts";

/** Older versions get no corrections from their project: https://www.postgresql.org/support/versioning/ */
const OLDEST_VERSION = 14;

export interface PostgresUse {
  readonly settings: DatabaseSettings & Pick<Config, "workers">;
  readonly target: PostgresTarget;
  /** Replicas that another store knows of, Redis for example; null: unknown. */
  readonly replicas: number | null;
}

export function checkPostgres(use: PostgresUse, facts: PostgresFacts): Finding[] {
  const { answer, location, pooler } = facts;
  if ("reason" in answer) return [unreachable(location, answer)];
  const { settings } = use;
  const replicas = Math.max(1, use.replicas ?? 0, answer.replicas ?? 0);
  const pool = poolSettings(use.target, settings);
  const { dbPoolSize, dbMaxOverflow, workers } = settings;
  const needed = databaseConnections(settings, replicas);
  const sum =
    `${replicas} x WORKERS ${workers} x (DB_POOL_SIZE ${dbPoolSize} + DB_MAX_OVERFLOW ${dbMaxOverflow})`;
  return [
    ...(pooler === null
      ? checkConnections({ needed, sum, replicas, workers }, answer, location)
      : checkPooler({ needed, sum, pool, user: facts.user }, answer, pooler)),
    ...checkServer(answer, location),
    ...checkTls(use.target.tls, answer, facts),
    ...checkClock(`PostgreSQL at ${location}`, "postgres", answer.clockAheadMs),
  ];
}

function unreachable(location: string, { reason, remedy }: { reason: string; remedy: string }): Finding {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)\//.exec(location) ?? [];
  return {
    id: "postgres.unreachable",
    severity: "error",
    found: `PostgreSQL at ${location} cannot be used: ${reason}.`,
    why: "The gateway does not start, and a running one answers from memory and takes no changes.",
    fix: `pg_isready -h ${host} -p ${port}`,
    ...(remedy === "" ? {} : { remark: remedy }),
    page: "troubleshooting#the-gateway-does-not-start",
  };
}

function checkConnections(
  { needed, sum, replicas, workers }: { needed: number; sum: string; replicas: number; workers: number },
  { maxConnections, others }: PostgresAnswer,
  location: string,
): Finding[] {
  const available = maxConnections - others;
  if (needed <= available) return [];
  const each = Math.max(1, Math.floor(Math.max(0, available) / (replicas * workers)));
  return [{
    id: "postgres.connections",
    severity: "warning",
    found: `${replicas} replica${
      replicas === 1 ? "" : "s"
    } may open ${needed} connections (${sum}), and PostgreSQL at ${location} has ${
      Math.max(0, available)
    } for them: ${maxConnections} without those for superusers, and other programs have ${others}.`,
    why: "A connection above the limit is refused: registry writes and session records fail under load.",
    fix: `DB_POOL_SIZE=${Math.ceil(each / 2)}`,
    remark: `with DB_MAX_OVERFLOW=${
      Math.floor(each / 2)
    }; or ALTER SYSTEM SET max_connections and a restart of PostgreSQL, or a PgBouncer in front`,
    page: "replicas",
  }];
}

function checkServer({ version, encoding, idleInTransaction }: PostgresAnswer, location: string): Finding[] {
  const findings: Finding[] = [];
  const major = Math.floor(version / 10_000);
  if (major < OLDEST_VERSION) {
    findings.push({
      id: "postgres.version",
      severity: "warning",
      found: `PostgreSQL at ${location} is version ${major}.`,
      why:
        `Versions below ${OLDEST_VERSION} get no corrections from their project any more, of security neither.`,
      fix: "pg_upgrade --help",
      remark: "upgrade the server; a dump and a restore do it too",
      page: "backup#postgresql",
    });
  }
  if (encoding !== "UTF8" && encoding !== "SQL_ASCII") {
    findings.push({
      id: "postgres.encoding",
      severity: "error",
      found: `The encoding of ${location} is ${encoding}.`,
      why: "The gateway does not start: descriptions with other characters could not be stored.",
      fix: "CREATE DATABASE mcp TEMPLATE template0 ENCODING 'UTF8';",
      page: "replicas",
    });
  }
  if (idleInTransaction > 0) {
    findings.push({
      id: "postgres.idle_in_transaction",
      severity: "warning",
      found: `${idleInTransaction} transaction${
        idleInTransaction === 1 ? " of another program has" : "s of other programs have"
      } been idle on ${location} for more than a minute.`,
      why:
        "Such a transaction keeps its connection and its locks, and old rows cannot be removed. Those of the gateway end after DB_STATEMENT_TIMEOUT.",
      fix: "ALTER SYSTEM SET idle_in_transaction_session_timeout = '60s';",
      remark: "then SELECT pg_reload_conf(); and a correction of the other program",
      page: "replicas",
    });
  }
  return findings;
}

function checkTls(
  tls: TlsMode,
  { isEncrypted }: PostgresAnswer,
  { location, reach }: PostgresFacts,
): Finding[] {
  const severity = severityOfPlain(reach);
  if (severity === null || isEncrypted === null) return [];
  const fix = "DATABASE_URL=...?sslmode=verify-full&sslrootcert=/etc/ssl/postgres-ca.pem";
  if (!isEncrypted) {
    return [{
      id: "postgres.no_tls",
      severity,
      found: `The connection to PostgreSQL at ${location}, on another machine, is not encrypted.`,
      why: "Session records and sealed credentials can be read and changed on the way.",
      fix,
      remark: "after TLS is switched on in the server",
      page: "replicas",
    }];
  }
  if (tls === "verify-full" || reach !== "world") return [];
  return [{
    id: "postgres.tls_unverified",
    severity: "note",
    found:
      `The connection to PostgreSQL at ${location} is encrypted, and its certificate is not verified (sslmode).`,
    why: "Another server on the way could pose as the database.",
    fix,
    page: "replicas",
  }];
}
