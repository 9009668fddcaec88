// The entries of one kind at one endpoint, in list order and by name.
import type { EntityRow, GatewayRow, ResourceRow } from "../../store/registry/rows.ts";
import type { Placed, PlacedRow } from "./list_order.ts";
import type { UriTemplate } from "./uri_template.ts";

/** One tool, prompt, resource or template: its row, its gateway, and its text in lists. */
export interface Entry<Row extends EntityRow> extends Placed<Row & PlacedRow> {
  /** The name for clients: a tool's or prompt's name, a resource's URI or URI template. */
  readonly key: string;
  /** The name at the upstream. */
  readonly originalKey: string;
  /** The name at the upstream as JSON text. */
  readonly originalKeyText: string;
  /** The entry's object in a list, as JSON text. */
  readonly listText: string;
}

/** A resource template, which can match URIs. */
export interface TemplateEntry extends Entry<ResourceRow> {
  readonly template: UriTemplate;
}

export class EntryIndex<E extends Entry<EntityRow>> {
  /** In list order. */
  readonly entries: readonly E[];
  /** True if all callers see all entries. */
  readonly allPublic: boolean;
  #listText: string | undefined;
  #gateways: readonly GatewayRow[] | undefined;
  readonly #byKey = new Map<string, E>();
  readonly #byOriginal = new Map<string, E[]>();

  constructor(entries: readonly E[]) {
    this.entries = entries;
    this.allPublic = entries.every(({ row }) => row.visibility === "public");
    for (const entry of entries) {
      // If two upstreams list one URI, the one registered first answers for it.
      if (!this.#byKey.has(entry.key)) this.#byKey.set(entry.key, entry);
      const same = this.#byOriginal.get(entry.originalKey);
      if (same === undefined) this.#byOriginal.set(entry.originalKey, [entry]);
      else same.push(entry);
    }
  }

  get(key: string): E | undefined {
    return this.#byKey.get(key);
  }

  /** The upstreams of the entries; computed once. */
  get gateways(): readonly GatewayRow[] {
    return this.#gateways ??= [...new Set(this.entries.map(({ gateway }) => gateway))];
  }

  /** All entries as the inside of a JSON array; computed once. */
  get listText(): string {
    return this.#listText ??= this.entries.map(({ listText }) => listText).join(",");
  }

  /** The entries with this name at their upstream. */
  byOriginal(originalKey: string): readonly E[] {
    return this.#byOriginal.get(originalKey) ?? [];
  }
}
