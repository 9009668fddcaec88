// The right to let an upstream change what it offers. It comes from gateways.approve; the right to change the registration is not enough.
import type { Principal } from "../../auth/principal.ts";
import { requireChange, requirePermission, requirePlace } from "../../auth/rbac.ts";
import { TOOL_APPROVALS, type ToolApproval } from "../../store/approvals/approval_record.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Call } from "../rest/deps.ts";

type Modes = Pick<Registry, "approvalOf">;

/** Checks a change of `tool_approval` that holds less than before. @throws {SluiceError} FORBIDDEN */
export function requireApprover({ deps, principal }: Call, before: GatewayRow, after: GatewayRow): void {
  if (!holdsLess(deps.store, before.toolApproval, after.toolApproval)) return;
  requirePermission(principal, "gateways.approve");
  requireChange(principal, "gateways.approve", before);
}

/** Checks a registration that holds less than the setting TOOL_APPROVAL. @throws {SluiceError} FORBIDDEN */
export function requireApproverOf(
  store: Modes,
  principal: Principal,
  asked: ToolApproval | null,
  teamId: string | null,
): void {
  if (!holdsLess(store, null, asked)) return;
  requirePermission(principal, "gateways.approve");
  requirePlace(principal, "gateways.approve", teamId);
}

function holdsLess(store: Modes, before: ToolApproval | null, after: ToolApproval | null): boolean {
  const rank = (toolApproval: ToolApproval | null) =>
    TOOL_APPROVALS.indexOf(store.approvalOf({ toolApproval }));
  return rank(after) < rank(before);
}
