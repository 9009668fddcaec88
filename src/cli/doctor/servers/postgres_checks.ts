// Judges PostgreSQL: connections of all workers and replicas, idle transactions, TLS, version, clock.
import { shellWord } from "../../../client_config/shell_word.ts";
import type { Config } from "../../../config/schema.ts";
import { type DatabaseSettings, poolSettings } from "../../../store/open_database.ts";
import type { PostgresTarget, TlsMode } from "../../../store/postgres/postgres_url.ts";
import { databaseConnections } from "../../../tuning/sums.ts";
import { counted, type Finding, sentence } from "../finding.ts";
import { checkPooler, mostOf } from "./pooler_checks.ts";
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
  if ("reason" in answer) return [unreachable(facts, answer)];
  if (answer.foreign !== null) return [foreignDatabase(location, answer.foreign)];
  const { settings } = use;
  const replicas = Math.max(1, use.replicas ?? 0, answer.replicas ?? 0);
  const pool = poolSettings(use.target, settings);
  const { dbPoolSize, dbMaxOverflow, workers } = settings;
  const needed = databaseConnections(settings, replicas);
  const sum =
    `${replicas} x WORKERS ${workers} x (DB_POOL_SIZE ${dbPoolSize} + DB_MAX_OVERFLOW ${dbMaxOverflow})`;
  const opened = pooler === null
    ? { by: "the workers", most: needed }
    : { by: "PgBouncer", most: mostOf(pooler) ?? 0 };
  return [
    ...(pooler === null
      ? checkConnections({ needed, sum, replicas, workers }, answer, location)
      : checkPooler({ needed, sum, pool, user: facts.user, workers: replicas * workers }, answer, pooler)),
    ...checkLimits(opened, answer, use.target),
    ...checkRights(answer, use.target, location),
    ...checkServer(answer, location),
    ...checkTransactions(answer, facts),
    ...checkTls(use.target.tls, answer, facts),
    ...checkClock(`PostgreSQL at ${location}`, "postgres", answer.clockAheadMs),
  ];
}

function unreachable(
  { location, user }: PostgresFacts,
  { reason, remedy }: { readonly reason: string; readonly remedy: string },
): Finding {
  const { host, port, database } = partsOf(location);
  return {
    id: "postgres.unreachable",
    severity: "error",
    found: `PostgreSQL at ${location} cannot be used: ${reason}.`,
    why: "The gateway does not start, and a running one answers from memory and takes no changes.",
    fix: reason.includes("sslrootcert")
      ? verifiedUrl(user, location)
      : /^database .* does not exist$/.test(reason)
      ? `createdb -h ${host} -p ${port} -T template0 -E UTF8 ${shellWord(database)}`
      : /authentication|^role .* does not exist$/.test(reason)
      ? urlLine(user, location)
      : `pg_isready -h ${host} -p ${port}`,
    ...(remedy === "" ? {} : { remark: remedy }),
    page: "troubleshooting#the-gateway-does-not-start",
  };
}

/** @param location host:port/database */
function partsOf(
  location: string,
): { readonly host: string; readonly port: string; readonly database: string } {
  const [, host = "", port = "", database = ""] = /^\[?(.*?)\]?:(\d+)\/(.*)$/.exec(location) ?? [];
  return { host, port, database };
}

/** The password is the operator's. */
function urlLine(user: string, location: string): string {
  return `DATABASE_URL=postgresql://${encodeURIComponent(user)}:PASSWORD@${location}`;
}

/** The file has the authority's certificate. */
function verifiedUrl(user: string, location: string): string {
  return `${urlLine(user, location)}?sslmode=verify-full&sslrootcert=/etc/ssl/postgres-ca.pem`;
}

function foreignDatabase(location: string, reason: string): Finding {
  const { host, port } = partsOf(location);
  return {
    id: "postgres.foreign",
    severity: "error",
    found: sentence(`the database ${location} cannot be used: ${reason}`),
    why: "The gateway does not start.",
    fix: `createdb -h ${host} -p ${port} -T template0 -E UTF8 sluice`,
    remark: "as an administrator of PostgreSQL, and its name in DATABASE_URL",
    page: "contextforge",
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
    found: `${
      counted(replicas, "replica")
    } may open ${needed} connections (${sum}), and PostgreSQL at ${location} has ${
      Math.max(0, available)
    } for them: ${maxConnections} without those for superusers, and other programs have ${others}.`,
    why: "A connection above the limit is refused: registry writes and session records fail under load.",
    fix: `printf '\\nDB_POOL_SIZE=${Math.ceil(each / 2)}\\nDB_MAX_OVERFLOW=${
      Math.floor(each / 2)
    }\\n' >> .env`,
    remark:
      `in place of such lines; or ALTER SYSTEM SET max_connections and a restart of PostgreSQL, or a PgBouncer in front`,
    page: "replicas",
  }];
}

