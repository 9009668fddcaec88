// The page of a team, with its members and invitations.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { PAGES_PATH } from "../call/session_cookie.ts";
import { type FormState, NEW_FORM, PostButton, RefusalBox, SelectField, TextField } from "../parts/form.tsx";
import { ActionsHead, Ago, Badge, CopyText, Moment, PageHead, Pages } from "../parts/page_parts.tsx";
import { partOf } from "../parts/search_list.tsx";
import type { Invitation, JoinRequest, Member, Team } from "./people_shapes.ts";

const CRUMBS = [{ path: "teams", label: "Teams" }];

export const teamPage: PageHandler = (call) => teamView(call, NEW_FORM);

const ROLES = [{ value: "member", label: "Member" }, {
  value: "owner",
  label: "Owner, who manages the team",
}];

async function teamView(call: PageCall, form: FormState, status?: number): Promise<View> {
  const { rest, params, viewer, query } = call;
  const team = await rest.get<Team>(`/teams/${encodeURIComponent(params.id!)}`);
  const members = partOf(await rest.get<Member[]>(`/teams/${team.id}/members`), query);
  const invitations = team.is_personal
    ? null
    : await rest.find<Invitation[]>(`/teams/${team.id}/invitations`);
  const mayManage = invitations !== null;
  const requests = mayManage ? await rest.get<JoinRequest[]>(`/teams/${team.id}/join-requests`) : [];
  const path = `teams/${team.id}`;
  const now = Date.now();
  return {
    title: team.name,
    status,
    body: (
      <>
        <PageHead title={team.name} crumbs={CRUMBS}>
          {team.is_personal && <Badge mood="plain" label="personal" />}
          {mayManage && viewer.can("teams.update") && <a class="button" href={`${path}/edit`}>Edit</a>}
          {mayManage && viewer.can("teams.delete") && (
            <PostButton
              path={`${path}/delete`}
              label="Delete"
              class="danger"
              confirm={{
                question: `Delete the team ${team.name}?`,
                loss: "Its members lose it. Only administrators see its upstreams and virtual servers then.",
              }}
            />
          )}
        </PageHead>
        {team.description !== null && <p dir="auto">{team.description}</p>}
        {requests.length > 0 && <JoinRequests {...{ path, requests, now }} />}
        <h2>Members</h2>
        <table class="cards-on-phone">
          <thead>
            <tr>
              <th>User</th>
              <th>Role</th>
              <th>Joined</th>
              <ActionsHead />
            </tr>
          </thead>
          <tbody>
            {members.data.map(({ user_email, role, joined_at }) => (
              <tr>
                <td>
                  {viewer.can("admin.user_management")
                    ? <a href={`users/${encodeURIComponent(user_email)}`}>{user_email}</a>
                    : user_email}
                </td>
                <td data-label="Role">{role}</td>
                <td data-label="Joined">
                  <Ago at={joined_at} now={now} />
                </td>
                <td class="right">
                  {mayManage && (
                    <PostButton
                      path={`${path}/members/remove`}
                      label="Remove"
                      class="compact"
                      fields={{ email: user_email, role }}
                    />
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <Pages path={path} query={query} of={members.pagination} />
        {mayManage && (
          <>
            <h2>Add or invite</h2>
            <RefusalBox refused={form.refused} shown={["email", "role"]} />
            <form class="form" method="post" action={`${path}/members`}>
              <TextField
                {...{ name: "email", label: "Email address", form }}
                type="email"
                required
                hint="A person with a user record can be added at once. An invitation is a link, also for people without a record."
              />
              <SelectField {...{ name: "role", label: "Role in the team", form, options: ROLES }} />
              <div class="buttons">
                <button type="submit" class="main" name="way" value="add">Add</button>
                <button type="submit" name="way" value="invite">Create an invitation</button>
              </div>
            </form>
            {invitations.length > 0 && (
              <>
                <h2>Open invitations</h2>
                <ul class="asks">
                  {invitations.map(({ id, email, expires_at }) => (
                    <li>
                      <span>
                        {email}, ends <Ago at={expires_at} now={now} />
                      </span>
                      <PostButton
                        path={`${path}/invitations/cancel`}
                        label="Revoke"
                        class="quiet compact"
                        fields={{ invitation: id }}
                        confirm={{
                          question: `Revoke the invitation of ${email}?`,
                          loss: "Its link does not work any more.",
                        }}
                      />
                    </li>
                  ))}
                </ul>
              </>
            )}
          </>
        )}
      </>
    ),
  };
}

function JoinRequests({ path, requests, now }: {
  readonly path: string;
  readonly requests: readonly JoinRequest[];
  readonly now: number;
}) {
  return (
    <>
      <h2>Requests to join</h2>
      <ul class="asks">
        {requests.map(({ id, user_email, message, requested_at }) => (
          <li>
            <span>
              {user_email}, <Ago at={requested_at} now={now} />
            </span>
            {message !== null && <span class="about">{message}</span>}
            <PostButton
              path={`${path}/join-requests/approve`}
              label="Approve"
              class="compact"
              fields={{ request: id }}
            />
            <PostButton
              path={`${path}/join-requests/reject`}
              label="Decline"
              class="quiet compact"
              fields={{ request: id }}
            />
          </li>
        ))}
      </ul>
    </>
  );
}

export const approveJoinRequest: PageHandler = async ({ params, form, rest }) => {
  const id = encodeURIComponent((await form()).get("request") ?? "");
  const path = `/teams/${encodeURIComponent(params.id!)}/join-requests/${id}/approve`;
  const answer = await rest.attempt<Member>("POST", path);
  const notice = "refused" in answer
    ? { text: answer.refused.text, isFailure: true }
    : { text: `${answer.done.user_email} is a member now.` };
  return { to: `teams/${params.id}`, notice };
};

export const rejectJoinRequest: PageHandler = async ({ params, form, rest }) => {
  const id = encodeURIComponent((await form()).get("request") ?? "");
  await rest.send("DELETE", `/teams/${encodeURIComponent(params.id!)}/join-requests/${id}`);
  return { to: `teams/${params.id}`, notice: { text: "The request is declined." } };
};

export const addMember: PageHandler = async (call) => {
  const { params, rest } = call;
  const values = await call.form();
  const { email = "", role = "member", way = "add" } = Object.fromEntries(values);
  const path = `/teams/${encodeURIComponent(params.id!)}`;
  if (way === "invite") {
    const answer = await rest.attempt<Invitation>("POST", `${path}/invitations`, { email, role });
    if ("refused" in answer) return await teamView(call, { values, refused: answer.refused }, 422);
    return invitationView(call, answer.done);
  }
  const answer = await rest.attempt<Member>("POST", `${path}/members`, { email, role });
  if ("refused" in answer) return await teamView(call, { values, refused: answer.refused }, 422);
  return { to: `teams/${params.id}`, notice: { text: `${email} is a member now.` } };
};

/** Shown once: only a hash of the token is kept. */
function invitationView({ origin, params }: PageCall, { email, token, expires_at }: Invitation): View {
  return {
    title: "An invitation",
    body: (
      <>
        <PageHead title="An invitation" crumbs={CRUMBS} />
        <p>
          Give this link to {email}, who signs in and is a member then. The link ends{" "}
          <Moment at={expires_at} now={Date.now()} />, and is not shown again.
        </p>
        <CopyText id="link" text={`${origin}${PAGES_PATH}/invitation#${token}`} />
        <p>
          <a class="button" href={`teams/${params.id}`}>Done</a>
        </p>
      </>
    ),
  };
}

export const invitationPage: PageHandler = () => Promise.resolve(acceptView(NEW_FORM));

export const acceptInvitation: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const token = values.get("token")?.trim() ?? "";
  const answer = await rest.attempt<{ team_id: string }>(
    "POST",
    `/teams/invitations/${encodeURIComponent(token)}/accept`,
  );
  if ("refused" in answer) return acceptView({ values, refused: answer.refused }, 422);
  return { to: `teams/${answer.done.team_id}`, notice: { text: "You are a member of this team now." } };
};

function acceptView(form: FormState, status?: number): View {
  return {
    title: "Join a team",
    status,
    body: (
      <>
        <PageHead title="Join a team" />
        <p>
          You are invited to a team. Its upstreams and virtual servers are yours to use as soon as you join.
        </p>
        <RefusalBox refused={form.refused} shown={["token"]} />
        <form class="form" method="post" action="invitation">
          <TextField {...{ name: "token", label: "Invitation", form }} required isCode isFromHash />
          <div class="buttons">
            <button type="submit" class="main">Join</button>
          </div>
        </form>
      </>
    ),
  };
}

export const removeMember: PageHandler = async ({ params, form, rest }) => {
  const { email = "", role = "member" } = Object.fromEntries(await form());
  const path = `/teams/${encodeURIComponent(params.id!)}/members/${encodeURIComponent(email)}`;
  const answer = await rest.attempt("DELETE", path);
  const to = `teams/${params.id}`;
  if ("refused" in answer) return { to, notice: { text: answer.refused.text, isFailure: true } };
  const undo = { path: `${to}/members`, fields: { email, role } };
  return { to, notice: { text: `${email} is removed from the team.`, undo } };
};

export const cancelInvitation: PageHandler = async ({ params, form, rest }) => {
  const invitation = (await form()).get("invitation") ?? "";
  await rest.send("DELETE", `/teams/invitations/${encodeURIComponent(invitation)}`);
  return { to: `teams/${params.id}`, notice: { text: "The invitation is revoked." } };
};

export const deleteTeam: PageHandler = async ({ params, rest }) => {
  await rest.send("DELETE", `/teams/${encodeURIComponent(params.id!)}`);
  return { to: "teams", notice: { text: "The team is deleted." } };
};
