// The preparations of every command that runs a gateway: its database, and its secrets.
import type { Config } from "../../config/schema.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import { readOwnKeys, usesKeyPair } from "../../auth/keys/own_keys.ts";
import { offerSetupToken } from "../../auth/logins/one_time_links.ts";
import { createRegistry } from "../../store/registry/registry.ts";
import { migrate } from "../../store/sql/migrate.ts";
import { databaseWarning, openDatabase } from "../../store/open_database.ts";
import { loadOrCreateSecrets, readSecrets } from "../../store/secrets.ts";
import { localUrl } from "./local_url.ts";
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

/**
 * Tells how the first administrator is made, whatever LOG_LEVEL says. The token is a secret that works once, and expires.
 */
export function announceSetup(
  token: string,
  config: Pick<Config, "logFormat" | "adminSetupTokenTtlMs" | "host" | "port" | "ssl" | "appRootPath">,
  sink: LogSink,
): void {
  const { logFormat, adminSetupTokenTtlMs, appRootPath } = config;
  createLog({ level: "WARNING", format: logFormat, sink }).warning("no users yet", {
    next:
      "open the link in a browser to make the first administrator; tokens of `sluice token` need no users",
    // Browsers send nobody what comes behind the #.
    link: `${localUrl(config)}${appRootPath}/admin/setup#${token}`,
    tokenForSetup: token,
    validForMinutes: Math.floor(adminSetupTokenTtlMs / 60_000),
  });
}

/**
 * Brings the database up to date, before any worker starts, and reads or makes the secrets.
 * @param onSetupToken receives the one-time token of the first administrator, if this start has made it; absent: none is made
 * @throws {SluiceError} STORE_CANNOT_OPEN, STORE_UNAVAILABLE, SECRETS_UNUSABLE, SETTINGS_INVALID
 */
export async function prepare(
  config: Config,
  log: Log,
  onSetupToken?: (token: string) => void,
): Promise<GatewaySecrets> {
  const { jwtSecretKey, authEncryptionSecret, databaseUrl } = config;
  const options = { warn: (warning: string) => log.warning("secrets file", { warning }) };
  const warn = (warning: string) => log.warning("token keys", { warning });
  const pair = usesKeyPair(config) ? await readOwnKeys(config, null, warn) : null;
  if (pair !== null && authEncryptionSecret !== null) {
    await prepareDatabase(config, log, onSetupToken);
    return { tokenKeys: pair, authEncryptionSecret };
  }
  const given = jwtSecretKey !== null && authEncryptionSecret !== null
    ? { jwtSecretKey, jwtSecretKeyPrevious: null, authEncryptionSecret }
    : null;
  // Secrets that cannot be read stop the start before a database is made or waited for. New secrets come after the
  // database, so that a missing folder is reported as the database's.
  const found = given ?? await readSecrets(databaseUrl, options);
  await prepareDatabase(config, log, onSetupToken);
  const kept = found ?? await loadOrCreateSecrets(databaseUrl, options);
  return {
    tokenKeys: pair ?? await readOwnKeys(
      config,
      jwtSecretKey === null ? kept : { jwtSecretKey, jwtSecretKeyPrevious: null },
      warn,
    ),
    authEncryptionSecret: authEncryptionSecret ?? kept.authEncryptionSecret,
  };
}

async function prepareDatabase(
  config: Config,
  log: Log,
  onSetupToken?: (token: string) => void,
): Promise<void> {
  const warn = (warning: string) => log.warning("database", { warning });
  const database = await openDatabase(config.databaseUrl, { settings: config, warn });
  try {
    const applied = await migrate(database);
    if (applied.length > 0) log.info("database migrated", { applied });
    const warning = await databaseWarning(config.databaseUrl, config);
    if (warning !== null) warn(warning);
    if (onSetupToken === undefined) return;
    const token = await offerSetupToken(createRegistry(database).people, config.adminSetupTokenTtlMs);
    if (token !== null) onSetupToken(token);
  } finally {
    await database.close();
  }
}
