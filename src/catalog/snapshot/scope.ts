// The entries of one endpoint: the whole catalog, or the members of a virtual server.
import type { UpstreamApproval } from "../../store/approvals/held_changes.ts";
import type {
  EntityRow,
  GatewayRow,
  OfferedRevisions,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import { appResourceOf } from "../../mcp/apps.ts";
import { type EndpointRevisions, endpointRevisions } from "./endpoint_revisions.ts";
import { type Capabilities, capabilitiesOf, mergeCapabilities } from "./capabilities.ts";
import type { NameConflict } from "./scope_names.ts";
import type { RegistryNames } from "./tool_name.ts";
import type { Entry, EntryIndex } from "./entry_index.ts";
import type { TemplateIndex } from "./template_index.ts";

export interface ScopeParts {
  /** Null: the whole catalog. */
  readonly server: ServerRow | null;
  readonly tools: EntryIndex<Entry<ToolRow>>;
  readonly resources: EntryIndex<Entry<ResourceRow>>;
  readonly templates: TemplateIndex;
  readonly prompts: EntryIndex<Entry<PromptRow>>;
  readonly conflicts: readonly NameConflict[];
  /** MCP_REVISIONS, or the virtual server's own. */
  readonly offered: OfferedRevisions;
}

/** What all endpoints of a snapshot have in common. */
export interface ScopeContext {
  /** All upstreams in registration order. */
  readonly gateways: readonly GatewayRow[];
  /** See Catalog. */
  readonly approvals: ReadonlyMap<string, UpstreamApproval>;
  readonly toolNames: RegistryNames;
  readonly promptNames: RegistryNames;
}

export class Scope implements Omit<ScopeParts, "offered"> {
  readonly server: ServerRow | null;
  readonly tools: EntryIndex<Entry<ToolRow>>;
  readonly resources: EntryIndex<Entry<ResourceRow>>;
  readonly templates: TemplateIndex;
  readonly prompts: EntryIndex<Entry<PromptRow>>;
  /** Conflicts of tools or prompts with the same name. */
  readonly conflicts: readonly NameConflict[];
  readonly revisions: EndpointRevisions;
  /** The whole catalog. */
  readonly whole: Scope;
  readonly #parts: ScopeParts;
  readonly #context: ScopeContext;
  #capabilities: Capabilities | undefined;
  #byGateway: ReadonlyMap<string, readonly Entry<EntityRow>[]> | undefined;
  #apps: ReadonlyMap<string, readonly Entry<ToolRow>[]> | undefined;

  /** @param whole undefined: this is the whole catalog */
  constructor(parts: ScopeParts, context: ScopeContext, whole?: Scope) {
    this.whole = whole ?? this;
    this.server = parts.server;
    this.tools = parts.tools;
    this.resources = parts.resources;
    this.templates = parts.templates;
    this.prompts = parts.prompts;
    this.conflicts = parts.conflicts;
    this.#parts = parts;
    this.#context = context;
    const indexes = [this.tools, this.resources, this.templates, this.prompts];
    this.revisions = endpointRevisions(parts.offered, indexes.flatMap(({ gateways }) => gateways));
  }

  /** The same endpoint with other entries. */
  with(entries: Partial<Pick<ScopeParts, "tools" | "resources" | "templates" | "prompts">>): Scope {
    return new Scope(
      { ...this.#parts, ...entries },
      this.#context,
      this.whole === this ? undefined : this.whole,
    );
  }

  /** The same virtual server in another snapshot, in which neither it nor its members have changed. */
  in(context: ScopeContext, whole: Scope): Scope {
    return new Scope(this.#parts, context, whole);
  }

  /**
   * The endpoint's capabilities for a caller. Upstreams without an entry that the caller sees add nothing. Cached if all
   * callers see all entries.
   */
  capabilities(sees: (row: EntityRow) => boolean): Capabilities {
    return this.#isAllPublic ? this.#capabilities ??= this.#merge(() => true) : this.#merge(sees);
  }

  /** The upstreams that the caller sees and that have an entry which he sees, in registration order. */
  upstreams(sees: (row: EntityRow) => boolean): readonly GatewayRow[] {
    return this.#offering(this.#indexes, sees).filter(sees);
  }

  /** The only upstream, if everybody sees it and all its entries. */
  get onlyUpstream(): GatewayRow | null {
    if (!this.#isAllPublic) return null;
    const [first, ...others] = this.#offering(this.#indexes, () => true);
    return first?.visibility === "public" && others.length === 0 ? first : null;
  }

  /** All entries of an upstream at this endpoint, including disabled ones. */
  entriesOf(gatewayId: string): readonly Entry<EntityRow>[] {
    this.#byGateway ??= Map.groupBy(this.#indexes.flatMap(({ all }) => all), ({ gateway }) => gateway.id);
    return this.#byGateway.get(gatewayId) ?? [];
  }

  /** The tools whose results are shown by the resource with this URI (MCP Apps), including disabled ones. */
  toolsShowing(uri: string): readonly Entry<ToolRow>[] {
    this.#apps ??= Map.groupBy(this.tools.all, ({ row }) => appResourceOf(row.definition) ?? "");
    return uri === "" ? [] : this.#apps.get(uri) ?? [];
  }

  /** The names of all tools of the registry. */
  get toolNames(): RegistryNames {
    return this.#context.toolNames;
  }

  get promptNames(): RegistryNames {
    return this.#context.promptNames;
  }

  /** Do the upstream's changes wait for an approval? */
  isGuarded(gatewayId: string): boolean {
    return this.#context.approvals.has(gatewayId);
  }

  /** Does the upstream list the URI for a new resource that nobody has approved? */
  isHeld(gatewayId: string, uri: string): boolean {
    return this.#context.approvals.get(gatewayId)?.heldUris.includes(uri) === true;
  }

  get #indexes(): readonly EntryIndex<Entry<EntityRow>>[] {
    return [this.tools, this.resources, this.templates, this.prompts];
  }

  get #isAllPublic(): boolean {
    return this.#indexes.every((index) => index.allPublic);
  }

  #offering(
    indexes: readonly EntryIndex<Entry<EntityRow>>[],
    sees: (row: EntityRow) => boolean,
  ): readonly GatewayRow[] {
    const entries = indexes.flatMap((index) => index.entries).filter(({ row }) => sees(row));
    const gateways = new Set(entries.map(({ gateway }) => gateway));
    return this.#context.gateways.filter((gateway) => gateways.has(gateway));
  }

  #merge(sees: (row: EntityRow) => boolean): Capabilities {
    const offeredBy = (...indexes: EntryIndex<Entry<EntityRow>>[]) =>
      this.#offering(indexes, sees).map(capabilitiesOf);
    return mergeCapabilities({
      all: offeredBy(...this.#indexes),
      withTools: offeredBy(this.tools),
      // A tool can give a link to a resource that no list has.
      withResources: offeredBy(this.resources, this.templates, this.tools),
      withArguments: offeredBy(this.prompts, this.templates),
    });
  }
}
