import { assert, assertEquals, assertThrows } from "@std/assert";
import { versionsAt } from "../../tests/support/catalog_rows.ts";
import { principal } from "../../tests/support/fakes.ts";
import { grantOf, memberOf, peopleOf, userOf } from "../../tests/support/people_rows.ts";
import { SluiceError } from "../base/errors.ts";
import { ANONYMOUS } from "./authenticate.ts";
import { People } from "./people.ts";
import { operatorOf, type Principal } from "./principal.ts";
import { holds, requireChange, requirePermission } from "./rbac.ts";

const tokenOf = (email: string, given: Partial<Principal> = {}) =>
  principal({ subject: email, email, ...given });

function may(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    assertEquals(error instanceof SluiceError && error.code, "FORBIDDEN");
    return false;
  }
}

Deno.test("People.resolve() leaves a caller without a record as its token says", () => {
  const people = peopleOf({ users: [userOf("ann@x")] });
  for (const given of [{}, { isAdmin: true, teams: null }, { teams: ["t1"], permissions: ["tools.read"] }]) {
    const token = tokenOf("bob@x", given);
    assertEquals(people.resolve(token), token);
  }
  assertEquals(people.resolve(ANONYMOUS), ANONYMOUS);
});

Deno.test("People.resolve() with REQUIRE_USER_IN_DB refuses callers without a record, other than the platform's administrator", () => {
  const people = peopleOf({ users: [userOf("ann@x")] }, { requireUser: true });
  assertThrows(() => people.resolve(tokenOf("bob@x", { isAdmin: true })), SluiceError, "REQUIRE_USER_IN_DB");
  assertThrows(
    () => people.resolve(tokenOf("bob@x", { email: "root@x" })),
    SluiceError,
    "REQUIRE_USER_IN_DB",
  );
  assertEquals(people.resolve(tokenOf("root@x")).subject, "root@x");
  assertEquals(people.resolve(ANONYMOUS), ANONYMOUS);
  assert(people.resolve(tokenOf("ann@x")).grants !== null);
});

Deno.test("People.resolve() takes administration from the record, never from the token", () => {
  const users = [userOf("ann@x"), userOf("ada@x", { isAdmin: true }), userOf("pat@x"), userOf("root@x")];
  const people = peopleOf({ users, assignments: [grantOf("pat@x", "platform_admin")] });
  const isAdmin = (email: string, claim: boolean) =>
    people.resolve(tokenOf(email, { isAdmin: claim, teams: null })).isAdmin;
  assertEquals(["ann@x", "ada@x", "pat@x", "root@x"].map((email) => isAdmin(email, true)), [
    false,
    true,
    true,
    true,
  ]);
  assertEquals(["ann@x", "ada@x", "pat@x", "root@x"].map((email) => isAdmin(email, false)), [
    false,
    true,
    true,
    true,
  ]);
});

Deno.test("People.resolve() finds the person of ContextForge's tokens, whose subject is an id", () => {
  const id = "0123456789abcdef0123456789abcdef";
  const people = peopleOf({ users: [userOf("ann@x", { id })] });
  const uuid = "01234567-89ab-cdef-0123-456789abcdef";
  for (const token of [tokenOf(uuid), principal({ subject: uuid, email: "Ann@X" })]) {
    const { subject, email } = people.resolve(token);
    assertEquals([subject, email], ["ann@x", "ann@x"]);
  }
});

Deno.test("People.resolve() refuses a user who is not active, and tokens from before a change of password", () => {
  const people = peopleOf({
    users: [userOf("off@x", { isActive: false }), userOf("new@x", { tokensValidFrom: 1_000 })],
  });
  assertThrows(() => people.resolve(tokenOf("off@x", { isAdmin: true })), SluiceError, "deactivated");
  for (const issuedAt of [null, 999]) {
    assertThrows(() => people.resolve(tokenOf("new@x", { issuedAt })), SluiceError, "log in again");
  }
  assertEquals(people.resolve(tokenOf("new@x", { issuedAt: 1_000 })).email, "new@x");
});

Deno.test("People.resolve() lets a token's teams narrow the memberships, and a login have all of them", () => {
  const people = peopleOf({
    users: [userOf("ann@x"), userOf("ada@x", { isAdmin: true })],
    members: [memberOf("t1", "ann@x"), memberOf("t2", "ann@x", "owner")],
  });
  const teams = (email: string, given: Partial<Principal>) => people.resolve(tokenOf(email, given)).teams;
  assertEquals(teams("ann@x", { teams: [] }), []);
  assertEquals(teams("ann@x", { teams: null }), []);
  assertEquals(teams("ann@x", { teams: null, isAdmin: true }), []);
  assertEquals(teams("ann@x", { teams: ["t2", "t3"] }), ["t2"]);
  assertEquals(teams("ann@x", { isLogin: true }), ["t1", "t2"]);
  assertEquals(teams("ada@x", { teams: null }), null);
  assertEquals(teams("ada@x", { teams: [] }), []);
  assertEquals(teams("ada@x", { isLogin: true }), null);
});

