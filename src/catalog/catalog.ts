// The catalog snapshot: everything that the data plane looks up, immutable, replaced whole when the store has changed.
import { memberText, replaceMember } from "../mcp/json_rpc.ts";
import type {
  CatalogRows,
  EntityRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../store/store.ts";
import { compileUriTemplate, type UriTemplate } from "./uri_template.ts";

/** One thing that clients list and use: its row, where it comes from, and how it looks in a list. */
export interface Entry<Row extends EntityRow> {
  readonly row: Row;
  readonly gateway: GatewayRow;
  /** What clients call it: a tool's or prompt's name, a resource's URI or URI template. */
  readonly key: string;
  /** What the upstream calls it. */
  readonly originalKey: string;
  /** The same as JSON text. */
  readonly originalKeyText: string;
  /** Its object in a list, as JSON text. */
  readonly listText: string;
}

/** A template's entry can be asked whether a URI is one of its own. */
export interface TemplateEntry extends Entry<ResourceRow> {
  readonly template: UriTemplate;
}

/** Entries in list order, and the ways to find them. */
export class Shelf<E extends Entry<EntityRow>> {
  readonly entries: readonly E[];
  /** True where nothing here depends on who asks. */
  readonly allPublic: boolean;
  #listText: string | undefined;
  #gateways: readonly GatewayRow[] | undefined;
  readonly #byKey = new Map<string, E>();
  readonly #byOriginal = new Map<string, E[]>();

  constructor(entries: readonly E[]) {
    this.entries = entries;
    this.allPublic = entries.every(({ row }) => row.visibility === "public");
    for (const entry of entries) {
      // Two upstreams may list one URI: the first registered answers for it.
      if (!this.#byKey.has(entry.key)) this.#byKey.set(entry.key, entry);
      const same = this.#byOriginal.get(entry.originalKey);
      if (same === undefined) this.#byOriginal.set(entry.originalKey, [entry]);
      else same.push(entry);
    }
  }

  get(key: string): E | undefined {
    return this.#byKey.get(key);
  }

  /** The upstreams that the entries come from; made once. */
  get gateways(): readonly GatewayRow[] {
    return this.#gateways ??= [...new Set(this.entries.map(({ gateway }) => gateway))];
  }

  /** All entries as the inside of a JSON array; made once. */
  get listText(): string {
    return this.#listText ??= this.entries.map(({ listText }) => listText).join(",");
  }

  /** Those that the upstreams themselves call so. */
  byOriginal(originalKey: string): readonly E[] {
    return this.#byOriginal.get(originalKey) ?? [];
  }
}

/** What one endpoint shows: everything, or the members of a virtual server. */
export interface Scope {
  readonly server: ServerRow | null;
  readonly tools: Shelf<Entry<ToolRow>>;
  readonly resources: Shelf<Entry<ResourceRow>>;
  readonly templates: Shelf<TemplateEntry>;
  readonly prompts: Shelf<Entry<PromptRow>>;
}

export class Catalog {
  readonly version: number;
  readonly all: Scope;
  readonly #scopes = new Map<string, Scope>();

  constructor(rows: CatalogRows) {
    this.version = rows.version;
    const gateways = new Map(rows.gateways.filter(({ enabled }) => enabled).map((row) => [row.id, row]));
    const usable = <Row extends EntityRow & { gatewayId: string | null }>(row: Row): GatewayRow | undefined =>
      row.enabled && row.gatewayId !== null ? gateways.get(row.gatewayId) : undefined;

    // One gateway after the other, each in its upstream's own order.
    const gatewayOrder = new Map(rows.gateways.map(({ id }, i) => [id, i]));
    const place = ({ gatewayId }: { gatewayId: string | null }) => gatewayOrder.get(gatewayId ?? "") ?? -1;
    const inOrder = <Row extends { gatewayId: string | null; position: number }>(unordered: readonly Row[]) =>
      [...unordered].sort((a, b) => place(a) - place(b) || a.position - b.position);

    const resourceRows = inOrder(rows.resources);
    const tools = collect(inOrder(rows.tools), usable, toolEntry);
    const resources = collect(resourceRows.filter(({ isTemplate }) => !isTemplate), usable, resourceEntry);
    const templates = collect(resourceRows.filter(({ isTemplate }) => isTemplate), usable, templateEntry);
    const prompts = collect(inOrder(rows.prompts), usable, promptEntry);

    this.all = {
      server: null,
      tools: new Shelf([...tools.values()]),
      resources: new Shelf([...resources.values()]),
      templates: new Shelf([...templates.values()]),
      prompts: new Shelf([...prompts.values()]),
    };
    for (const server of rows.servers) {
      if (!server.enabled) continue;
      this.#scopes.set(server.id, {
        server,
        tools: new Shelf(pick(tools, server.toolIds)),
        resources: new Shelf(pick(resources, server.resourceIds)),
        templates: new Shelf(pick(templates, server.resourceIds)),
        prompts: new Shelf(pick(prompts, server.promptIds)),
      });
    }
  }

  /** The scope of a virtual server, or of everything for null; undefined where there is no such server. */
  scope(serverId: string | null): Scope | undefined {
    return serverId === null ? this.all : this.#scopes.get(serverId);
  }
}

function collect<Row extends EntityRow, E extends Entry<Row>>(
  rows: readonly Row[],
  gatewayOf: (row: Row) => GatewayRow | undefined,
  make: (row: Row, gateway: GatewayRow) => E,
): Map<string, E> {
  const entries = new Map<string, E>();
  for (const row of rows) {
    const gateway = gatewayOf(row);
    if (gateway !== undefined) entries.set(row.id, make(row, gateway));
  }
  return entries;
}

function pick<E>(entries: ReadonlyMap<string, E>, ids: readonly string[]): E[] {
  return ids.flatMap((id) => entries.get(id) ?? []);
}

function toolEntry(row: ToolRow, gateway: GatewayRow): Entry<ToolRow> {
  return entryOf(row, gateway, { key: row.name, originalKey: row.originalName, listText: named(row) });
}

function promptEntry(row: PromptRow, gateway: GatewayRow): Entry<PromptRow> {
  return entryOf(row, gateway, { key: row.name, originalKey: row.originalName, listText: named(row) });
}

function resourceEntry(row: ResourceRow, gateway: GatewayRow): Entry<ResourceRow> {
  return entryOf(row, gateway, { key: row.uri, originalKey: row.uri, listText: row.definition });
}

function entryOf<Row extends EntityRow>(
  row: Row,
  gateway: GatewayRow,
  words: Pick<Entry<Row>, "key" | "originalKey" | "listText">,
): Entry<Row> {
  return { row, gateway, ...words, originalKeyText: JSON.stringify(words.originalKey) };
}

function templateEntry(row: ResourceRow, gateway: GatewayRow): TemplateEntry {
  return { ...resourceEntry(row, gateway), template: compileUriTemplate(row.uri) };
}

/** The upstream's own object text, with our name and the operator's words in place of its own. */
function named(row: ToolRow | PromptRow): string {
  let text = replaceMember(row.definition, "name", JSON.stringify(row.name));
  if (row.description !== null) text = replaceMember(text, "description", JSON.stringify(row.description));
  if (row.displayName !== null && memberText(text, "title") !== JSON.stringify(row.displayName)) {
    text = replaceMember(text, "title", JSON.stringify(row.displayName));
  }
  return text;
}
