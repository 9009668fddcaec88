// Carries out what an operator decides about held changes.
import { SluiceError } from "../../base/errors.ts";
import { type ApprovalRecord, approved, rejected } from "../approvals/approval_record.ts";
import { Approvals } from "../approvals/approvals.ts";
import { type Database, sql } from "../sql/sql.ts";
import { approvalOf, type ApprovalRules, offeredOf } from "./approval_gate.ts";
import { Merge, type Naming } from "./discovery_merge.ts";
import { TableEntities } from "./entities.ts";
import type { DiscoveredEntry, EntryKind, GatewayRow } from "./rows.ts";
import { mergeKind } from "./save_discovery.ts";
import { GATEWAYS, PROMPTS, RESOURCES, TOOLS } from "./tables.ts";

export type Verdict = "approve" | "reject";

/** A decision names the version that was seen, so that another one is not approved with it. */
export interface Decision {
  readonly id: string;
  readonly hash: string;
}

/**
 * Decides about held changes: all of them, or none if one of them is no longer what was seen. Runs in `tx`.
 * @throws {SluiceError} NOT_FOUND, CONFLICT
 */
export async function decide(
  tx: Database,
  gatewayId: string,
  verdict: Verdict,
  decisions: readonly Decision[],
  { naming, rules, now }: { readonly naming: Naming; readonly rules: ApprovalRules; readonly now: Date },
): Promise<void> {
  const gateway = await new TableEntities(tx, GATEWAYS, () => now).get(gatewayId);
  if (gateway === null) throw new SluiceError("NOT_FOUND", { what: `Gateway ${gatewayId}` });
  if (approvalOf(gateway, rules) === "off") {
    throw new SluiceError("CONFLICT", {
      reason:
        `Changes of gateway "${gateway.name}" need no approval: its tool_approval is off. Refresh the gateway instead`,
    });
  }
  const approvals = await Approvals.open(tx, gatewayId, rules);
  const decided = decisions.map((decision) => heldBy(approvals, decision));
  for (const record of decided) approvals.put(verdict === "approve" ? approved(record) : rejected(record));
  await approvals.save();
  if (verdict === "approve") await offer(tx, gateway, approvals, decided, naming, now);
  // The gateway's version grows, so that a refresh that has begun before is repeated.
  const { approved: instructions } = approvals.get("instructions", "");
  const isDecided = verdict === "approve" && decided.some(({ kind }) => kind === "instructions");
  const changes = isDecided ? { instructions: JSON.parse(instructions!.text) } : {};
  await new TableEntities(tx, GATEWAYS, () => now).update(gateway.id, changes);
}

/** @throws {SluiceError} NOT_FOUND, CONFLICT */
function heldBy(approvals: Approvals, { id, hash }: Decision): ApprovalRecord {
  const record = approvals.find(id);
  if (record === undefined) throw new SluiceError("NOT_FOUND", { what: `Held change ${id}` });
  const { kind, key, held } = record;
  const entry = kind === "instructions" ? "The instructions" : `The ${kind} ${JSON.stringify(key)}`;
  if (held === null) {
    throw new SluiceError("CONFLICT", {
      reason: `${entry} has no held change any more: it was decided, or the upstream has withdrawn it`,
    });
  }
  if (held.hash !== hash) {
    throw new SluiceError("CONFLICT", {
      reason:
        `${entry} has changed again since you saw it, so nothing was decided. List the held changes, and decide with ` +
        `the hash ${held.hash} if you agree with the present version`,
    });
  }
  return record;
}

/** Brings approved versions of entries into the registry. Those that only sessions list stay out of it. */
async function offer(
  tx: Database,
  gateway: GatewayRow,
  approvals: Approvals,
  decided: readonly ApprovalRecord[],
  naming: Naming,
  now: Date,
): Promise<void> {
  const merge = new Merge(tx, gateway, now, []);
  const listed = decided.filter(({ isListed }) => isListed);
  for (const kind of new Set(listed.map(({ kind }) => kind))) {
    if (kind === "instructions") continue;
    await mergeKind(merge, kind, await inOrder(tx, gateway.id, approvals, kind), naming);
  }
}

/** What the upstream lists and is approved: the entries of the registry in their order, then the others. */
async function inOrder(
  tx: Database,
  gatewayId: string,
  approvals: Approvals,
  kind: EntryKind,
): Promise<DiscoveredEntry[]> {
  const table = kind === "tool" ? TOOLS.table : kind === "prompt" ? PROMPTS.table : RESOURCES.table;
  const key = kind === "tool" || kind === "prompt" ? sql.id("original_name") : sql.id("uri");
  const rows = await tx.query<{ key: string; position: number }>(
    sql`SELECT ${key} AS key, position FROM ${table.id} WHERE gateway_id = ${gatewayId}`,
  );
  const positions = new Map(rows.map((row) => [row.key, Number(row.position)]));
  const at = ({ key }: DiscoveredEntry) => positions.get(key) ?? Number.MAX_SAFE_INTEGER;
  return approvals.of(kind).filter(({ isListed }) => isListed).flatMap((record) => offeredOf(record) ?? [])
    .sort((a, b) => at(a) - at(b));
}
