// The format of API tokens in answers, as in ContextForge.
import { NO_TEAM, type ShownToken, type TokenDay } from "../../store/tokens/token_rows.ts";

export function tokenRead(row: ShownToken) {
  const revocation = revocationOf(row);
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    user_email: row.email,
    team_id: row.teamId === NO_TEAM ? null : row.teamId,
    server_id: row.serverId,
    resource_scopes: row.permissions,
    ip_restrictions: row.ipRestrictions,
    time_restrictions: row.timeRestrictions,
    usage_limits: row.usageLimits,
    created_at: row.createdAt,
    expires_at: timeText(row.expiresAt),
    last_used: timeText(row.lastUsed),
    is_active: row.isActive,
    is_revoked: revocation !== null,
    revoked_at: timeText(revocation?.at ?? null),
    revoked_by: revocation?.by ?? null,
    revocation_reason: revocation?.reason ?? null,
    tags: row.tags,
  };
}

/** @param days those of `period` days, by endpoint */
export function usageRead(
  row: ShownToken,
  { period, days, addresses }: {
    readonly period: number;
    readonly days: readonly TokenDay[];
    readonly addresses: readonly { readonly address: string; readonly lastUsed: number }[];
  },
) {
  const sum = (field: "requests" | "refused" | "failed" | "ms") =>
    days.reduce((total, day) => total + day[field], 0);
  const [total, refused, failed] = [sum("requests"), sum("refused"), sum("failed")];
  const answered = total - refused;
  const byEndpoint = Map.groupBy(days, ({ endpoint }) => endpoint);
  return {
    period_days: period,
    total_requests: total,
    successful_requests: Math.max(0, answered - failed),
    blocked_requests: refused,
    success_rate: total === 0 ? 0 : Math.max(0, answered - failed) / total,
    average_response_time_ms: answered <= 0 ? 0 : Math.round(sum("ms") / answered * 10) / 10,
    top_endpoints: [...byEndpoint]
      .map((
        [endpoint, of],
      ): [string, number] => [endpoint, of.reduce((all, { requests }) => all + requests, 0)])
      .sort(([, a], [, b]) => b - a),
    last_used: timeText(row.lastUsed),
    addresses: addresses.map(({ address, lastUsed }) => ({ address, last_used: timeText(lastUsed)! })),
  };
}

/** A token that is older than the owner's last change of password or logout everywhere is as good as revoked. */
function revocationOf(row: ShownToken) {
  if (row.revokedAt !== null) return { at: row.revokedAt, by: row.revokedBy, reason: row.revocationReason };
  const { tokensValidFrom } = row;
  const issuedAt = Math.floor(Date.parse(row.createdAt) / 1000) * 1000;
  if (tokensValidFrom === null || issuedAt >= tokensValidFrom) return null;
  const reason = "all tokens of the user from before this time were ended";
  return { at: tokensValidFrom, by: null, reason };
}

function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
