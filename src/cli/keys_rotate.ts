// `sluice keys rotate`: a new key for tokens, in the secrets file beside the database.
import { existsSync } from "node:fs";
import { usesKeyPair } from "../auth/keys/own_keys.ts";
import { SluiceError } from "../base/errors.ts";
import { loadProcessConfig } from "../config/load.ts";
import { rotateTokenSecret, secretsFile } from "../store/secrets.ts";
import type { KeysRotateArgs } from "./commands/command_arguments.ts";
import { missingFile, recordCommand } from "./command_line/gateway_state.ts";

/** @returns the exit code. @throws {SluiceError} SETTINGS_INVALID, SECRETS_UNUSABLE */
export async function keysRotate({ now }: KeysRotateArgs): Promise<number> {
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  if (usesKeyPair(config)) {
    throw otherwise(
      `JWT_ALGORITHM=${config.jwtAlgorithm} signs with your own key pair. Make another pair, name it by ` +
        "JWT_PRIVATE_KEY_PATH and the former public key by JWT_PUBLIC_KEY_PATH_PREVIOUS, and restart the gateway",
    );
  }
  const file = secretsFile(config.databaseUrl);
  if (config.jwtSecretKey !== null || file === null) {
    throw otherwise(
      "JWT_SECRET_KEY is your own setting. Set JWT_SECRET_KEY_PREVIOUS to its value and JWT_SECRET_KEY to a new one " +
        "(openssl rand -base64 48), and send SIGHUP to the gateway, or restart it",
    );
  }
  // First: a rotation that cannot be recorded does not happen.
  if (existsSync(file)) await recordCommand(config, "rotateKeys", null);
  if (!await rotateTokenSecret(config.databaseUrl, !now)) {
    throw new SluiceError("SECRETS_UNUSABLE", { path: file, reason: missingFile() });
  }
  console.log(`${file} has a new key. Gateways that run with this file take it within seconds.`);
  console.log(
    now
      ? "All tokens of the former keys end."
      : "Tokens of the former key stay valid until they expire, or until the next rotation.",
  );
  return 0;
}

function otherwise(mistake: string): SluiceError {
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}
