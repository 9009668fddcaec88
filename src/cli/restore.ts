// `sluice restore FILE`: puts the database and the secrets of a backup in the place of a gateway's, while no gateway runs.
import { existsSync } from "node:fs";
import { SluiceError } from "../base/errors.ts";
import { loadProcessConfig } from "../config/load.ts";
import { secretsFile } from "../store/secrets.ts";
import { readBackup, restoreDatabase, restoreSecrets } from "../store/sqlite/backup_file.ts";
import { refuseForeignFile } from "../store/sqlite/sqlite_contents.ts";
import { describe, secretSettings, sqliteLocation } from "./command_line/backup_target.ts";
import type { BackupArgs } from "./commands/command_arguments.ts";
import { recordCommand } from "./command_line/gateway_state.ts";
import { tell } from "./command_line/help_text.ts";

/** @returns the exit code. @throws {SluiceError} CANNOT_RESTORE, STORE_CANNOT_OPEN, SETTINGS_INVALID */
export async function restore({ file, force }: BackupArgs): Promise<number> {
  const loaded = loadProcessConfig({ dev: false, overrides: {} });
  const { path } = sqliteLocation(loaded, file, "CANNOT_RESTORE");
  const secretsPath = secretsFile(loaded.config.databaseUrl)!;
  const backup = readBackup(file);
  refuseForeignFile(path);
  const standing = [path, secretsPath].filter((each) => existsSync(each));
  if (standing.length > 0 && !force) {
    const reason = `${standing.join(" and ")} would be replaced. Back up what you need, then use --force`;
    throw new SluiceError("CANNOT_RESTORE", { file, reason });
  }
  await restoreDatabase(file, path);
  if (backup.secrets !== null) restoreSecrets(file, backup.secrets, secretsPath);
  // The trail goes on from that of the backup.
  await recordCommand(loaded.config, "restoreBackup", null);

  const { createdAt, madeBy, secrets } = backup;
  tell(`Restored ${path} from ${file}: ${describe(backup)}, as of ${createdAt} (Sluice ${madeBy}).`);
  tell("Tokens that were revoked after that time are valid again: revoke them once more.");
  const settings = secretSettings(loaded);
  if (secrets === null) {
    tell(
      "The backup holds no secrets: JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET must be set as they were at that time.",
    );
  } else if (settings !== null) {
    tell(
      `${settings.names} (${settings.places}) takes precedence over the restored ${secretsPath}. ` +
        "If the gateway of the backup had other secrets, remove the settings.",
    );
  } else tell(`Restored ${secretsPath}, with the secrets.`);
  return 0;
}
