// What must be there before a gateway starts, whichever command starts it: its secrets, and its database.
import type { Config } from "../../config/schema.ts";
import { migrate } from "../../store/sql/migrations.ts";
import { databaseWarning, openDatabase } from "../../store/open_database.ts";
import { loadOrCreateSecrets, type Secrets } from "../../store/secrets.ts";
import { createLog, type Log, type LogSink } from "../../telemetry/log.ts";

/**
 * Warns of settings without effect, whatever LOG_LEVEL says: ERROR, which is ContextForge's default, would hide which of its
 * protections the gateway lacks.
 */
export function warnOfSettings(
  warnings: readonly string[],
  { logFormat }: Pick<Config, "logFormat">,
  sink: LogSink,
): void {
  const log = createLog({ level: "WARNING", format: logFormat, sink });
  for (const warning of warnings) log.warning("setting", { warning });
}

export async function secretsOf(
  { jwtSecretKey, authEncryptionSecret, databaseUrl }: Config,
  log: Log,
): Promise<Secrets> {
  if (jwtSecretKey !== null && authEncryptionSecret !== null) return { jwtSecretKey, authEncryptionSecret };
  const kept = await loadOrCreateSecrets(databaseUrl, {
    warn: (warning) => log.warning("secrets file", { warning }),
  });
  return {
    jwtSecretKey: jwtSecretKey ?? kept.jwtSecretKey,
    authEncryptionSecret: authEncryptionSecret ?? kept.authEncryptionSecret,
  };
}

/** Open once, so that migrations have run and a database that cannot be used is said before any worker starts. */
export async function prepareDatabase(config: Config, log: Log): Promise<void> {
  const warn = (warning: string) => log.warning("database", { warning });
  const database = await openDatabase(config.databaseUrl, { settings: config, warn });
  try {
    const applied = await migrate(database);
    if (applied.length > 0) log.info("database migrated", { applied });
    const warning = await databaseWarning(config.databaseUrl, config);
    if (warning !== null) warn(warning);
  } finally {
    await database.close();
  }
}
