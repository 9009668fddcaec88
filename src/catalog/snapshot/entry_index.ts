// One kind of thing at one endpoint: its entries in list order, and the ways to find them.
import type { EntityRow, GatewayRow, ResourceRow } from "../../store/registry/rows.ts";
import type { Placed, PlacedRow } from "./list_order.ts";
import type { UriTemplate } from "./uri_template.ts";

/** One thing that clients list and use: its row, where it comes from, and how it looks in a list. */
export interface Entry<Row extends EntityRow> extends Placed<Row & PlacedRow> {
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

export class EntryIndex<E extends Entry<EntityRow>> {
  /** In list order. */
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
