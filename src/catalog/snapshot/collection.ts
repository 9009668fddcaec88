// All tools, prompts, resources or templates of the registry in list order. Builds each entry once.
import { memberText, replaceMember } from "../../mcp/json_rpc.ts";
import { wrapsResults } from "../../mcp/session_tool.ts";
import type { GatewayRow, PromptRow, ResourceRow, ToolOverride, ToolRow } from "../../store/registry/rows.ts";
import { inListOrder, type Placed, type PlacedRow } from "./list_order.ts";
import type { Entry } from "./entry_index.ts";
import type { TemplateEntry } from "./template_index.ts";
import { compileUriTemplate } from "./uri_template.ts";

/** An endpoint's own name and description of an entry; missing values come from the registry. */
export type Overrides = ToolOverride;

const NO_OVERRIDES: Overrides = {};

export class Collection<Row extends PlacedRow, E extends Entry<Row>> {
  readonly #placed: readonly Placed<Row>[];
  readonly #index: ReadonlyMap<string, number>;
  readonly #make: (placed: Placed<Row>, overrides: Overrides) => E;
  /** Entries by id and overrides, shared by all endpoints. */
  readonly #made = new Map<string, E>();

  constructor(
    rows: readonly Row[],
    gateways: ReadonlyMap<string, GatewayRow>,
    make: (placed: Placed<Row>, overrides: Overrides) => E,
  ) {
    this.#placed = inListOrder(rows, gateways);
    this.#index = new Map(this.#placed.map(({ row }, i) => [row.id, i]));
    this.#make = make;
  }

  /** The entries with these ids in list order, including disabled ones. null: all entries. */
  entriesOf(ids: readonly string[] | null, overridesOf: (row: Row) => Overrides = () => NO_OVERRIDES): E[] {
    return this.#pick(ids).map((placed) => {
      const overrides = overridesOf(placed.row);
      const key = keyOf(placed.row.id, overrides);
      let entry = this.#made.get(key);
      if (entry === undefined) this.#made.set(key, entry = this.#make(placed, overrides));
      return entry;
    });
  }

  /** The rows with these ids in list order, including disabled ones. null: all rows. */
  rowsOf(ids: readonly string[] | null): Row[] {
    return this.#pick(ids).map(({ row }) => row);
  }

  #pick(ids: readonly string[] | null): readonly Placed<Row>[] {
    if (ids === null) return this.#placed;
    return ids.flatMap((id) => this.#index.get(id) ?? []).sort((a, b) => a - b).map((i) => this.#placed[i]!);
  }
}

function keyOf(id: string, { name, description }: Overrides): string {
  return name === undefined && description === undefined ? id : JSON.stringify([id, name, description]);
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
