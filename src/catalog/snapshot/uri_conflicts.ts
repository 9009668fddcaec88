// Finds resources and templates of one endpoint that claim the same URIs. URIs cannot be renamed, so one of them answers and the
// others are reported.
import type { ResourceRow } from "../../store/registry/rows.ts";
import { byFirstSeen, type Placed } from "./list_order.ts";
import { byPrecedence } from "./template_index.ts";
import { compileUriTemplate, type Effort, type UriTemplate } from "./uri_template.ts";

/** Two resources or templates that claim the same URIs. */
export interface UriConflict<Member> {
  /** `overlap`: a template matches URIs of another upstream's resource or longer template. */
  readonly kind: "resource" | "template" | "overlap";
  /** The URI or template of `keptBy`. */
  readonly uri: string;
  /** The member that answers. */
  readonly keptBy: Member;
  /** The enabled member that does not answer for these URIs. */
  readonly hidden: Member;
}

/** A resource or template of the endpoint. */
export interface UriMember extends Placed<ResourceRow> {
  /** Missing for a resource; for a template it may be missing too. */
  readonly template?: UriTemplate;
}

type Template<Member extends UriMember> = Member & { readonly template: UriTemplate };

/** Limit for finding overlaps, because upstreams may have thousands of templates. Further overlaps are not reported. */
const MAX_STEPS = 2_000_000;

/** The steps of one comparison, apart from those of matching. */
const STEPS_PER_COMPARISON = 50;

/** The effort for the overlaps of all endpoints. */
export function newSearch(): Effort {
  return { steps: MAX_STEPS };
}

/** @param members in any order, including disabled ones */
export function uriConflicts<Member extends UriMember>(
  members: Iterable<Member>,
  search: Effort,
): UriConflict<Member>[] {
  const owners = { resource: new Map<string, Member>(), template: new Map<string, Member>() };
  const conflicts: UriConflict<Member>[] = [];
  for (const member of [...members].sort(byFirstSeen)) {
    const { uri, isTemplate } = member.row;
    const kind = isTemplate ? "template" : "resource";
    const keptBy = owners[kind].get(uri);
    if (keptBy === undefined) owners[kind].set(uri, member);
    else if (isOn(member)) conflicts.push({ kind, uri, keptBy, hidden: member });
  }
  return [...conflicts, ...overlaps([...owners.resource.values()], [...owners.template.values()], search)];
}

/** Reports each template at most once, with the first member found that takes URIs from it. */
function overlaps<Member extends UriMember>(
  resources: readonly Member[],
  plainTemplates: readonly Member[],
  search: Effort,
): UriConflict<Member>[] {
  const templates = plainTemplates.map((member): Template<Member> => ({
    ...member,
    template: member.template ?? compileUriTemplate(member.row.uri),
  }));
  const uris = new PrefixOrder(resources, ({ row }) => row.uri);
  const prefixes = new PrefixOrder(templates, ({ template }) => template.prefix);
  const conflicts: UriConflict<Member>[] = [];
  for (const hidden of templates) {
    if (!isOn(hidden)) continue;
    if (search.steps <= 0) break;
    const { template } = hidden;
    const isOther = ({ row }: Member) => {
      search.steps -= STEPS_PER_COMPARISON;
      return search.steps > 0 && row.gatewayId !== hidden.row.gatewayId;
    };
    // A sample finds the usual overlaps, without the cost of finding all.
    const overlaps = (longer: Template<Member>) =>
      template.matches(longer.template.sample, search) || longer.template.matches(template.sample, search);
    const keptBy: Member | undefined = prefixes.from(template.prefix, (longer) =>
      isOther(longer) && byPrecedence(longer, hidden) < 0 && overlaps(longer)) ??
      uris.from(template.prefix, (listed) =>
        isOther(listed) && template.matches(listed.row.uri, search));
    if (keptBy !== undefined) {
      conflicts.push({ kind: "overlap", uri: keptBy.row.uri, keptBy, hidden });
    }
  }
  return conflicts;
}

function isOn({ row, gateway }: Placed<ResourceRow>): boolean {
  return row.enabled && gateway.enabled;
}

/** Finds members whose key begins with a text. */
class PrefixOrder<Member> {
  readonly #sorted: readonly (readonly [key: string, member: Member])[];

  constructor(members: readonly Member[], keyOf: (member: Member) => string) {
    this.#sorted = members.map((member) => [keyOf(member), member] as const)
      .sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  }

  /** The first member with this prefix for which `holds` is true. */
  from(prefix: string, holds: (member: Member) => boolean): Member | undefined {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]![0] < prefix) low = middle + 1;
      else high = middle;
    }
    for (let at = low; this.#sorted[at]?.[0].startsWith(prefix); at++) {
      const [, member] = this.#sorted[at]!;
      if (holds(member)) return member;
    }
    return undefined;
  }
}
