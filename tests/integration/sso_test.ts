// People who sign in at a real identity provider, and out by either side; and what others try on the way.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SignJWT } from "jose";
import { freePort } from "../support/free_port.ts";
import { metric } from "../support/metric.ts";
import { Browser, OidcProvider } from "../support/oidc_provider.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const SECRET = "secret of the client";
const person = (name: string, more: Record<string, unknown> = {}) => ({
  email: `${name}@x.org`,
  email_verified: true,
  name,
  groups: [] as string[],
  ...more,
});

/** A gateway with a provider under two ids: `main`, and `other`, which links accounts and makes none. */
async function start() {
  const port = freePort();
  const at = (id: string) => `http://127.0.0.1:${port}/auth/sso/callback/${id}`;
  const provider = await OidcProvider.start([
    {
      client_id: "sluice",
      client_secret: SECRET,
      redirect_uris: [at("main")],
      backchannel_logout_uri: `http://127.0.0.1:${port}/auth/sso/backchannel-logout/main`,
      backchannel_logout_session_required: true,
    },
    { client_id: "public", token_endpoint_auth_method: "none", redirect_uris: [at("other")] },
  ], {
    ann: person("ann", { email: "Ann@x.org", groups: ["ops", "auditors", "unknown"] }),
    root: person("root", { groups: ["gateway-admins"] }),
    local: person("local"),
    unverified: person("unverified", { email_verified: false }),
    stranger: person("stranger", { email: "eve@evil.example" }),
    platform: person("platform", { email: "admin@x.org" }),
    many: person("many", { groups: undefined, _claim_names: { groups: "src1" } }),
    ben: person("ben"),
    heir: person("heir", { email: "local@x.org" }),
  });
  const common = {
    ...{ issuer: provider.issuer, allow_http: true },
    scope: "openid profile email groups",
  };
  const gateway = await Sluice.start({
    env: {
      PORT: String(port),
      SSO_ENABLED: "true",
      SSO_TRUSTED_DOMAINS: "x.org",
      SSRF_ALLOW_LOCALHOST: "true",
      PLATFORM_ADMIN_EMAIL: "admin@x.org",
      AUDIT_TRAIL_ENABLED: "true",
      FAILED_LOGIN_MIN_RESPONSE_MS: "0",
      LOGIN_ATTEMPTS_PER_MINUTE: "1000",
      SSO_PROVIDERS: JSON.stringify([
        {
          ...common,
          id: "main",
          display_name: "Main <provider>",
          client_id: "sluice",
          client_secret: SECRET,
          teams: {
            ops: { team: "ops", role: "developer" },
            boss: { team: "ops", role: "owner" },
            unknown: "none",
          },
          roles: { auditors: "auditor" },
          admin_groups: ["gateway-admins"],
        },
        { ...common, id: "other", client_id: "public", link_accounts: true, create_users: false },
      ]),
    },
  });
  return {
    ...{ gateway, provider },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
    },
  };
}

const tokenOf = (answer: { text: string }): string => JSON.parse(answer.text).access_token;

