// The secrets that the first start makes and later starts read, in a file beside the database.
import { parse } from "@std/dotenv";
import { SluiceError } from "../base/errors.ts";
import { SECRET_RULE, secretFault } from "../config/settings/secret_quality.ts";
import { fileReason, readFault, writeFault } from "../base/file_error.ts";
import { parseDatabaseUrl } from "./database_url.ts";
import { replacePrivately } from "./sqlite/private_file.ts";
import { refuseForeignFile } from "./sqlite/sqlite_contents.ts";

export interface Secrets {
  readonly jwtSecretKey: string;
  /** The key before the last rotation; null: there was none, or its tokens are refused. */
  readonly jwtSecretKeyPrevious: string | null;
  readonly authEncryptionSecret: string;
}

export interface SecretsOptions {
  /** Receives a sentence if the mode of the file had to be corrected. */
  readonly warn?: (message: string) => void;
}

const SUFFIX = ".secrets";

const PREVIOUS = "JWT_SECRET_KEY_PREVIOUS";

const SECRET_BYTES = 48;

/**
 * The secrets in `<database file>.secrets`. The first start makes the file; processes that start at the same time agree.
 * @throws {SluiceError} SECRETS_UNUSABLE; STORE_CANNOT_OPEN if the database is another program's; SETTINGS_INVALID if it is
 * not a file
 */
export async function loadOrCreateSecrets(
  databaseUrl: string,
  options: SecretsOptions = {},
): Promise<Secrets> {
  const kept = await readSecrets(databaseUrl, options);
  if (kept !== null) return kept;
  const path = secretsFile(databaseUrl)!;
  refuseForeignFile(path.slice(0, -SUFFIX.length));
  return understand(await create(path), path);
}

/**
 * The secrets that a start has made; null if there is no file.
 * @throws {SluiceError} SECRETS_UNUSABLE; SETTINGS_INVALID if the database is not a file
 */
export async function readSecrets(
  databaseUrl: string,
  { warn }: SecretsOptions = {},
): Promise<Secrets | null> {
  const path = secretsFile(databaseUrl);
  if (path === null) throw mustBeGiven();
  try {
    const text = await readIfThere(path);
    if (text === null) return null;
    const secrets = understand(text, path);
    await closeToOthers(path, warn);
    return secrets;
  } catch (error) {
    throw unusable(path, error, readFault(error));
  }
}

/**
 * Puts a new random JWT_SECRET_KEY into the secrets file, which appears whole. Running gateways keep the key that they have read.
 * @param keepsFormer do tokens of the former key stay valid?
 * @returns false if there is no file
 * @throws {SluiceError} SECRETS_UNUSABLE; SETTINGS_INVALID if the database is not a file
 */
export async function rotateTokenSecret(databaseUrl: string, keepsFormer: boolean): Promise<boolean> {
  const former = await readSecrets(databaseUrl);
  if (former === null) return false;
  const path = secretsFile(databaseUrl)!;
  try {
    const lines = (await Deno.readTextFile(path)).split("\n")
      .filter((line) => line !== "" && !/^\s*(export\s+)?JWT_SECRET_KEY(_PREVIOUS)?\s*=/.test(line));
    const keys = [
      `JWT_SECRET_KEY=${randomSecret()}`,
      ...(keepsFormer ? [`${PREVIOUS}=${former.jwtSecretKey}`] : []),
    ];
    replacePrivately(path, [...lines, ...keys, ""].join("\n"));
    return true;
  } catch (error) {
    throw unusable(path, error, writeFault(error));
  }
}

/** Where the secrets are kept; null for a database that is not a file. */
export function secretsFile(databaseUrl: string): string | null {
  const location = parseDatabaseUrl(databaseUrl);
  return location.kind === "sqlite" ? location.path + SUFFIX : null;
}

/** Replicas of one PostgreSQL database need the same secrets, and share no folder. */
function mustBeGiven(): SluiceError {
  const mistake =
    "With a PostgreSQL DATABASE_URL, JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET must both be set, the same " +
    "for every replica; make each by: openssl rand -base64 48";
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}

function unusable(path: string, error: unknown, reason: string): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError("SECRETS_UNUSABLE", { path, reason }, { cause: error });
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    // A folder that this user may not enter: opening the database there fails with the right words.
    if (error instanceof Deno.errors.PermissionDenied && !await isSeen(path)) return null;
    throw error;
  }
}

async function isSeen(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The file appears whole, by a link that fails if there is a file already: the second of two starters reads the first's. */
async function create(path: string): Promise<string> {
  const draft = `${path}.${crypto.randomUUID()}`;
  const text =
    "# Made by Sluice at its first start. Keep this file with the database, and keep it secret: without it, tokens\n" +
    "# and stored upstream credentials are lost. Settings of the same names take precedence.\n" +
    `JWT_SECRET_KEY=${randomSecret()}\nAUTH_ENCRYPTION_SECRET=${randomSecret()}\n`;
  try {
    await Deno.writeTextFile(draft, text, { createNew: true, mode: 0o600 });
    await Deno.link(draft, path);
    return text;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return await Deno.readTextFile(path);
    throw unusable(path, error, writeFault(error));
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
}

async function closeToOthers(path: string, warn: SecretsOptions["warn"]): Promise<void> {
  const { mode } = await Deno.stat(path);
  if (mode === null || (mode & 0o077) === 0) return;
  const isOpen = `${path} was open to other users (mode ${(mode & 0o777).toString(8)})`;
  try {
    await Deno.chmod(path, 0o600);
    warn?.(`${isOpen}; it is now 600`);
  } catch (error) {
    // The file belongs to another user, or its file system is read-only: the secrets can be used all the same.
    warn?.(`${isOpen} and still is (${fileReason(error)}); let its owner run: chmod 600 ${path}`);
  }
}

function understand(text: string, path: string): Secrets {
  const values = parse(text);
  const previous = values[PREVIOUS] ?? null;
  const wrong = ["JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET", ...(previous === null ? [] : [PREVIOUS])]
    .filter((name) => secretFault(values[name] ?? "") !== null);
  if (wrong.length > 0) {
    const names = wrong.join(" and ");
    throw new SluiceError("SECRETS_UNUSABLE", {
      path,
      reason: `it has no ${names} that can be used (${SECRET_RULE}). Restore the file from a backup, or ` +
        "set JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET in the environment",
    });
  }
  return {
    jwtSecretKey: values.JWT_SECRET_KEY,
    jwtSecretKeyPrevious: previous,
    authEncryptionSecret: values.AUTH_ENCRYPTION_SECRET,
  };
}

function randomSecret(): string {
  return crypto.getRandomValues(new Uint8Array(SECRET_BYTES)).toBase64({ alphabet: "base64url" });
}
