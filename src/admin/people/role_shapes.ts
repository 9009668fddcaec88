// The format of roles and their assignments in answers, as in ContextForge.
import { EVERY_PERMISSION, isPermission, type Permission, PERMISSIONS } from "../../auth/permission_table.ts";
import type { AssignmentRow } from "../../store/people/person_rows.ts";
import type { ShownRole } from "./role_places.ts";

export function roleRead(row: ShownRole) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    scope: row.scope,
    permissions: row.permissions,
    effective_permissions: effective(row.permissions),
    inherits_from: null,
    created_by: row.createdBy ?? "system",
    is_system_role: row.createdBy === undefined,
    is_active: true,
    created_at: row.createdAt ?? null,
    updated_at: row.updatedAt ?? null,
  };
}

function effective(permissions: readonly string[]): readonly Permission[] {
  return permissions.includes(EVERY_PERMISSION) ? PERMISSIONS : permissions.filter(isPermission);
}

/** The prefix of the provider, if a sign-in has given the role. */
const SSO_SOURCE = "sso:";

/** @param role its name; null: the role is gone */
export function assignmentRead(
  row: AssignmentRow,
  { email, role, now }: { readonly email: string; readonly role: string | null; readonly now: Date },
) {
  return {
    id: row.id,
    user_email: email,
    role_id: row.roleId,
    role_name: role,
    scope: row.scope,
    scope_id: row.scopeId === "" ? null : row.scopeId,
    granted_by: row.grantedBy,
    granted_at: row.grantedAt,
    expires_at: row.expiresAt === null ? null : new Date(row.expiresAt).toISOString(),
    is_active: row.expiresAt === null || row.expiresAt > now.getTime(),
    grant_source: row.grantedBy.startsWith(SSO_SOURCE) ? "sso" : null,
  };
}
