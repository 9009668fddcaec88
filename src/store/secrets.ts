// The secrets that the first start makes and later ones find again, in a file beside the database.
import { parse } from "@std/dotenv";
import { reasonOf, SluiceError } from "../base/errors.ts";
import { parseDatabaseUrl } from "./database_url.ts";

export interface Secrets {
  readonly jwtSecretKey: string;
  readonly authEncryptionSecret: string;
}

export interface SecretsOptions {
  /** Told in words when the file's mode had to be corrected. */
  readonly warn?: (message: string) => void;
}

const SECRET_BYTES = 48;

/**
 * The secrets in `<database file>.secrets`, made when there is no such file; starters that come at the same time agree.
 * @throws {SluiceError} STORE_CANNOT_OPEN when the file cannot be read, written or understood; SETTINGS_INVALID when the
 * database is no file beside which they could be
 */
export async function loadOrCreateSecrets(
  databaseUrl: string,
  options: SecretsOptions = {},
): Promise<Secrets> {
  const location = parseDatabaseUrl(databaseUrl);
  if (location.kind !== "sqlite") throw mustBeGiven();
  const path = `${location.path}.secrets`;
  try {
    const text = await readIfThere(path) ?? await create(path);
    await closeToOthers(path, options);
    return understand(text, path);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError("STORE_CANNOT_OPEN", { path, reason: reasonOf(error) }, { cause: error });
  }
}

/** Replicas of one database must have the same ones, and share no folder. */
function mustBeGiven(): SluiceError {
  const mistake =
    "With a PostgreSQL DATABASE_URL, JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET must both be set, the same " +
    "for every replica; make each by: openssl rand -base64 48";
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** A link appears with its whole content, and only where there is none yet: whoever is second reads the first one's. */
async function create(path: string): Promise<string> {
  const draft = `${path}.${crypto.randomUUID()}`;
  const text =
    "# Made by Sluice at its first start. Keep it with the database, and secret: without it, tokens and stored\n" +
    "# upstream credentials are lost. Settings of the same names take precedence.\n" +
    `JWT_SECRET_KEY=${randomSecret()}\nAUTH_ENCRYPTION_SECRET=${randomSecret()}\n`;
  await Deno.writeTextFile(draft, text, { createNew: true, mode: 0o600 });
  try {
    await Deno.link(draft, path);
    return text;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return await Deno.readTextFile(path);
    throw error;
  } finally {
    await Deno.remove(draft);
  }
}

async function closeToOthers(path: string, { warn }: SecretsOptions): Promise<void> {
  const { mode } = await Deno.stat(path);
  if (mode === null || (mode & 0o077) === 0) return;
  await Deno.chmod(path, 0o600);
  warn?.(`${path} was open to other users (mode ${(mode & 0o777).toString(8)}); it is now 600`);
}

function understand(text: string, path: string): Secrets {
  const values = parse(text);
  const missing = ["JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET"].filter((name) => !values[name]);
  if (missing.length > 0) {
    throw new SluiceError("STORE_CANNOT_OPEN", {
      path,
      reason: `${missing.join(" and ")} is missing; restore the file, or set it in the environment`,
    });
  }
  return { jwtSecretKey: values.JWT_SECRET_KEY, authEncryptionSecret: values.AUTH_ENCRYPTION_SECRET };
}

function randomSecret(): string {
  return crypto.getRandomValues(new Uint8Array(SECRET_BYTES)).toBase64({ alphabet: "base64url" });
}
