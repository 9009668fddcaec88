// API tokens of a ContextForge, as items of an import. ContextForge keeps the SHA-256 of a token in hex, as this gateway does, so that the
// token itself stays valid (mcpgateway/services/token_catalog_service.py).
import { isTokenId, TOKEN_ID_RULE } from "../../auth/token_id.ts";
import { LimitFault, readLimits } from "../../auth/token_limits.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import type { ImportedToken } from "../../store/tokens/api_tokens.ts";
import { NO_TEAM } from "../../store/tokens/token_rows.ts";
import type { Item } from "../transfer/bundle.ts";
import { timeOf, Unfit } from "../transfer/item_fields.ts";
import type { SourceRow } from "./source_tables.ts";
import { fitting, isEmpty, isTrue, jsonOf, labelOf, listOf, textFitting } from "./source_values.ts";

export interface TokenSurroundings {
  /** null: the owner is left out. */
  readonly owner: Item<UserRow> | null;
  readonly revocation: SourceRow | null;
  readonly now: Date;
}

/** Usage limits that ContextForge knows. */
const USAGE_LIMITS = ["requests_per_hour", "requests_per_day"];

/** @throws {Unfit} */
export function tokenOfSource(
  row: SourceRow,
  { owner, revocation, now }: TokenSurroundings,
): Item<ImportedToken> {
  const id = row.jti ?? "";
  if (!isTokenId(id)) throw new Unfit(`its id is not ${TOKEN_ID_RULE}`);
  const tokenHash = (row.token_hash ?? "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(tokenHash)) throw new Unfit("its hash is no SHA-256");
  const expiresAt = msOf(row.expires_at);
  if (row.expires_at !== null && expiresAt === null) throw new Unfit("its end is no time");
  if (expiresAt !== null && expiresAt <= now.getTime()) throw new Unfit("it has expired");
  const permissions = jsonOf(row.resource_scopes);
  if (!isEmpty(permissions) && !Array.isArray(permissions) || permissions === undefined) {
    throw new Unfit("its permissions cannot be read");
  }
  const notes: string[] = [];
  const limits = limitsOf(row, notes);
  return {
    row: {
      id,
      userId: owner?.row.id ?? "",
      teamId: isEmpty(row.team_id) ? NO_TEAM : row.team_id,
      name: fitting(row.name, notes, "name")?.trim() || id,
      description: textFitting(row.description, notes),
      tokenHash,
      serverId: isEmpty(row.server_id) ? null : serverIdOf(row.server_id!),
      permissions: listOf(row.resource_scopes).filter((each) => typeof each === "string"),
      ...limits,
      tags: listOf(row.tags),
      isActive: isTrue(row.is_active ?? null),
      createdAt: timeOf(row.created_at) ?? now.toISOString(),
      expiresAt,
      revokedAt: revocation === null ? null : msOf(revocation.revoked_at) ?? now.getTime(),
      revokedBy: revocation?.revoked_by ?? null,
      revocationReason: fitting(revocation?.reason ?? null, notes, "reason"),
      lastUsed: msOf(row.last_used),
    },
    label: labelOf(row),
    notes,
  };
}

type WrittenLimits = Pick<ImportedToken, "ipRestrictions" | "timeRestrictions" | "usageLimits">;

/** A restriction that cannot be read is taken as it is, and the gateway refuses the token for it: without it, the token would open more. */
function limitsOf(row: SourceRow, notes: string[]): WrittenLimits {
  const networks = jsonOf(row.ip_restrictions);
  const ipRestrictions = Array.isArray(networks)
    ? networks.map(String)
    : networks !== undefined && isEmpty(networks)
    ? []
    : [String(row.ip_restrictions)];
  const timeRestrictions = objectOf(row.time_restrictions);
  const usageLimits = usageOf(objectOf(row.usage_limits), notes);
  try {
    readLimits({ ip_restrictions: ipRestrictions, time_restrictions: timeRestrictions });
  } catch (error) {
    if (!(error instanceof LimitFault)) throw error;
    notes.push(
      `is refused until its owner changes it (PUT /tokens/{id}): its ${error.field} ${error.message}`,
    );
  }
  return { ipRestrictions, timeRestrictions, usageLimits };
}

function objectOf(value: string | null): Readonly<Record<string, unknown>> {
  const object = jsonOf(value);
  if (isObject(object)) return object;
  return object !== undefined && isEmpty(object) ? {} : { unreadable: true };
}

/** ContextForge counts by whole numbers of at least 1, and ignores the rest. */
function usageOf(written: Readonly<Record<string, unknown>>, notes: string[]): Record<string, number> {
  const usage: Record<string, number> = {};
  const ignored: string[] = [];
  for (const [name, value] of Object.entries(written)) {
    const limit = isNumeric(value) ? Math.trunc(Number(value)) : 0;
    if (USAGE_LIMITS.includes(name) && limit >= 1 && Number.isSafeInteger(limit)) usage[name] = limit;
    else ignored.push(name.slice(0, 50));
  }
  if (ignored.length > 0) {
    notes.push(`usage limits without an effect, as in ContextForge: ${ignored.slice(0, 20).join(", ")}`);
  }
  return usage;
}

/** Also a text of digits is a limit there. */
function isNumeric(value: unknown): boolean {
  return typeof value === "number" || typeof value === "string" && /^\s*\d+\s*$/.test(value);
}

function msOf(value: string | null | undefined): number | null {
  const time = timeOf(value);
  return time === null ? null : Date.parse(time);
}
