// Room `api_tokens`: tokens that the gateway has made for its users (`POST /tokens`), and those that it has imported. Their row decides
// what they may. This file finds the caller of such a token.
import { createHash, timingSafeEqual } from "node:crypto";
import type { JsonObject } from "../../mcp/json_rpc.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import type { TokenReading } from "../../store/tokens/api_tokens.ts";
import { NO_TEAM, type ShownToken } from "../../store/tokens/token_rows.ts";
import type { Count } from "../../telemetry/metrics.ts";
import type { ApiTokenCaller } from "../jwt.ts";
import type { ApiToken, Principal, TokenLimits } from "../principal.ts";
import { refused, timesAndId } from "../token_claims.ts";
import { LimitFault, readLimits } from "../token_limits.ts";

export interface ApiTokenCallerDeps {
  /** @throws {SluiceError} STORE_UNAVAILABLE */
  readonly read: (id: string) => Promise<TokenReading>;
  readonly now: () => number;
  /** Counts look-ups by outcome: "found", "refused", and "unrecorded" for tokens that go by their claims. */
  readonly count: Count;
}

export function apiTokenCaller({ read, now, count }: ApiTokenCallerDeps): ApiTokenCaller {
  return async (claims, token, byClaims) => {
    const { jti } = timesAndId(claims);
    if (jti === null) throw refused("the API token has no id (`jti`)");
    const { readAt, token: row } = await read(jti);
    if (row === null && byClaims !== null) {
      count("unrecorded");
      return { ...byClaims(), unrecorded: { id: jti, readAt } };
    }
    const caller = row === null || !isThatOf(row, token)
      ? unknownCaller(claims, jti, readAt)
      : callerOf(claims, row, { readAt, now: now() });
    count(caller.apiToken?.refusal === null ? "found" : "refused");
    return caller;
  };
}

/** The hash that the gateway keeps of a token. */
export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

const UNKNOWN = "the token is none of the API tokens here: it was deleted, or another gateway has made it";

/** A token of the same id that the gateway's key has signed elsewhere is as unknown as one without a row. */
function isThatOf({ tokenHash }: ShownToken, token: string): boolean {
  const [own, kept] = [hashOf(token), tokenHash].map((hash) => new TextEncoder().encode(hash));
  return own.length === kept.length && timingSafeEqual(own, kept);
}

function refusalOf(row: ShownToken, now: number): string | null {
  if (row.revokedAt !== null) {
    return row.revocationReason === null
      ? "the API token was revoked"
      : `the API token was revoked (${row.revocationReason})`;
  }
  if (!row.isActive) return "the API token is switched off; its owner can switch it on again";
  return row.expiresAt !== null && row.expiresAt <= now ? "the API token has expired" : null;
}

function callerOf(
  claims: JsonObject,
  row: ShownToken,
  { readAt, now }: { readonly readAt: ApiToken["readAt"]; readonly now: number },
): Principal {
  const { id, userId, teamId, email, permissions, serverId } = row;
  const { limits, fault } = limitsOf(row);
  return {
    ...anybody(claims),
    subject: email,
    email,
    teams: teamsOf(row, claims),
    // Without a team, the token counts for all teams that the owner is in at the time of the call.
    isLogin: teamId === null,
    serverId: serverId === null ? null : serverIdOf(serverId),
    permissions: permissions.length === 0 ? null : permissions,
    jti: id,
    expiresAt: row.expiresAt,
    apiToken: { id, ownerId: userId, teamId, readAt, refusal: refusalOf(row, now) ?? fault },
    limits,
  };
}

/**
 * An imported token without a team sees what its claims say: `teams: null` is everything for an administrator, and public entries for
 * everybody else.
 */
function teamsOf({ teamId, isImported }: ShownToken, { teams }: JsonObject): readonly string[] | null {
  if (isImported && teamId === NO_TEAM && teams === null) return null;
  return teamId === null || teamId === NO_TEAM ? [] : [teamId];
}

/** A row that another program has written may have limits that cannot be read. */
function limitsOf(
  row: ShownToken,
): { readonly limits: TokenLimits | null; readonly fault: string | null } {
  try {
    const limits = readLimits({
      ip_restrictions: row.ipRestrictions,
      time_restrictions: row.timeRestrictions,
      usage_limits: row.usageLimits,
    });
    return { limits, fault: null };
  } catch (error) {
    if (!(error instanceof LimitFault)) throw error;
    return { limits: null, fault: `the API token's ${error.field} ${error.message}` };
  }
}

/** The refusal is kept like that of a revoked token, so that further requests ask no database. */
function unknownCaller(claims: JsonObject, jti: string, readAt: ApiToken["readAt"]): Principal {
  return {
    ...anybody(claims),
    jti,
    apiToken: { id: jti, ownerId: "", teamId: null, readAt, refusal: UNKNOWN },
  };
}

function anybody(claims: JsonObject): Principal {
  return {
    kind: "user",
    subject: "",
    issuer: typeof claims.iss === "string" ? claims.iss : null,
    email: "",
    isAdmin: false,
    teams: [],
    serverId: null,
    permissions: null,
    ...timesAndId(claims),
    isLogin: false,
    apiToken: null,
    limits: null,
    grants: null,
  };
}
