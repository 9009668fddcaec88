import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ADMIN, ALICE, LOGIN_SECRET, withAdminApi } from "../../../tests/support/admin_api.ts";
import { JwtVerifier, ownIssuer } from "../../auth/jwt.ts";
import { keysOfSecret } from "../../auth/keys/own_keys.ts";
import { digest } from "../../auth/logins/logins.ts";
import { FIRST_ADMINISTRATOR, offerSetupToken } from "../../auth/logins/one_time_links.ts";
import { People } from "../../auth/people.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Registry } from "../../store/registry/registry.ts";

const PASSWORD = "correct horse battery";
const USERS = "/auth/email/admin/users";

const NAMES = {
  issuer: "mcpgateway",
  audience: "mcpgateway-api",
  platformAdminEmail: "root@x",
  environment: null,
};
const verifier = new JwtVerifier(ownIssuer(keysOfSecret("HS256", LOGIN_SECRET), NAMES), {
  requireExpiration: true,
  requireJti: true,
});

/** The caller of a token as a worker finds it now. */
async function callerOf(store: Registry, token: string): Promise<Principal> {
  const options = { platformAdminEmail: "root@x", requireUser: false, now: Date.now };
  return new People(await store.people.read(), options).resolve(await verifier.verify(token));
}

Deno.test("users are created, listed in parts, changed, unlocked and deleted", () =>
  withAdminApi(async ({ call, store, changes }) => {
    const created = await call("POST", USERS, {
      body: { email: "Ann@X.org", password: PASSWORD, full_name: "Ann", is_admin: true },
    });
    assertEquals([created.status, created.body.email, created.body.is_admin], [201, "ann@x.org", true]);
    assertEquals(JSON.stringify(created.body).includes("scrypt"), false);
    assertEquals(
      (await call("POST", USERS, { body: { email: "ann@x.org", password: PASSWORD } })).status,
      409,
    );
    for (const email of ["bob@x.org", "cid@x.org"]) {
      assertEquals(
        (await call("POST", "/auth/email/register", { body: { email, password: PASSWORD } })).status,
        201,
      );
    }
    const before = changes();
    const first = (await call("GET", `${USERS}?limit=2&include_pagination=true`)).body;
    assertEquals([first.users.map(({ email }: { email: string }) => email), first.nextCursor], [
      ...[["ann@x.org", "bob@x.org"], "bob@x.org"],
    ]);
    const { body: rest } = await call("GET", `${USERS}?limit=2&cursor=${first.nextCursor}`);
    assertEquals(rest.map(({ email }: { email: string }) => email), ["cid@x.org"]);
    assertEquals(changes(), before);

    const bob = `${USERS}/bob%40x.org`;
    assertEquals(
      (await call("PATCH", bob, { body: { full_name: "Bob", is_admin: null } })).body.full_name,
      "Bob",
    );
    assertEquals((await call("PUT", bob, { body: { is_active: false } })).body.is_active, false);
    await store.people.users.noteLogin("bob@x.org", { failedAttempts: 7, lockedUntil: 1_900_000_000_000 });
    assertEquals((await call("GET", bob)).body.is_locked, true);
    assertEquals((await call("POST", `${bob}/unlock`)).status, 200);
    const { is_locked, failed_login_attempts } = (await call("GET", bob)).body;
    assertEquals([is_locked, failed_login_attempts], [false, 0]);
    assertEquals((await call("DELETE", bob)).status, 200);
    assertEquals((await call("GET", bob)).status, 404);
    const { body } = await call("PATCH", `${USERS}/cid@x.org`, { body: { is_actve: false } });
    assertStringIncludes(body.warnings[0].msg, 'did you mean "is_active"');
  }));

Deno.test("a user who is no administrator manages no users, and nobody makes the last administrator go", () =>
  withAdminApi(async ({ call }) => {
    await call("POST", USERS, { body: { email: "ada@x.org", password: PASSWORD, is_admin: true } });
    await call("POST", USERS, { body: { email: "ann@x.org", password: PASSWORD } });
    for (const [method, path] of [["GET", USERS], ["POST", USERS], ["DELETE", `${USERS}/ada@x.org`]]) {
      assertEquals((await call(method, path, { as: ALICE, body: {} })).status, 403);
    }
    for (const body of [{ is_admin: false }, { is_active: false }]) {
      assertEquals((await call("PATCH", `${USERS}/ada@x.org`, { body })).status, 409);
    }
    assertEquals((await call("DELETE", `${USERS}/ada@x.org`)).status, 409);
    const ada = { ...ADMIN, email: "ada@x.org" };
    assertEquals((await call("DELETE", `${USERS}/ada@x.org`, { as: ada })).status, 409);
    assertEquals((await call("PATCH", `${USERS}/ann@x.org`, { body: { is_admin: true } })).status, 200);
    assertEquals((await call("DELETE", `${USERS}/ada@x.org`)).status, 200);
  }));

