// Teams and virtual servers by words of their names, of thousands.
import type { Rest } from "../call/rest.ts";
import { type ListPage, MOST_FOUND } from "../parts/search_list.tsx";
import type { Team } from "./people_shapes.ts";

/** A part of a list of teams, by name. */
export interface TeamPart {
  readonly teams: readonly Team[];
  /** Of all parts. */
  readonly total: number;
}

/** The first teams that several people can be in, and how many more fit. Empty where the viewer may not read teams. */
export async function findSharedTeams(rest: Rest, words: string): Promise<Found> {
  const asked = new URLSearchParams({ q: words, limit: String(MOST_FOUND), include_personal: "false" });
  const part = await rest.find<TeamPart>(`/teams?${asked}`) ?? { teams: [], total: 0 };
  return { found: part.teams, more: part.total - part.teams.length };
}

export interface Named {
  readonly id: string;
  readonly name: string;
}

export interface Found {
  readonly found: readonly Named[];
  /** So many more fit. */
  readonly more: number;
}

/** The first virtual servers that fit, and how many more. Empty where the viewer may not read them. */
export async function findServers(rest: Rest, words: string): Promise<Found> {
  const asked = new URLSearchParams({ q: words, per_page: String(MOST_FOUND), include_inactive: "true" });
  const servers = await rest.find<ListPage<Named>>(`/admin/servers?${asked}`);
  if (servers === null) return { found: [], more: 0 };
  return { found: servers.data, more: servers.pagination.total_items - servers.data.length };
}

/** The name of a team or a virtual server; its id, where the viewer does not see it. */
export async function nameOf(rest: Rest, kind: "teams" | "servers", id: string): Promise<string> {
  return (await rest.find<Named>(`/${kind}/${encodeURIComponent(id)}`))?.name ?? id;
}
