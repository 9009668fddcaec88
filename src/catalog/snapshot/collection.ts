// Everything of one kind that the registry has, in list order: from rows to entries, each made once.
import { memberText, replaceMember } from "../../mcp/json_rpc.ts";
import type { GatewayRow, PromptRow, ResourceRow, ToolOverride, ToolRow } from "../../store/registry/rows.ts";
import { inListOrder, type Placed, type PlacedRow } from "./list_order.ts";
import type { Entry, TemplateEntry } from "./entry_index.ts";
import { compileUriTemplate } from "./uri_template.ts";

/** What an endpoint calls an entry; what is missing is as in the registry. */
export type Words = ToolOverride;

const USUAL: Words = {};

export class Collection<Row extends PlacedRow, E extends Entry<Row>> {
  readonly #placed: readonly Placed<Row>[];
  readonly #index: ReadonlyMap<string, number>;
  readonly #make: (placed: Placed<Row>, words: Words) => E;
  /** Shared by all endpoints that use the same words. */
  readonly #made = new Map<string, E>();

  constructor(
    rows: readonly Row[],
    gateways: ReadonlyMap<string, GatewayRow>,
    make: (placed: Placed<Row>, words: Words) => E,
  ) {
    this.#placed = inListOrder(rows, gateways);
    this.#index = new Map(this.#placed.map(({ row }, i) => [row.id, i]));
    this.#make = make;
  }

  /** Everything that is enabled and comes from an enabled gateway. */
  entries(): E[] {
    return this.#entries(this.#placed, () => USUAL);
  }

  /** The same of these ids, in list order whatever theirs. */
  entriesOf(ids: readonly string[], wordsOf: (row: Row) => Words = () => USUAL): E[] {
    return this.#entries(this.#pick(ids), wordsOf);
  }

  /** The rows of these ids in list order, switched off or not. */
  rowsOf(ids: readonly string[]): Row[] {
    return this.#pick(ids).map(({ row }) => row);
  }

  #pick(ids: readonly string[]): Placed<Row>[] {
    return ids.flatMap((id) => this.#index.get(id) ?? []).sort((a, b) => a - b).map((i) => this.#placed[i]!);
  }

  #entries(all: readonly Placed<Row>[], wordsOf: (row: Row) => Words): E[] {
    return all.filter(({ row, gateway }) => row.enabled && gateway.enabled).map((placed) => {
      const words = wordsOf(placed.row);
      const key = keyOf(placed.row.id, words);
      let entry = this.#made.get(key);
      if (entry === undefined) this.#made.set(key, entry = this.#make(placed, words));
      return entry;
    });
  }
}

function keyOf(id: string, { name, description }: Words): string {
  return name === undefined && description === undefined ? id : JSON.stringify([id, name, description]);
}

/** The upstream's own object text, with our name and the operator's words in place of its own. */
export function namedEntry<Row extends ToolRow | PromptRow>(
  { row, gateway }: Placed<Row>,
  { name = row.name, description = row.description ?? undefined }: Words,
): Entry<Row> {
  let listText = withMember(row.definition, "name", name);
  if (description !== undefined) listText = withMember(listText, "description", description);
  if (row.displayName !== null) listText = withMember(listText, "title", row.displayName);
  return entryOf({ row, gateway }, { key: name, originalKey: row.originalName, listText });
}

export function resourceEntry({ row, gateway }: Placed<ResourceRow>): Entry<ResourceRow> {
  return entryOf({ row, gateway }, { key: row.uri, originalKey: row.uri, listText: row.definition });
}

export function templateEntry(placed: Placed<ResourceRow>): TemplateEntry {
  return { ...resourceEntry(placed), template: compileUriTemplate(placed.row.uri) };
}

function entryOf<Row extends PlacedRow>(
  { row, gateway }: Placed<Row>,
  words: Pick<Entry<Row>, "key" | "originalKey" | "listText">,
): Entry<Row> {
  return { row, gateway, ...words, originalKeyText: JSON.stringify(words.originalKey) };
}

/** The very text where it says so already. */
function withMember(text: string, key: string, value: string): string {
  const valueText = JSON.stringify(value);
  return memberText(text, key) === valueText ? text : replaceMember(text, key, valueText);
}