Deno.test("without an administrator among the users, every user can be switched off; the last role of one stays", () =>
  withAdminApi(async ({ call }) => {
    for (const email of ["ann@x.org", "bob@x.org", "cid@x.org"]) {
      await call("POST", USERS, { body: { email, password: PASSWORD } });
    }
    assertEquals((await call("PATCH", `${USERS}/ann@x.org`, { body: { is_active: false } })).status, 200);
    assertEquals((await call("DELETE", `${USERS}/ann@x.org`)).status, 200);
    const role = { role_id: "platform_admin", scope: "global" };
    const revoke = (email: string) =>
      call("DELETE", `/rbac/users/${email}/roles/platform_admin?scope=global`);
    assertEquals((await call("POST", "/rbac/users/bob@x.org/roles", { body: role })).status, 200);
    assertEquals((await revoke("bob@x.org")).status, 409);
    assertEquals((await call("PATCH", `${USERS}/cid@x.org`, { body: { is_active: false } })).status, 200);
    assertEquals((await call("PATCH", `${USERS}/cid@x.org`, { body: { is_active: true } })).status, 200);
    await call("POST", "/rbac/users/cid@x.org/roles", { body: role });
    assertEquals((await revoke("bob@x.org")).status, 200);
  }));

Deno.test("passwords have rules, which name the field and not the password", () =>
  withAdminApi(async ({ call }) => {
    for (const password of ["short", "ann-ann-ann-ann", "aaaaaaaaaaaaaaa"]) {
      const { status, body } = await call("POST", USERS, { body: { email: "ann@x.org", password } });
      assertEquals([status, body.detail[0].loc], [422, ["body", "password"]]);
      assertEquals(JSON.stringify(body).includes(password), false);
    }
    for (const email of ["no address", "ann\u200b@x.org", "ann@x\uff0eorg"]) {
      assertEquals([email, (await call("POST", USERS, { body: { email, password: PASSWORD } })).status], [
        email,
        422,
      ]);
    }
  }));

Deno.test("a login gives a token with the rights of the user, which logout, a new password and deactivation end", () =>
  withAdminApi(async ({ call, store }) => {
    await call("POST", USERS, { body: { email: "ada@x.org", password: PASSWORD, is_admin: true } });
    await call("POST", USERS, { body: { email: "ann@x.org", password: PASSWORD } });
    const login = async (password: string, path = "/auth/login") =>
      await call("POST", path, { body: { email: "ANN@x.org", password } });
    assertEquals((await login("wrong")).status, 401);
    assertEquals((await call("POST", "/auth/login", { body: { password: PASSWORD } })).status, 422);
    const { status, body } = await login(PASSWORD, "/auth/email/login");
    assertEquals([status, body.token_type, body.expires_in, body.user.email], [
      200,
      "bearer",
      3600,
      "ann@x.org",
    ]);
    const ann = await callerOf(store, body.access_token);
    const [personal] = await store.people.teams.list((await store.people.users.get("ann@x.org"))!.id);
    assertEquals([ann.email, ann.isAdmin, ann.teams], ["ann@x.org", false, [personal.id]]);
    assertEquals((await call("GET", "/auth/email/me", { as: ann })).body.email, "ann@x.org");
    assertEquals((await call("GET", "/auth/email/me", { as: ALICE })).status, 404);

    const out = await call("POST", "/auth/logout", { as: ann });
    assertEquals([out.status, out.body.revoked_token], [200, ann.jti]);
    assert((await store.revokedTokens.ids()).includes(ann.jti!));

    const change = { old_password: PASSWORD, new_password: "staple of the stable" };
    const wrong = { ...change, old_password: "wrong" };
    assertEquals((await call("POST", "/auth/email/change-password", { as: ann, body: wrong })).status, 401);
    const same = { ...change, new_password: PASSWORD };
    assertEquals((await call("POST", "/auth/email/change-password", { as: ann, body: same })).status, 422);
    assertEquals((await call("POST", "/auth/email/change-password", { as: ann, body: change })).status, 200);
    const { tokensValidFrom } = (await store.people.users.get("ann@x.org"))!;
    assertEquals(tokensValidFrom, 1_790_000_000_000);
    assertEquals([(await login(PASSWORD)).status, (await login(change.new_password)).status], [401, 200]);

    await call("PATCH", `${USERS}/ann@x.org`, {
      body: { password: PASSWORD, password_change_required: true },
    });
    const refused = await login(PASSWORD);
    assertEquals(refused.status, 403);
    assertStringIncludes(refused.body.detail, "/auth/change-password");
    const body2 = { email: "ann@x.org", ...change };
    assertEquals((await call("POST", "/auth/change-password", { body: body2 })).status, 200);
    assertEquals((await login(change.new_password)).status, 200);
    await call("PATCH", `${USERS}/ann@x.org`, { body: { is_active: false } });
    assertEquals((await login(change.new_password)).status, 401);
  }));

