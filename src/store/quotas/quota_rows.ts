// Room `quotas`: the quotas that administrators set. They are read with the catalog. This file has the shape of a row.
import type { QuotaLimits } from "../../config/settings/governance/quota_settings.ts";

export const QUOTA_KINDS = ["user", "team", "token", "tool"] as const;

export type QuotaKind = typeof QUOTA_KINDS[number];

/** The target that stands for each user, team, token or tool without a quota of its own. */
export const EACH = "*";

export interface QuotaRow extends QuotaLimits {
  readonly id: string;
  readonly kind: QuotaKind;
  /** An email address, a team's id, a token's `jti`, a tool's id, or EACH. */
  readonly target: string;
  readonly createdBy: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type NewQuota = Omit<QuotaRow, "id" | "createdAt" | "updatedAt">;

export type QuotaChanges = Partial<Pick<QuotaRow, "calls" | "seconds" | "bytes" | "windowS">>;
