// `sluice backup FILE`: copies the database and the secrets of a gateway into one file, while the gateway runs.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { SluiceError } from "../base/errors.ts";
import { loadProcessConfig } from "../config/load.ts";
import { readSecrets, secretsFile } from "../store/secrets.ts";
import { noteBackup, readBackup, writeBackup } from "../store/sqlite/backup_file.ts";
import { describe, secretSettings, sqliteLocation } from "./command_line/backup_target.ts";
import type { BackupArgs } from "./commands/command_arguments.ts";
import { tell } from "./command_line/help_text.ts";
import { openGatewayDatabase } from "./command_line/gateway_state.ts";

/** @returns the exit code. @throws {SluiceError} CANNOT_BACK_UP, STORE_CANNOT_OPEN, SECRETS_UNUSABLE, SETTINGS_INVALID */
export async function backup({ file: given, force }: BackupArgs): Promise<number> {
  const loaded = loadProcessConfig({ dev: false, overrides: {} });
  const file = resolve(given);
  const { path } = sqliteLocation(loaded, given, "CANNOT_BACK_UP");
  const secretsPath = secretsFile(loaded.config.databaseUrl)!;
  if ([path, `${path}-wal`, `${path}-shm`, secretsPath].includes(file)) {
    throw new SluiceError("CANNOT_BACK_UP", { file: given, reason: "it belongs to the database itself" });
  }
  if (existsSync(file) && !force) {
    throw new SluiceError("CANNOT_BACK_UP", { file: given, reason: "it exists. Use --force to replace it" });
  }
  // Checks that a gateway has used the database.
  await (await openGatewayDatabase(loaded.config)).close();
  const hasSecrets = await readSecrets(loaded.config.databaseUrl, { warn: console.error }) !== null;
  await writeBackup(path, file, hasSecrets ? await Deno.readTextFile(secretsPath) : null);
  noteBackup(path, new Date());

  tell(`Backed up ${path} to ${given}: ${describe(readBackup(file))}.`);
  tell(
    hasSecrets
      ? "The backup holds the secrets file, with which a reader can make tokens and read the stored credentials. Keep the backup secret."
      : "The backup holds no secrets, because the gateway has no secrets file.",
  );
  const settings = secretSettings(loaded);
  const kept = settings === null ? "" : `, so ${settings.names} (${settings.places}) must be kept with it`;
  tell(`Settings are not in the backup${kept}.`);
  return 0;
}
