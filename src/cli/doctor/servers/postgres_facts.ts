// Reads the state of PostgreSQL, and of a PgBouncer in front of it.
import { resolveHost } from "../../../base/egress/egress_guard.ts";
import { isError, SluiceError } from "../../../base/errors.ts";
import type { Config } from "../../../config/schema.ts";
import { connectorTo } from "../../../store/postgres/postgres.ts";
import type { PostgresConnection } from "../../../store/postgres/postgres_connection.ts";
import { connectReason, connectRemedy } from "../../../store/postgres/postgres_errors.ts";
import { locationOf, type PostgresTarget } from "../../../store/postgres/postgres_url.ts";
import { ALEMBIC_TABLE, OUR_TABLES, refuseForeign } from "../../../store/sql/foreign_database.ts";
import { type Reach, reachOf } from "../address_reach.ts";
import { type PoolerFacts, readPooler } from "./pooler_facts.ts";
import { readPoolerIni } from "./pooler_ini.ts";

export interface PostgresFacts {
  /** Host, port and database. */
  readonly location: string;
  readonly user: string;
  /** Where the server is: on this machine, in private networks, or at a public address. */
  readonly reach: Reach;
  /** What the server answers; or why it does not, and what an operator can do ("": unknown). */
  readonly answer: PostgresAnswer | { readonly reason: string; readonly remedy: string };
  /** A PgBouncer in front; null: there is none. */
  readonly pooler: PoolerFacts | null;
}

export interface PostgresAnswer {
  /** `server_version_num`, such as 150004. */
  readonly version: number;
  readonly encoding: string;
  /** Connections that users without privileges may have. */
  readonly maxConnections: number;
  /** Connections that other programs have now. */
  readonly others: number;
  /** What the server or the database is, so that it takes no writes; null: it takes them. */
  readonly readOnly: "standby" | "setting" | null;
  /** May the user make tables? */
  readonly mayCreate: boolean;
  /** The schema that has the gateway's tables, or gets them. */
  readonly schema: string;
  /** Which of SELECT, INSERT, UPDATE and DELETE the user lacks on the gateway's tables. */
  readonly missingRights: readonly string[];
  /** Has a gateway made its tables there? */
  readonly hasTables: boolean;
  /** CONNECTION LIMIT of the user, and of the database; null: none. */
  readonly userLimit: number | null;
  readonly databaseLimit: number | null;
  /** Transactions that have been idle for a minute, as far as the user may see them. */
  readonly idleInTransaction: number;
  /** Open transactions of other users whose times the user may not see. */
  readonly unseenTransactions: number;
  /** Is the connection to the server's address encrypted? null: it is not known behind a pooler. */
  readonly isEncrypted: boolean | null;
  /** How far the server's clock is ahead of this machine's. */
  readonly clockAheadMs: number;
  /** Why the gateway refuses the database, as one of another program; null: it does not. */
  readonly foreign: string | null;
  /** Replicas that are registered in the database; null: it keeps no such records, or the user may not read them. */
  readonly replicas: number | null;
}

type Settings = Pick<Config, "dbConnectTimeoutMs" | "dbStatementTimeoutMs">;

/** The tables of the gateway that exist in the database are those of these names. */
const TABLES = ["schema_migrations", ...OUR_TABLES].join(",");

/** Those that are there of the tables that tell whose the database is. */
const NAMES =
  `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
  AND relname = ANY (string_to_array($1, ','))`;

/** A session of a client. Other users' sessions have no `backend_type` for a user without the role pg_read_all_stats. */
const IS_CLIENT = `(backend_type = 'client backend'
    OR (backend_type IS NULL AND datid IS NOT NULL AND usesysid IS NOT NULL))`;

