// What one upstream offers, with the entries that are made of it. Snapshots between which it has not changed share it.
import type { UpstreamApproval } from "../../../store/approvals/held_changes.ts";
import type {
  GatewayRow,
  OfferRows,
  PromptRow,
  RemovedEntry,
  ResourceRow,
  ToolRow,
} from "../../../store/registry/rows.ts";
import { namedEntry, resourceEntry, type Slot, slotsOf, templateEntry } from "../collection.ts";
import type { Entry } from "../entry_index.ts";
import { appResourcesOf } from "../membership.ts";
import type { TemplateEntry } from "../template_index.ts";

export interface UpstreamRows {
  readonly gateway: GatewayRow;
  readonly tools: readonly ToolRow[];
  /** Resources and templates. */
  readonly resources: readonly ResourceRow[];
  readonly prompts: readonly PromptRow[];
  readonly removed: readonly RemovedEntry[];
  /** undefined: its changes need no approval. */
  readonly approval: UpstreamApproval | undefined;
}

/** The rows by the id of their upstream. */
export function byUpstream(rows: OfferRows): Map<string, UpstreamEntries> {
  const idOf = ({ gatewayId }: { readonly gatewayId: string | null }) => gatewayId;
  const [tools, resources, prompts, removed] = [
    Map.groupBy(rows.tools, idOf),
    Map.groupBy(rows.resources, idOf),
    Map.groupBy(rows.prompts, idOf),
    Map.groupBy(rows.removed, idOf),
  ];
  const approvals = new Map(rows.approvals.map((approval) => [approval.gatewayId, approval]));
  return new Map(rows.gateways.map((gateway) => [
    gateway.id,
    new UpstreamEntries({
      gateway,
      tools: tools.get(gateway.id) ?? [],
      resources: resources.get(gateway.id) ?? [],
      prompts: prompts.get(gateway.id) ?? [],
      removed: removed.get(gateway.id) ?? [],
      approval: approvals.get(gateway.id),
    }),
  ]));
}

export class UpstreamEntries {
  readonly rows: UpstreamRows;
  readonly tools: readonly Slot<ToolRow, Entry<ToolRow>>[];
  readonly resources: readonly Slot<ResourceRow, Entry<ResourceRow>>[];
  readonly templates: readonly Slot<ResourceRow, TemplateEntry>[];
  readonly prompts: readonly Slot<PromptRow, Entry<PromptRow>>[];
  /** The resources that show the results of tools, by the tool's id. */
  readonly appResources: ReadonlyMap<string, readonly ResourceRow[]>;

  constructor(rows: UpstreamRows) {
    const { gateway, tools, resources, prompts } = this.rows = rows;
    this.tools = slotsOf(tools, gateway, namedEntry<ToolRow>);
    this.resources = slotsOf(resources.filter((row) => !row.isTemplate), gateway, resourceEntry);
    this.templates = slotsOf(resources.filter((row) => row.isTemplate), gateway, templateEntry);
    this.prompts = slotsOf(prompts, gateway, namedEntry<PromptRow>);
    this.appResources = appResourcesOf(rows);
  }

  get ids(): readonly string[] {
    const { tools, resources, prompts } = this.rows;
    return [...tools, ...resources, ...prompts].map(({ id }) => id);
  }

  /** The registry's names of tools or prompts that are the upstream's, those of dropped entries included. */
  namesOf(kind: "tool" | "prompt"): readonly string[] {
    const rows: readonly { readonly name: string }[] = kind === "tool" ? this.rows.tools : this.rows.prompts;
    const removed = this.rows.removed.filter((entry) => entry.kind === kind).map(({ row }) => row);
    return [...rows, ...removed].map(({ name }) => name);
  }
}
