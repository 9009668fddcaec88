// Where a role counts: everywhere, or at one of thousands of teams and virtual servers, which are searched for.
import type { PageHandler } from "../call/page_call.ts";
import type { Rest } from "../call/rest.ts";
import { type FoundOptions, foundView } from "../parts/choice_picker.tsx";
import type { Option } from "../parts/form.tsx";
import type { Assignment } from "./people_shapes.ts";
import { findServers, findSharedTeams, type Named, nameOf } from "./place_search.ts";

type Place = Pick<Assignment, "scope" | "scope_id">;

export const EVERYWHERE: Option = { value: "global", label: "everywhere" };

/** The value of a place in a form: `team ID`. */
export function placeValue({ scope, scope_id: id }: Place): string {
  return scope === "global" || id === null ? EVERYWHERE.value : `${scope} ${id}`;
}

export function placeOf(value: string | null): Place {
  const [scope, id = null] = (value ?? "").split(" ");
  return scope === "team" || scope === "server"
    ? { scope, scope_id: id }
    : { scope: "global", scope_id: null };
}

/** A place as a form offers it. */
export async function readPlace(rest: Rest, { scope, scope_id: id }: Place): Promise<Option> {
  if (scope === "global" || id === null) return EVERYWHERE;
  return scope === "team"
    ? teamOption({ id, name: await nameOf(rest, "teams", id) })
    : serverOption({ id, name: await nameOf(rest, "servers", id) });
}

function teamOption({ id, name }: Named): Option {
  return { value: `team ${id}`, label: `in the team ${name}` };
}

function serverOption({ id, name }: Named): Option {
  return { value: `server ${id}`, label: `on the virtual server ${name}` };
}

/** The first teams and virtual servers that fit. */
export async function findPlaces(rest: Rest, words: string): Promise<FoundOptions> {
  const teams = await findSharedTeams(rest, words);
  const servers = await findServers(rest, words);
  return {
    options: [...teams.found.map(teamOption), ...servers.found.map(serverOption)],
    more: teams.more + servers.more,
  };
}

export const pickPlaces: PageHandler = async ({ rest, query }) =>
  foundView("place", await findPlaces(rest, query.get("q")?.trim() ?? ""));
