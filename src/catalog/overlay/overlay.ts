// Room `overlay`: what a client's own upstream session lists in place of the catalog. Some servers list other tools to each session: those
// that a tool of theirs has unlocked, that were added at run time, or that need a capability of the client.
// This file lays such lists over the scope of an endpoint. Operators' names, switches, visibility and selections apply as in the catalog.
import type { DiscoveredEntry, EntryKind, GatewayRow, ServerRow } from "../../store/registry/rows.ts";
import type { PromptRow, ResourceRow, ToolRow } from "../../store/registry/rows.ts";
import type { Naming } from "../../store/registry/save_discovery.ts";
import type { Catalog, Entry, Scope } from "../snapshot/catalog.ts";
import { namedEntry, resourceEntry, templateEntry } from "../snapshot/collection.ts";
import { comparePositions, positionOf } from "../snapshot/list_order.ts";
import { bringsIn } from "../snapshot/membership.ts";
import { NameNumbers } from "../snapshot/tool_name.ts";
import { approvedList, unapproved } from "./approved_list.ts";
import { newRows } from "./new_rows.ts";
import { INDEX, type Index, keyOf, type OwnList, type Row, rowsOf } from "./registered.ts";

export type { OwnList } from "./registered.ts";

/** The lists of one client's sessions that differ from the catalog, by upstream id. */
export type OwnLists = ReadonlyMap<string, Readonly<Partial<Record<EntryKind, OwnList>>>>;

export const KINDS = Object.keys(INDEX) as EntryKind[];

/** Longest name of an entry whose name is taken, as at virtual servers. */
const MAX_NAME_LENGTH = 60;

/** An entry that is listed twice counts once, as in the registry. */
export function ownList(entries: readonly DiscoveredEntry[]): OwnList {
  const list = new Map<string, DiscoveredEntry>();
  for (const entry of entries) if (!list.has(entry.key)) list.set(entry.key, entry);
  return list;
}

/** Whether the registry has the same entries of this upstream, or their approved versions. Their order does not count. */
export function equalsCatalog(catalog: Catalog, gatewayId: string, kind: EntryKind, list: OwnList): boolean {
  // An entry that is approved later belongs to the sessions that list it now.
  if (unapproved(catalog, gatewayId, kind, list).length > 0) return false;
  const rows = rowsOf(catalog, gatewayId, kind);
  const approved = approvedList(catalog, gatewayId, kind, list);
  return rows.length === approved.size && rows.every((row) => isSame(row, approved.get(keyOf(row))));
}

/**
 * The endpoint as a client sees whose sessions have lists of their own. An entry that is not in them is as if it were switched off, so
 * that its name leads nowhere else. One that the registry does not have is shown where everything of its upstream is; a virtual server
 * of chosen entries shows it if it was chosen before the registry lost it.
 */
export function overlaid(catalog: Catalog, scope: Scope, own: OwnLists, naming: Naming): Scope {
  const indexes: Partial<Record<string, unknown>> = {};
  for (const kind of KINDS) {
    const lists = new Map<string, OwnList>();
    for (const [gatewayId, byKind] of own) {
      const list = byKind[kind];
      if (list !== undefined) lists.set(gatewayId, approvedList(catalog, gatewayId, kind, list));
    }
    if (lists.size === 0) continue;
    const index: Index = scope[INDEX[kind]] as Index;
    indexes[INDEX[kind]] = index.with(entriesOver({ catalog, scope, naming, kind, lists }, index));
  }
  return scope.with(indexes);
}

interface Overlaying {
  readonly catalog: Catalog;
  readonly scope: Scope;
  readonly naming: Naming;
  readonly kind: EntryKind;
  readonly lists: ReadonlyMap<string, OwnList>;
}

