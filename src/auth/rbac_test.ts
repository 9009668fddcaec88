import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { principal as fake } from "../../tests/support/fakes.ts";
import { SluiceError } from "../base/errors.ts";
import type { Principal } from "./principal.ts";
import { needsAdministrator, type Permission, PERMISSIONS } from "./permission_table.ts";
import { canSee, requirePermission, requireRestPermission, visibilityKey, type Visible } from "./rbac.ts";

const PUBLIC: Visible = { visibility: "public", teamId: null, ownerEmail: "b@x" };
const TEAM_1: Visible = { visibility: "team", teamId: "t1", ownerEmail: "b@x" };
const TEAM_2: Visible = { visibility: "team", teamId: "t2", ownerEmail: "a@x" };
const OWN: Visible = { visibility: "private", teamId: null, ownerEmail: "a@x" };
const FOREIGN: Visible = { visibility: "private", teamId: "t1", ownerEmail: "b@x" };

Deno.test("canSee() follows the token's teams", () => {
  const seen = (given: Partial<Principal>) =>
    [PUBLIC, TEAM_1, TEAM_2, OWN, FOREIGN].map((entity) => canSee(principal(given), entity));
  assertEquals(seen({ teams: [] }), [true, false, false, false, false]);
  assertEquals(seen({ teams: [], isAdmin: true }), [true, false, false, false, false]);
  assertEquals(seen({ teams: ["t1"] }), [true, true, false, true, false]);
  assertEquals(seen({ teams: ["t1"], isAdmin: true }), [true, true, false, true, false]);
  assertEquals(seen({ teams: null }), [true, false, false, false, false]);
  assertEquals(seen({ teams: null, isAdmin: true }), [true, true, true, true, true]);
  assertEquals(seen({ kind: "anonymous", teams: ["t1"] }), [true, true, false, false, false]);
  assertEquals(canSee(principal({ teams: ["t1"] }), { ...OWN, ownerEmail: "A@X" }), true);
  assertEquals(canSee(principal({ teams: ["t1"], email: "A@x" }), OWN), true);
});

Deno.test("visibilityKey() is the same only for those of whom canSee() says the same, whatever the entity", () => {
  const team = fc.constantFrom("t1", "t2", 'a","b', "everything", "public", "");
  const email = fc.constantFrom("a@x", "b@x", "t1", "null");
  const who = fc.record({
    kind: fc.constantFrom("user" as const, "anonymous" as const),
    isAdmin: fc.boolean(),
    teams: fc.option(fc.array(team, { maxLength: 3 })),
    email,
  });
  const entity = fc.record({
    visibility: fc.constantFrom("public" as const, "team" as const, "private" as const),
    teamId: fc.option(team),
    ownerEmail: fc.option(email),
  });
  fc.assert(
    fc.property(who, who, fc.array(entity, { minLength: 5 }), (one, other, entities) => {
      const [a, b] = [principal(one), principal(other)];
      if (visibilityKey(a) !== visibilityKey(b)) return;
      for (const each of entities) assertEquals(canSee(a, each), canSee(b, each));
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("visibilityKey() joins callers who see the same by the order of teams, tokens and rights", () => {
  const one = { teams: ["t1", "t2"], jti: "1", expiresAt: 1, permissions: ["tools.read"] };
  const other = { teams: ["t2", "t1", "t1"], jti: "2", isAdmin: true };
  assertEquals(visibilityKey(principal(one)), visibilityKey(principal(other)));
  assertEquals(visibilityKey(principal({ teams: null })), visibilityKey(principal({ email: "other@x" })));
});

Deno.test("requirePermission() leaves everything but reading and calling to administrators", () => {
  const open: Permission[] = [
    "tools.read",
    "tools.execute",
    "resources.read",
    "prompts.read",
    "servers.read",
    "tags.read",
    "gateways.read",
  ];
  assertEquals(
    PERMISSIONS.filter((permission) => !needsAdministrator(permission)).toSorted(),
    open.toSorted(),
  );
  for (const permission of PERMISSIONS) {
    requirePermission(principal({ isAdmin: true }), permission);
    if (open.includes(permission)) requirePermission(principal({}), permission);
    else refused(() => requirePermission(principal({}), permission));
  }
});

Deno.test("requirePermission() lets a token's permissions narrow, never widen", () => {
  refused(() => requirePermission(principal({ permissions: ["tools.read"] }), "tools.execute"));
  refused(() => requirePermission(principal({ permissions: [], isAdmin: true }), "tools.read"));
  refused(() => requirePermission(principal({ permissions: ["*", "tools.delete"] }), "tools.delete"));
  requirePermission(principal({ permissions: ["tools.read"] }), "tools.read");
  requirePermission(principal({ permissions: ["*"], isAdmin: true }), "tools.delete");
});

Deno.test("requireRestPermission() keeps a token for one virtual server to that server's paths", () => {
  const scoped = principal({ isAdmin: true, teams: null, serverId: "s1" });
  requireRestPermission(scoped, "servers.read", "s1");
  refused(() => requireRestPermission(scoped, "servers.read", "s2"));
  refused(() => requireRestPermission(scoped, "admin.metrics", null));
  refused(() => requireRestPermission({ ...scoped, permissions: ["tools.read"] }, "servers.read", "s1"));
  requireRestPermission(principal({ isAdmin: true }), "admin.metrics", null);
  requireRestPermission(principal({}), "servers.read", "s1");
});

function refused(act: () => void): void {
  assertEquals(assertThrows(act, SluiceError).code, "FORBIDDEN");
}

function principal(given: Partial<Principal>): Principal {
  return fake({ subject: "a@x", email: "a@x", ...given });
}
