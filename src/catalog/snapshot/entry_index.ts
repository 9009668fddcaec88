// The entries of one kind at one endpoint, in list order and by name. Disabled entries keep their names and URIs: nothing else
// answers for them.
import type { EntityRow, GatewayRow } from "../../store/registry/rows.ts";
import { byFirstSeen, type Placed, type PlacedRow } from "./list_order.ts";

/** One tool, prompt, resource or template: its row, its gateway, and its text in lists. */
export interface Entry<Row extends EntityRow> extends Placed<Row & PlacedRow> {
  /** Whether the entry and its gateway are enabled. */
  readonly isOn: boolean;
  /** The name for clients: a tool's or prompt's name, a resource's URI or URI template. */
  readonly key: string;
  /** The name at the upstream. */
  readonly originalKey: string;
  /** The name at the upstream as JSON text. */
  readonly originalKeyText: string;
  /** The entry's object in a list, as JSON text. */
  readonly listText: string;
  /** The same for clients of the revisions with sessions. */
  readonly sessionListText: string;
  /** A tool whose results are wrapped for clients of the revisions with sessions (mcp/session_tool.ts). */
  readonly wrapsResults: boolean;
}

export class EntryIndex<E extends Entry<EntityRow>> {
  /** All entries in list order, including disabled ones. */
  readonly all: readonly E[];
  /** The enabled entries in list order, without those that another hides from every caller. */
  readonly entries: readonly E[];
  /** True if all callers see all these entries. */
  readonly allPublic: boolean;
  #listText: string | undefined;
  #sessionListText: string | undefined;
  #gateways: readonly GatewayRow[] | undefined;
  readonly #byKey = new Map<string, E>();
  readonly #byOriginal = new Map<string, E[]>();
  /** URIs of several entries. Tools and prompts have distinct names. */
  readonly #sharedKeys = new Set<string>();

  /** @param all in list order, including disabled entries */
  constructor(all: readonly E[]) {
    this.all = all;
    const shared = new Set<E[]>();
    for (const entry of all) {
      if (this.#byKey.has(entry.key)) this.#sharedKeys.add(entry.key);
      this.#byKey.set(entry.key, entry);
      const same = this.#byOriginal.get(entry.originalKey);
      if (same === undefined) this.#byOriginal.set(entry.originalKey, [entry]);
      else {
        same.push(entry);
        shared.add(same);
      }
    }
    for (const same of shared) same.sort(byFirstSeen);
    const isPublic = ({ row }: E) => row.visibility === "public";
    this.entries = all.filter((entry) => entry.isOn && !this.#isHidden(entry, isPublic));
    this.allPublic = this.entries.every(isPublic) && [...shared].every((same) => same.every(isPublic));
  }

  /** Whether the list has the entry for a caller who sees those for which `sees` is true. */
  lists(entry: E, sees: (entry: E) => boolean): boolean {
    return sees(entry) && !this.#isHidden(entry, sees);
  }

  /** The same index with other entries. @param all as for the constructor */
  with(all: readonly E[]): EntryIndex<E> {
    return new EntryIndex(all);
  }

  /** The tool or prompt with this name, enabled or not. */
  get(key: string): E | undefined {
    return this.#byKey.get(key);
  }

  /** The upstreams of the enabled entries; computed once. */
  get gateways(): readonly GatewayRow[] {
    return this.#gateways ??= [...new Set(this.entries.map(({ gateway }) => gateway))];
  }

  /** The enabled entries as the inside of a JSON array; computed once. */
  get listText(): string {
    return this.#listText ??= this.entries.map(({ listText }) => listText).join(",");
  }

  /** The same for clients of the revisions with sessions. */
  get sessionListText(): string {
    return this.#sessionListText ??= this.entries.every((entry) => entry.sessionListText === entry.listText)
      ? this.listText
      : this.entries.map(({ sessionListText }) => sessionListText).join(",");
  }

  /** Two resources with one URI cannot both be read: the one that was seen first answers, and hides the other. */
  #isHidden(entry: E, sees: (entry: E) => boolean): boolean {
    if (!this.#sharedKeys.has(entry.key)) return false;
    return this.byOriginal(entry.key).find((other) => other === entry || sees(other)) !== entry;
  }

  /** The entries with this name or URI at their upstream, enabled or not. The one that was seen first comes first. */
  byOriginal(originalKey: string): readonly E[] {
    return this.#byOriginal.get(originalKey) ?? [];
  }
}
