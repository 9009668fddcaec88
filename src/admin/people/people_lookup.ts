// Finds the team or user that a request names. A team is seen by its members and by administrators.
import { isMember, requirePlace } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import type { TeamRow } from "../../store/people/person_rows.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import type { Call } from "../rest/deps.ts";

/** @throws {SluiceError} NOT_FOUND, also if the caller may not see the team */
export async function visibleTeam({ deps, params: { id }, principal }: Call): Promise<TeamRow> {
  const row = await deps.store.people.teams.get(id);
  if (row === null || !(principal.isAdmin || isMember(principal, id))) {
    throw new SluiceError("NOT_FOUND", { what: `Team ${id}` });
  }
  return row;
}

/** A shared team that the caller may manage. @throws {SluiceError} NOT_FOUND, FORBIDDEN, CONFLICT for a personal team */
export async function managedTeam(call: Call): Promise<TeamRow> {
  const row = await visibleTeam(call);
  if (call.permission !== null) requirePlace(call.principal, call.permission, row.id);
  if (row.isPersonal) {
    throw new SluiceError("CONFLICT", { reason: "A personal team cannot be changed or shared" });
  }
  return row;
}

/** The user record of the caller. @throws {SluiceError} FORBIDDEN if there is none */
export async function callersRecord({ deps, principal }: Call): Promise<UserRow> {
  const row = await deps.store.people.users.get(principal.email);
  if (row === null) throw new SluiceError("FORBIDDEN", { reason: `${principal.email} has no user record` });
  return row;
}

/** @throws {SluiceError} NOT_FOUND */
export async function namedUser({ deps }: Pick<Call, "deps">, email: string): Promise<UserRow> {
  const row = await deps.store.people.users.get(email);
  if (row === null) throw new SluiceError("NOT_FOUND", { what: `User ${email}` });
  return row;
}
