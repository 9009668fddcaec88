// Keeps the gateway's secrets from the processes of stdio upstreams, which may be programs of strangers.
import { resolve } from "node:path";
import { reasonOf } from "../../base/errors.ts";
import type { Layer, Loaded } from "../../config/load.ts";
import { SETTINGS } from "../../config/schema.ts";
import type { Setting } from "../../config/settings/setting.ts";
import { secretsFile } from "../../store/secrets.ts";
import { closeMemoryToOthers } from "../../supervisor/kernel/libc.ts";
import { createLog, type LogSink } from "../../telemetry/log.ts";
import { type Account, startsPrograms, stdioAccount, unusableUser } from "../../upstream/stdio/account.ts";
import { readableFiles } from "../../upstream/stdio/readable_files.ts";

/**
 * Before the first upstream is started: closes the gateway's memory and environment, checks STDIO_USER, and warns if an upstream
 * can still read secrets, whatever LOG_LEVEL says.
 * @throws {SluiceError} SETTINGS_INVALID if no process can be started as STDIO_USER
 */
export async function isolateStdio(loaded: Loaded, sink: LogSink): Promise<void> {
  const { config } = loaded;
  if (!startsPrograms(config)) return;
  closeMemoryToOthers();
  const account = stdioAccount(config);
  const warning = await exposureWarning(filesWithSecrets(loaded), account);
  if (warning === null) return;
  createLog({ level: "WARNING", format: config.logFormat, sink }).warning("stdio secrets", { warning });
}

const SECRETS: ReadonlySet<string> = new Set(
  SETTINGS.filter((row: Setting) => row.secret !== undefined).map(({ name }) => name),
);

/** Files that hold the gateway's secrets, whether they exist or not. */
function filesWithSecrets({ config, sources, databaseDotEnv }: Loaded): string[] {
  const holdsSecret = (layer: Layer) =>
    Object.entries(sources).some(([name, { from }]) => from === layer && SECRETS.has(name));
  return [
    `/proc/${Deno.pid}/environ`,
    secretsFile(config.databaseUrl),
    holdsSecret(".env") ? resolve(".env") : null,
    holdsSecret(".env beside the database") ? databaseDotEnv : null,
    config.keyFile === null ? null : resolve(config.keyFile),
    config.jwtPrivateKeyPath === null ? null : resolve(config.jwtPrivateKeyPath),
  ].filter((file) => file !== null);
}

/** @returns a sentence for the operator; null: an upstream can read none of the files */
async function exposureWarning(files: readonly string[], account: Account | null): Promise<string | null> {
  if (Deno.build.os !== "linux") {
    return "Stdio upstreams run as the gateway's user, so they can read its secrets. Only on Linux can they run as another " +
      "user (STDIO_USER)";
  }
  let readable: readonly string[];
  try {
    readable = await readableFiles(files, account);
  } catch (error) {
    if (account !== null) {
      throw unusableUser(account.name, `no process can be started as this user: ${reasonOf(error)}`);
    }
    // A system without a shell. The upstreams are of the gateway's own user.
    readable = files;
  }
  if (readable.length === 0) return null;
  return `Stdio upstreams can read secrets of the gateway in ${
    readable.join(", ")
  }. An upstream with these secrets can ` +
    `make itself an administrator. ${remedy(account)}`;
}

function remedy(account: Account | null): string {
  if (account !== null) {
    return `Close these files to the user ${account.name} (STDIO_USER), for example by chmod 600, or choose another user`;
  }
  return Deno.uid() === 0
    ? "Set STDIO_USER to another user than root"
    : "Set STDIO_USER to another user. The gateway must then run as root, or with the ambient capabilities CAP_SETUID, " +
      "CAP_SETGID and CAP_KILL";
}
