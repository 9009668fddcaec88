// All upstreams of a snapshot, with what they offer: the endpoint that shows everything, and how those of virtual servers are made.
import type { UpstreamApproval } from "../../../store/approvals/held_changes.ts";
import type {
  GatewayRow,
  OfferedRevisions,
  PromptRow,
  RemovedEntry,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../../store/registry/rows.ts";
import { Collection, NO_OVERRIDES, type Overrides } from "../collection.ts";
import { type Entry, EntryIndex } from "../entry_index.ts";
import { inRegistrationOrder } from "../list_order.ts";
import { AppResources, type MemberIds, Membership } from "../membership.ts";
import { Scope, type ScopeContext } from "../scope.ts";
import { nameMembers } from "../scope_names.ts";
import { type TemplateEntry, TemplateIndex } from "../template_index.ts";
import { RegistryNames } from "../tool_name.ts";
import type { UpstreamEntries } from "./upstream_entries.ts";

export interface OfferOptions {
  /** Whether the whole catalog has the registry's names of tools and prompts, or the upstreams' own. */
  readonly naming: ServerRow["naming"];
  /** MCP_REVISIONS, for the endpoints that show everything. */
  readonly revisions: OfferedRevisions;
}

/** Entries that belong to no upstream. They are not offered, but no other entry gets their names. */
export interface Unowned {
  readonly tools: readonly ToolRow[];
  readonly prompts: readonly PromptRow[];
}

const EVERYTHING = { toolIds: null, resourceIds: null, promptIds: null };

export class OfferedUpstreams {
  readonly byId: ReadonlyMap<string, UpstreamEntries>;
  readonly unowned: Unowned;
  /** In registration order. */
  readonly gateways: readonly GatewayRow[];
  readonly gatewaysById: ReadonlyMap<string, GatewayRow>;
  readonly removed: readonly RemovedEntry[];
  readonly approvals: ReadonlyMap<string, UpstreamApproval>;
  readonly all: Scope;
  readonly context: ScopeContext;
  readonly #options: OfferOptions;
  readonly #tools: Collection<ToolRow, Entry<ToolRow>>;
  readonly #resources: Collection<ResourceRow, Entry<ResourceRow>>;
  readonly #templates: Collection<ResourceRow, TemplateEntry>;
  readonly #prompts: Collection<PromptRow, Entry<PromptRow>>;
  #membership: Membership | undefined;
  #appResources: AppResources | undefined;

  constructor(byId: ReadonlyMap<string, UpstreamEntries>, unowned: Unowned, options: OfferOptions) {
    this.byId = byId;
    this.unowned = unowned;
    this.#options = options;
    this.gateways = inRegistrationOrder([...byId.values()].map(({ rows }) => rows.gateway));
    this.gatewaysById = new Map(this.gateways.map((row) => [row.id, row]));
    const upstreams = this.#inOrder;
    this.removed = upstreams.flatMap(({ rows }) => rows.removed);
    const approvals = upstreams.flatMap(({ rows }) => rows.approval ?? []);
    this.approvals = new Map(approvals.map((approval) => [approval.gatewayId, approval]));
    this.#tools = new Collection(upstreams.flatMap(({ tools }) => tools));
    this.#resources = new Collection(upstreams.flatMap(({ resources }) => resources));
    this.#templates = new Collection(upstreams.flatMap(({ templates }) => templates));
    this.#prompts = new Collection(upstreams.flatMap(({ prompts }) => prompts));
    const slugs = this.gateways.map(({ slug }) => slug);
    const namesOf = (kind: "tool" | "prompt", rows: readonly { readonly name: string }[]) =>
      new RegistryNames(
        [...upstreams.flatMap((upstream) => upstream.namesOf(kind)), ...rows.map(({ name }) => name)],
        slugs,
      );
    this.context = {
      gateways: this.gateways,
      approvals: this.approvals,
      toolNames: namesOf("tool", unowned.tools),
      promptNames: namesOf("prompt", unowned.prompts),
    };
    this.all = this.#scope(null, EVERYTHING);
  }

  scopeOf(server: ServerRow): Scope {
    this.#membership ??= new Membership(this.#rows());
    this.#appResources ??= new AppResources(this.#inOrder.map(({ appResources }) => appResources));
    const members = this.#membership.of(server);
    const resourceIds = this.#appResources.broughtBy(members, server);
    return this.#scope(server, { ...members, resourceIds });
  }

  #scope(
    server: ServerRow | null,
    { toolIds, resourceIds, promptIds }: MemberIds | typeof EVERYTHING,
  ): Scope {
    const { naming, revisions } = this.#options;
    const words: Pick<ServerRow, "naming" | "toolOverrides"> = server ?? { naming, toolOverrides: {} };
    const { toolNames, promptNames, conflicts } = nameMembers(words, {
      tools: this.#tools.rowsOf(toolIds),
      prompts: this.#prompts.rowsOf(promptIds),
    });
    const overrides = new Map(Object.entries(words.toolOverrides));
    const toolOverridesOf = (row: ToolRow): Overrides => {
      const own = overrides.get(row.id);
      const name = otherName(row, toolNames);
      return own === undefined && name === undefined ? NO_OVERRIDES : { ...own, name };
    };
    const promptOverridesOf = (row: PromptRow): Overrides => {
      const name = otherName(row, promptNames);
      return name === undefined ? NO_OVERRIDES : { name };
    };
    const parts = {
      server,
      tools: new EntryIndex(this.#tools.entriesOf(toolIds, toolOverridesOf)),
      resources: new EntryIndex(this.#resources.entriesOf(resourceIds)),
      templates: new TemplateIndex(this.#templates.entriesOf(resourceIds)),
      prompts: new EntryIndex(this.#prompts.entriesOf(promptIds, promptOverridesOf)),
      conflicts,
      offered: server?.revisions ?? revisions,
    };
    return new Scope(parts, this.context, server === null ? undefined : this.all);
  }

  get #inOrder(): readonly UpstreamEntries[] {
    return this.gateways.map(({ id }) => this.byId.get(id)!);
  }

  #rows() {
    const all = this.#inOrder.map(({ rows }) => rows);
    return {
      gateways: this.gateways,
      tools: all.flatMap(({ tools }) => tools),
      resources: all.flatMap(({ resources }) => resources),
      prompts: all.flatMap(({ prompts }) => prompts),
    };
  }
}

/** The name of an entry at an endpoint. undefined: the registry's, so that endpoints share one entry. */
function otherName(
  { id, name }: ToolRow | PromptRow,
  names: ReadonlyMap<string, string>,
): string | undefined {
  const own = names.get(id);
  return own === name ? undefined : own;
}
