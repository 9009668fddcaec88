import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ADMIN, type AdminHarness, withAdminApi } from "../../../tests/support/admin_api.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { newUser } from "../../../tests/support/people_contract.ts";
import { NOBODY, People } from "../../auth/people.ts";
import type { Principal } from "../../auth/principal.ts";
import { BUILT_IN_ROLES } from "../../auth/permission_table.ts";

/** The caller as a worker finds it now; `teams` narrows its token, undefined is that of a login. */
async function callerOf(
  { store }: AdminHarness,
  name: string,
  given: Partial<Principal> = {},
): Promise<Principal> {
  const people = new People(await store.people.read(), {
    ...{ platformAdminEmail: "root@x", requireUser: false, now: Date.now },
  });
  return people.resolve(
    principal({ subject: name, email: `${name}@x`, isLogin: given.teams === undefined, ...given }),
  );
}

function withUsers(names: readonly string[], run: (harness: AdminHarness) => Promise<void>): Promise<void> {
  return withAdminApi(async (harness) => {
    for (const name of names) await harness.store.people.users.insert(newUser(`${name}@x`));
    await run(harness);
  });
}

Deno.test("a team is seen by its members and administrators, and managed by its owners", () =>
  withUsers(["ann", "bob", "cid"], async (harness) => {
    const { call } = harness;
    const { body: team, status } = await call("POST", "/teams", { body: { name: "Travel" } });
    assertEquals([status, team.slug, team.visibility, team.member_count], [201, "travel", "private", 0]);
    assertEquals((await call("POST", "/teams", { body: { name: "TRAVEL!" } })).status, 409);
    const members = `/teams/${team.id}/members`;
    assertEquals((await call("POST", members, { body: { email: "ann@x", role: "owner" } })).status, 201);
    assertEquals((await call("POST", members, { body: { email: "ANN@x" } })).status, 409);
    assertEquals((await call("POST", members, { body: { email: "nobody@x" } })).status, 404);
    const ann = await callerOf(harness, "ann");
    assertEquals((await call("POST", members, { as: ann, body: { email: "bob@x" } })).status, 201);
    const [bob, cid] = [await callerOf(harness, "bob"), await callerOf(harness, "cid")];
    const statusOf = async (as: Principal, method: string, path: string, body = {}) =>
      (await call(method, path, { as, body })).status;
    const requests = [["GET", `/teams/${team.id}`], ["GET", members], ["PUT", `/teams/${team.id}`]] as const;
    for (const [as, expected] of [[ann, 200], [ADMIN, 200], [cid, 404]] as const) {
      for (const [method, path] of requests) {
        assertEquals([method, await statusOf(as, method, path)], [method, expected]);
        assertEquals(await statusOf(as, method, "/teams/nothing"), 404);
      }
    }
    assertEquals([await statusOf(bob, "GET", members), await statusOf(bob, "PUT", `/teams/${team.id}`)], [
      200,
      403,
    ]);
    // The workers know a team by the name in the tokens of other issuers, too.
    const changes = harness.changes();
    assertEquals(await statusOf(ann, "PUT", `/teams/${team.id}`, { name: "Travel" }), 200);
    assertEquals(harness.changes(), changes + 1);
    // A token without the team sees nothing of it.
    assertEquals(
      await statusOf(await callerOf(harness, "ann", { teams: [] }), "GET", `/teams/${team.id}`),
      404,
    );

    const names = async (as: Principal) =>
      (await call("GET", "/teams", { as })).body.teams.map(({ name }: { name: string }) => name);
    assertEquals(await names(ADMIN), ["Travel"]);
    assertEquals(await names(bob), ["Travel", "bob@x's team"]);
    assertEquals(await names(await callerOf(harness, "bob", { teams: [team.id] })), ["Travel"]);
    const personal = bob.teams!.find((id) => id !== team.id);
    assertEquals(await statusOf(bob, "DELETE", `/teams/${personal}`), 409);

    assertEquals(await statusOf(ann, "PUT", `${members}/bob@x`, { role: "owner" }), 200);
    assertEquals(await statusOf(ann, "DELETE", `/teams/${team.id}/leave`), 200);
    assertEquals(await statusOf(await callerOf(harness, "bob"), "DELETE", `/teams/${team.id}/leave`), 409);
    assertEquals(await statusOf(ADMIN, "DELETE", `/teams/${team.id}`), 200);
    assertEquals(await names(await callerOf(harness, "bob")), ["bob@x's team"]);
  }));

