// Makes rows for entries that a client's own session lists and the registry does not have. They get what a discovery would give them:
// the gateway's visibility, a name by the same rules, and what an operator decided before the upstream dropped them.
import { newPrompt, newTool } from "../../store/registry/discovery_merge.ts";
import { undecidedFields } from "../../store/registry/removed_entries.ts";
import type {
  DiscoveredEntry,
  EntryKind,
  GatewayRow,
  PromptRow,
  RemovedEntry,
  ResourceRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import type { Naming } from "../../store/registry/save_discovery.ts";
import type { Catalog } from "../snapshot/catalog.ts";

type Row = ToolRow | ResourceRow | PromptRow;

export interface NewRow {
  readonly row: Row;
  /** The virtual servers for which an operator chose the entry. */
  readonly serverIds: readonly string[];
}

export interface NewRowsOptions {
  readonly catalog: Catalog;
  readonly gateway: GatewayRow;
  readonly kind: EntryKind;
  readonly list: ReadonlyMap<string, DiscoveredEntry>;
  /** The upstream's rows of this kind in the registry. */
  readonly known: readonly Row[];
  readonly naming: Naming;
  /** All rows of this kind in the registry. */
  readonly registered: readonly Row[];
}

/** First seen after everything in the registry, which therefore keeps its URIs. */
const FIRST_SEEN = "9999-12-31T23:59:59.999Z";

/** In the order of the upstream's list. An entry whose name belongs to another one is left out, as by a discovery. */
export function newRows(options: NewRowsOptions): NewRow[] {
  const { catalog, gateway, kind, list, known } = options;
  const knownKeys = new Set(known.map((row) => "uri" in row ? row.uri : row.originalName));
  const added = [...list.values()].filter(({ key }) => !knownKeys.has(key));
  if (added.length === 0) return [];
  const removed = new Map(
    catalog.removed.filter((entry) => entry.gatewayId === gateway.id && entry.kind === kind)
      .map((entry) => [entry.key, entry]),
  );
  const names = kind === "tool" || kind === "prompt" ? namesOf(options, added, removed) : null;
  let position = known.reduce((last, row) => Math.max(last, row.position), -1);
  return added.flatMap((entry, i) => {
    const name = names?.[i];
    if (name === null) return [];
    const before = removed.get(entry.key);
    const fresh = freshRow(kind, gateway, entry, { name, position: ++position });
    const row = { ...fresh, ...before?.row, ...fromUpstream(fresh), position } as Row;
    return [{ row, serverIds: before?.serverIds ?? [] }];
  });
}

/** Null: the name belongs to another entry. */
function namesOf(
  { catalog, gateway, kind, known, naming, registered }: NewRowsOptions,
  added: readonly DiscoveredEntry[],
  removed: ReadonlyMap<string, RemovedEntry>,
): (string | null)[] {
  const rows = known as readonly (ToolRow | PromptRow)[];
  const present = rows.map(({ originalName, customName, name }) => ({
    originalName,
    customName,
    currentName: name,
  }));
  const formerly = added.map(({ key }) => removed.get(key)?.row as ToolRow | PromptRow | undefined);
  const back = added.map(({ key }, i) => ({
    originalName: key,
    customName: formerly[i]?.customName ?? null,
    currentName: formerly[i]?.name ?? null,
  }));
  const names = naming(gateway.slug, [...present, ...back]).slice(present.length);
  const reserved = catalog.removed.filter((entry) => entry.kind === kind).map(({ row }) => row);
  const taken = new Set([...registered, ...reserved].map(({ name }) => name));
  return names.map((name, i) => name !== formerly[i]?.name && taken.has(name) ? null : name);
}

function freshRow(
  kind: EntryKind,
  gateway: GatewayRow,
  { key, text, sessionText }: DiscoveredEntry,
  { name = key, position }: { readonly name?: string; readonly position: number },
): Row {
  const shared = { ...undecidedFields(gateway), gatewayId: gateway.id, createdBy: gateway.createdBy };
  const item = { originalName: key, name, definition: text, sessionDefinition: sessionText, position };
  const stored = {
    id: `${gateway.id}/${kind}/${key}`,
    createdAt: FIRST_SEEN,
    updatedAt: FIRST_SEEN,
    modifiedBy: null,
    version: 1,
  };
  switch (kind) {
    case "tool":
      return { ...newTool(shared, item), ...stored };
    case "prompt":
      return { ...newPrompt(shared, item), ...stored };
    case "resource":
    case "template":
      return {
        ...shared,
        ...stored,
        uri: key,
        name: JSON.parse(text).name,
        isTemplate: kind === "template",
        customName: null,
        description: null,
        mimeType: null,
        definition: text,
        position,
      };
  }
}

/** The fields that the upstream decides. They replace those of the row. */
function fromUpstream(row: Row): Partial<ToolRow> {
  const { name, definition } = row;
  return "sessionDefinition" in row
    ? { name, definition, sessionDefinition: row.sessionDefinition }
    : { name, definition };
}
