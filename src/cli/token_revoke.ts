// `sluice token revoke`: refuses a token from now on. It writes to the database, whether or not a gateway runs here.
import { decodeJwt, errors as joseErrors, jwtVerify } from "jose";
import { systemClock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { openCache } from "../cache/open_cache.ts";
import { loadProcessConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { CacheRecords } from "../store/cache_records.ts";
import { parseDatabaseUrl } from "../store/database_url.ts";
import { openDatabase } from "../store/open_database.ts";
import { createRegistry } from "../store/registry/registry.ts";
import { loadOrCreateSecrets } from "../store/secrets.ts";
import { createLog } from "../telemetry/log.ts";
import type { TokenRevokeArgs } from "./command_line/flags.ts";

/** What is refused: a token's id, and when it expires by itself (ms since the epoch; null: never, or not known). */
interface Revoked {
  readonly jti: string;
  readonly expiresAt: number | null;
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function tokenRevoke({ operand, reason }: TokenRevokeArgs): Promise<number> {
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  await mustExist(config.databaseUrl);
  const text = operand === "-" ? (await new Response(Deno.stdin.readable).text()).trim() : operand;
  const { jti, expiresAt } = isToken(text)
    ? await readToken(text, await secretOf(config), config.jwtAlgorithm)
    : { jti: checkedId(text), expiresAt: null };
  await write(config, { jti, expiresAt, reason, revokedBy: null });
  console.log(`revoked ${jti}`);
  return 0;
}

async function write(
  config: Config,
  revocation: Revoked & { readonly reason: string | null; readonly revokedBy: null },
): Promise<void> {
  const database = await openDatabase(config.databaseUrl, { settings: config, warn: console.error });
  try {
    await createRegistry(database).revokedTokens.revoke(revocation);
    await tellReplicas(config, new CacheRecords(database));
  } finally {
    await database.close();
  }
}

/** Those that cannot be told look at the database within POLL_INTERVAL to MAX_INTERVAL. */
async function tellReplicas(config: Config, records: CacheRecords): Promise<void> {
  const sink = { write: (lines: string) => console.error(lines.trimEnd()) };
  const log = createLog({ level: "ERROR", format: "text", sink });
  const { publisher, redis, close } = await openCache(config, {
    records,
    clock: systemClock,
    log,
    name: "sluice-token-revoke",
  });
  try {
    publisher.publish({ type: "catalog_changed" });
    // What is published is waited for by nobody; the answer to a command after it says that it is out.
    await redis?.ping();
  } catch {
    console.error("Redis does not answer: the gateways find it at their next look at the database.");
  } finally {
    await close();
  }
}

/** Opening would make an empty database where there is none, for instance in a wrong folder. */
async function mustExist(databaseUrl: string): Promise<void> {
  const location = parseDatabaseUrl(databaseUrl);
  if (location.kind !== "sqlite") return;
  try {
    await Deno.stat(location.path);
  } catch (cause) {
    const reason = "there is no database: run this where the gateway runs, or set its DATABASE_URL";
    throw new SluiceError("STORE_CANNOT_OPEN", { path: location.path, reason }, { cause });
  }
}

async function secretOf({ jwtSecretKey, databaseUrl }: Config): Promise<string> {
  return jwtSecretKey ?? (await loadOrCreateSecrets(databaseUrl, { warn: console.error })).jwtSecretKey;
}

function isToken(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) && text.startsWith("eyJ");
}

/** @throws {SluiceError} USAGE_INVALID for one that is no use here anyway, or names no id. Never says the token */
export async function readToken(token: string, secret: string, algorithm: string): Promise<Revoked> {
  try {
    await jwtVerify(token, new TextEncoder().encode(secret), { algorithms: [algorithm] });
  } catch (error) {
    // One that is not valid yet is to be refused when it is.
    if (error instanceof joseErrors.JWTExpired) throw mistake("the token has expired already");
    if (!(error instanceof joseErrors.JWTClaimValidationFailed)) {
      throw mistake("this is no token that the gateway accepts; to revoke it all the same, give its jti");
    }
  }
  const { jti, exp } = decodeJwt(token);
  if (typeof jti !== "string") throw mistake("the token has no jti by which it could be refused");
  return { jti: checkedId(jti), expiresAt: exp === undefined ? null : exp * 1000 };
}

function checkedId(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what it refuses
  if (/^[^\x00-\x1f\x7f]{1,255}$/.test(text)) return text;
  throw mistake("a jti is 1 to 255 characters, without control characters");
}

function mistake(reason: string): SluiceError {
  return new SluiceError("USAGE_INVALID", { mistakes: reason }, { data: [reason] });
}