Deno.test("an invitation makes its addressee a member, and nobody else", () =>
  withUsers(["ann", "bob", "cid"], async (harness) => {
    const { call } = harness;
    const { body: team } = await call("POST", "/teams", { body: { name: "Travel", max_members: 2 } });
    await call("POST", `/teams/${team.id}/members`, { body: { email: "ann@x", role: "owner" } });
    const ann = await callerOf(harness, "ann");
    const path = `/teams/${team.id}/invitations`;
    const { body: sent } = await call("POST", path, { as: ann, body: { email: "Bob@x" } });
    const listed = (await call("GET", path, { as: ann })).body;
    assertEquals([listed.length, listed[0].email, listed[0].token], [1, "bob@x", null]);
    const accept = async (name: string) =>
      (await call("POST", `/teams/invitations/${sent.token}/accept`, { as: await callerOf(harness, name) }))
        .status;
    assertEquals([await accept("cid"), await accept("bob"), await accept("bob")], [404, 200, 404]);
    assertEquals((await call("GET", path, { as: await callerOf(harness, "bob") })).status, 403);
    const { body: next } = await call("POST", path, { as: ann, body: { email: "cid@x" } });
    const cancel = async (name: string) =>
      (await call("DELETE", `/teams/invitations/${next.id}`, { as: await callerOf(harness, name) })).status;
    assertEquals([await cancel("cid"), await cancel("ann"), await cancel("ann")], [404, 200, 404]);
    // The team is full.
    const { body: late } = await call("POST", path, { as: ann, body: { email: "cid@x" } });
    const full = await call("POST", `/teams/invitations/${late.token}/accept`, {
      as: await callerOf(harness, "cid"),
    });
    assertEquals(full.status, 409);
  }));

Deno.test("a public team is found, and joined when an owner approves, up to the limit of teams", () =>
  withUsers(["ann", "bob"], async (harness) => {
    const { call } = harness;
    const create = async (name: string, visibility: string) =>
      (await call("POST", "/teams", { body: { name, visibility } })).body.id;
    const hidden = await create("hidden", "private");
    const open = [
      await create("a", "public"),
      await create("b", "public"),
      await create("c", "public"),
      await create("d", "public"),
    ];
    const ann = () => callerOf(harness, "ann");
    await call("POST", `/teams/${open[0]}/members`, { body: { email: "bob@x", role: "owner" } });
    const ask = async (id: string, body?: unknown) =>
      await call("POST", `/teams/${id}/join`, { as: await ann(), body });
    assertEquals([(await ask(hidden)).status, (await ask("nothing")).status], [404, 404]);
    const { status, body: asked } = await ask(open[0], { message: " let me in " });
    assertEquals([status, asked.status, asked.message, asked.user_email], [
      200,
      "pending",
      "let me in",
      "ann@x",
    ]);
    assertEquals((await ask(open[0], { message: "x".repeat(501) })).status, 422);
    const { body: again } = await ask(open[0]);
    const path = `/teams/${open[0]}/join-requests`;
    const bob = await callerOf(harness, "bob");
    const listed = (await call("GET", path, { as: bob })).body;
    assertEquals(listed, [again]);
    // Nobody but the team's owners decides, and a request belongs to its team.
    const decide = async (as: Principal, id: string, team = open[0]) =>
      (await call("POST", `/teams/${team}/join-requests/${id}/approve`, { as })).status;
    assertEquals((await call("GET", path, { as: await ann() })).status, 404);
    assertEquals([await decide(await ann(), again.id), await decide(ADMIN, again.id, open[1])], [404, 404]);
    assertEquals([await decide(bob, asked.id), await decide(bob, again.id), await decide(bob, again.id)], [
      ...[404, 200, 404],
    ]);
    assertEquals((await ask(open[0])).status, 409);
    const found = (await call("GET", "/teams/discover", { as: await ann() })).body;
    assertEquals(found.map(({ name }: { name: string }) => name), ["b", "c", "d"]);
    assertEquals(
      (await call("GET", "/teams/discover?skip=1&limit=1", { as: await ann() })).body[0].name,
      "c",
    );
    const searched = await call("GET", "/teams/discover?q=C", { as: await ann() });
    assertEquals(searched.body.map(({ name }: { name: string }) => name), ["c"]);
    const { teams, total } = (await call("GET", "/teams?q=B")).body;
    assertEquals([teams.map(({ name }: { name: string }) => name), total], [["b"], 1]);
    const { body: second } = await ask(open[1]);
    assertEquals((await call("DELETE", `/teams/${open[1]}/join-requests/${second.id}`)).status, 200);
    assertEquals((await call("GET", `/teams/${open[1]}/join-requests`)).body, []);
    for (const id of [open[1], open[2]]) {
      assertEquals(await decide(ADMIN, (await ask(id)).body.id, id), 200);
    }
    // Requests and teams have one limit.
    assertEquals(await decide(ADMIN, (await ask(open[3])).body.id, open[3]), 409);
    assertEquals((await call("POST", `/teams/${open[3]}/join`, { as: ADMIN })).status, 403);
  }));

