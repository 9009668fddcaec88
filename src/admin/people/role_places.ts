// Where a role can be assigned, and the roles that there are.
import { BUILT_IN_ROLES } from "../../auth/permission_table.ts";
import type { AssignmentRow, RoleRow } from "../../store/people/person_rows.ts";
import type { Registry } from "../../store/registry/registry.ts";

/** A built-in role has its name as id, and nobody has created it. */
export type ShownRole = Omit<RoleRow, "createdBy" | "createdAt" | "updatedAt"> & Partial<RoleRow>;

export const BUILT_IN: readonly ShownRole[] = Object.values(BUILT_IN_ROLES).map((role) => ({
  ...role,
  id: role.name,
}));

/** The built-in roles, then custom ones by name. */
export async function rolesThereAre({ people }: Pick<Registry, "people">): Promise<readonly ShownRole[]> {
  return [...BUILT_IN, ...await people.roles.list()];
}

/** @param text an id or a name */
export async function findRole(store: Pick<Registry, "people">, text: string): Promise<ShownRole | null> {
  const roles = await rolesThereAre(store);
  return roles.find(({ id }) => id === text) ?? roles.find(({ name }) => name === text) ?? null;
}

/** @returns why the user cannot have a role there, as a sentence without a subject; null: nothing is wrong */
export async function placeFault(
  { people, servers }: Pick<Registry, "people" | "servers">,
  { userId, scope, scopeId }: Pick<AssignmentRow, "userId" | "scope" | "scopeId">,
): Promise<string | null> {
  if (scope === "team" && !await people.teams.hasMember(scopeId, userId)) {
    return "must be a team of which the user is a member";
  }
  if (scope === "server" && await servers.get(scopeId) === null) return "must be the id of a virtual server";
  return null;
}