Deno.test("People sign in at an identity provider, whose groups give teams and roles, and out by either side", async () => {
  await using started = await start();
  const { gateway, provider } = started;
  const login = `${gateway.url}/auth/sso/login/main`;
  const isCallback = (url: string) => url.startsWith(`${gateway.url}/auth/sso/callback/`);
  const asJson = async (account: string, from = login, browser = new Browser()) =>
    await browser.signIn(`${from}?format=json`, account);

  // The providers, for a program and for a person.
  const { body: listed } = await gateway.api("GET", "/auth/sso/providers", undefined, null);
  assertEquals(listed, [
    { id: "main", name: "main", display_name: "Main <provider>" },
    { id: "other", name: "other", display_name: "other" },
  ]);
  const list = await new Browser().open(`${gateway.url}/auth/sso/providers`);
  assertStringIncludes(list.text, `<a href="/auth/sso/login/main">Main &lt;provider&gt;</a>`);

  await gateway.api("POST", "/rbac/roles", {
    name: "auditor",
    scope: "global",
    permissions: ["admin.security_audit"],
  });
  const { body: team } = await gateway.api("POST", "/teams", { name: "ops" });

  // A browser gets a session of the pages, and the path that it asked for.
  const browser = new Browser();
  const page = await browser.signIn(`${login}?next=/admin/upstreams`, "ann");
  assertEquals([page.status, page.url], [200, `${gateway.url}/admin/upstreams`]);
  const session = browser.setCookies.find((text) => text.startsWith("sluice_session="))!;
  assertMatch(session, /; Path=\/admin; Max-Age=28800; HttpOnly; SameSite=Lax$/);
  assertEquals(browser.cookiesFor(`${gateway.url}/auth/sso/`), "");

  // The pages' own way in leads to each provider.
  const wayIn = await new Browser().open(`${gateway.url}/admin/sign-in?next=tools`);
  const link =
    /<a class="button" href="(\/auth\/sso\/login\/main\?next=[^"]+)">Sign in with Main &lt;provider&gt;/.exec(
      wayIn.text,
    )![1];
  const led = await new Browser().signIn(gateway.url + link, "ann");
  assertEquals([led.status, led.url], [200, `${gateway.url}/admin/tools`]);

  // A program gets the token, which every worker takes, with what the groups give.
  const answer = await asJson("ann");
  const { access_token: ann, user } = JSON.parse(answer.text);
  assertEquals([user.email, user.full_name, user.is_admin, user.auth_provider], [
    "ann@x.org",
    "ann",
    false,
    "main",
  ]);
  assertEquals([answer.headers.get("cache-control"), JSON.parse(answer.text).token_type], [
    "no-store",
    "bearer",
  ]);
  const permissionsOf = async (token: string) =>
    (await gateway.api("GET", `/rbac/my/permissions?team_id=${team.id}`, undefined, token)).body as string[];
  const statuses = async (token: string) => [
    ...new Set(
      await Promise.all(
        Array.from(
          { length: 8 },
          async () => (await gateway.api("GET", "/auth/email/me", undefined, token)).status,
        ),
      ),
    ),
  ];
  assertEquals(await statuses(ann), [200]);
  const hers = await permissionsOf(ann);
  assert(hers.includes("admin.security_audit") && hers.includes("tools.create"), hers.join());
  const members = async () =>
    (await gateway.api("GET", `/teams/${team.id}/members`)).body.map((
      { user_email, role, grant_source }: Record<string, string>,
    ) => `${user_email} ${role} ${grant_source}`);
  assertEquals(await members(), ["ann@x.org member sso"]);

  // Each sign-in sets them anew; what a person gave stays.
  await gateway.api("POST", "/rbac/users/ann@x.org/roles", { role_id: "developer", scope: "global" });
  await provider.change({ ann: person("ann", { groups: ["boss"] }) });
  const { access_token: owner } = JSON.parse((await asJson("ann")).text);
  assertEquals(await members(), ["ann@x.org owner sso"]);
  assertEquals((await permissionsOf(owner)).includes("admin.security_audit"), false);
  await provider.change({ ann: person("ann") });
  const again = tokenOf(await asJson("ann"));
  assertEquals(await members(), []);
  const { body: roles } = await gateway.api("GET", "/rbac/users/ann@x.org/roles");
  assertEquals(roles.map(({ role_name }: Record<string, string>) => role_name), ["developer"]);

  // Administrators, and passwords for them alone.
  const root = tokenOf(await asJson("root"));
  assertEquals((await gateway.api("GET", "/auth/email/admin/users", undefined, root)).status, 200);
  const PASSWORD = "correct horse battery";
  await gateway.api("POST", "/auth/email/admin/users", { email: "local@x.org", password: PASSWORD });
  const byPassword = await gateway.api(
    "POST",
    "/auth/login",
    { email: "local@x.org", password: PASSWORD },
    null,
  );
  assertEquals([byPassword.status, byPassword.body.code], [403, "FORBIDDEN"]);

  // The gateway's logout tells where to end the session at the provider.
  const { body: out } = await gateway.api("POST", "/auth/logout", undefined, again);
  assertEquals(await statuses(again), [401]);
  const end = new URL(out.logout_url);
  assertEquals([end.origin, end.searchParams.get("client_id")], [provider.issuer, "sluice"]);
  assert(end.searchParams.has("id_token_hint"));
  assertEquals(
    (await gateway.api("POST", "/auth/logout", undefined, await gateway.token({}))).body.logout_url,
    null,
  );
  // So does the button of the pages, which leads there.
  const signedOut = await browser.open(`${gateway.url}/admin/sign-out`, { form: {} });
  const goesTo = /<meta http-equiv="refresh" content="0;url=([^"]+)"/.exec(signedOut.text)![1]
    .replaceAll("&amp;", "&");
  assert(
    new URL(goesTo).searchParams.has("id_token_hint") && goesTo.startsWith(`${provider.issuer}/`),
    goesTo,
  );
  assertEquals(browser.cookiesFor(`${gateway.url}/admin`), "");
  assertStringIncludes((await browser.open(goesTo)).text, "session/end");

  // Who has no password here signs in there.
  const { body: users } = await gateway.api("GET", "/auth/email/admin/users");
  const shownOf = (email: string) =>
    users.find((each: Record<string, string>) => each.email === email).auth_provider;
  assertEquals([shownOf("ann@x.org"), shownOf("local@x.org")], ["main", "local"]);
  const { body: own } = await gateway.api("GET", "/auth/email/me", undefined, root);
  assertEquals(own.auth_provider, "main");

  // The provider's logout ends every token of the session, in every worker; not those of another session.
  const [here, there] = [new Browser(), new Browser()];
  const first = tokenOf(await asJson("ann", login, here));
  const second = tokenOf(await asJson("ann", login, here));
  const elsewhere = tokenOf(await asJson("ann", login, there));
  // The session goes on with the token that replaces another one, on every worker; its logout ends that one too.
  const { body: next } = await gateway.api("POST", "/auth/refresh", undefined, second);
  const renewed = next.access_token;
  assertEquals([await statuses(second), await statuses(renewed)], [[401], [200]]);
  for (let i = 0; i < 4; i++) {
    const { body: state } = await gateway.api("GET", "/auth/validate", undefined, renewed);
    assertEquals([state.session_source, state.user.email], ["sso", "ann@x.org"]);
  }
  const confirm = await here.open(`${provider.issuer}/session/end`);
  const action = /action="([^"]+)"/.exec(confirm.text)![1];
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(confirm.text)![1];
  await here.open(action, { form: { xsrf, logout: "yes" } });
  await waitFor(async () => (await statuses(first)).join() === "401", { what: "the first token to end" });
  await waitFor(async () => (await statuses(renewed)).join() === "401", { what: "its successor to end" });
  assertEquals(await statuses(elsewhere), [200]);

  // Who signed in, and who was refused, is in the audit trail; the metrics count both.
  const refused = await asJson("stranger");
  assertEquals([refused.status, refused.text.includes("<code>SSO_REFUSED</code>")], [403, true]);
  const audited = await waitFor(async () => {
    const { body } = await gateway.api("GET", "/audit?limit=500");
    const found = body.records.filter(({ operation }: Record<string, string>) =>
      operation === "finishSsoLogin"
    );
    return found.some(({ outcome }: Record<string, string>) => outcome === "refused") ? found : null;
  }, { what: "the refusal in the audit trail" });
  const done = audited.filter(({ outcome }: Record<string, string>) => outcome === "done");
  assert(done.some(({ actor }: { actor: { email: string } }) => actor.email === "ann@x.org"));
  const count = (outcome: string) => metric(gateway, "sluice_sso_sign_ins_total", `outcome="${outcome}"`);
  assert(await count("success") >= 8 && await count("refused") === 1);

  // No secret, code or token of the provider is in the log.
  const log = gateway.log().map((line) => JSON.stringify(line)).join("\n");
  assertEquals([SECRET, "id_token", "code="].filter((each) => log.includes(each)), []);
  assertEquals(isCallback(page.url), false);
});

