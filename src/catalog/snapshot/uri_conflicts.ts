// Resources of several upstreams under one URI. Nobody may change a URI, so one of them answers for all, and the rest are on record.
import type { ResourceRow } from "../../store/registry/rows.ts";

/** Two resources, or two templates, of one URI at one endpoint. */
export interface UriConflict<Member> {
  readonly kind: "resource" | "template";
  readonly uri: string;
  /** Who answers for the URI, to all who see it: the first in list order. */
  readonly keptBy: Member;
  /** Who is not asked. */
  readonly hidden: Member;
}

/** @param members in list order */
export function uriConflicts<Member extends Pick<ResourceRow, "uri" | "isTemplate">>(
  members: Iterable<Member>,
): UriConflict<Member>[] {
  const owners = { resource: new Map<string, Member>(), template: new Map<string, Member>() };
  const conflicts: UriConflict<Member>[] = [];
  for (const member of members) {
    const { uri } = member;
    const kind = member.isTemplate ? "template" : "resource";
    const keptBy = owners[kind].get(uri);
    if (keptBy === undefined) owners[kind].set(uri, member);
    else conflicts.push({ kind, uri, keptBy, hidden: member });
  }
  return conflicts;
}
