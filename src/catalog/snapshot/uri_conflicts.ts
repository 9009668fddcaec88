// Finds resources of several upstreams with one URI. URIs cannot be renamed, so one resource answers and the others are
// reported.
import type { ResourceRow } from "../../store/registry/rows.ts";

/** Two resources, or two templates, with the same URI at one endpoint. */
export interface UriConflict<Member> {
  readonly kind: "resource" | "template";
  readonly uri: string;
  /** The first in list order, which answers for the URI. */
  readonly keptBy: Member;
  /** The one that is not used. */
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