function entriesOver(overlaying: Overlaying, index: Index): Entry<Row>[] {
  const { catalog, scope, naming, kind, lists } = overlaying;
  const all: Entry<Row>[] = index.all.map((entry) => {
    const list = lists.get(entry.gateway.id);
    return list === undefined ? entry : asListed(entry, list.get(entry.originalKey), kind, scope.server);
  });
  const names = new ScopeNames(overlaying, all);
  for (const [gatewayId, list] of lists) {
    const gateway = catalog.gateway(gatewayId);
    if (gateway === undefined) continue;
    const registered = (catalog.all[INDEX[kind]] as Index).all.map(({ row }) => row);
    const known = registered.filter((row) => row.gatewayId === gatewayId);
    for (
      const { row, serverIds } of newRows({ catalog, gateway, kind, list, known, naming, registered })
    ) {
      if (!isMember(scope.server, row, gateway, serverIds)) continue;
      const name = names.claim(row);
      all.push(
        entryOf(kind, row, gateway, { name, description: scope.server?.toolOverrides[row.id]?.description }),
      );
    }
  }
  const at = new Map(all.map((entry) => [entry, positionOf(entry)]));
  return all.sort((a, b) => comparePositions(at.get(a)!, at.get(b)!));
}

function isMember(
  server: ServerRow | null,
  row: Row,
  gateway: GatewayRow,
  serverIds: readonly string[],
): boolean {
  return server === null || serverIds.includes(server.id) || bringsIn(server, row, gateway);
}

/** The entry as the session lists it; undefined: it does not. */
function asListed(
  entry: Entry<Row>,
  listed: DiscoveredEntry | undefined,
  kind: EntryKind,
  server: ServerRow | null,
): Entry<Row> {
  if (listed === undefined) return { ...entry, isOn: false };
  if (isSame(entry.row, listed)) return entry;
  const definitions = kind === "tool"
    ? { definition: listed.text, sessionDefinition: listed.sessionText }
    : { definition: listed.text };
  return entryOf(kind, { ...entry.row, ...definitions }, entry.gateway, {
    name: entry.key,
    description: server?.toolOverrides[entry.row.id]?.description,
  });
}

function entryOf(
  kind: EntryKind,
  row: Row,
  gateway: GatewayRow,
  overrides: { readonly name?: string; readonly description?: string },
): Entry<Row> {
  switch (kind) {
    case "tool":
    case "prompt":
      return namedEntry({ row: row as ToolRow | PromptRow, gateway }, overrides);
    case "resource":
      return resourceEntry({ row: row as ResourceRow, gateway });
    case "template":
      return templateEntry({ row: row as ResourceRow, gateway });
  }
}

/** The names of one kind at an endpoint. New entries give way, so that no name of the catalog leads elsewhere. */
class ScopeNames {
  readonly #taken: Set<string>;
  readonly #numbers = new NameNumbers();
  readonly #words: Pick<ServerRow, "naming" | "toolOverrides">;

  constructor({ scope, catalog }: Overlaying, entries: readonly Entry<Row>[]) {
    this.#taken = new Set(entries.map(({ key }) => key));
    this.#words = scope.server ?? { naming: catalog.naming, toolOverrides: {} };
  }

  /** Undefined for resources, which are found by URI. */
  claim(row: Row): string | undefined {
    if ("uri" in row) return undefined;
    const { naming, toolOverrides } = this.#words;
    const wanted = toolOverrides[row.id]?.name ?? (naming === "original" ? row.originalName : row.name);
    let name = this.#taken.has(wanted) ? row.name : wanted;
    while (this.#taken.has(name)) {
      name = this.#numbers.next(row.name, Math.max(row.name.length, MAX_NAME_LENGTH));
    }
    this.#taken.add(name);
    return name;
  }
}

function isSame(row: Row, listed: DiscoveredEntry | undefined): boolean {
  if (listed === undefined) return false;
  const sessionDefinition = "sessionDefinition" in row ? row.sessionDefinition : listed.sessionText;
  return row.definition === listed.text && sessionDefinition === listed.sessionText;
}
