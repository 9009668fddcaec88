// A list of a session, and the registry's entries of the same upstream and kind to compare it with.
import type {
  DiscoveredEntry,
  EntityRow,
  EntryKind,
  PromptRow,
  ResourceRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import type { Catalog, Entry, EntryIndex } from "../snapshot/catalog.ts";

/** What a session of an upstream lists, by key: the upstream's name of a tool or prompt, the URI of a resource or template. */
export type OwnList = ReadonlyMap<string, DiscoveredEntry>;

export type Row = ToolRow | ResourceRow | PromptRow;
export type Index = EntryIndex<Entry<Row & EntityRow>>;

/** The member of a scope that holds the entries of a kind. */
export const INDEX = {
  tool: "tools",
  resource: "resources",
  template: "templates",
  prompt: "prompts",
} as const;

export function rowsOf(catalog: Catalog, gatewayId: string, kind: EntryKind): Row[] {
  const index: Index = catalog.all[INDEX[kind]] as Index;
  return index.all.filter(({ gateway }) => gateway.id === gatewayId).map(({ row }) => row);
}

/** The upstream's name, or the URI. */
export function keyOf(row: Row): string {
  return "uri" in row ? row.uri : row.originalName;
}
