// `sluice role list|grant|revoke`.
import { assignmentRead, roleRead } from "../../admin/people/role_shapes.ts";
import { findRole, placeFault, rolesThereAre, type ShownRole } from "../../admin/people/role_places.ts";
import type { AssignmentRow } from "../../store/people/person_rows.ts";
import type { RoleArgs, RoleListArgs } from "../commands/people_commands.ts";
import { changePeople, mistake, type People, readPeople, userNamed } from "./people_database.ts";

type Place = Pick<AssignmentRow, "scope" | "scopeId">;

/** Who has assigned a role by this command. */
const OPERATOR = "command line";

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function roleList({ user: email, json }: RoleListArgs): Promise<number> {
  return await readPeople(async (people) => {
    const roles = await rolesThereAre(people.registry);
    if (email === null) {
      if (json) console.log(JSON.stringify(roles.map(roleRead), null, 2));
      else for (const { name, description } of roles) console.log(`${name}: ${description}`);
      return 0;
    }
    const user = await userNamed(people, email);
    const rows = await people.registry.people.roles.assignmentsOf(user.id);
    const names = new Map(roles.map(({ id, name }) => [id, name]));
    const now = new Date();
    const shown = rows.map((row) =>
      assignmentRead(row, { email: user.email, role: names.get(row.roleId) ?? null, now })
    );
    if (json) console.log(JSON.stringify(shown, null, 2));
    else if (shown.length === 0) console.log(`${user.email} was assigned no role`);
    else rows.forEach((row, i) => console.log(lineOf(row, shown[i].role_name ?? row.roleId, now)));
    return 0;
  });
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, CONFLICT if the user has the role there; otherwise like roleList() */
export async function roleGrant({ role: named, user: email, until, ...where }: RoleArgs): Promise<number> {
  return await changePeople(async (people) => {
    const { registry } = people;
    const user = await userNamed(people, email);
    const role = await roleNamed(people, named);
    const place = await placeOf(people, where);
    const fault = await placeFault(registry, { userId: user.id, ...place });
    if (fault !== null) throw mistake(`--${place.scope} ${fault}: ${where.team ?? where.server}`);
    const row = await registry.people.roles.assign({
      ...{ userId: user.id, roleId: role.id, ...place, grantedBy: OPERATOR, expiresAt: until },
    });
    const shown = { email: user.email, role: role.name, now: new Date() };
    return {
      operation: "assignRole",
      entity: { kind: "user", id: user.email },
      before: null,
      after: assignmentRead(row, shown),
      says: [`${user.email} has ${lineOf(row, role.name, shown.now)}`],
    };
  });
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, CONFLICT for the last administrator; otherwise like roleList() */
export async function roleRevoke({ role: named, user: email, ...where }: RoleArgs): Promise<number> {
  return await changePeople(async (people) => {
    const user = await userNamed(people, email);
    const role = await roleNamed(people, named);
    const place = await placeOf(people, where);
    const { users, roles } = people.registry.people;
    const assignment = { userId: user.id, roleId: role.id, ...place };
    if (!await users.keepingAdministrator(() => roles.revoke(assignment))) {
      throw mistake(
        `${user.email} was not assigned ${role.name} there; \`sluice role list --user ${user.email}\` shows the roles`,
      );
    }
    return {
      operation: "revokeRole",
      entity: { kind: "user", id: user.email },
      before: { role_name: role.name, scope: place.scope, scope_id: place.scopeId },
      after: null,
      says: [`${user.email} has ${role.name} ${placeText(place)} no more`],
    };
  });
}

/** @throws {SluiceError} USAGE_INVALID */
async function roleNamed({ registry }: People, text: string): Promise<ShownRole> {
  const role = await findRole(registry, text);
  if (role !== null) return role;
  throw mistake(`there is no role ${text}; \`sluice role list\` shows those that there are`);
}

/** @throws {SluiceError} USAGE_INVALID */
async function placeOf(
  { registry }: People,
  { team, server }: Pick<RoleArgs, "team" | "server">,
): Promise<Place> {
  if (server !== null) return { scope: "server", scopeId: server };
  if (team === null) return { scope: "global", scopeId: "" };
  const { teams } = registry.people;
  const found = await teams.get(team) ??
    (await teams.list()).find(({ name, slug }) => team === name || team === slug);
  if (found !== undefined) return { scope: "team", scopeId: found.id };
  throw mistake(`there is no team ${team}; the page Teams under /admin lists those that there are`);
}

function lineOf(row: AssignmentRow, role: string, now: Date): string {
  const { expiresAt } = row;
  const end = expiresAt === null
    ? ""
    : `${expiresAt <= now.getTime() ? ", ended" : ", until"} ${new Date(expiresAt).toISOString()}`;
  return `${role} ${placeText(row)}${end}`;
}

function placeText({ scope, scopeId }: Place): string {
  if (scope === "global") return "everywhere";
  return scope === "team" ? `in the team ${scopeId}` : `for the virtual server ${scopeId}`;
}