Deno.test("Nobody signs in by another person's answer, account, session or logout token", async () => {
  await using started = await start();
  const { gateway, provider } = started;
  const at = (id: string) => `${gateway.url}/auth/sso/login/${id}`;
  const isCallback = (url: string) => url.startsWith(`${gateway.url}/auth/sso/callback/`);
  /** Signs in up to the answer of the provider, which is not opened. */
  const upTo = async (browser: Browser, account: string, id = "main") =>
    new URL((await browser.signIn(at(id), account, isCallback)).url);
  const codeOf = async (browser: Browser, url: URL | string, accept = "application/json") => {
    const { text, status } = await browser.open(String(url), { accept });
    return `${status} ${JSON.parse(text).code ?? "token"}`;
  };
  const changed = (url: URL, change: (query: URLSearchParams) => void) => {
    const other = new URL(url);
    change(other.searchParams);
    return other;
  };

  // An answer works once, and in the browser that has asked for it alone.
  const [ann, eve] = [new Browser(), new Browser()];
  const answer = await upTo(ann, "ann");
  assertEquals(await codeOf(eve, answer), "400 SSO_START_AGAIN");
  const cookies = new Map(ann.cookies);
  assertEquals(await codeOf(ann, answer), "200 token");
  assertEquals(await codeOf(ann, answer), "400 SSO_START_AGAIN");
  for (const [key, cookie] of cookies) ann.cookies.set(key, cookie);
  assertEquals(await codeOf(ann, answer), "400 SSO_START_AGAIN");

  // Eve's code in Ann's sign-in, and Ann's in Eve's: PKCE and the nonce bind a code to its start.
  const [hers, eves] = [await upTo(ann, "ann"), await upTo(eve, "ben")];
  const swapped = changed(hers, (query) => query.set("code", eves.searchParams.get("code")!));
  assertEquals(await codeOf(ann, swapped), "502 SSO_PROVIDER_FAILED");
  const state = changed(
    await upTo(ann, "ann"),
    (query) => query.set("state", eves.searchParams.get("state")!),
  );
  assertEquals(await codeOf(ann, state), "400 SSO_START_AGAIN");

  // An answer of one provider at the address of another; an answer that names another issuer, or none (RFC 9207).
  const mixed = await upTo(ann, "ann");
  mixed.pathname = mixed.pathname.replace("main", "other");
  assertEquals(await codeOf(ann, mixed), "400 SSO_START_AGAIN");
  const foreign = changed(await upTo(ann, "ann"), (query) => query.set("iss", "https://evil.example"));
  assertEquals(await codeOf(ann, foreign), "502 SSO_PROVIDER_FAILED");
  const unnamed = changed(await upTo(ann, "ann"), (query) => query.delete("iss"));
  assertEquals(await codeOf(ann, unnamed), "502 SSO_PROVIDER_FAILED");

  // A person who breaks off, and somebody who writes an address: the page shows no words of the address.
  const broken = changed(await upTo(ann, "ann"), (query) => {
    query.delete("code");
    query.set("error", "access_denied");
    query.set("error_description", "call 555 <b>now</b>");
  });
  const page = await ann.open(String(broken));
  assertEquals([page.status, page.headers.get("content-type")], [403, "text/html; charset=utf-8"]);
  assertStringIncludes(page.text, "it did not let you in, or you broke off");
  assertStringIncludes(page.text, 'href="/auth/sso/login/main"');
  assertStringIncludes(page.text, page.headers.get("x-correlation-id")!);
  assertEquals([page.text.includes("555"), page.headers.get("cache-control")], [false, "no-store"]);

  // No open redirect.
  for (
    const next of [
      "https://evil.example",
      "//evil.example",
      "/\\evil.example",
      "/\t/evil.example",
      "evil",
      "javascript:alert(1)",
    ]
  ) {
    assertEquals(await codeOf(eve, `${at("main")}?next=${encodeURIComponent(next)}`), "400 INVALID_REQUEST");
  }
  const elsewhere = encodeURIComponent("https://evil.example/auth/sso/callback/main");
  assertEquals(await codeOf(eve, `${at("main")}?redirect_uri=${elsewhere}`), "400 INVALID_REQUEST");
  assertEquals(await codeOf(eve, at("nobody")), "404 NOT_FOUND");

  // No account is taken over by its address; where the operator allows it, only by a verified one.
  await gateway.api("POST", "/auth/email/admin/users", {
    email: "local@x.org",
    password: "correct horse battery",
  });
  const asJson = async (account: string, id = "main") => {
    const browser = new Browser();
    const answer = await upTo(browser, account, id);
    const { text, status } = await browser.open(String(answer), { accept: "application/json" });
    const { code, detail } = JSON.parse(text);
    return code === undefined ? `${status} token` : `${status} ${detail}`;
  };
  assertStringIncludes(await asJson("local"), "exists here already, and sign-ins do not take accounts over");
  assertEquals(await asJson("local", "other"), "200 token");
  assertStringIncludes(
    await asJson("heir", "other"),
    "another person there signs in to the account with the address local@x.org already",
  );
  assertStringIncludes(await asJson("platform"), "exists here already");
  assertStringIncludes(
    await asJson("unverified"),
    "403 Sign-in with Main <provider> refused: it gives no verified email",
  );
  assertStringIncludes(await asJson("stranger"), "addresses of evil.example may not sign in here");
  assertStringIncludes(await asJson("many"), "it left your groups out");
  assertStringIncludes(await asJson("root", "other"), "there is no account with the address root@x.org");
  await provider.change({ local: person("local", { email: "ann@x.org" }) });
  assertEquals(await asJson("local", "other"), "200 token");
  const { body: users } = await gateway.api("GET", "/auth/email/admin/users");
  assertEquals(users.map(({ email }: Record<string, string>) => email), ["ann@x.org", "local@x.org"]);
  assertEquals(await asJson("root"), "200 token");
  const off = await gateway.api("PATCH", "/auth/email/admin/users/ann@x.org", { is_active: false });
  assertEquals(off.status, 200);
  assertStringIncludes(await asJson("ann"), "your account here is not active");

  // Logout tokens that the provider has not signed.
  const token = tokenOf(await new Browser().signIn(`${at("main")}?format=json`, "ben"));
  const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
  const claims = {
    iss: provider.issuer,
    aud: "sluice",
    sub: "ben",
    jti: "1",
    iat: Math.floor(Date.now() / 1000),
    events,
  };
  const encoded = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  const { keys } = await (await fetch(`${provider.issuer}/jwks`)).json();
  const forged = [
    `${encoded({ alg: "none" })}.${encoded(claims)}.`,
    await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(SECRET)),
    await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: keys[0].kid }).sign(
      new TextEncoder().encode(keys[0].n),
    ),
    "no token",
  ];
  for (const each of forged) {
    const response = await fetch(`${gateway.url}/auth/sso/backchannel-logout/main`, {
      method: "POST",
      body: new URLSearchParams({ logout_token: each }),
    });
    assertEquals([response.status, (await response.json()).error], [400, "invalid_request"]);
  }
  assertEquals((await gateway.api("GET", "/auth/email/me", undefined, token)).status, 200);

  // A provider that is gone: words for the person, and a cause for the operator under the same id.
  const late = await upTo(new Browser(), "ben");
  assertEquals(late.pathname, "/auth/sso/callback/main");
  const [pending, pendingAnswer] = [new Browser(), await upTo(eve, "ben")];
  await provider[Symbol.asyncDispose]();
  const gone = await eve.open(String(pendingAnswer));
  assertEquals(gone.status, 502);
  assertStringIncludes(gone.text, "the gateway cannot reach it");
  const id = gone.headers.get("x-correlation-id")!;
  await waitFor(
    () =>
      gateway.log().some((line) => line.correlationId === id && /refused|closed/.test(String(line.cause))),
    { what: "the cause in the log" },
  );
  assertEquals(pending.cookies.size, 0);
});
