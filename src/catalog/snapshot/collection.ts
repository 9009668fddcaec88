// Tools, prompts, resources or templates in list order. Each entry is made once.
import { memberText, replaceMember } from "../../mcp/json_rpc.ts";
import { wrapsResults } from "../../mcp/session_tool.ts";
import type { GatewayRow, PromptRow, ResourceRow, ToolOverride, ToolRow } from "../../store/registry/rows.ts";
import { inListOrder, type Placed, type PlacedRow } from "./list_order.ts";
import type { Entry } from "./entry_index.ts";
import type { TemplateEntry } from "./template_index.ts";
import { compileUriTemplate } from "./uri_template.ts";

/** An endpoint's own name and description of an entry; missing values come from the registry. */
export type Overrides = ToolOverride;

type Make<Row extends PlacedRow, E> = (placed: Placed<Row>, overrides: Overrides) => E;

export const NO_OVERRIDES: Overrides = {};

/** Entries with names or descriptions of endpoints that a slot keeps at most. */
const MAX_OVERRIDDEN = 16;

/** A row in its place, with the entries that were made of it. All endpoints share them, also those of later snapshots. */
export class Slot<Row extends PlacedRow, E extends Entry<Row>> implements Placed<Row> {
  readonly row: Row;
  readonly gateway: GatewayRow;
  readonly #make: Make<Row, E>;
  #usual: E | undefined;
  /** By name and description. */
  #overridden: Map<string, E> | undefined;

  constructor({ row, gateway }: Placed<Row>, make: Make<Row, E>) {
    this.row = row;
    this.gateway = gateway;
    this.#make = make;
  }

  entry(overrides: Overrides): E {
    const { name, description } = overrides;
    if (name === undefined && description === undefined) return this.#usual ??= this.#make(this, overrides);
    const key = JSON.stringify([name, description]);
    const made = this.#overridden ??= new Map();
    let entry = made.get(key);
    if (entry === undefined) {
      if (made.size === MAX_OVERRIDDEN) made.clear();
      made.set(key, entry = this.#make(this, overrides));
    }
    return entry;
  }
}

/** The slots of one upstream's rows, in list order. */
export function slotsOf<Row extends PlacedRow, E extends Entry<Row>>(
  rows: readonly Row[],
  gateway: GatewayRow,
  make: Make<Row, E>,
): Slot<Row, E>[] {
  return inListOrder(rows, new Map([[gateway.id, gateway]])).map((placed) => new Slot(placed, make));
}

export class Collection<Row extends PlacedRow, E extends Entry<Row>> {
  readonly #slots: readonly Slot<Row, E>[];
  #index: ReadonlyMap<string, number> | undefined;

  /** @param slots in list order */
  constructor(slots: readonly Slot<Row, E>[]) {
    this.#slots = slots;
  }

  /** The entries with these ids in list order, including disabled ones. null: all entries. */
  entriesOf(ids: readonly string[] | null, overridesOf: (row: Row) => Overrides = () => NO_OVERRIDES): E[] {
    return this.#pick(ids).map((slot) => slot.entry(overridesOf(slot.row)));
  }

  /** The rows with these ids in list order, including disabled ones. null: all rows. */
  rowsOf(ids: readonly string[] | null): Row[] {
    return this.#pick(ids).map(({ row }) => row);
  }

  #pick(ids: readonly string[] | null): readonly Slot<Row, E>[] {
    if (ids === null) return this.#slots;
    const index = this.#index ??= new Map(this.#slots.map(({ row }, i) => [row.id, i]));
    return ids.flatMap((id) => index.get(id) ?? []).sort((a, b) => a - b).map((i) => this.#slots[i]!);
  }
}

/** Builds an entry from the upstream's definition, with our name and the operator's description and title. */
export function namedEntry<Row extends ToolRow | PromptRow>(
  { row, gateway }: Placed<Row>,
  { name = row.name, description = row.description ?? undefined }: Overrides,
): Entry<Row> {
  const listed = (definition: string) => {
    let text = setMember(definition, "name", name);
    if (description !== undefined) text = setMember(text, "description", description);
    return row.displayName === null ? text : setMember(text, "title", row.displayName);
  };
  const sessionDefinition = "sessionDefinition" in row ? row.sessionDefinition : null;
  return {
    ...entryOf({ row, gateway }, {
      key: name,
      originalKey: row.originalName,
      listText: listed(row.definition),
    }),
    ...(sessionDefinition === null ? {} : {
      sessionListText: listed(sessionDefinition),
      wrapsResults: wrapsResults(row.definition, sessionDefinition),
    }),
  };
}

/** Builds an entry from the upstream's definition, with the operator's name, description and media type. */
export function resourceEntry({ row, gateway }: Placed<ResourceRow>): Entry<ResourceRow> {
  const words = Object.entries({
    name: row.customName,
    description: row.description,
    mimeType: row.mimeType,
  });
  const listText = words.reduce(
    (text, [member, value]) => value === null ? text : setMember(text, member, value),
    row.definition,
  );
  return entryOf({ row, gateway }, { key: row.uri, originalKey: row.uri, listText });
}

export function templateEntry(placed: Placed<ResourceRow>): TemplateEntry {
  return { ...resourceEntry(placed), template: compileUriTemplate(placed.row.uri) };
}

function entryOf<Row extends PlacedRow>(
  { row, gateway }: Placed<Row>,
  overrides: Pick<Entry<Row>, "key" | "originalKey" | "listText">,
): Entry<Row> {
  return {
    row,
    gateway,
    isOn: row.enabled && gateway.enabled,
    ...overrides,
    originalKeyText: JSON.stringify(overrides.originalKey),
    sessionListText: overrides.listText,
    wrapsResults: false,
  };
}

/** Returns the same string if nothing changes. */
function setMember(text: string, key: string, value: string): string {
  const valueText = JSON.stringify(value);
  return memberText(text, key) === valueText ? text : replaceMember(text, key, valueText);
}
