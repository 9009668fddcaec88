// Checks the settings of a PgBouncer in front of the database.
import { connectorTo, type PostgresOptions } from "./postgres.ts";
import { PostgresConnection } from "./postgres_connection.ts";
import { readTlsOptions } from "./postgres_socket.ts";
import { locationOf, type PostgresTarget } from "./postgres_url.ts";

/** The database name of PgBouncer's console. */
const CONSOLE = "pgbouncer";

/**
 * Compares DB_POOL_RECYCLE with PgBouncer's client_idle_timeout, after which PgBouncer closes idle connections. PgBouncer tells
 * its settings only to users in stats_users or admin_users.
 * @returns a warning, or null if there is none or the settings are not readable
 */
export async function poolerWarning(
  target: PostgresTarget,
  options: Pick<PostgresOptions, "pool" | "connectTimeoutMs" | "statementTimeoutMs">,
): Promise<string | null> {
  const { keep, recycleMs } = options.pool;
  if (keep === 0) return null;
  const idleMs = await clientIdleTimeoutMs(target, options);
  if (idleMs === null || idleMs === 0 || recycleMs < idleMs) return null;
  return `DB_POOL_RECYCLE is ${recycleMs / 1000} s, which is not below the client_idle_timeout of ${
    idleMs / 1000
  } s ` +
    `of PgBouncer at ${
      locationOf(target)
    }. PgBouncer closes idle connections first; set DB_POOL_RECYCLE to a lower value`;
}

/** The timeout in ms. 0 means never; null means that there is no PgBouncer, or that it does not tell. */
async function clientIdleTimeoutMs(
  target: PostgresTarget,
  options: Pick<PostgresOptions, "connectTimeoutMs" | "statementTimeoutMs">,
): Promise<number | null> {
  const opened: PostgresConnection[] = [];
  try {
    if (!target.isPgbouncer) {
      const connect = await connectorTo(target, options);
      opened.push(await connect());
      if (!opened[0].isPooled) return null;
    }
    const rows = await askConsole(target, options, "SHOW CONFIG");
    const seconds = rows.find(({ key }) => key === "client_idle_timeout")?.value;
    return seconds === undefined ? null : Number(seconds) * 1000;
  } catch {
    return null; // the check is optional
  } finally {
    for (const connection of opened) await connection.close();
  }
}

/**
 * Asks PgBouncer's console, which is at the address of the databases.
 * @throws {SluiceError} STORE_UNAVAILABLE, STORE_CANNOT_OPEN; also if there is no PgBouncer, or the user may not ask it
 */
export async function askConsole(
  target: PostgresTarget,
  options: Pick<PostgresOptions, "connectTimeoutMs" | "statementTimeoutMs">,
  statement: "SHOW CONFIG" | "SHOW DATABASES" | "SHOW USERS",
): Promise<readonly Record<string, unknown>[]> {
  const tls = await readTlsOptions(target);
  const console = await PostgresConnection.dial({
    ...options,
    target: { ...target, database: CONSOLE },
    tls,
  });
  try {
    return (await console.execute(statement, [], options.connectTimeoutMs)).rows;
  } finally {
    await console.close();
  }
}
