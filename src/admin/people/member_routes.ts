// /teams/{id}/members and /teams/{id}/invitations: who is in a team, and who may come.
import { requirePlace } from "../../auth/rbac.ts";
import { digest } from "../../auth/logins/logins.ts";
import { SluiceError } from "../../base/errors.ts";
import type { InvitationRow, MemberRow, TeamRow } from "../../store/people/person_rows.ts";
import type { MemberLimits } from "../../store/people/teams.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { memberAdd, memberUpdate } from "../rest/people_schemas.ts";
import { callersRecord, managedTeam, namedUser, visibleTeam } from "./people_lookup.ts";

const ADD: KnownFields = { schema: memberAdd };
const UPDATE: KnownFields = { schema: memberUpdate };

export async function listMembers(call: Call): Promise<AdminResponse> {
  const { id } = await visibleTeam(call);
  const rows = await call.deps.store.people.teams.members(id);
  return ok(rows.map((row) => memberRead(row, row.email)));
}

export async function addMember(call: Call): Promise<AdminResponse> {
  const { deps } = call;
  const team = await managedTeam(call);
  const { email, role } = validated(memberAdd, readFields(call, await call.body(), ["body"], ADD), ["body"]);
  const user = await namedUser(call, email);
  const row = await deps.store.people.teams.addMember(team.id, user.id, role, limitsOf(call)(team));
  await deps.catalogChanged();
  return ok(memberRead(row, user.email), 201);
}

export async function updateMember(call: Call): Promise<AdminResponse> {
  const { deps, params } = call;
  const { id } = await managedTeam(call);
  const { role } = validated(memberUpdate, readFields(call, await call.body(), ["body"], UPDATE), ["body"]);
  const user = await namedUser(call, params.email);
  const row = await deps.store.people.teams.changeMember(id, user.id, role);
  await deps.catalogChanged();
  return ok(memberRead(row, user.email));
}

export async function removeMember(call: Call): Promise<AdminResponse> {
  const { id } = await managedTeam(call);
  return await remove(call, id, await namedUser(call, call.params.email));
}

export async function leaveTeam(call: Call): Promise<AdminResponse> {
  const { id, isPersonal } = await visibleTeam(call);
  if (isPersonal) throw new SluiceError("CONFLICT", { reason: "Nobody can leave a personal team" });
  return await remove(call, id, await callersRecord(call));
}

export async function listInvitations(call: Call): Promise<AdminResponse> {
  const team = await managedTeam(call);
  const rows = await call.deps.store.people.teams.invitations(team.id);
  return ok(rows.map((row) => invitationRead(row, team, null)));
}

/** The answer alone has the invitation's token: only its hash is stored. It works for the invited address only. */
export async function inviteMember(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const team = await managedTeam(call);
  const { email, role } = validated(memberAdd, readFields(call, await call.body(), ["body"], ADD), ["body"]);
  const token = crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
  const row = await deps.store.people.teams.invite(
    { teamId: team.id, email, role, invitedBy: principal.email, tokenHash: digest(token) },
    deps.accounts.invitationMs,
    limitsOf(call)(team).members,
  );
  return ok(invitationRead(row, team, token), 201);
}

/** Makes the caller a member, if the invitation is for the caller's address. */
export async function acceptInvitation(call: Call): Promise<AdminResponse> {
  const { deps, params: { token } } = call;
  const user = await callersRecord(call);
  const row = await deps.store.people.teams.accept(digest(token), user, limitsOf(call));
  await deps.catalogChanged();
  return { ...ok(memberRead(row, user.email)), about: { kind: "team", id: row.teamId } };
}

export async function cancelInvitation(call: Call): Promise<AdminResponse> {
  const { deps, principal, permission, params: { invitation } } = call;
  const { teams } = deps.store.people;
  const row = await teams.invitation(invitation);
  const unknown = new SluiceError("NOT_FOUND", { what: `Invitation ${invitation}` });
  if (row === null) throw unknown;
  await visibleTeam({ ...call, params: { id: row.teamId } }).catch(() => {
    throw unknown;
  });
  if (permission !== null) requirePlace(principal, permission, row.teamId);
  await teams.cancel(invitation);
  return ok({ success: true, message: "Invitation cancelled" });
}

async function remove(
  { deps }: Call,
  teamId: string,
  { id, email }: { readonly id: string; readonly email: string },
): Promise<AdminResponse> {
  await deps.store.people.teams.removeMember(teamId, id);
  await deps.catalogChanged();
  return ok({ success: true, message: `${email} is no member of the team any more` });
}

/** The limits of members of a team. */
export function limitsOf(
  { deps: { accounts: { maxMembers, maxTeams } } }: Call,
): (team: TeamRow) => MemberLimits {
  return (team) => ({ members: team.maxMembers ?? maxMembers, teams: maxTeams });
}

export function memberRead({ teamId, userId, role, joinedAt, source }: MemberRow, email: string) {
  return {
    id: `${teamId}-${userId}`,
    team_id: teamId,
    user_email: email,
    role,
    joined_at: joinedAt,
    invited_by: null,
    is_active: true,
    grant_source: source === null ? null : "sso",
  };
}

function invitationRead(row: InvitationRow, team: TeamRow, token: string | null) {
  return {
    id: row.id,
    team_id: team.id,
    team_name: team.name,
    email: row.email,
    role: row.role,
    invited_by: row.invitedBy,
    invited_at: row.invitedAt,
    expires_at: new Date(row.expiresAt).toISOString(),
    token,
    is_active: true,
    is_expired: false,
  };
}
