// /teams: teams, as their members and administrators see them.
import type * as z from "zod";
import { teamsOf } from "../../auth/rbac.ts";
import type { TeamRow } from "../../store/people/person_rows.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { publicTeamsQuery, teamCreate, teamsQuery, teamUpdate } from "../rest/people_schemas.ts";
import { managedTeam, visibleTeam } from "./people_lookup.ts";

const WITHOUT_EFFECT = ["slug", "members"];
const CREATE: KnownFields = { schema: teamCreate, withoutEffect: WITHOUT_EFFECT };
const UPDATE: KnownFields = { schema: teamUpdate, withoutEffect: WITHOUT_EFFECT };

/** The caller's teams; for an administrator all shared teams. */
export async function listTeams({ deps, principal, query }: Call): Promise<AdminResponse> {
  const { words, include_personal, ...part } = readPart(teamsQuery, query);
  const only = principal.isAdmin ? null : teamsOf(principal);
  const { teams, total } = await deps.store.people.teams.page({
    ...{ only, words, isShared: !include_personal, ...part },
  });
  return ok({ teams: teams.map((team) => teamRead(team, team.memberCount)), total });
}

/** The caller becomes the owner, if it has a user record. */
export async function createTeam(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const given = validated(teamCreate, readFields(call, await call.body(), ["body"], CREATE), ["body"]);
  const { users, teams } = deps.store.people;
  const owner = await users.get(principal.email);
  const row = await teams.insert({
    name: given.name,
    description: given.description ?? null,
    visibility: given.visibility ?? "private",
    maxMembers: given.max_members ?? null,
    createdBy: principal.email,
  }, owner === null ? null : { id: owner.id, maxTeams: deps.accounts.maxTeams });
  await deps.catalogChanged();
  return ok(teamRead(row, owner === null ? 0 : 1), 201);
}

/** The public teams that the caller is not in. */
export async function discoverTeams({ deps, principal, query }: Call): Promise<AdminResponse> {
  const { words, ...part } = readPart(publicTeamsQuery, query);
  const { teams } = await deps.store.people.teams.page({
    ...{ only: null, isPublic: true, without: teamsOf(principal), words, ...part },
  });
  return ok(teams.map(({ id, name, description, createdAt, memberCount }) => ({
    id,
    name,
    description,
    member_count: memberCount,
    created_at: createdAt,
    is_joinable: true,
  })));
}

export async function getTeam(call: Call): Promise<AdminResponse> {
  return ok(await read(call, await visibleTeam(call)));
}

export async function updateTeam(call: Call): Promise<AdminResponse> {
  const { id } = await managedTeam(call);
  const given = validated(teamUpdate, readFields(call, await call.body(), ["body"], UPDATE), ["body"]);
  const row = await call.deps.store.people.teams.update(id, {
    name: given.name,
    description: given.description,
    visibility: given.visibility,
    maxMembers: given.max_members,
  });
  await call.deps.catalogChanged();
  return ok(await read(call, row));
}

/** Entries of the team stay, and only administrators see them until they have another team. */
export async function deleteTeam(call: Call): Promise<AdminResponse> {
  const { id, name } = await managedTeam(call);
  await call.deps.store.people.teams.delete(id);
  await call.deps.catalogChanged();
  return ok({ success: true, message: `Team ${name} deleted` });
}

/** @throws {SluiceError} VALIDATION_FAILED */
function readPart<Part extends { readonly q?: string }>(schema: z.ZodType<Part>, query: URLSearchParams) {
  const { q = "", ...part } = validated(schema, Object.fromEntries(query), ["query"]);
  return { ...part, words: q.split(/\s+/).filter((word) => word !== "") };
}

async function read({ deps }: Call, row: TeamRow) {
  return teamRead(row, (await deps.store.people.teams.members(row.id)).length);
}

function teamRead(row: TeamRow, memberCount = 0) {
  return {
    id: row.id,
    name: row.name,
    slug: row.slug,
    description: row.description,
    created_by: row.createdBy,
    is_personal: row.isPersonal,
    visibility: row.visibility,
    max_members: row.maxMembers,
    member_count: memberCount,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
    is_active: true,
  };
}
