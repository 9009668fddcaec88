// Saves the lists of an upstream in the registry. Entities that remain or come back keep their ids and the
// operator's fields.
import { SluiceError } from "../../base/errors.ts";
import {
  type DiscoveryChanges,
  Merge,
  type NamedRow,
  namesOfOthers,
  type Naming,
  newPrompt,
  newTool,
  updateRows,
} from "./discovery_merge.ts";
import type { Holding } from "../approvals/approvals.ts";
import { ApprovalGate, type ApprovalRules } from "./approval_gate.ts";
import { TableEntities } from "./entities.ts";
import { addGatewayEvent, type GatewayEvent, listChangesOf } from "./history/gateway_history.ts";
import { tellRegistryChanged } from "./changes/registry_changes.ts";
import { type Database, sql, storable } from "../sql/sql.ts";
import type { DiscoveredEntry, Discovery, EntryKind, GatewayRow, ListWarning, SkippedEntry } from "./rows.ts";
import { type EntityTable, GATEWAYS, PROMPTS, TOOLS } from "./tables.ts";

export type { DiscoveryChanges, Nameable, Naming } from "./discovery_merge.ts";

/** The kinds to save. The default is all kinds; other kinds, and lists that could not be read, stay unchanged. */
export interface DiscoveryKinds {
  readonly tools?: boolean;
  readonly resources?: boolean;
  readonly prompts?: boolean;
}

export interface DiscoverySaved {
  readonly tools: DiscoveryChanges;
  readonly resources: DiscoveryChanges;
  readonly prompts: DiscoveryChanges;
  readonly skipped: readonly SkippedEntry[];
  readonly warnings: readonly ListWarning[];
  /** What waits for an approval since now. */
  readonly holding: Holding;
  /** Has the catalog version grown, because the data plane reads something that changed? */
  readonly hasChanges: boolean;
}

/** Limit of the skipped entries, and of the warnings, that stay with a gateway. */
const MAX_KEPT = 100;

/** Runs in `tx`. @throws {SluiceError} NOT_FOUND if there is no such gateway */
export async function saveDiscovery(
  tx: Database,
  gatewayId: string,
  discovery: Discovery,
  naming: Naming,
  { now, rules }: { readonly now: Date; readonly rules: ApprovalRules },
  { tools = true, resources = true, prompts = true }: DiscoveryKinds = {},
): Promise<DiscoverySaved> {
  const gateways = new TableEntities(tx, GATEWAYS, () => now);
  const gateway = await gateways.get(gatewayId);
  if (gateway === null) throw new SluiceError("NOT_FOUND", { what: `Gateway ${gatewayId}` });
  const gate = await ApprovalGate.open(tx, gateway, rules, now);
  const found: [kind: EntryKind, entries: readonly DiscoveredEntry[] | null][] = [
    ["tool", gate.admit("tool", tools ? discovery.tools : null)],
    ["resource", gate.admit("resource", resources ? discovery.resources : null)],
    ["template", gate.admit("template", resources ? discovery.resourceTemplates : null)],
    ["prompt", gate.admit("prompt", prompts ? discovery.prompts : null)],
  ];
  const saving = new Map(found.filter(([, entries]) => entries !== null) as [EntryKind, DiscoveredEntry[]][]);
  const skipped = discovery.skipped.filter(({ kind }) => saving.has(kind));
  const merge = new Merge(tx, gateway, now, skipped);
  const merged = async (kind: EntryKind): Promise<DiscoveryChanges> => {
    const entries = saving.get(kind);
    return entries === undefined ? nothing() : await mergeKind(merge, kind, entries, naming);
  };
  const saved = {
    tools: await merged("tool"),
    resources: both(await merged("resource"), await merged("template")),
    prompts: await merged("prompt"),
    skipped,
    warnings: discovery.warnings,
    holding: gate.holding,
  };
  const instructions = discovery.instructions === null ? null : storable(discovery.instructions);
  const about = {
    capabilities: discovery.capabilities,
    serverInfo: discovery.serverInfo,
    instructions: gate.instructions(instructions),
    protocolVersion: discovery.protocolVersion,
    protocols: discovery.protocols,
    stateful: discovery.stateful,
    listTtlMs: discovery.listTtlMs,
    reachable: true,
    registration: null,
    transport: discovery.transport ?? gateway.transport,
  };
  const time = now.toISOString();
  const seen = {
    lastSeen: time,
    failedChecks: 0,
    lastError: null,
    lastRefreshAt: time,
    skipped: [...gateway.skipped.filter(({ kind }) => !saving.has(kind)), ...skipped.slice(0, MAX_KEPT)],
    listWarnings: discovery.warnings.slice(0, MAX_KEPT),
  };
  const isApprovalChanged = await gate.save();
  const hasChanges = merge.hasChanges || isApprovalChanged || !hasAll(gateway, about);
  if (hasChanges) await gateways.update(gatewayId, { ...about, ...seen });
  // The data plane does not read these fields, so the catalog version stays.
  else await tx.run(sql`UPDATE gateways SET ${GATEWAYS.table.assignments(seen)} WHERE id = ${gatewayId}`);
  for (const event of eventsOf(gateway, saved)) await addGatewayEvent(tx, gatewayId, event, time);
  return { ...saved, hasChanges };
}

