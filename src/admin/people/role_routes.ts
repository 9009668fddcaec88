// /rbac: roles, who has them, and what follows from that.
import { BUILT_IN_ROLES, EVERY_PERMISSION, isPermission, PERMISSIONS } from "../../auth/permission_table.ts";
import type { Principal } from "../../auth/principal.ts";
import { holds } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import type { RoleRow } from "../../store/people/person_rows.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, fault, notSupported, refuse, validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import {
  permissionCheck,
  revokeQuery,
  roleAssign,
  roleCreate,
  roleUpdate,
  teamQuery,
} from "../rest/people_schemas.ts";
import { namedUser } from "./people_lookup.ts";
import { findRole, placeFault, rolesThereAre, type ShownRole } from "./role_places.ts";
import { assignmentRead, roleRead } from "./role_shapes.ts";

const JUDGED = ["inherits_from"];
const WITHOUT_EFFECT = ["is_system_role", "is_active", "resource_type", "resource_id"];
const CREATE: KnownFields = { schema: roleCreate, judged: JUDGED, withoutEffect: WITHOUT_EFFECT };
const UPDATE: KnownFields = { ...CREATE, schema: roleUpdate };
const ASSIGN: KnownFields = { ...CREATE, schema: roleAssign };
const CHECK: KnownFields = { ...CREATE, schema: permissionCheck };

/** The built-in roles, then custom ones by name. */
export async function listRoles({ deps }: Call): Promise<AdminResponse> {
  return ok((await rolesThereAre(deps.store)).map(roleRead));
}

export async function createRole(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const raw = readFields(call, await call.body(), ["body"], CREATE);
  const given = validated(roleCreate, raw, ["body"], unsupportedFaults(raw));
  requireOwnName(given.name);
  const row = await deps.store.people.roles.insert({
    name: given.name,
    description: given.description ?? "",
    scope: given.scope,
    permissions: given.permissions,
    createdBy: principal.email,
  });
  await deps.catalogChanged();
  return ok(withoutEffect(row), 201);
}

export async function getRole(call: Call): Promise<AdminResponse> {
  return ok(roleRead(await namedRole(call, call.params.role)));
}

export async function updateRole(call: Call): Promise<AdminResponse> {
  const { id } = await customRole(call);
  const raw = readFields(call, await call.body(), ["body"], UPDATE);
  const { name, description, permissions } = validated(roleUpdate, raw, ["body"], unsupportedFaults(raw));
  if (name !== undefined) requireOwnName(name);
  const changes = { name, description: description === null ? "" : description, permissions };
  const row = await call.deps.store.people.roles.update(id, changes);
  await call.deps.catalogChanged();
  return ok(withoutEffect(row));
}

/** Its assignments end with it. */
export async function deleteRole(call: Call): Promise<AdminResponse> {
  const { id } = await customRole(call);
  await call.deps.store.people.roles.delete(id);
  await call.deps.catalogChanged();
  return ok({ message: "Role deleted successfully" });
}

export async function listUserRoles(call: Call): Promise<AdminResponse> {
  return await rolesOf(call, call.params.email);
}

export async function listMyRoles(call: Call): Promise<AdminResponse> {
  return await rolesOf(call, call.principal.email);
}

/** A role in a team counts as long as the user is a member of the team. */
export async function assignRole(call: Call): Promise<AdminResponse> {
  const { deps, params, principal } = call;
  const { store } = deps;
  const user = await namedUser(call, params.email);
  const raw = readFields(call, await call.body(), ["body"], ASSIGN);
  const given = validated(roleAssign, raw, ["body"], unsupportedFaults(raw));
  const role = await namedRole(call, given.role_id);
  const scopeId = given.scope === "global" ? "" : given.scope_id ?? "";
  const wrong = await placeFault(store, { userId: user.id, scope: given.scope, scopeId });
  if (wrong !== null) refuse([fault(["body", "scope_id"], wrong)]);
  const expiresAt = given.expires_at ?? null;
  if (expiresAt !== null && expiresAt <= deps.now().getTime()) {
    refuse([fault(["body", "expires_at"], "must be a time in the future")]);
  }
  const row = await store.people.roles.assign({
    userId: user.id,
    roleId: role.id,
    scope: given.scope,
    scopeId,
    grantedBy: principal.email,
    expiresAt,
  });
  await deps.catalogChanged();
  return ok(assignmentRead(row, { email: user.email, role: role.name, now: deps.now() }));
}