/** Limits of the user and of the database, which count below those of the server. */
function checkLimits(
  { by, most }: { readonly by: string; readonly most: number },
  { userLimit, databaseLimit }: PostgresAnswer,
  { user, database }: PostgresTarget,
): Finding[] {
  const limits = [
    ["user", "ROLE", user, userLimit],
    ["database", "DATABASE", database, databaseLimit],
  ] as const;
  return limits.flatMap(([noun, kind, name, limit]): Finding[] =>
    limit === null || most <= limit ? [] : [{
      id: "postgres.connection_limit",
      severity: "warning",
      found:
        `The ${noun} ${name} may have ${limit} connections at once (CONNECTION LIMIT), and ${by} may open ${most}.`,
      why: "A connection above the limit is refused: registry writes and session records fail under load.",
      fix: `ALTER ${kind} ${quoted(name)} CONNECTION LIMIT -1;`,
      remark: "or a smaller DB_POOL_SIZE and DB_MAX_OVERFLOW",
      page: "replicas",
    }]
  );
}

/** What the gateway may not do there, but has to. */
function checkRights(
  { readOnly, mayCreate, hasTables, missingRights, schema }: PostgresAnswer,
  { user, database }: PostgresTarget,
  location: string,
): Finding[] {
  if (readOnly !== null) {
    return [{
      id: "postgres.read_only",
      severity: "error",
      found: readOnly === "standby"
        ? `PostgreSQL at ${location} is a standby: it takes no writes.`
        : `PostgreSQL at ${location} takes no writes: default_transaction_read_only is on.`,
      why: "The gateway cannot make its tables there, nor write the registry, tokens and session records.",
      fix: readOnly === "standby"
        ? urlLine(user, `PRIMARY:5432/${encodeURIComponent(database)}`)
        : `ALTER DATABASE ${quoted(database)} SET default_transaction_read_only = off;`,
      ...(readOnly === "standby"
        ? { remark: "the address of the primary" }
        : { remark: "or ALTER SYSTEM RESET default_transaction_read_only, or ALTER ROLE, where it was set" }),
      page: "replicas",
    }];
  }
  const findings: Finding[] = [];
  if (missingRights.length > 0) {
    findings.push({
      id: "postgres.rights",
      severity: "error",
      found: `The user ${user} has no right to ${
        listed(missingRights)
      } on tables of the gateway in the database ${database}.`,
      why: "The gateway reads them at its start, and writes the registry, tokens and session records.",
      fix: `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${quoted(schema)} TO ${
        quoted(user)
      };`,
      remark: `in the database ${database}, as the owner of the tables`,
      page: "replicas",
    });
  }
  if (mayCreate) return findings;
  return [...findings, {
    id: "postgres.create",
    severity: hasTables ? "note" : "error",
    found: `The user ${user} may not create tables in the database ${database}.`,
    why: hasTables
      ? "The next version may need other tables: the gateway would not start with it."
      : "The gateway makes its tables at its first start, and does not start without them.",
    fix: `GRANT USAGE, CREATE ON SCHEMA ${quoted(schema)} TO ${quoted(user)};`,
    remark: `in the database ${database}, as its owner`,
    page: "replicas",
  }];
}

function listed(words: readonly string[]): string {
  return words.length === 1 ? words[0]! : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** A name in a statement of SQL. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function checkServer({ version, encoding }: PostgresAnswer, location: string): Finding[] {
  const { host, port } = partsOf(location);
  const findings: Finding[] = [];
  const major = Math.floor(version / 10_000);
  if (major < OLDEST_VERSION) {
    findings.push({
      id: "postgres.version",
      severity: "warning",
      found: `PostgreSQL at ${location} is version ${major}.`,
      why:
        `Versions below ${OLDEST_VERSION} get no corrections from their project any more, of security neither.`,
      fix: `pg_dumpall -h ${host} -p ${port} > postgresql-${major}.sql`,
      remark:
        `as an administrator of PostgreSQL; then psql -f of this file at a server of version ${OLDEST_VERSION} or later`,
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
      remark: "in psql, and its name in DATABASE_URL",
      page: "replicas",
    });
  }
  return findings;
}

function checkTransactions(
  { idleInTransaction, unseenTransactions }: PostgresAnswer,
  { location, user }: PostgresFacts,
): Finding[] {
  const findings: Finding[] = [];
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
  if (unseenTransactions > 0) {
    findings.push({
      id: "postgres.unseen",
      severity: "note",
      found: `${unseenTransactions} transaction${
        unseenTransactions === 1 ? " of another user is" : "s of other users are"
      } open on ${location}, and the user ${user} may not see for how long: their times were not examined.`,
      why: "An idle transaction keeps its connection and its locks, and old rows cannot be removed.",
      fix: `GRANT pg_read_all_stats TO ${quoted(user)};`,
      remark: "as an administrator of PostgreSQL; then examine again",
      page: "replicas",
    });
  }
  return findings;
}

function checkTls(
  tls: TlsMode,
  { isEncrypted }: PostgresAnswer,
  { location, reach, user }: PostgresFacts,
): Finding[] {
  const severity = severityOfPlain(reach);
  if (severity === null || isEncrypted === null) return [];
  const fix = verifiedUrl(user, location);
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
