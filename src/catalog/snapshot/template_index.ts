// The resource templates of one endpoint. A URI belongs to the template with the longest literal prefix, so that no upstream takes
// the URIs of others by a wider template.
import type { GatewayRow, ResourceRow } from "../../store/registry/rows.ts";
import { type Entry, EntryIndex } from "./entry_index.ts";
import { byFirstSeen, type Placed } from "./list_order.ts";
import { type Effort, newEffort, type UriTemplate } from "./uri_template.ts";

/** A resource template, which can match URIs. */
export interface TemplateEntry extends Entry<ResourceRow> {
  readonly template: UriTemplate;
}

export class TemplateIndex extends EntryIndex<TemplateEntry> {
  #byPrecedence: readonly TemplateEntry[] | undefined;

  override with(all: readonly TemplateEntry[]): TemplateIndex {
    return new TemplateIndex(all);
  }

  /** All templates, including disabled ones, in the order in which they claim URIs. */
  get byPrecedence(): readonly TemplateEntry[] {
    return this.#byPrecedence ??= this.all.toSorted(byPrecedence);
  }

  /**
   * The template that a URI belongs to, among those for which `sees` is true. It may be disabled. If the URI is no expansion of any,
   * the first whose lenient reading matches.
   */
  matching(uri: string, sees: (entry: TemplateEntry) => boolean): TemplateEntry | undefined {
    return this.#first(uri, sees, ({ template }) => template) ??
      this.#first(uri, sees, ({ template }) => template.lenient);
  }

  #first(
    uri: string,
    sees: (entry: TemplateEntry) => boolean,
    readingOf: (entry: TemplateEntry) => Pick<UriTemplate, "matches"> | null,
  ): TemplateEntry | undefined {
    // Each upstream has an effort of its own, so that its templates cannot keep those of others from being tried.
    const efforts = new Map<GatewayRow, Effort>();
    return this.byPrecedence.find((entry) => {
      const reading = readingOf(entry);
      if (reading === null || !uri.startsWith(entry.template.prefix) || !sees(entry)) return false;
      let effort = efforts.get(entry.gateway);
      if (effort === undefined) efforts.set(entry.gateway, effort = newEffort());
      return reading.matches(uri, effort);
    });
  }
}

interface PlacedTemplate extends Placed {
  readonly template: UriTemplate;
}

/** Negative if `a` comes first for a URI that both match. */
export function byPrecedence(a: PlacedTemplate, b: PlacedTemplate): number {
  return b.template.prefix.length - a.template.prefix.length || byFirstSeen(a, b);
}