Deno.test("a one-time link sets a password once, ends earlier tokens and the lock, and opens no deactivated account", () =>
  withAdminApi(async ({ call, store }) => {
    const { people } = store;
    for (const email of ["ada@x.org", "ann@x.org"]) {
      await call("POST", USERS, { body: { email, password: PASSWORD, is_admin: email === "ada@x.org" } });
    }
    const ask = async () => (await call("POST", `${USERS}/ann@x.org/reset-password`)).body;
    const former = await ask();
    const made = await ask();
    assertEquals([made.email, made.link], ["ann@x.org", `/admin/reset-password#${made.token}`]);
    assertEquals((await call("POST", `${USERS}/ann@x.org/reset-password`, { as: ALICE })).status, 403);
    assertEquals((await call("POST", `${USERS}/nobody@x.org/reset-password`)).status, 404);
    const wanted = "staple of the stable";
    const reset = async (token: string, given: Record<string, unknown> = {}) =>
      await call("POST", "/auth/reset-password", { body: { token, new_password: wanted, ...given } });
    // Asking for a link changes nothing yet.
    const login = async (password: string) =>
      (await call("POST", "/auth/login", { body: { email: "ann@x.org", password } })).status;
    assertEquals(await login(PASSWORD), 200);
    for (const token of ["guess", former.token]) assertEquals((await reset(token)).status, 401);
    assertEquals((await reset(made.token, { new_password: "short" })).body.detail[0].loc, [
      "body",
      "new_password",
    ]);
    assertEquals((await reset(made.token, { confirm_password: "another" })).status, 422);
    await people.users.noteLogin("ann@x.org", { failedAttempts: 7, lockedUntil: 4_000_000_000_000 });
    const answers = await Promise.all([reset(made.token), reset(made.token)]);
    assertEquals(answers.map(({ status }) => status).toSorted(), [200, 401]);
    assertEquals(answers.find(({ status }) => status === 200)!.body.email, "ann@x.org");
    assertEquals([await login(PASSWORD), await login(wanted)], [401, 200]);
    assertEquals((await people.users.get("ann@x.org"))!.tokensValidFrom, 1_790_000_000_000);
    // By ContextForge's path.
    const next = await ask();
    const byPath = await call("POST", `/auth/email/reset-password/${next.token}`, {
      body: { new_password: PASSWORD, confirm_password: PASSWORD },
    });
    assertEquals([byPath.status, await login(PASSWORD)], [200, 200]);
    const late = await ask();
    await call("PATCH", `${USERS}/ann@x.org`, { body: { is_active: false } });
    assertEquals([(await reset(late.token)).status, await login(wanted)], [200, 401]);
    const last = await ask();
    await call("DELETE", `${USERS}/ann@x.org`);
    assertEquals((await reset(last.token)).status, 401);
    // A link for a password makes no administrator.
    assertEquals(
      (await call("POST", "/auth/setup", {
        body: { token: last.token, email: "e@x.org", password: PASSWORD },
      }))
        .status,
      401,
    );
  }));

Deno.test("the one-time token makes one administrator, as long as there are no users", () =>
  withAdminApi(async ({ call, store }) => {
    const { people } = store;
    const token = (await offerSetupToken(people, 60_000))!.token!;
    assertEquals(await offerSetupToken(people, 60_000), { token: null });
    assertEquals(await people.oneTimeTokens.isOpen(FIRST_ADMINISTRATOR, digest(token)), true);
    const setUp = async (given: Record<string, unknown>) =>
      await call("POST", "/auth/setup", {
        body: { token, email: "ada@x.org", password: PASSWORD, ...given },
      });
    assertEquals((await setUp({ token: "guess" })).status, 401);
    assertEquals((await setUp({ password: "short" })).status, 422);
    const [one, other] = await Promise.all([setUp({}), setUp({ email: "eve@x.org" })]);
    assertEquals([one.status, other.status].toSorted(), [201, 401]);
    const { access_token } = one.status === 201 ? one.body : other.body;
    assertEquals((await callerOf(store, access_token)).isAdmin, true);
    assertEquals([await people.users.count(), await offerSetupToken(people, 60_000)], [1, null]);
  }));