Deno.test("roles are made, assigned, counted at once, and taken away", () =>
  withUsers(["ann"], async (harness) => {
    const { call, store } = harness;
    const { body: roles } = await call("GET", "/rbac/roles");
    assertEquals(roles.map(({ id }: { id: string }) => id), Object.keys(BUILT_IN_ROLES));
    const auditor = { name: "auditor", scope: "global", permissions: ["admin.metrics", "a2a.read"] };
    const made = await call("POST", "/rbac/roles", { body: auditor });
    assertEquals([made.status, made.body.effective_permissions], [201, ["admin.metrics"]]);
    assertStringIncludes(made.body.warnings[0].msg, '"a2a.read" has no effect');
    for (const body of [{ ...auditor, name: "viewer" }, auditor]) {
      assertEquals((await call("POST", "/rbac/roles", { body })).status, 409);
    }
    assertEquals(
      (await call("POST", "/rbac/roles", { body: { ...auditor, permissions: ["x y"] } })).status,
      422,
    );
    assertEquals((await call("PUT", "/rbac/roles/viewer", { body: { description: "x" } })).status, 409);

    const team = (await call("POST", "/teams", { body: { name: "Travel" } })).body.id;
    const assign = async (body: Record<string, unknown>) =>
      (await call("POST", "/rbac/users/ann@x/roles", { body })).status;
    const inTeam = { role_id: "developer", scope: "team", scope_id: team };
    assertEquals([await assign(inTeam), await assign({ ...inTeam, role_id: "none" })], [422, 404]);
    await call("POST", `/teams/${team}/members`, { body: { email: "ann@x" } });
    assertEquals([await assign(inTeam), await assign(inTeam)], [200, 409]);
    assertEquals(await assign({ role_id: "auditor", scope: "global" }), 200);
    assertEquals(await assign({ role_id: "viewer", scope: "server", scope_id: "nothing" }), 422);
    for (const expires_at of ["2001-01-01T00:00:00Z", "tomorrow"]) {
      assertEquals(await assign({ role_id: "viewer", scope: "global", expires_at }), 422);
    }

    const check = async (permission: string, team_id?: string) =>
      (await call("POST", "/rbac/permissions/check", { body: { user_email: "ann@x", permission, team_id } }))
        .body.granted;
    assertEquals([
      await check("tools.update", team),
      await check("tools.update", "t9"),
      await check("admin.metrics"),
    ], [
      ...[true, false, true],
    ]);
    assertEquals([await check("teams.create"), await check("unknown.thing")], [false, false]);
    const ann = () => callerOf(harness, "ann");
    const mine = (await call("GET", "/rbac/my/permissions", { as: await ann() })).body;
    assertEquals(mine, (await call("GET", "/rbac/permissions/user/ann@x")).body);
    assert(mine.includes("tools.update") && !mine.includes("admin.user_management"));
    const narrow = await callerOf(harness, "ann", { teams: [], permissions: ["tools.read", "tools.update"] });
    assertEquals((await call("GET", "/rbac/my/permissions", { as: narrow })).body, ["tools.read"]);
    const shown = (await call("GET", "/rbac/my/roles", { as: await ann() })).body;
    assertEquals(shown.map(({ role_name }: { role_name: string }) => role_name), ["developer", "auditor"]);

    await call("PUT", "/rbac/roles/auditor", { body: { permissions: [] } });
    assertEquals(await check("admin.metrics"), false);
    const revoke = `/rbac/users/ann@x/roles/developer?scope=team&scope_id=${team}`;
    assertEquals([(await call("DELETE", revoke)).status, (await call("DELETE", revoke)).status], [200, 404]);
    // Personal team aside, ann is a mere member again.
    assertEquals(await check("tools.update", team), false);
    assertEquals((await call("DELETE", "/rbac/roles/auditor")).status, 200);
    assertEquals((await call("GET", "/rbac/users/ann@x/roles")).body, []);
    assertEquals(NOBODY.callerOf("ann@x"), null);
    assert(await store.people.users.delete("ann@x"));
  }));

Deno.test("a role in a team grants nothing that concerns more than the team", () =>
  withUsers(["ann"], async (harness) => {
    const { call } = harness;
    const team = (await call("POST", "/teams", { body: { name: "Travel" } })).body.id;
    await call("POST", `/teams/${team}/members`, { body: { email: "ann@x" } });
    const body = { role_id: "platform_admin", scope: "team", scope_id: team };
    assertEquals((await call("POST", "/rbac/users/ann@x/roles", { body })).status, 200);
    const ann = await callerOf(harness, "ann");
    assertEquals(ann.isAdmin, false);
    for (const path of ["/auth/email/admin/users", "/rbac/roles", "/version", "/tokens/revoked"]) {
      assertEquals([path, (await call("GET", path, { as: ann })).status], [path, 403]);
    }
    assertEquals(
      (await call("PUT", `/teams/${team}`, { as: ann, body: { description: "ours" } })).status,
      200,
    );
    assertEquals((await call("POST", "/teams", { as: ann, body: { name: "Other" } })).status, 403);
  }));