Deno.test("Roles grant everywhere, in a team of the token, or on a virtual server", () => {
  const people = peopleOf({
    users: ["none", "member", "owner", "dev", "former", "guest", "custom"].map((name) => userOf(`${name}@x`)),
    members: [memberOf("t1", "member@x"), memberOf("t1", "owner@x", "owner"), memberOf("t1", "dev@x")],
    roles: [{ id: "r1", name: "r1", permissions: ["servers.update"] }],
    assignments: [
      grantOf("dev@x", "developer", "team", "t1"),
      grantOf("former@x", "developer", "team", "t1"),
      grantOf("guest@x", "viewer", "server", "s1"),
      grantOf("custom@x", "r1"),
      grantOf("custom@x", "gone"),
    ],
  });
  const caller = (name: string, teams: readonly string[] = ["t1"]) =>
    people.resolve(tokenOf(`${name}@x`, { teams }));
  const who = (ask: (name: string) => boolean) =>
    ["none", "member", "owner", "dev", "former", "guest", "custom"].filter(ask);
  const needs = (
    name: string,
    ...rest: [permission: "tools.read" | "tools.execute" | "tools.update", server?: string]
  ) => may(() => requirePermission(caller(name), ...rest));
  assertEquals(who((name) => needs(name, "tools.read")).length, 7);
  assertEquals(who((name) => needs(name, "tools.execute")), ["member", "owner", "dev"]);
  assertEquals(who((name) => needs(name, "tools.execute", "s1")), ["member", "owner", "dev", "guest"]);
  assertEquals(who((name) => needs(name, "tools.update")), ["owner", "dev"]);
  // A token that leaves the team out leaves out what the team's roles grant.
  assertEquals(may(() => requirePermission(caller("dev", []), "tools.update")), false);

  const row = { id: "s1", visibility: "public", teamId: "t1", ownerEmail: "dev@x" } as const;
  const changes = (name: string, given: Partial<{ id: string; teamId: string | null }>) =>
    may(() => requireChange(caller(name), "servers.update", { ...row, ...given }));
  assertEquals(who((name) => changes(name, {})), ["owner", "dev"]);
  // dev owns the entry. A role that counts everywhere counts in the teams that the token names.
  assertEquals(who((name) => changes(name, { teamId: "t2" })), ["dev"]);
  assertEquals(who((name) => changes(name, { teamId: null })), ["dev"]);
  const whole = people.resolve(tokenOf("custom@x", { isLogin: true }));
  assertEquals(may(() => requireChange(whole, "servers.update", { ...row, teamId: "t2" })), true);
});

Deno.test("A token that names teams has an administrator's rights in these teams alone", () => {
  const people = peopleOf({
    users: [userOf("ada@x", { isAdmin: true }), userOf("pat@x")],
    assignments: [grantOf("pat@x", "platform_admin")],
  });
  const rights = (email: string, given: Partial<Principal>) => {
    const caller = people.resolve(tokenOf(email, { isAdmin: true, ...given }));
    assertEquals(people.isOutdated(caller), false);
    return [
      caller.isAdmin,
      holds(caller, "admin.user_management"),
      holds(caller, "tools.update", "t1"),
      holds(caller, "tools.update", "t2"),
      holds(caller, "tools.read"),
    ];
  };
  // `key@x` has no record. With its record, pat is an administrator by a role.
  for (const email of ["ada@x", "pat@x", "root@x", "key@x"]) {
    assertEquals([email, ...rights(email, { teams: ["t1"] })], [email, false, false, true, false, true]);
    assertEquals([email, ...rights(email, { teams: [] })], [email, false, false, false, false, true]);
    assertEquals([email, ...rights(email, { teams: null })], [email, true, true, true, true, true]);
    // The token says nothing about teams, as those of ContextForge's utility: it shows public entries, and keeps the rights.
    assertEquals(rights(email, { teams: [], teamsLimitSight: true }), [true, true, true, true, true]);
  }
});