/** What a discovery means for the gateway's history. Everything is new in the first lists, so that they are no change. */
function eventsOf(
  { registration, reachable, lastRefreshAt }: GatewayRow,
  saved: Pick<DiscoverySaved, "tools" | "resources" | "prompts">,
): GatewayEvent[] {
  if (registration !== null || lastRefreshAt === null) return [{ kind: "listed" }];
  const changes = listChangesOf(saved);
  return [
    ...(reachable ? [] : [{ kind: "reachable" } as const]),
    ...(changes === null ? [] : [{ kind: "changed", changes } as const]),
  ];
}

/** Holds entries that only a client's session lists, and that nobody has approved. Runs in `tx`. */
export async function holdForSession(
  tx: Database,
  gatewayId: string,
  kind: EntryKind,
  entries: readonly DiscoveredEntry[],
  { now, rules }: { readonly now: Date; readonly rules: ApprovalRules },
): Promise<Holding> {
  const gateway = await new TableEntities(tx, GATEWAYS, () => now).get(gatewayId);
  if (gateway === null || gateway.lastRefreshAt === null) return { held: [], notKept: 0 };
  const gate = await ApprovalGate.open(tx, gateway, rules, now);
  gate.noteSession(kind, entries);
  if (await gate.save()) await tellRegistryChanged(tx, { gateways: [gatewayId] });
  return gate.holding;
}

/** Merges the entries of one kind, which come in the upstream's order. */
export async function mergeKind(
  merge: Merge,
  kind: EntryKind,
  entries: readonly DiscoveredEntry[],
  naming: Naming,
): Promise<DiscoveryChanges> {
  if (kind === "tool") return await merge.named(TOOLS, kind, entries, naming, newTool);
  if (kind === "prompt") return await merge.named(PROMPTS, kind, entries, naming, newPrompt);
  return await merge.resources(kind, entries);
}

/**
 * Renames a gateway's tools and prompts after its slug or a custom name has changed. Runs in `tx`.
 * @throws {SluiceError} CONFLICT if another gateway has one of the new names
 */
export async function renameDiscovered(
  tx: Database,
  gatewayId: string,
  naming: Naming,
  now: Date,
): Promise<void> {
  const gateway = await new TableEntities(tx, GATEWAYS, () => now).get(gatewayId);
  if (gateway === null) throw new SluiceError("NOT_FOUND", { what: `Gateway ${gatewayId}` });
  for (const entity of [TOOLS, PROMPTS] as unknown as EntityTable<NamedRow>[]) {
    const rows = await new TableEntities(tx, entity, () => now).list({ gatewayId });
    const names = naming(gateway.slug, rows.map((row) => ({ ...row, currentName: row.name })));
    const [taken] = await namesOfOthers(tx, entity, gatewayId, names);
    if (taken !== undefined) throw new SluiceError("CONFLICT", { reason: entity.conflict({ name: taken }) });
    const changed = rows.flatMap((row, i) =>
      row.name === names[i] ? [] : [{ row, changes: { name: names[i] } }]
    );
    await updateRows(tx, entity, changed, now);
  }
  await tellRegistryChanged(tx, { gateways: [gatewayId] });
}

function hasAll(row: GatewayRow, fields: Partial<GatewayRow>): boolean {
  return Object.entries(fields).every(([key, value]) =>
    JSON.stringify(row[key as keyof GatewayRow]) === JSON.stringify(value)
  );
}

function both(one: DiscoveryChanges, other: DiscoveryChanges): DiscoveryChanges {
  return {
    added: [...one.added, ...other.added],
    updated: [...one.updated, ...other.updated],
    removed: [...one.removed, ...other.removed],
  };
}

function nothing(): DiscoveryChanges {
  return { added: [], updated: [], removed: [] };
}
