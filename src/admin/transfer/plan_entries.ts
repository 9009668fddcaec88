// The plan for the tools, resources and prompts of the gateways of an import.
import { createNaming } from "../../catalog/snapshot/tool_name.ts";
import type { EntryRow } from "../../store/registry/rows.ts";
import type { EntryTable } from "../../store/registry/tables.ts";
import type { EntryItem, ItemKind } from "./bundle.ts";
import { decide, differencesOf, type EntityPlanning, fieldsOf } from "./planning.ts";

/**
 * new: the gateway comes with this import. pending: it is here, and its upstream has not been listed yet. listed: what it has is what
 * its upstream lists. kept: another gateway has its place.
 */
export interface GatewayPlace {
  readonly id: string;
  readonly slug: string;
  readonly state: "new" | "pending" | "listed" | "kept";
}

export interface EntryPlan<Row extends EntryRow> {
  readonly inserts: Row[];
  readonly updates: { readonly id: string; readonly changes: Partial<Row> }[];
  /** The id here by the id of the source. */
  readonly ids: ReadonlyMap<string, string>;
}

interface Named {
  readonly originalName?: string;
  readonly customName: string | null;
  readonly name: string;
}

export interface EntryRules<Row extends EntryRow> {
  readonly kind: ItemKind;
  readonly table: EntryTable<Row>;
  /** The fields that the import decides. */
  readonly fields: readonly (keyof Row & string)[];
  /** Has it a name that is unique in the registry? */
  readonly isNamed: boolean;
}

/** @param places of the gateways, by their ids in the source */
export function planEntries<Row extends EntryRow & Named>(
  { kind, table, fields, isNamed }: EntryRules<Row>,
  items: readonly EntryItem<Row>[],
  present: readonly Row[],
  places: ReadonlyMap<string, GatewayPlace>,
  planning: EntityPlanning,
): EntryPlan<Row> {
  const ids = new Map<string, string>();
  const inserts: Row[] = [];
  const updates: { id: string; changes: Partial<Row> }[] = [];
  const leftOut = (label: string, reason: string) =>
    void planning.lines.push({ kind, label, outcome: "left_out", reason, notes: [] });
  const keyOf = (row: Row) => `${table.kindOf(row)} ${table.keyOf(row)}`;
  const byGateway = Map.groupBy(present, ({ gatewayId }) => gatewayId ?? "");
  const takenIds = new Set(present.map(({ id }) => id));
  const takenNames = new Set(present.map(({ name }) => name));
  const naming = createNaming(planning.toolNames);
  for (const [sourceId, group] of Map.groupBy(items, ({ row }) => row.gatewayId ?? "")) {
    const place = places.get(sourceId);
    const here = new Map((byGateway.get(place?.id ?? "") ?? []).map((row) => [keyOf(row), row]));
    const fresh: EntryItem<Row>[] = [];
    for (const item of group) {
      const row = planning.placed(item.row);
      if (place === undefined) {
        leftOut(item.label, "its gateway is left out, or is none");
        continue;
      }
      const found = here.get(keyOf(row));
      if (found === undefined) {
        if (place.state === "listed") leftOut(item.label, "its upstream does not list it any more");
        else if (place.state === "kept") leftOut(item.label, "its gateway is skipped");
        else if (takenIds.has(row.id)) leftOut(item.label, "another entry has its id here");
        else {
          takenIds.add(row.id);
          here.set(keyOf(row), row);
          fresh.push({ ...item, row: { ...row, gatewayId: place.id } });
        }
        continue;
      }
      if (fresh.some((each) => each.row.id === found.id)) {
        leftOut(item.label, "its gateway has two of this name");
        continue;
      }
      const differences = differencesOf(row, found, fields);
      if (
        decide(planning, {
          ...{ kind, item, found, differences, canRename: false },
          isHidden: !planning.sees(found),
        }) === "update"
      ) {
        updates.push({ id: found.id, changes: fieldsOf(row, fields) });
      }
      ids.set(item.row.id, found.id);
    }
    if (place === undefined) continue;
    const names = isNamed ? namesFor(naming, place.slug, [...here.values()], fresh) : null;
    fresh.forEach((item, i) => {
      const name = names?.[i] ?? item.row.name;
      if (isNamed && takenNames.has(name)) {
        return leftOut(item.label, `the name "${name}" belongs to another gateway`);
      }
      takenNames.add(name);
      decide(planning, {
        ...{ kind, item: withNameNote(item, name, isNamed), found: undefined, differences: [] },
        canRename: false,
      });
      inserts.push({ ...item.row, name });
      ids.set(item.row.id, item.row.id);
    });
  }
  return { inserts, updates, ids };
}

/** Names for the new entries, in their order; entries that are here keep theirs. `row.name` of a new one is its name in the source. */
function namesFor<Row extends EntryRow & Named>(
  naming: ReturnType<typeof createNaming>,
  slug: string,
  all: readonly Row[],
  fresh: readonly EntryItem<Row>[],
): string[] {
  const names = naming(
    slug,
    all.map(({ originalName, customName, name }) => ({
      originalName: originalName!,
      customName,
      currentName: name,
    })),
  );
  const byId = new Map(all.map(({ id }, i) => [id, names[i]!]));
  return fresh.map(({ row }) => byId.get(row.id)!);
}

function withNameNote<Row extends EntryRow & Named>(
  item: EntryItem<Row>,
  name: string,
  isNamed: boolean,
): EntryItem<Row> {
  if (!isNamed || item.row.name === "" || item.row.name === name) return item;
  return { ...item, notes: [...item.notes, `its name is "${name}" here, and "${item.row.name}" there`] };
}
