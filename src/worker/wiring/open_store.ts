// Opens what a process keeps on disk or in PostgreSQL: the database, the registry in it, and the box that seals its credentials.
import type { Config } from "../../config/schema.ts";
import { openDatabase } from "../../store/open_database.ts";
import { createRegistry, type Registry } from "../../store/registry/registry.ts";
import { createSecretBox, type SecretBox } from "../../store/secret_box.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import type { Database } from "../../store/sql/sql.ts";
import type { Log } from "../../telemetry/log.ts";

export interface Store {
  readonly database: Database;
  readonly registry: Registry;
  readonly secretBox: SecretBox;
}

/** @throws {SluiceError} STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function openStore(config: Config, secrets: GatewaySecrets, log: Log): Promise<Store> {
  const database = await openDatabase(config.databaseUrl, {
    settings: config,
    warn: (warning) => log.warning("database", { warning }),
  });
  return {
    database,
    registry: createRegistry(database, undefined, {
      mode: config.toolApproval,
      changes: config.maxHeldChanges,
      bytes: config.maxHeldBytes,
    }),
    secretBox: await createSecretBox(secrets.authEncryptionSecret),
  };
}
