// The key for tokens and the database of a gateway that has run, for commands beside it. Commands create neither.

import { type OwnKeys, readOwnKeys, usesKeyPair } from "../../auth/keys/own_keys.ts";
import { systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { openCache } from "../../cache/open_cache.ts";
import type { Loaded } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { type AuditEntity, operatorRecord } from "../../store/audit/audit_record.ts";
import { AuditRecords } from "../../store/audit/audit_records.ts";
import { CacheRecords } from "../../store/cache_records.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import { openDatabase } from "../../store/open_database.ts";
import { createRegistry } from "../../store/registry/registry.ts";
import { readSecrets, secretsFile } from "../../store/secrets.ts";
import type { Database } from "../../store/sql/sql.ts";
import { createLog } from "../../telemetry/log.ts";
import { programName } from "./program_name.ts";

const WHERE_TO_RUN = "run this command in the gateway's folder, or set DATABASE_URL as the gateway has it";

/** Why a file of the gateway is missing, and what to do. */
export function missingFile(): string {
  return `there is no such file: no gateway has run here. Start one with \`${programName()} serve\`, or ${WHERE_TO_RUN}`;
}

export interface SigningKey {
  readonly keys: OwnKeys;
  /** The place where the key was found, for people. */
  readonly from: string;
}

/**
 * The key that the gateway signs and checks tokens with.
 * @throws {SluiceError} SECRETS_UNUSABLE, SETTINGS_INVALID
 */
export async function signingKey(
  { config, sources, databaseDotEnv }: Pick<Loaded, "config" | "sources" | "databaseDotEnv">,
  warn: (warning: string) => void = console.error,
): Promise<SigningKey> {
  const { jwtSecretKey, databaseUrl } = config;
  if (usesKeyPair(config)) {
    const keys = await readOwnKeys(config, null, warn);
    return { keys, from: `JWT_PRIVATE_KEY_PATH (${config.jwtPrivateKeyPath})` };
  }
  if (jwtSecretKey !== null) {
    const { from } = sources.JWT_SECRET_KEY;
    const place = from === ".env beside the database" ? databaseDotEnv : from;
    const given = { jwtSecretKey, jwtSecretKeyPrevious: null };
    return { keys: await readOwnKeys(config, given, warn), from: `JWT_SECRET_KEY (${place})` };
  }
  const path = secretsFile(databaseUrl);
  if (path === null) {
    const mistake = "JWT_SECRET_KEY is not set, and a gateway on PostgreSQL keeps its key nowhere else. " +
      "Set JWT_SECRET_KEY as the gateway has it";
    throw new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
  }
  const secrets = await readSecrets(databaseUrl, { warn });
  if (secrets !== null) return { keys: await readOwnKeys(config, secrets, warn), from: path };
  throw new SluiceError("SECRETS_UNUSABLE", { path, reason: `${missingFile()}, or set JWT_SECRET_KEY` });
}

/** Is the database a file that does not exist? */
export async function isMissing(databaseUrl: string): Promise<boolean> {
  const location = parseDatabaseUrl(databaseUrl);
  if (location.kind !== "sqlite") return false;
  try {
    await Deno.stat(location.path);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/**
 * Opens the database of a gateway that has run, at the first try.
 * @throws {SluiceError} STORE_CANNOT_OPEN, also if no gateway has used the database
 */
export async function openGatewayDatabase(config: Config): Promise<Database> {
  const location = parseDatabaseUrl(config.databaseUrl);
  // Opening a SQLite file creates it.
  if (location.kind === "sqlite" && await isMissing(config.databaseUrl)) {
    throw cannotOpen(location.path, missingFile());
  }
  const settings = { ...config, dbMaxRetries: 0 };
  const database = await openDatabase(config.databaseUrl, { settings, warn: console.error });
  try {
    await createRegistry(database).readCatalogVersion();
    return database;
  } catch (error) {
    await database.close();
    if (error instanceof SluiceError) throw error;
    const reason = isDenied(error)
      ? `its user may not read the tables of the gateway (${
        reasonOf(error)
      }). Run sluice doctor: it names the rights`
      : `no gateway has used it (${reasonOf(error)}). To use another one, ${WHERE_TO_RUN}`;
    throw cannotOpen(database.location, reason, error);
  }
}

/**
 * Tells the replicas over Redis. Replicas without Redis look at the database within POLL_INTERVAL to MAX_INTERVAL; a person at a
 * terminal learns how long that takes.
 * @param what was changed, for people
 */
export async function tellReplicas(config: Config, database: Database, what: string): Promise<void> {
  const sink = { write: (lines: string) => console.error(lines.trimEnd()) };
  const log = createLog({ level: "ERROR", format: "text", sink });
  const { publisher, redis, close } = await openCache(config, {
    records: new CacheRecords(database),
    clock: systemClock,
    log,
    name: "sluice-command",
  });
  try {
    publisher.publish({ type: "catalog_changed" });
    // Publishing has no answer. The answer to a later command says that the message is out.
    await redis?.ping();
    if (redis === null && Deno.stderr.isTerminal()) {
      const longestS = Math.max(config.pollIntervalMs, config.maxIntervalMs) / 1000;
      console.error(`A running gateway sees the ${what} within ${longestS} s.`);
    }
  } catch {
    console.error(`Redis does not answer: the gateways see the ${what} when they next look at the database.`);
  } finally {
    await close();
  }
}

/**
 * Records what a command did, if AUDIT_TRAIL_ENABLED is set.
 * @param entity null: it concerns the whole gateway
 * @throws {SluiceError} STORE_CANNOT_OPEN, STORE_UNAVAILABLE
 */
export async function recordCommand(
  config: Config,
  operation: string,
  entity: AuditEntity | null,
): Promise<void> {
  if (!config.auditTrailEnabled) return;
  const database = await openGatewayDatabase(config);
  try {
    await new AuditRecords(database).append([operatorRecord("command line", operation, entity)]);
  } finally {
    await database.close();
  }
}

/** SQLSTATE 42501, insufficient_privilege. */
function isDenied(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === "42501";
}

function cannotOpen(path: string, reason: string, cause?: unknown): SluiceError {
  return new SluiceError("STORE_CANNOT_OPEN", { path, reason }, { cause });
}
