// OAuth clients log in at the gateway: metadata, consent, tokens, refresh, and what ends them. With one process and with replicas.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import { post } from "../support/mcp_post.ts";
import { OAuthPerson, requestOf, sendForm } from "../support/oauth_person.ts";
import { waitFor } from "../support/wait_for.ts";

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

gatewayTest("A client logs in, refreshes, and is disconnected", async (start) => {
  await using gateway = await start({ OAUTH_ACCESS_TOKEN_TTL: "60" });
  const ask = async (token: string, path = "/mcp") => {
    const response = await fetch(gateway.url + path, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
      },
      body: JSON.stringify(LIST),
    });
    await response.body?.cancel();
    return response.status;
  };
  /** The answers of all workers and replicas. */
  const everywhere = async (
    token: string,
  ) => [...new Set(await Promise.all(Array.from({ length: 8 }, () => ask(token))))];

  // Without users nobody could log in.
  assertEquals(
    (await gateway.api("GET", "/.well-known/oauth-authorization-server", undefined, null)).status,
    404,
  );
  const person = await OAuthPerson.make(gateway, "ann@x.org");
  await waitFor(
    async () =>
      (await gateway.api("GET", "/.well-known/oauth-authorization-server", undefined, null)).status === 200,
    { what: "the authorization server" },
  );
  const { body: metadata } = await gateway.api(
    "GET",
    "/.well-known/oauth-authorization-server",
    undefined,
    null,
  );
  assertEquals([metadata.issuer, metadata.code_challenge_methods_supported], [gateway.url, ["S256"]]);
  const { body: resource } = await gateway.api(
    "GET",
    "/.well-known/oauth-protected-resource/mcp",
    undefined,
    null,
  );
  assertEquals([resource.authorization_servers, resource.resource], [[gateway.url], `${gateway.url}/mcp`]);
  assertEquals(
    (await gateway.api("GET", "/.well-known/openid-configuration", undefined, null)).body,
    metadata,
  );
  assertEquals((await gateway.api("GET", "/oauth/jwks", undefined, null)).body, { keys: [] });

  const client = await person.register();
  const { access, refresh } = await person.connect(client);
  assertEquals(await everywhere(access), [200]);
  assertEquals([await ask(access, "/servers/a/mcp"), await ask(access, "/tools")], [401, 401]);

  // Of refreshes with one token at the same time one wins; the others are within the grace, and no token is good twice later.
  const refreshed = await Promise.all([1, 2, 3].map(() => person.refresh(client, refresh)));
  assertEquals(refreshed.map(({ status }) => status), [200, 200, 200]);
  const valid = await Promise.all(
    refreshed.map(async ({ body }) => ({ body, works: await ask(body.access_token) })),
  );
  assertEquals(valid.map(({ works }) => works), [200, 200, 200]);
  const last = refreshed[0]!.body;
  assertEquals(await everywhere(last.access_token), [200]);

  // The consent is remembered for a web site, and for the same scopes alone.
  const again = await person.open(
    requestOf({ client_id: client, resource: `${gateway.url}/mcp`, scope: "tools.read" }),
  );
  const answer = await OAuthPerson.answerOf(again);
  assertEquals([answer.get("state"), answer.get("iss"), answer.get("code")?.length], [
    "a state",
    gateway.url,
    43,
  ]);
  for (const more of [{ resource: `${gateway.url}/sse` }, { prompt: "consent" }]) {
    const page = await person.open(requestOf({ client_id: client, resource: `${gateway.url}/mcp`, ...more }));
    assertStringIncludes(await page.text(), "Allow App?");
  }

  // The person sees the client, and ends it everywhere at once.
  const { body: applications } = await gateway.api("GET", "/oauth/applications", undefined, person.token);
  assertEquals(applications.map((each: { client_name: string }) => each.client_name), ["App"]);
  const [{ id }] = applications;
  assertEquals(
    (await gateway.api("DELETE", `/oauth/applications/${id}`, undefined, person.token)).status,
    204,
  );
  await waitFor(async () => (await everywhere(last.access_token)).every((status) => status === 401), {
    what: "the end of the access tokens at every replica",
  });
  assertEquals((await person.refresh(client, last.refresh_token)).body.error, "invalid_grant");
  assertEquals(
    (await gateway.api("DELETE", `/oauth/applications/${id}`, undefined, person.token)).status,
    404,
  );
});

