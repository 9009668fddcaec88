// The form of a team: a new one, or what another one is called and who finds it.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM, RefusalBox, SelectField, TextField } from "../parts/form.tsx";
import { PageHead } from "../parts/page_parts.tsx";
import { isLineChanged, seenIn, SeenValues, UNCHANGED } from "../parts/seen_values.tsx";
import type { Team } from "./people_shapes.ts";

const CRUMBS = [{ path: "teams", label: "Teams" }];

const FIELDS = ["name", "description", "visibility"];

const VISIBILITIES = [
  { value: "private", label: "Its members alone; others are invited" },
  { value: "public", label: "Every user, who may ask to join" },
];

export const newTeamPage: PageHandler = () => Promise.resolve(formView(NEW_FORM, null));

export const addTeam: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const { name = "", description = "", visibility = "private" } = Object.fromEntries(values);
  const answer = await rest.attempt<Team>("POST", "/teams", { name, description, visibility });
  if ("refused" in answer) return formView({ values, refused: answer.refused }, null, 422);
  return { to: `teams/${answer.done.id}`, notice: { text: `The team ${answer.done.name} is created.` } };
};

export const editTeamPage: PageHandler = async (call) => {
  const team = await teamOf(call);
  return formView({ values: valuesOf(team), refused: null }, team);
};

export const changeTeam: PageHandler = async (call) => {
  const team = await teamOf(call);
  const values = await call.form();
  const seen = seenIn(values, valuesOf(team));
  const changed = FIELDS.filter((name) => values.has(name) && isLineChanged(name, { sent: values, seen }));
  if (changed.length === 0) return { to: `teams/${team.id}`, notice: UNCHANGED };
  const answer = await call.rest.attempt<Team>(
    "PUT",
    `/teams/${encodeURIComponent(team.id)}`,
    Object.fromEntries(changed.map((name) => [name, values.get(name)])),
  );
  if ("refused" in answer) return formView({ values, refused: answer.refused }, team, 422);
  return { to: `teams/${team.id}`, notice: { text: `The team ${answer.done.name} is changed.` } };
};

async function teamOf({ rest, params }: PageCall): Promise<Team> {
  return await rest.get<Team>(`/teams/${encodeURIComponent(params.id!)}`);
}

function valuesOf({ name, description, visibility }: Team): URLSearchParams {
  return new URLSearchParams({ name, description: description ?? "", visibility });
}

function formView(form: FormState, team: Team | null, status?: number): View {
  const title = team === null ? "New team" : `Edit ${team.name}`;
  const path = team === null ? "teams" : `teams/${team.id}`;
  const crumbs = team === null ? CRUMBS : [...CRUMBS, { path, label: team.name }];
  return {
    title,
    status,
    body: (
      <>
        <PageHead title={title} crumbs={crumbs} />
        <RefusalBox refused={form.refused} shown={FIELDS} />
        <form class="form" method="post" action={team === null ? "teams/new" : `${path}/edit`}>
          {team !== null && <SeenValues form={form} values={valuesOf(team)} />}
          <TextField {...{ name: "name", label: "Name", form }} required />
          <TextField {...{ name: "description", label: "Description", form }} />
          <SelectField {...{ name: "visibility", label: "Visibility", form, options: VISIBILITIES }} />
          <div class="buttons">
            <button type="submit" class="main">{team === null ? "Create team" : "Save"}</button>
            <a class="button" href={path}>Cancel</a>
          </div>
        </form>
      </>
    ),
  };
}
