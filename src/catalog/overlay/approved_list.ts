// What of a session's list is approved, where the changes of its upstream wait for an approval. Lists of sessions are kept as the upstream
// gives them, and read through this file, so that a decision counts at once.
import type { DiscoveredEntry, EntryKind } from "../../store/registry/rows.ts";
import type { Catalog } from "../snapshot/catalog.ts";
import { keyOf, type OwnList, rowsOf } from "./registered.ts";

/** The list with the approved version of each entry. An entry without one is left out. */
export function approvedList(
  catalog: Catalog,
  gatewayId: string,
  kind: EntryKind,
  list: OwnList,
): OwnList {
  if (!catalog.approvals.has(gatewayId)) return list;
  const approved = approvedEntries(catalog, gatewayId, kind);
  return new Map([...list.keys()].flatMap((key) => {
    const entry = approved.get(key);
    return entry === undefined ? [] : [[key, entry]];
  }));
}

/** The entries of the list that nobody has approved as they are, and that the upstream's common list does not have. */
export function unapproved(
  catalog: Catalog,
  gatewayId: string,
  kind: EntryKind,
  list: OwnList,
): DiscoveredEntry[] {
  if (!catalog.approvals.has(gatewayId)) return [];
  const common = new Set(rowsOf(catalog, gatewayId, kind).map(keyOf));
  const approved = approvedEntries(catalog, gatewayId, kind);
  return [...list.values()].filter(({ key, text }) => !common.has(key) && approved.get(key)?.text !== text);
}

function approvedEntries(
  catalog: Catalog,
  gatewayId: string,
  kind: EntryKind,
): ReadonlyMap<string, DiscoveredEntry> {
  const approved = new Map<string, DiscoveredEntry>();
  for (const entry of catalog.approvals.get(gatewayId)?.unlisted ?? []) {
    if (entry.kind === kind) approved.set(entry.key, entry);
  }
  for (const row of rowsOf(catalog, gatewayId, kind)) {
    const key = keyOf(row);
    const sessionText = "sessionDefinition" in row ? row.sessionDefinition : null;
    approved.set(key, { key, text: row.definition, sessionText });
  }
  return approved;
}