gatewayTest("What ends a user's rights ends those of the user's clients", async (start) => {
  await using gateway = await start({ FAILED_LOGIN_MIN_RESPONSE_MS: "0", AUDIT_TRAIL_ENABLED: "true" });
  const person = await OAuthPerson.make(gateway, "bob@x.org", { is_admin: true });
  const client = await person.register({ token_endpoint_auth_method: "none" });
  const works = async (token: string) => (await post(gateway, LIST, { token })).status === 200;

  // Revocation by the client, with either token; another client's are left alone.
  const first = await person.connect(client);
  const second = await person.connect(client);
  const other = await person.register();
  const revoke = (token: string, clientId: string) =>
    sendForm(`${gateway.url}/oauth/revoke`, { token, client_id: clientId });
  assertEquals((await revoke(first.refresh, other)).status, 200);
  assert(await works(first.access));
  assertEquals((await revoke(first.refresh, client)).status, 200);
  assertEquals([await works(first.access), await works(second.access)], [false, true]);
  assertEquals((await revoke(second.access, client)).status, 200);
  assertEquals([await works(second.access), (await person.refresh(client, second.refresh)).status], [
    false,
    400,
  ]);
  assertEquals((await revoke("nonsense", client)).status, 200);
  assertEquals((await revoke(first.refresh, "nobody")).body.error, "invalid_client");
  assertEquals(
    (await sendForm(`${gateway.url}/oauth/revoke`, { client_id: client })).body.error,
    "invalid_request",
  );

  // A client with a secret has to show it.
  const { body: secret } = await gateway.api("POST", "/oauth/register", {
    client_name: "With a secret",
    redirect_uris: ["https://app.example/cb"],
    token_endpoint_auth_method: "client_secret_basic",
  }, null);
  const connecting = await person.connect(client);
  const asSecret = async (headers: Record<string, string>, form: Record<string, string> = {}) =>
    (await sendForm(`${gateway.url}/oauth/token`, {
      ...{ grant_type: "refresh_token", refresh_token: connecting.refresh, ...form },
    }, headers)).body.error;
  const basic = (password: string) => ({ authorization: `Basic ${btoa(`${secret.client_id}:${password}`)}` });
  assertEquals(await asSecret(basic("wrong")), "invalid_client");
  assertEquals(await asSecret({}, { client_id: secret.client_id }), "invalid_client");
  // The right secret, and a refresh token of another client.
  assertEquals(await asSecret(basic(secret.client_secret)), "invalid_grant");

  // A changed password, a deactivated and a deleted user.
  const change = { old_password: "A-long-Password-7", new_password: "Another-Password-8" };
  assert(await works(connecting.access));
  // Tokens of the same second as the change stay valid.
  const issuedAt = Math.floor(Date.now() / 1000);
  await waitFor(() => Math.floor(Date.now() / 1000) > issuedAt, { what: "the next second" });
  const changed = await gateway.api("POST", "/auth/email/change-password", change, person.token);
  assertEquals(changed.status, 200, JSON.stringify(changed.body));
  await waitFor(async () => !await works(connecting.access), { what: "the end of older tokens" });
  assertEquals((await person.refresh(client, connecting.refresh)).body.error, "invalid_grant");

  const carl = await OAuthPerson.make(gateway, "carl@x.org");
  const ofCarl = await carl.connect(client);
  const switchCarl = async (is_active: boolean) => {
    const { status, body } = await gateway.api("PATCH", "/auth/email/admin/users/carl@x.org", { is_active });
    assertEquals([status, body.is_active], [200, is_active]);
  };
  await switchCarl(false);
  assertEquals([await works(ofCarl.access), (await carl.refresh(client, ofCarl.refresh)).status], [
    false,
    400,
  ]);
  await switchCarl(true);
  const anew = await (await OAuthPerson.logIn(gateway, "carl@x.org")).connect(client);
  await gateway.api("DELETE", "/auth/email/admin/users/carl@x.org");
  assertEquals([await works(anew.access), (await carl.refresh(client, anew.refresh)).status], [false, 400]);

  // The audit trail says who allowed what.
  const { body } = await gateway.api("GET", "/audit?limit=200");
  const decisions = body.records.filter((each: { operation: string }) =>
    each.operation === "decideAuthorization"
  );
  assertEquals([decisions.at(-1).actor.email, decisions.at(-1).entity.id], ["bob@x.org", client]);
}, { inCluster: false });