Deno.test("A role counts until it ends, and its holder is outdated from that moment", () => {
  let now = 1_000;
  const people = peopleOf({
    users: [userOf("ann@x"), userOf("bob@x")],
    members: [memberOf("t1", "ann@x")],
    assignments: [
      grantOf("ann@x", "developer", "team", "t1", 3_000),
      grantOf("ann@x", "viewer", "server", "s1", 2_000),
      grantOf("ann@x", "platform_admin", "global", "", 1_000),
      grantOf("bob@x", "viewer"),
    ],
  }, { now: () => now });
  const caller = () => people.resolve(tokenOf("ann@x", { teams: ["t1"] }));
  const rights = () => {
    const { isAdmin, grants } = caller();
    const changes = grants!.inTeams.some(({ permissions }) => permissions.includes("tools.update"));
    return [isAdmin, changes, grants!.onServers.length, grants!.endsAt];
  };
  assertEquals(rights(), [false, true, 1, 2_000]);
  const first = caller();
  now = 1_999;
  assertEquals([people.isOutdated(first), rights()[3]], [false, 2_000]);
  now = 2_000;
  assertEquals([people.isOutdated(first), ...rights()], [true, false, true, 0, 3_000]);
  now = 3_000;
  assertEquals(rights(), [false, false, 0, null]);
  assertEquals(people.resolve(tokenOf("bob@x")).grants!.endsAt, null);
});

Deno.test("People.isOutdated() tells callers whose record came, went or changed from all others", () => {
  const before = peopleOf({ users: [userOf("ann@x"), userOf("bob@x")], members: [memberOf("t1", "ann@x")] });
  const [ann, bob] = ["ann@x", "bob@x"].map((email) => before.resolve(tokenOf(email, { teams: ["t1"] })));
  const cid = before.resolve(tokenOf("cid@x"));
  const outdated = (after: Parameters<typeof peopleOf>[0], options = {}) =>
    [ann, bob, cid, ANONYMOUS, operatorOf("ann@x")].map((each) => peopleOf(after, options).isOutdated(each));
  const users = [userOf("ann@x"), userOf("bob@x")];
  const members = [memberOf("t1", "ann@x")];
  assertEquals(outdated({ users, members }), [false, false, false, false, false]);
  assertEquals(outdated({ users, members: [] }), [true, false, false, false, false]);
  assertEquals(outdated({ users: [users[0], userOf("bob@x", { isActive: false })], members }), [
    ...[false, true, false, false, false],
  ]);
  assertEquals(outdated({ users: [users[0]], members }), [false, true, false, false, false]);
  assertEquals(outdated({ users: [...users, userOf("cid@x")], members }), [false, false, true, false, false]);
  assertEquals(outdated({ users, members }, { requireUser: true }), [false, false, true, false, false]);
});

Deno.test("A caller with many roles in many teams stays small", () => {
  const teams = Array.from({ length: 50 }, (_, i) => `team-${i}-0123456789abcdef01234567`);
  const people = peopleOf({ users: [userOf("ann@x")], members: teams.map((id) => memberOf(id, "ann@x")) });
  const text = JSON.stringify(people.resolve(tokenOf("ann@x", { isLogin: true })));
  assert(text.length < 16_384, String(text.length));
});

Deno.test("People.resolve() gives a caller without a record what the groups of its token give, as long as it is so", () => {
  const teams = [{ id: "t1", slug: "ops" }];
  const roles = [{ id: "r1", name: "auditor", permissions: ["admin.security_audit"] }];
  const caller = (given: Principal["given"]): Principal => ({
    ...operatorOf("https://idp|17"),
    ...{ isAdmin: false, issuer: "https://idp", teams: [], given },
  });
  const member = { team: "ops", role: "member" };
  const people = peopleOf({ teams, roles });
  const open = people.resolve(caller({ isAdmin: false, teams: [member], roles: null }));
  assertEquals([open.teams, open.grants], [["t1"], null]);
  const developer = { team: "ops", role: "developer" };
  const resolved = people.resolve(caller({ isAdmin: false, teams: [developer], roles: ["auditor", "none"] }));
  assertEquals([
    holds(resolved, "tools.create", "t1"),
    holds(resolved, "tools.create", "t2"),
    holds(resolved, "admin.security_audit"),
    holds(resolved, "admin.user_management"),
  ], [true, false, true, false]);
  assertEquals([resolved.teams, people.isOutdated(resolved), people.isOutdated(open)], [
    ["t1"],
    false,
    false,
  ]);
  const later = peopleOf({ version: 2, teams: [{ id: "t2", slug: "ops" }], roles: [] });
  assertEquals([later.isOutdated(resolved), later.isOutdated(open)], [true, true]);
  const admin = people.resolve(caller({ isAdmin: false, teams: [], roles: ["platform_admin"] }));
  assertEquals([admin.isAdmin, admin.teams, people.isOutdated(admin)], [true, null, false]);
  // A custom role of the name of a membership is none.
  const named = peopleOf({ teams, roles: [{ id: "r2", name: "member", permissions: ["*"] }] });
  assertEquals(named.resolve(caller({ isAdmin: false, teams: [member], roles: [] })).isAdmin, false);
});

