// `sluice token revoke`: revokes a token, or all tokens of a user, in the database, whether or not a gateway runs on this machine.
import { decodeJwt, errors as joseErrors } from "jose";
import { type OwnKeys, verifyingKeys } from "../auth/keys/own_keys.ts";
import { verifyToken } from "../auth/keys/verify.ts";
import { isTokenId, TOKEN_ID_RULE } from "../auth/token_id.ts";
import { sleep, systemClock } from "../base/clock.ts";
import { isError, SluiceError } from "../base/errors.ts";
import { type Loaded, loadProcessConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { type AuditEntity, operatorRecord } from "../store/audit/audit_record.ts";
import { AuditRecords } from "../store/audit/audit_records.ts";
import { createRegistry, type Registry } from "../store/registry/registry.ts";
import { type Revocation, revokeTokenOf } from "../store/registry/revoked_tokens.ts";
import type { TokenRevokeArgs } from "./commands/command_arguments.ts";
import { openGatewayDatabase, signingKey, tellReplicas } from "./command_line/gateway_state.ts";

/** The id of a token, and when the token expires by itself (ms since the epoch; null: never, or not known). */
type RevokedId = Pick<Revocation, "jti" | "expiresAt">;

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, SECRETS_UNUSABLE, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function tokenRevoke({ operand, user, reason }: TokenRevokeArgs): Promise<number> {
  const loaded = loadProcessConfig({ dev: false, overrides: {} });
  if (user === null) await revokeToken(operand!, reason, loaded);
  else await revokeTokensOf(user, loaded);
  return 0;
}

/** Of a token without `iat` nobody knows when it was made. It is refused too. */
async function revokeTokensOf(email: string, { config }: Loaded): Promise<void> {
  // Tokens have whole seconds: one of this second may be older than this moment.
  const tokensValidFrom = (Math.floor(Date.now() / 1000) + 1) * 1000;
  try {
    await write(
      config,
      { kind: "user", id: email },
      async ({ people }) => void await people.users.update(email, { tokensValidFrom }),
    );
  } catch (error) {
    if (!isError(error, "NOT_FOUND")) throw error;
    throw mistake(
      `nothing is revoked: no user here has the address ${email}. Tokens of people without a user record are revoked one ` +
        "by one, by their jti",
    );
  }
  // A login right after the command gets a token that works.
  await sleep(systemClock, Math.max(0, tokensValidFrom - Date.now()));
  console.log(`revoked all tokens of ${email} from before ${new Date(tokensValidFrom).toISOString()}`);
}

async function revokeToken(operand: string, reason: string | null, loaded: Loaded): Promise<void> {
  const given = operand === "-" ? await new Response(Deno.stdin.readable).text() : operand;
  const text = given.trim().replace(/^Bearer +/i, "");
  const isToken = looksLikeToken(text);
  const { jti, expiresAt } = isToken
    ? await readToken(text, (await signingKey(loaded)).keys)
    : { jti: checkedId(text), expiresAt: null };
  await write(
    loaded.config,
    { kind: "token", id: jti },
    (registry) => revokeTokenOf(registry, { jti, expiresAt, reason, revokedBy: null }),
  );
  console.log(`revoked ${jti}`);
  if (!isToken && Deno.stderr.isTerminal()) {
    console.error(
      "Only API tokens are listed (`sluice token list`), so nobody has checked that a token has this id.",
    );
  }
}

/** Makes the change, and records it in the same transaction. */
async function write(
  config: Config,
  revoked: AuditEntity,
  change: (registry: Registry) => Promise<void>,
): Promise<void> {
  const database = await openGatewayDatabase(config);
  try {
    await database.transaction(async (tx) => {
      await change(createRegistry(tx));
      if (!config.auditTrailEnabled) return;
      await new AuditRecords(tx).append([operatorRecord("command line", "revokeToken", revoked)]);
    });
    await tellReplicas(config, database, "revocation");
  } finally {
    await database.close();
  }
}

/** Is `text` a token, whole or damaged, and not an id? A token has dots, and starts with eyJ, the encoding of `{"`. */
export function looksLikeToken(text: string): boolean {
  return text.includes(".") || text.startsWith("eyJ");
}

/** Checks the signature of `token`. @throws {SluiceError} USAGE_INVALID; its text never contains the token */
export async function readToken(token: string, keys: OwnKeys): Promise<RevokedId> {
  try {
    await verifyToken(token, verifyingKeys(keys));
  } catch (error) {
    if (error instanceof joseErrors.JWTExpired) throw mistake("the token has expired already");
    // A token that is not valid yet can be revoked.
    if (!(error instanceof joseErrors.JWTClaimValidationFailed)) throw mistake(describe(error));
  }
  const { jti, exp } = decodeJwt(token);
  if (jti === undefined) throw mistake("the token has no jti, by which the gateway could refuse it");
  if (!isTokenId(jti)) {
    throw mistake(`the gateway refuses this token anyway: its jti is not ${TOKEN_ID_RULE}`);
  }
  return { jti, expiresAt: exp === undefined ? null : exp * 1000 };
}

function describe(error: unknown): string {
  if (error instanceof joseErrors.JWSSignatureVerificationFailed) {
    return "nothing is revoked: the signature of the token is wrong. The token is damaged or from another gateway; " +
      "give the whole token or its jti";
  }
  return "nothing is revoked: this looks like a token but cannot be read. Give the whole token or its jti";
}

function checkedId(text: string): string {
  if (isTokenId(text)) return text;
  throw mistake(`nothing is revoked: this is neither a token nor a jti (${TOKEN_ID_RULE})`);
}

function mistake(reason: string): SluiceError {
  return new SluiceError("USAGE_INVALID", { mistakes: reason }, { data: [reason] });
}
