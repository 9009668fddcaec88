// Teams and virtual servers by words of their names, of thousands.
import type { Rest } from "../call/rest.ts";
import { type ListPage, MOST_FOUND } from "../parts/search_list.tsx";
import type { Team } from "./people_shapes.ts";

/** The teams with each of the words in their names, in the order of names. Empty where the viewer may not read teams. */
export async function findTeams(rest: Rest, words: string): Promise<readonly Team[]> {
  const { teams } = await rest.find<{ readonly teams: readonly Team[] }>("/teams?limit=10000") ??
    { teams: [] };
  const all = words.toLowerCase().split(/\s+/);
  return teams.filter(({ name }) => all.every((word) => name.toLowerCase().includes(word)));
}

/** The first teams that several people can be in, and how many more fit. */
export async function findSharedTeams(rest: Rest, words: string): Promise<Found> {
  const teams = (await findTeams(rest, words)).filter((team) => !team.is_personal);
  return { found: teams.slice(0, MOST_FOUND), more: Math.max(teams.length - MOST_FOUND, 0) };
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