gatewayTest("A terminal logs in by a code that its person types", async (start) => {
  await using gateway = await start({ OAUTH_REQUESTS_PER_MINUTE: "40", CACHE_TYPE: "database" });
  const person = await OAuthPerson.make(gateway, "ann@x.org");
  const grantType = "urn:ietf:params:oauth:grant-type:device_code";
  const client = await person.register({
    grant_types: [grantType, "refresh_token"],
    redirect_uris: undefined,
  });
  const begin = async () => {
    const form = { client_id: client, resource: `${gateway.url}/mcp`, scope: "tools.read tools.execute" };
    const { status, body } = await sendForm(`${gateway.url}/oauth/device_authorization`, form);
    assertEquals([status, /^[B-Z]{4}-[B-Z]{4}$/.test(body.user_code), body.interval], [200, true, 5]);
    assertEquals(body.verification_uri, `${gateway.url}/admin/device`);
    return body;
  };
  const poll = (device_code: string, client_id = client) =>
    sendForm(`${gateway.url}/oauth/token`, { grant_type: grantType, device_code, client_id });
  const page = (path: string, init: RequestInit = {}) =>
    fetch(`${gateway.url}/admin/${path}`, {
      ...init,
      redirect: "manual",
      headers: { cookie: person.cookie, origin: gateway.url, accept: "text/html" },
    });
  const decide = async (user_code: string, decision: string) => {
    const body = new URLSearchParams({ user_code, decision, scope: "tools.read" });
    const response = await page("device", { method: "POST", body });
    await response.body?.cancel();
    return response.status;
  };

  const first = await begin();
  assertEquals((await poll(first.device_code)).body.error, "authorization_pending");
  assertEquals((await poll(first.device_code)).body.error, "slow_down");
  const asked = await page(`device?user_code=${first.user_code.toLowerCase().replace("-", " ")}`);
  const text = await asked.text();
  assertStringIncludes(text, "Allow App?");
  assertStringIncludes(text, "Go on only if your own terminal shows this code.");
  assertEquals(await decide(first.user_code, "allow"), 303);
  // Another client has no use of the code, and it is redeemed once, whichever worker is asked.
  assertEquals((await poll(first.device_code, await person.register())).body.error, "unauthorized_client");
  const answers = await Promise.all([1, 2, 3, 4].map(() => poll(first.device_code)));
  const won = answers.filter(({ status }) => status === 200);
  assertEquals([won.length, won[0]!.body.scope], [1, "tools.read"]);
  const list = await post(gateway, LIST, { token: won[0]!.body.access_token });
  assertEquals(list.status, 200);
  assertEquals((await person.refresh(client, won[0]!.body.refresh_token)).status, 200);
  assertEquals([await decide(first.user_code, "allow"), (await poll(first.device_code)).body.error], [
    404,
    "invalid_grant",
  ]);

  const second = await begin();
  assertEquals(await decide(second.user_code, "deny"), 303);
  assertEquals((await poll(second.device_code)).body.error, "access_denied");
  assertEquals((await poll("nonsense")).body.error, "invalid_grant");
  // Nobody tries codes for long.
  const tries = await Promise.all(Array.from({ length: 45 }, async () => {
    const response = await page("device?user_code=BBBB-BBBB");
    await response.body?.cancel();
    return response.status;
  }));
  assert(tries.includes(404) && tries.includes(429), `${tries}`);
}, { inCluster: false });
