// Renders the table of permissions: what each allows, and the least built-in role that grants it; then what each MCP method needs.
import { COMPLETION_PERMISSIONS, METHOD_PERMISSIONS } from "../../src/auth/method_permissions.ts";
import {
  allowedBy,
  BUILT_IN_ROLES,
  isGlobal,
  needsAdministrator,
  type Permission,
  PERMISSIONS,
} from "../../src/auth/permission_table.ts";

/** Each role grants what the former one does, and more. */
const RANKS = ["platform_viewer", "viewer", "developer", "team_admin"] as const;

export function permissionsPart(): string {
  const permissions = PERMISSIONS.map((permission) => {
    const withoutRecord = needsAdministrator(permission) ? "administrators" : "every token";
    return `| \`${permission}\` | ${allowedBy(permission)} | ${leastRole(permission)} | ${withoutRecord} |`;
  });
  const methods = [
    ...Object.entries(METHOD_PERMISSIONS).filter(([method]) => method !== "completion/complete"),
    ...Object.entries(COMPLETION_PERMISSIONS).map(([ref, permission]) => [
      `completion/complete\` of \`${ref}`,
      permission,
    ]),
  ];
  const byPermission = Map.groupBy(methods, ([, permission]) => permission);
  return [
    "| permission | allows to | least role | without a user record |",
    "|---|---|---|---|",
    ...permissions,
    "",
    "| MCP methods | permission |",
    "|---|---|",
    ...[...byPermission].map(([permission, named]) => {
      const list = named.map(([method]) => `\`${method}\``).join(", ");
      return `| ${list} | ${permission === null ? "none" : `\`${permission}\``} |`;
    }),
  ].join("\n");
}

function leastRole(permission: Permission): string {
  const role = RANKS.find((name) =>
    (BUILT_IN_ROLES[name].permissions as readonly string[]).includes(permission)
  );
  if (role !== undefined) return `\`${role}\``;
  return isGlobal(permission) ? "`platform_admin`, everywhere" : "`platform_admin`";
}
