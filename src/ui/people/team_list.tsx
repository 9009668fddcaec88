// The list of teams, searched while one types, and the public ones that the viewer can ask to join.
import type { Markup, PageHandler } from "../call/page_call.ts";
import type { Rest } from "../call/rest.ts";
import { PostButton } from "../parts/form.tsx";
import { Badge, Empty, NextPage, PageHead } from "../parts/page_parts.tsx";
import { FoundPart, PAGE_SIZE, readPart, SearchList } from "../parts/search_list.tsx";
import type { FoundTeam, Team } from "./people_shapes.ts";
import type { TeamPart } from "./place_search.ts";

export const listTeams: PageHandler = async ({ rest, viewer, query }) => {
  const words = query.get("q")?.trim() ?? "";
  const found = await readPart(query, async ({ limit, offset }) => {
    const asked = new URLSearchParams({ q: words, limit: String(limit), skip: String(offset) });
    const { teams, total } = await rest.get<TeamPart>(`/teams?${asked}`);
    return [teams, total];
  });
  const shown = {
    ...{ path: "teams", query, placeholder: "Search by name", found },
    children: found.data.length > 0 && <TeamTable teams={found.data} />,
  };
  if (query.has("part")) return { title: "Teams", body: <FoundPart {...shown} />, isPart: true };
  const isEmpty = found.pagination.total_items === 0 && words === "";
  const add = viewer.can("teams.create") && <a class="button main" href="teams/new">New team</a>;
  return {
    title: "Teams",
    body: (
      <>
        <PageHead title="Teams">{!isEmpty && add}</PageHead>
        {isEmpty
          ? (
            <Empty title="No team yet">
              <p>A team shares upstreams and virtual servers with its members, and with nobody else.</p>
              <div class="buttons">{add}</div>
            </Empty>
          )
          : <SearchList {...shown} />}
        {viewer.can("teams.join") && await otherTeams(rest, query)}
      </>
    ),
  };
};

function TeamTable({ teams }: { readonly teams: readonly Team[] }) {
  return (
    <table class="cards-on-phone">
      <thead>
        <tr>
          <th>Team</th>
          <th>Visibility</th>
          <th class="number">Members</th>
        </tr>
      </thead>
      <tbody>
        {teams.map((team) => (
          <tr>
            <td>
              <a href={`teams/${team.id}`}>{team.name}</a>{" "}
              {team.is_personal && <Badge mood="plain" label="personal" />}
              {team.description !== null && <span class="about">{team.description}</span>}
            </td>
            <td data-label="Visibility">
              {team.visibility}
            </td>
            <td data-label="Members" class="number">{team.member_count}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Public teams that the viewer is not in. */
async function otherTeams(rest: Rest, query: URLSearchParams): Promise<Markup | null> {
  const from = Math.max(0, Math.trunc(Number(query.get("others")) || 0));
  const others = await rest.get<FoundTeam[]>(`/teams/discover?limit=${PAGE_SIZE + 1}&skip=${from}`);
  if (others.length === 0) return null;
  return (
    <>
      <h2>Teams that you can ask to join</h2>
      <ul class="asks">
        {others.slice(0, PAGE_SIZE).map(({ id, name, description, member_count }) => (
          <li>
            <span>
              <strong>{name}</strong>, {member_count} {member_count === 1 ? "member" : "members"}
            </span>
            {description !== null && <span class="about">{description}</span>}
            <PostButton path={`teams/${id}/join`} label="Ask to join" class="compact" />
          </li>
        ))}
      </ul>
      <NextPage
        at={others.length > PAGE_SIZE ? `teams?others=${from + PAGE_SIZE}` : null}
        label="Further teams"
      />
    </>
  );
}

/** An owner of the team decides. */
export const askToJoin: PageHandler = async ({ params, rest }) => {
  const answer = await rest.attempt<{ team_name: string }>(
    "POST",
    `/teams/${encodeURIComponent(params.id!)}/join`,
  );
  const notice = "refused" in answer
    ? { text: answer.refused.text, isFailure: true }
    : { text: `You have asked to join ${answer.done.team_name}. An owner of the team decides.` };
  return { to: "teams", notice };
};
