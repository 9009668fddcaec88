import { assertEquals } from "@std/assert";
import { ADMIN, ALICE, withAdminApi } from "../../tests/support/admin_api.ts";
import { newUser } from "../../tests/support/people_contract.ts";
import { discovery } from "../../tests/support/registry_rows.ts";
import { actorOf } from "../auth/principal.ts";
import { actionOf } from "./audited_writes.ts";
import { ROUTES } from "./routes.ts";

// deno-lint-ignore no-explicit-any -- JSON of the API
type Json = any;

const PASSWORD = "correct horse battery";

Deno.test("the trail has each write with what a GET of the entity shows before and after", () =>
  withAdminApi(async ({ call, upstreams }) => {
    upstreams.set(
      "https://a.example/mcp?key=hunter2",
      discovery({ tools: ["t"], resources: ["r"], prompts: ["p"] }),
    );
    const latest = async (): Promise<Json> => (await call("GET", "/audit?limit=1")).body.records[0];
    const { body: gateway } = await call("POST", "/gateways", {
      body: {
        name: "a",
        url: "https://a.example/mcp?key=hunter2",
        auth_type: "bearer",
        auth_token: "hunter2",
      },
    });
    const created = await latest();
    assertEquals([created.operation, created.entity], ["createGateway", { kind: "gateway", id: gateway.id }]);
    assertEquals([created.changes.name, created.correlationId], [
      { before: null, after: "a" },
      "of-the-test",
    ]);

    for (const kind of ["tool", "resource", "prompt"]) {
      const [{ id }] = (await call("GET", `/${kind}s`)).body;
      await call("POST", `/${kind}s/${id}/state?activate=false`);
      const { entity, changes } = await latest();
      assertEquals([entity, changes.enabled], [{ kind, id }, { before: true, after: false }]);
    }
    const { body: server } = await call("POST", "/servers", { body: { server: { name: "s" } } });
    await call("DELETE", `/servers/${server.id}`);
    const deleted = await latest();
    assertEquals([deleted.operation, deleted.changes.name], ["deleteServer", { before: "s", after: null }]);

    for (const email of ["ada@x.org", "ann@x.org"]) {
      await call("POST", "/auth/email/admin/users", {
        body: { email, password: PASSWORD, is_admin: email[1] === "d" },
      });
    }
    const ada = { ...ADMIN, email: "ada@x.org" };
    const { body: team } = await call("POST", "/teams", { as: ada, body: { name: "crew" } });
    await call("POST", `/teams/${team.id}/members`, { as: ada, body: { email: "ann@x.org" } });
    const joined = await latest();
    const [member]: Json[] = Object.values(joined.changes);
    assertEquals([joined.entity.id, member.before, member.after.user_email], [team.id, null, "ann@x.org"]);
    await call("POST", "/auth/login", { body: { email: "ANN@x.org", password: PASSWORD } });
    const login = await latest();
    assertEquals([login.operation, login.entity.id, login.fields], ["login", "ann@x.org", [
      "email",
      "password",
    ]]);
    await call("POST", "/import/mcp-servers", {
      body: { mcpServers: { b: { url: "https://b.example/mcp" } } },
    });
    const [imported]: Json[] = Object.values((await latest()).changes);
    assertEquals([imported.before, String(imported.after).includes("https://b.example/mcp")], [null, true]);
    await call("POST", "/import/mcp-servers?dry_run=true", { body: { mcpServers: {} } });
    assertEquals((await latest()).changes, {});
    await call("DELETE", "/tokens/a-token", { body: { reason: "lost" } });
    assertEquals((await latest()).entity, { kind: "token", id: "a-token" });
    await call("DELETE", "/tokens/admin/another", { body: { reason: "lost" } });
    assertEquals((await latest()).entity, { kind: "token", id: "another" });

    const { length } = (await call("GET", "/audit")).body.records;
    assertEquals(
      (await call("POST", "/servers", { as: ALICE, body: { server: { name: "x" } } })).status,
      403,
    );
    await call("GET", `/gateways/${gateway.id}`);
    const { body: { records, nextCursor } } = await call("GET", "/audit?limit=3");
    const { body: rest } = await call("GET", `/audit?cursor=${nextCursor}`);
    assertEquals([records.length, records.length + rest.records.length, rest.nextCursor], [3, length, null]);
    const text = JSON.stringify([...records, ...rest.records]);
    for (const secret of ["hunter2", PASSWORD, "scrypt"]) assertEquals(text.includes(secret), false, secret);
    assertEquals((await call("GET", "/audit", { as: ALICE })).status, 403);
    assertEquals((await call("GET", "/audit?limit=0")).status, 422);
  }));

Deno.test("the trail names who and what a write is about, where its path has a secret or another id", () =>
  withAdminApi(async ({ call, store }) => {
    const latest = async (): Promise<Json> => (await call("GET", "/audit?limit=1")).body.records[0];
    for (const email of ["ada@x.org", "ann@x.org"]) {
      await call("POST", "/auth/email/admin/users", { body: { email, password: PASSWORD } });
    }
    const { body: { token } } = await call("POST", "/auth/email/admin/users/ann@x.org/reset-password");
    const password = { new_password: "another horse battery" };
    await call("POST", `/auth/email/reset-password/${token}`, { body: password });
    const { entity: changed, changes } = await latest();
    assertEquals([changed, changes], [{ kind: "user", id: "ann@x.org" }, {}]);

    const { body: team } = await call("POST", "/teams", {
      as: { ...ADMIN, email: "ada@x.org" },
      body: { name: "crew" },
    });
    const { body: invitation } = await call("POST", `/teams/${team.id}/invitations`, {
      as: { ...ADMIN, email: "ada@x.org" },
      body: { email: "ann@x.org" },
    });
    await call("POST", `/teams/invitations/${invitation.token}/accept`, {
      as: { ...ADMIN, email: "ann@x.org" },
    });
    const { operation, entity, actor } = await latest();
    assertEquals([operation, entity, actor.email], [
      "acceptInvitation",
      { kind: "team", id: team.id },
      "ann@x.org",
    ]);

    for (const [name, action] of [["cyd", "approve"], ["dan", "reject"]]) {
      const row = await store.people.users.insert({
        ...newUser(`${name}@x.org`),
        ...{ passwordHash: null, isActive: false },
      });
      await store.people.sso.identify({ issuer: "https://idp", subject: name!, provider: "main" }, row.id);
      await call("POST", `/auth/sso/pending-approvals/${row.id}/action`, { body: { action } });
      const decided = await latest();
      assertEquals([decided.entity, Object.keys(decided.changes)], [
        { kind: "user", id: `${name}@x.org` },
        [action === "approve" ? "is_active" : "email"],
      ]);
    }
  }));

Deno.test("the trail never has a token of a path, nor anybody without a token as an actor", () => {
  const route = ROUTES.find(({ operation }) => operation === "acceptInvitation")!;
  assertEquals(actionOf(route, { token: "hunter2" }).entity, null);
  assertEquals(actorOf({ ...ALICE, kind: "anonymous" }), null);
  const secret = ROUTES.filter(({ path }) => /\{\w*(token|secret|key|password)\w*\}/.test(path));
  assertEquals([...new Set(secret.map(({ path }) => path))], [
    "/auth/email/reset-password/{token}",
    "/teams/invitations/{token}/accept",
  ]);
});
