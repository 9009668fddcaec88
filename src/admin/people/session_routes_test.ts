import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ADMIN, type AdminHarness, LOGIN_SECRET, withAdminApi } from "../../../tests/support/admin_api.ts";
import { versionsAt } from "../../../tests/support/catalog_rows.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { newUser } from "../../../tests/support/people_contract.ts";
import { principalOf } from "../../auth/token_claims.ts";
import type { Principal } from "../../auth/principal.ts";
import { decodeJwt, jwtVerify } from "jose";

const PASSWORD = "correct horse battery";

async function logIn({ call }: AdminHarness): Promise<{ token: string; as: Principal }> {
  await call("POST", "/auth/email/admin/users", { body: { email: "ann@x.org", password: PASSWORD } });
  const { body } = await call("POST", "/auth/login", { body: { email: "ann@x.org", password: PASSWORD } });
  return { token: body.access_token, as: await bearerOf(body.access_token) };
}

async function bearerOf(token: string, claims: Record<string, unknown> = {}): Promise<Principal> {
  await jwtVerify(token, new TextEncoder().encode(LOGIN_SECRET));
  const decoded = decodeJwt(token);
  return principalOf({ ...decoded, ...claims } as Parameters<typeof principalOf>[0], decoded.sub!, "root@x");
}

Deno.test("a login is continued by one new token, which ends the former one, until its longest lifetime", () =>
  withAdminApi(async (harness) => {
    const { call, store } = harness;
    const { as, token } = await logIn(harness);
    const { body: shown } = await call("GET", "/auth/validate", { as });
    assertEquals([shown.valid, shown.session_source, shown.user.email], [true, "local", "ann@x.org"]);
    assert(shown.expires_in > 0 && shown.config.max_lifetime === 7_200);
    const { status, body } = await call("POST", "/auth/refresh", { as });
    assertEquals([status, body.token_type], [200, "bearer"]);
    const next = await bearerOf(body.access_token);
    assert(next.jti !== as.jti && body.access_token !== token);
    assertEquals([next.loggedInAt, next.isLogin], [as.loggedInAt, true]);
    assertEquals((await store.revokedTokens.ids()).includes(as.jti!), true);
    // A token is replaced once; the new one goes on.
    const again = await call("POST", "/auth/refresh", { as });
    assertEquals(again.status, 401);
    assertStringIncludes(again.body.detail, "replaced already");
    assertEquals((await call("POST", "/auth/refresh", { as: next })).status, 200);
    // Near the end of the longest lifetime a token is shorter, and then there is none.
    const { body: later } = await call("POST", "/auth/login", {
      body: { email: "ann@x.org", password: PASSWORD },
    });
    const late = await bearerOf(later.access_token, {
      session_start: Math.floor(Date.now() / 1000) - 7_000,
      jti: "late",
    });
    const short = await call("POST", "/auth/refresh", { as: late });
    assert(short.body.expires_in > 0 && short.body.expires_in <= 200, String(short.body.expires_in));
    const over = await call("POST", "/auth/refresh", {
      as: { ...late, jti: "over", loggedInAt: Date.now() - 7_200_001 },
    });
    assertEquals(over.status, 401);
    assertStringIncludes(over.body.detail, "SESSION_MAX_LIFETIME");
  }));

Deno.test("no other token is continued, and none gets wider by it", () =>
  withAdminApi(async (harness) => {
    const { as } = await logIn(harness);
    const { loggedInAt: _, ...foreign } = as;
    const others: Principal[] = [
      ADMIN,
      foreign,
      { ...as, permissions: ["tools.read"] },
      { ...as, limits: { networks: ["10.0.0.0/8"], times: null, usage: null } },
      { ...as, jti: null },
    ];
    for (const each of others) {
      assertEquals((await harness.call("POST", "/auth/refresh", { as: each })).status, 403);
    }
    const apiToken = { id: "t", ownerId: "x", teamId: null, readAt: versionsAt(0), refusal: null };
    const { body } = await harness.call("GET", "/auth/validate", { as: { ...foreign, apiToken } });
    assertEquals(body.session_source, "api_token");
    const stranger = await harness.call("GET", "/auth/validate", { as: principal({ email: "no@x" }) });
    assertEquals([stranger.body.user, stranger.body.expires_at], [null, null]);
  }));

Deno.test("logins are listed for their user, and all for administrators", () =>
  withAdminApi(async (harness) => {
    const { call } = harness;
    const { as } = await logIn(harness);
    await call("POST", "/auth/logout", { as });
    await call("POST", "/auth/login", { body: { email: "other@x.org", password: "wrong wrong wrong" } });
    await harness.store.people.users.insert(newUser("bob@x.org"));
    const types = (events: Record<string, unknown>[]) =>
      events.map(({ event_type, success }) => `${event_type} ${success}`);
    const { body: own } = await call("GET", "/auth/email/events", { as });
    assertEquals(types(own), ["logout true", "login true", "registration true"]);
    assertEquals(own[1].user_email, "ann@x.org");
    assertEquals(
      (await call("GET", "/auth/email/events?limit=1&offset=1", { as })).body[0].event_type,
      "login",
    );
    assertEquals(
      (await call("GET", "/auth/email/events", { as: principal({ email: "bob@x.org" }) })).body,
      [],
    );
    assertEquals((await call("GET", "/auth/email/admin/events", { as: principal({}) })).status, 403);
    const { body: hers } = await call("GET", "/auth/email/admin/events?user_email=Ann@X.org");
    assertEquals(hers, own);
  }));

Deno.test("providers are read and not written by REST, and users who wait are activated or deleted", () =>
  withAdminApi(async ({ call, store }) => {
    assertEquals((await call("GET", "/auth/sso/admin/providers")).body, []);
    for (const [method, path] of [["POST", ""], ["PUT", "/x"], ["DELETE", "/x"]]) {
      const refused = await call(method!, `/auth/sso/admin/providers${path}`, { body: { id: "x" } });
      assertEquals(refused.status, 409);
      assertStringIncludes(refused.body.detail, "SSO_PROVIDERS");
    }
    const { users, sso } = store.people;
    for (const name of ["ann", "bob"]) {
      const row = await users.insert({ ...newUser(`${name}@x`), passwordHash: null, isActive: false });
      await sso.identify({ issuer: "https://idp", subject: name, provider: "main" }, row.id);
    }
    await users.insert({ ...newUser("off@x"), isActive: false });
    const list = async () => (await call("GET", "/auth/sso/pending-approvals")).body;
    const [ann, bob] = await list();
    assertEquals([ann.email, ann.auth_provider, bob.email], ["ann@x", "main", "bob@x"]);
    const decide = async (id: string, action: string) =>
      (await call("POST", `/auth/sso/pending-approvals/${id}/action`, { body: { action } })).status;
    assertEquals([
      await decide(ann.id, "approve"),
      await decide(bob.id, "reject"),
      await decide(bob.id, "reject"),
    ], [
      ...[200, 200, 404],
    ]);
    assertEquals([(await users.get("ann@x"))?.isActive, await users.get("bob@x"), await list()], [
      true,
      null,
      [],
    ]);
  }));
