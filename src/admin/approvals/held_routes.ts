// Room `approvals`: changes of upstreams that wait for an approval. `routes.ts` loads the handlers.
// This file lists the changes, and takes decisions about them.
import type { Verdict } from "../../store/registry/decisions.ts";
import { mayChange } from "../../auth/rbac.ts";
import { createNaming } from "../../catalog/snapshot/tool_name.ts";
import { isRejected } from "../../store/approvals/approval_record.ts";
import type { GatewayRecord } from "../../store/approvals/held_changes.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { type AdminResponse, type Call, type Handler, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { readFields } from "../rest/fields.ts";
import { changeableGateway, gatewaysById } from "../rest/lookup.ts";
import { heldDecisions } from "../rest/held_schemas.ts";
import { differencesBetween } from "./definition_diff.ts";
import type { HeldChange } from "./held_change.ts";
import { visible } from "./suspicious_text.ts";

/** The held changes of all gateways whose changes the caller may approve. */
export async function listHeldChanges({ deps, principal }: Call): Promise<AdminResponse> {
  const gateways = await gatewaysById(deps);
  const records = await deps.store.heldChanges(null);
  return ok(records.flatMap((record) => {
    const gateway = gateways.get(record.gatewayId);
    if (gateway === undefined || !isGuarded(deps, gateway)) return [];
    return mayChange(principal, "gateways.approve", gateway) ? [heldRead(record, gateway)] : [];
  }));
}

export async function listHeldOfGateway(call: Call): Promise<AdminResponse> {
  const gateway = await changeableGateway(call);
  if (!isGuarded(call.deps, gateway)) return ok([]);
  const records = await call.deps.store.heldChanges(gateway.id);
  return ok(records.map((record) => heldRead(record, gateway)));
}

export const approveHeld = deciding("approve");
export const rejectHeld = deciding("reject");

function deciding(verdict: Verdict): Handler {
  return async (call) => {
    const { deps } = call;
    const gateway = await changeableGateway(call);
    const raw = readFields(call, await call.body(), ["body"], { schema: heldDecisions });
    const { changes } = validated(heldDecisions, raw, ["body"]);
    await deps.store.decide(gateway.id, verdict, changes, createNaming(deps.toolNames));
    for (let n = 0; n < changes.length; n++) deps.countDecision(verdict);
    await deps.catalogChanged();
    const done = verdict === "approve" ? "approved" : "rejected";
    return ok({ status: "success", message: `${changes.length} changes of ${gateway.name} ${done}` });
  };
}

function isGuarded({ store }: Call["deps"], gateway: GatewayRow): boolean {
  return store.approvalOf(gateway) !== "off";
}

function heldRead(record: GatewayRecord, gateway: GatewayRow): HeldChange {
  const { id, kind, key, approved, held, heldAt, isListed } = record;
  return {
    id,
    gatewayId: gateway.id,
    gatewayName: gateway.name,
    kind,
    name: visible(key),
    change: approved === null ? "new" : "changed",
    state: isRejected(record) ? "rejected" : "pending",
    heldAt,
    isListed,
    hash: held!.hash,
    approvedHash: approved?.hash ?? null,
    differences: differencesBetween(approved?.text ?? null, held!.text),
  };
}