export async function revokeRole(call: Call): Promise<AdminResponse> {
  const { deps, params, query } = call;
  const { scope, scope_id: scopeId } = validated(revokeQuery, Object.fromEntries(query), ["query"]);
  const user = await namedUser(call, params.email);
  const { id, name } = await namedRole(call, params.role);
  const isRevoked = await deps.store.transaction(({ people: { users, roles } }) =>
    users.keepingAdministrator(() => roles.revoke({ userId: user.id, roleId: id, scope, scopeId }))
  );
  if (!isRevoked) {
    throw new SluiceError("NOT_FOUND", { what: `An assignment of ${name} to ${user.email} there` });
  }
  await deps.catalogChanged();
  return ok({ message: "Role revoked successfully" });
}

/** Whether a user has a permission, with a token that narrows nothing. */
export async function checkPermission(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const raw = readFields(call, await call.body(), ["body"], CHECK);
  const { user_email: email, permission, team_id: teamId } = validated(permissionCheck, raw, ["body"]);
  const caller = deps.people().callerOf(email);
  return ok({
    user_email: email,
    permission,
    granted: caller !== null && isPermission(permission) && holds(caller, permission, teamId ?? undefined),
    checked_at: deps.now().toISOString(),
    checked_by: principal.email,
  });
}

export async function listUserPermissions(call: Call): Promise<AdminResponse> {
  const { email } = await namedUser(call, call.params.email);
  return permissionsOf(call, call.deps.people().callerOf(email));
}

/** As far as the caller's token goes. */
export async function listMyPermissions(call: Call): Promise<AdminResponse> {
  return permissionsOf(call, call.principal);
}

export async function listPermissions(): Promise<AdminResponse> {
  const byKind = Object.groupBy(PERMISSIONS, (permission) => permission.split(".", 1)[0]);
  return ok({
    all_permissions: PERMISSIONS,
    permissions_by_resource: byKind,
    total_count: PERMISSIONS.length,
  });
}

function permissionsOf({ query }: Call, caller: Principal | null): AdminResponse {
  const { team_id: teamId } = validated(teamQuery, Object.fromEntries(query), ["query"]);
  return ok(PERMISSIONS.filter((each) => caller !== null && holds(caller, each, teamId)));
}

async function rolesOf({ deps }: Call, email: string): Promise<AdminResponse> {
  const user = await namedUser({ deps }, email);
  const names = new Map((await rolesThereAre(deps.store)).map(({ id, name }) => [id, name]));
  const rows = await deps.store.people.roles.assignmentsOf(user.id);
  return ok(
    rows.map((row) =>
      assignmentRead(row, { email: user.email, role: names.get(row.roleId) ?? null, now: deps.now() })
    ),
  );
}

/** @param text an id or a name. @throws {SluiceError} NOT_FOUND */
async function namedRole({ deps }: Pick<Call, "deps">, text: string): Promise<ShownRole> {
  const found = await findRole(deps.store, text);
  if (found === null) throw new SluiceError("NOT_FOUND", { what: `Role ${text}` });
  return found;
}

/** @throws {SluiceError} NOT_FOUND, CONFLICT for a built-in role */
async function customRole(call: Call): Promise<ShownRole> {
  const role = await namedRole(call, call.params.role);
  requireOwnName(role.name);
  return role;
}

function requireOwnName(name: string): void {
  if (!Object.hasOwn(BUILT_IN_ROLES, name)) return;
  throw new SluiceError("CONFLICT", {
    reason: `${name} is a built-in role, which cannot be changed; choose another name`,
  });
}

function unsupportedFaults(raw: Readonly<Record<string, unknown>>): Fault[] {
  return JUDGED.filter((name) => raw[name] !== undefined && raw[name] !== null)
    .map((name) => notSupported(["body", name], name));
}

/** The role, with a warning for each permission that nothing here asks for. */
function withoutEffect(row: RoleRow) {
  const warnings = row.permissions.flatMap((permission, i) =>
    isPermission(permission) || permission === EVERY_PERMISSION ? [] : [
      fault(
        ["body", "permissions", i],
        `"${permission}" has no effect: nothing here asks for it`,
        "no_effect",
      ),
    ]
  );
  return { ...roleRead(row), ...(warnings.length === 0 ? {} : { warnings }) };
}