const STATE = `SELECT current_setting('server_version_num')::int AS version,
  current_setting('server_encoding') AS encoding,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - COALESCE(current_setting('reserved_connections', true), '0')::int AS "maxConnections",
  (SELECT COUNT(*) FROM pg_stat_activity WHERE ${IS_CLIENT} AND pid <> pg_backend_pid()
    AND application_name IS DISTINCT FROM $1) AS others,
  (SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'
    AND state_change < now() - interval '1 minute') AS "idleInTransaction",
  (SELECT COUNT(*) FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE backend_type IS NULL AND ${IS_CLIENT}
    AND locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND granted) AS "unseenTransactions",
  (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS "isEncrypted",
  (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::float8 AS "clockMs",
  CASE WHEN pg_is_in_recovery() THEN 'standby'
    WHEN current_setting('default_transaction_read_only') = 'on' THEN 'setting' END AS "readOnly",
  COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false) AS "mayCreate",
  to_regclass('schema_migrations') IS NOT NULL AS "hasTables",
  (SELECT NULLIF(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user AND NOT rolsuper) AS "userLimit",
  (SELECT NULLIF(datconnlimit, -1) FROM pg_database, pg_roles WHERE datname = current_database()
    AND rolname = current_user AND NOT rolsuper) AS "databaseLimit",
  COALESCE(current_schema(), 'public') AS schema,
  (SELECT string_agg(needed, ',') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed WHERE EXISTS (
    SELECT 1 FROM pg_class WHERE relkind = 'r' AND relname = ANY (string_to_array($2, ',')) AND NOT has_table_privilege(oid, needed)
      AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_migrations')))) AS "missingRights",
  COALESCE(has_table_privilege(to_regclass('cache_records'), 'SELECT'), false) AS "hasRecords"`;

const REPLICAS = `SELECT COUNT(*) AS replicas FROM cache_records WHERE cache_key LIKE 'replica:%'
  AND expires_at > EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AND value NOT LIKE '%"gone":true%'`;

/**
 * @param poolerIni the file with the settings of PgBouncer; null: the usual one, if PgBouncer is on this machine
 * @throws {SluiceError} CONFIG_FILE_UNUSABLE for `poolerIni`
 */
export async function readPostgres(
  target: PostgresTarget,
  settings: Settings,
  poolerIni: string | null = null,
): Promise<PostgresFacts> {
  const options = {
    connectTimeoutMs: settings.dbConnectTimeoutMs,
    statementTimeoutMs: settings.dbStatementTimeoutMs,
  };
  const location = locationOf(target);
  const reach = reachOf(await resolveHost(target.host).catch(() => []));
  const facts = { location, user: target.user, reach };
  let connection: PostgresConnection | null = null;
  try {
    connection = await (await connectorTo(target, options))();
    const isPooled = connection.isPooled || target.isPgbouncer;
    const answer = await askState(connection, target, isPooled);
    const pooler = isPooled ? await readPooler(target, options) : null;
    const isOpen = pooler?.settings !== null || (poolerIni === null && reach !== "machine");
    return { ...facts, answer, pooler: isOpen ? pooler : readPoolerIni(target, poolerIni) };
  } catch (error) {
    if (isError(error, "CONFIG_FILE_UNUSABLE")) throw error;
    const isTold = error instanceof SluiceError && error.code === "STORE_CANNOT_OPEN";
    const reason = isTold ? String(error.params.reason) : connectReason(error, location);
    return { ...facts, answer: { reason, remedy: isTold ? "" : connectRemedy(error) }, pooler: null };
  } finally {
    await connection?.close();
  }
}

async function askState(
  connection: PostgresConnection,
  target: PostgresTarget,
  isPooled: boolean,
): Promise<PostgresAnswer> {
  const askedAt = Date.now();
  const { rows: [row] } = await connection.execute(STATE, [target.applicationName, TABLES]);
  const { clockMs, hasRecords, missingRights, ...state } = row as unknown as
    & Omit<PostgresAnswer, "missingRights">
    & {
      readonly clockMs: number;
      readonly hasRecords: boolean;
      readonly missingRights: string | null;
    };
  const halfway = (askedAt + Date.now()) / 2;
  const foreign = state.hasTables ? null : await foreignReason(connection, locationOf(target));
  const replicas = hasRecords ? Number((await connection.execute(REPLICAS)).rows[0].replicas) : null;
  // Behind a pooler the server knows of the pooler's connection alone.
  const isEncrypted = !isPooled ? state.isEncrypted : target.tls === "disable" ? false : null;
  return {
    ...state,
    isEncrypted,
    clockAheadMs: clockMs - halfway,
    foreign,
    replicas,
    missingRights: missingRights?.split(",") ?? [],
  };
}

async function foreignReason(connection: PostgresConnection, location: string): Promise<string | null> {
  const { rows } = await connection.execute(NAMES, [[ALEMBIC_TABLE, ...OUR_TABLES].join(",")]);
  try {
    refuseForeign({ tables: new Set(rows.map(({ name }) => String(name))), steps: 0 }, location);
    return null;
  } catch (error) {
    return String((error as SluiceError).params.reason);
  }
}