Deno.test("People.resolve() refuses an API token whose owner was deleted, also if another user has the address now", () => {
  const token = (ownerId: string, refusal: string | null = null) =>
    principal({
      ...{ subject: "ann@x", email: "ann@x", isLogin: true },
      apiToken: { id: "t", ownerId, teamId: null, readAt: versionsAt(1), refusal },
    });
  const people = peopleOf({ users: [userOf("ann@x")] });
  const caller = people.resolve(token("id-ann@x"));
  assertEquals(caller.email, "ann@x");
  assertThrows(() => people.resolve(token("another-id")), SluiceError, "was deleted");
  assertThrows(() => peopleOf({}).resolve(token("id-ann@x")), SluiceError, "was deleted");
  assertThrows(() => people.resolve(token("id-ann@x", "switched off")), SluiceError, "switched off");
  assertEquals([people.isOutdated(caller), peopleOf({}).isOutdated(caller)], [false, true]);
  assertEquals(peopleOf({ users: [userOf("ann@x", { id: "another-id" })] }).isOutdated(caller), true);
});

Deno.test("People takes over who has not changed, and what a custom role grants anew changes at once", () => {
  const options = { platformAdminEmail: "root@x", requireUser: true, now: () => 0 };
  const rows = {
    ...{ version: 1, changed: null, members: [], teams: [] },
    users: [userOf("ann@x"), userOf("bob@x"), userOf("cat@x")],
    roles: [{ id: "r1", name: "auditor", permissions: ["tools.read"] }],
    assignments: [grantOf("ann@x", "r1")],
  };
  const before = new People(rows, options);
  const may = (people: People, email: string) =>
    people.resolve(tokenOf(email, { isLogin: true })).grants!.everywhere;
  assert(!may(before, "ann@x").includes("tools.execute"));
  const after = new People(
    {
      ...{ version: 2, members: [], teams: [], assignments: [] },
      changed: { users: ["id-bob@x", "id-cat@x"], teams: [], roles: ["r1"] },
      users: [userOf("bob@x", { isActive: false })],
      roles: [{ id: "r1", name: "auditor", permissions: ["tools.execute"] }],
    },
    options,
    before,
  );
  assert(may(after, "ann@x").includes("tools.execute"));
  assert(!may(before, "ann@x").includes("tools.execute"));
  assertThrows(() => after.resolve(tokenOf("bob@x")), SluiceError, "deactivated");
  assertThrows(() => after.resolve(tokenOf("cat@x")), SluiceError, "not known here");
  assert(before.resolve(tokenOf("cat@x")).grants !== null);
});

Deno.test("the token of a login ends with the user's record, also where tokens need no record", () => {
  const token = tokenOf("ann@x", { isLogin: true, loggedInAt: 1, isAdmin: true });
  const before = peopleOf({ users: [userOf("ann@x", { isAdmin: true }), userOf("bob@x")] });
  assert(before.resolve(token).isAdmin);
  for (const users of [[userOf("bob@x")], []]) {
    const after = peopleOf({ users });
    assertThrows(() => after.resolve(token), SluiceError, "was deleted");
    assert(after.isOutdated(before.resolve(token)));
  }
  // PLATFORM_ADMIN_EMAIL needs no record, but a login that names one does.
  const root = tokenOf("root@x", { isLogin: true, loggedInAt: 1, isAdmin: true });
  assert(before.resolve({ ...root, subject: "root@x" }).isAdmin);
});

Deno.test("tokens of a login and of an OAuth grant are no tokens of a record made anew with the same address", () => {
  const before = peopleOf({
    users: [userOf("ann@x", { id: "first", isAdmin: true }), userOf("root@x", { id: "old" })],
  });
  const after = peopleOf({
    users: [userOf("ann@x", { id: "second", isAdmin: true }), userOf("root@x", { id: "new" })],
  });
  for (
    const token of [
      tokenOf("ann@x", { isLogin: true, loggedInAt: 1, recordId: "first" }),
      tokenOf("ann@x", { isLogin: true, resource: "https://g.example/mcp", recordId: "first" }),
      tokenOf("root@x", { isLogin: true, loggedInAt: 1, recordId: "old" }),
    ]
  ) {
    const caller = before.resolve(token);
    assert(caller.isAdmin);
    assert(after.isOutdated(caller));
    assertThrows(() => after.resolve(token), SluiceError, "was deleted");
  }
  assert(after.resolve(tokenOf("ann@x", { isLogin: true, loggedInAt: 1, recordId: "second" })).isAdmin);
});
