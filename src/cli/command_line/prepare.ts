// The preparations of every command that runs a gateway: its database, and its secrets.
import type { Config } from "../../config/schema.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import { readOwnKeys, usesKeyPair } from "../../auth/keys/own_keys.ts";
import { offerSetupToken, type SetupOffer } from "../../auth/logins/one_time_links.ts";
import { createRegistry } from "../../store/registry/registry.ts";
import { migrate } from "../../store/sql/migrate.ts";
import { MIGRATIONS } from "../../store/sql/migrations.ts";
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

/** How the first administrator is made: by a link, or by one that an earlier start has written. */
export interface Setup {
  readonly link: string | null;
}

/**
 * Tells how the first administrator is made, whatever LOG_LEVEL says. The token is a secret that works once, and expires.
 */
export function announceSetup(
  { token }: SetupOffer,
  config: Pick<Config, "logFormat" | "adminSetupTokenTtlMs" | "host" | "port" | "ssl" | "appRootPath">,
  sink: LogSink,
): Setup {
  const { logFormat, adminSetupTokenTtlMs, appRootPath } = config;
  const log = createLog({ level: "WARNING", format: logFormat, sink });
  if (token === null) {
    log.warning("no users yet", {
      next:
        "open the link that an earlier start has logged, or make an administrator by `sluice user add EMAIL --admin`; " +
        "tokens of `sluice token` need no users",
    });
    return { link: null };
  }
  // Browsers send nobody what comes behind the #.
  const link = `${localUrl(config)}${appRootPath}/admin/setup#${token}`;
  log.warning("no users yet", {
    next:
      "open the link in a browser to make the first administrator; tokens of `sluice token` need no users",
    ...{ link, tokenForSetup: token },
    validForMinutes: Math.floor(adminSetupTokenTtlMs / 60_000),
  });
  return { link };
}

/**
 * Brings the database up to date, before any worker starts, and reads or makes the secrets.
 * @param onNoUsers receives the offer for the first administrator, if there are no users; absent: no token is made
 * @throws {SluiceError} STORE_CANNOT_OPEN, STORE_UNAVAILABLE, SECRETS_UNUSABLE, SETTINGS_INVALID
 */
export async function prepare(
  config: Config,
  log: Log,
  onNoUsers?: (offer: SetupOffer) => void,
): Promise<GatewaySecrets> {
  const { jwtSecretKey, authEncryptionSecret, databaseUrl } = config;
  const options = { warn: (warning: string) => log.warning("secrets file", { warning }) };
  const warn = (warning: string) => log.warning("token keys", { warning });
  const pair = usesKeyPair(config) ? await readOwnKeys(config, null, warn) : null;
  if (pair !== null && authEncryptionSecret !== null) {
    await prepareDatabase(config, log, onNoUsers);
    return { tokenKeys: pair, authEncryptionSecret };
  }
  const given = jwtSecretKey !== null && authEncryptionSecret !== null
    ? { jwtSecretKey, jwtSecretKeyPrevious: null, authEncryptionSecret }
    : null;
  // Secrets that cannot be read stop the start before a database is made or waited for. New secrets come after the
  // database, so that a missing folder is reported as the database's.
  const found = given ?? await readSecrets(databaseUrl, options);
  await prepareDatabase(config, log, onNoUsers);
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
  onNoUsers?: (offer: SetupOffer) => void,
): Promise<void> {
  const warn = (warning: string) => log.warning("database", { warning });
  const database = await openDatabase(config.databaseUrl, { settings: config, warn });
  try {
    const applied = await migrate(database);
    // The steps of a new database are all that there are: nobody looks for one among them.
    if (applied.length === MIGRATIONS.length) log.info("database created", { schemaVersion: applied.length });
    else if (applied.length > 0) log.info("database migrated", { applied });
    const warning = await databaseWarning(config.databaseUrl, config);
    if (warning !== null) warn(warning);
    if (onNoUsers === undefined) return;
    const offer = await offerSetupToken(createRegistry(database).people, config.adminSetupTokenTtlMs);
    if (offer !== null) onNoUsers(offer);
  } finally {
    await database.close();
  }
}
