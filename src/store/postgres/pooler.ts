// What can be known of a PgBouncer before the database, for the operator.
import { connectorTo, type PostgresOptions } from "./postgres.ts";
import { PostgresConnection } from "./postgres_connection.ts";
import { readTlsOptions } from "./postgres_socket.ts";
import { locationOf, type PostgresTarget } from "./postgres_url.ts";

/** PgBouncer's name for its own console. */
const CONSOLE = "pgbouncer";

/**
 * PgBouncer closes connections that were idle for its client_idle_timeout; ours must be younger. It tells the timeout to
 * users of its stats_users or admin_users; where ours is none of them nothing can be said.
 * @returns a sentence for the operator, or null
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
    `of PgBouncer at ${locationOf(target)}: it will close idle connections first; set DB_POOL_RECYCLE lower`;
}

/** 0: never; null: it is no PgBouncer, or does not tell. */
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
    const tls = await readTlsOptions(target);
    const consoleTarget = { ...target, database: CONSOLE };
    const console = await PostgresConnection.dial({ ...options, target: consoleTarget, tls });
    opened.push(console);
    const { rows } = await console.execute("SHOW CONFIG", [], options.connectTimeoutMs);
    const seconds = rows.find(({ key }) => key === "client_idle_timeout")?.value;
    return seconds === undefined ? null : Number(seconds) * 1000;
  } catch {
    return null; // only asked to help
  } finally {
    for (const connection of opened) await connection.close();
  }
}
