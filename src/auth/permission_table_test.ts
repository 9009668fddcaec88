import { assert, assertEquals } from "@std/assert";
import { ROUTES } from "../admin/routes.ts";
import {
  BUILT_IN_ROLES,
  EVERY_PERMISSION,
  isPermission,
  PERMISSIONS,
  type Role,
} from "./permission_table.ts";

const roles: readonly Role[] = Object.values(BUILT_IN_ROLES);

Deno.test("The table of permissions has every permission that a route or a role names", () => {
  const named = [
    ...ROUTES.flatMap(({ permission }) => permission === null || permission === "token" ? [] : permission),
    ...roles.flatMap(({ permissions }) => permissions),
  ];
  assertEquals(named.filter((name) => !isPermission(name) && name !== EVERY_PERMISSION), []);
  assert(!isPermission("toString"));
});

Deno.test("Each built-in role but platform_admin leaves what concerns more than one team to administrators", () => {
  for (const { name, permissions } of roles) {
    assertEquals(new Set(permissions).size, permissions.length, name);
    if (name === "platform_admin") assertEquals(permissions, [EVERY_PERMISSION]);
    else {assertEquals(
        permissions.filter((each) => each.startsWith("admin.") || each === EVERY_PERMISSION),
        [],
      );}
  }
});

Deno.test("The built-in roles grant ever more, from platform_viewer to team_admin", () => {
  const { platform_viewer, viewer, developer, team_admin } = BUILT_IN_ROLES;
  const ranks: readonly (readonly string[])[] = [
    platform_viewer.permissions,
    viewer.permissions,
    developer.permissions,
    team_admin.permissions,
  ];
  ranks.slice(1).forEach((rank, i) => assertEquals(ranks[i].filter((each) => !rank.includes(each)), []));
  assertEquals(
    PERMISSIONS.filter((each) => !ranks.at(-1)!.includes(each)).toSorted(),
    [
      "admin.export",
      "admin.import",
      "admin.metrics",
      "admin.quotas",
      "admin.security_audit",
      "admin.system_config",
      "admin.user_management",
      "teams.create",
    ],
  );
});
