// /teams/{id}/join and /teams/{id}/join-requests: users ask to become members of a public team, and its owners decide.
import { SluiceError } from "../../base/errors.ts";
import type { JoinRequestRow, TeamRow } from "../../store/people/person_rows.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { joinAsk } from "../rest/people/session_schemas.ts";
import { limitsOf, memberRead } from "./member_routes.ts";
import { callersRecord, managedTeam } from "./people_lookup.ts";

const ASK: KnownFields = { schema: joinAsk };

/** The body may be left out. */
export async function joinTeam(call: Call): Promise<AdminResponse> {
  const { deps, params: { id } } = call;
  const { teams, joinRequests } = deps.store.people;
  const team = await teams.get(id);
  if (team?.visibility !== "public") throw new SluiceError("NOT_FOUND", { what: `Team ${id}` });
  const user = await callersRecord(call);
  const { message = null } = validated(joinAsk, readFields(call, await call.body() ?? {}, ["body"], ASK), [
    "body",
  ]);
  const row = await joinRequests.add(
    { teamId: id, userId: user.id, message },
    deps.accounts.invitationMs,
    limitsOf(call)(team),
  );
  return ok(requestRead(row, team, user.email));
}

export async function listJoinRequests(call: Call): Promise<AdminResponse> {
  const team = await managedTeam(call);
  const rows = await call.deps.store.people.joinRequests.list(team.id);
  return ok(rows.map((row) => requestRead(row, team, row.email)));
}

export async function approveJoinRequest(call: Call): Promise<AdminResponse> {
  const { deps, params: { request } } = call;
  const team = await managedTeam(call);
  const row = await deps.store.people.joinRequests.approve(team, request, limitsOf(call)(team));
  await deps.catalogChanged();
  const user = await deps.store.people.users.getById(row.userId);
  return ok(memberRead(row, user?.email ?? ""));
}

export async function rejectJoinRequest(call: Call): Promise<AdminResponse> {
  const team = await managedTeam(call);
  await call.deps.store.people.joinRequests.reject(team.id, call.params.request);
  return ok({ success: true, message: "Join request rejected" });
}

function requestRead(row: JoinRequestRow, team: TeamRow, email: string) {
  return {
    id: row.id,
    team_id: team.id,
    team_name: team.name,
    user_email: email,
    message: row.message,
    status: "pending",
    requested_at: row.requestedAt,
    expires_at: new Date(row.expiresAt).toISOString(),
  };
}
