// Attacks on logins of people at upstreams: answers in foreign browsers, stolen codes, servers that pose as others, addresses of the
// inside, tokens for the wrong upstream.
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { PersonBrowser } from "../support/person_browser.ts";
import { type PersonLoginOptions, PersonLoginUpstream } from "../support/person_login_upstream.ts";
import { Sluice } from "../support/sluice.ts";

Deno.test("Logins of people at upstreams hold against attacks", async (t) => {
  await using gateway = await Sluice.start({ env: { SSRF_ALLOW_LOCALHOST: "true" } });
  await using upstream = new PersonLoginUpstream();
  const register = async (
    name: string,
    url: string,
    config: Record<string, unknown> = {},
  ): Promise<string> => {
    const oauth_config = { grant_type: "authorization_code", ...config };
    const { status, body } = await gateway.api("POST", "/gateways", {
      name,
      url,
      auth_type: "oauth",
      oauth_config,
    });
    assertEquals(status, 200, JSON.stringify(body));
    return body.id;
  };
  const id = await register("own", upstream.url);
  const ann = await PersonBrowser.make(gateway, "ann@x.example");
  const eve = await PersonBrowser.make(gateway, "eve@x.example");
  ann.isAt(upstream.issuer, "ann");
  eve.isAt(upstream.issuer, "eve");
  const isCallback = (url: string) => url.startsWith(`${gateway.url}/admin/connections/`);
  /** The address that a browser comes back to, not yet opened. */
  const answerOf = async (person: PersonBrowser, at = id) =>
    (await person.browser.open(await person.begin(at), { until: isCallback })).url;
  const statesOf = async (person: PersonBrowser) =>
    (await gateway.api("GET", "/connections", undefined, person.token)).body
      .map(({ state }: { state: string }) => state);
  const START_AGAIN = "Start again";

  await t.step("the answer of another person's login does nothing", async () => {
    const stranger = await answerOf(eve);
    // In a browser without a login under way, and in one with a login of its own.
    assertStringIncludes((await ann.browser.open(stranger)).text, START_AGAIN);
    await answerOf(ann);
    assertStringIncludes((await ann.browser.open(stranger)).text, START_AGAIN);
    // With the cookie of the other browser too: it is sealed for the user.
    const [, cookie] = [...eve.browser.cookies].find(([, { name }]) => name.startsWith("sluice_login_"))!;
    for (const [key, { name }] of [...ann.browser.cookies]) {
      if (name === cookie.name) ann.browser.cookies.delete(key);
    }
    ann.browser.cookies.set("stolen", cookie);
    assertStringIncludes((await ann.browser.open(stranger)).text, START_AGAIN);
    ann.browser.cookies.delete("stolen");
    assertEquals([await statesOf(ann), await statesOf(eve)], [["none"], ["none"]]);
  });

  await t.step("a stolen code is worth nothing in another login, and no answer counts twice", async () => {
    const stolen = new URL(await answerOf(ann)).searchParams.get("code")!;
    const own = new URL(await answerOf(eve));
    own.searchParams.set("code", stolen);
    assertStringIncludes((await eve.browser.open(own.href)).text, "invalid_grant");
    const answer = await answerOf(ann);
    assertStringIncludes((await ann.browser.open(answer)).text, "Connected.");
    assertStringIncludes((await ann.browser.open(answer)).text, START_AGAIN);
    assertEquals([await statesOf(ann), await statesOf(eve)], [["connected"], ["none"]]);
  });

  await t.step("a form of another site begins no login", async () => {
    const cookie = ann.browser.cookiesFor(`${gateway.url}/admin/connections/${id}`);
    for (const path of [id, `${id}/disconnect`]) {
      const answer = await fetch(`${gateway.url}/admin/connections/${path}`, {
        method: "POST",
        headers: { cookie, origin: "https://evil.example", accept: "text/html" },
        body: new URLSearchParams(),
      });
      await answer.body?.cancel();
      assertEquals(answer.status, 403);
    }
  });

  await t.step("a server that sends the browser on to another one gets no code of it", async () => {
    let honest = "";
    await using evil = new PersonLoginUpstream({
      sendsOnTo: (request) => {
        const to = new URL(honest);
        to.searchParams.set("state", request.get("state")!);
        return to.href;
      },
    });
    honest = await ann.begin(id);
    const evilId = await register("evil", evil.url);
    assertStringIncludes((await ann.connect(evilId)).text, START_AGAIN);
    assertEquals(evil.tokenRequests, []);
  });

  const answers: Readonly<Record<string, (own: URLSearchParams) => void>> = {
    "another issuer": (own) => own.set("iss", "https://other.example"),
    "no issuer, although it promises one": (own) => own.delete("iss"),
  };
  for (const [name, answer] of Object.entries(answers)) {
    await t.step(`an answer with ${name} is refused`, async () => {
      await using other = new PersonLoginUpstream({ answer });
      const otherId = await register(name.slice(0, 8), other.url);
      assertStringIncludes((await ann.connect(otherId)).text, START_AGAIN);
      assertEquals(other.tokenRequests, []);
    });
  }

  const INSIDE = "http://169.254.169.254/latest";
  const metadata: readonly (readonly [string, PersonLoginOptions["serverMetadata"], string])[] = [
    ["registration", (own) => ({ ...own, registration_endpoint: INSIDE }), "may not connect"],
    ["token", (own) => ({ ...own, token_endpoint: INSIDE }), "may not connect"],
    [
      "script",
      (own) => ({ ...own, authorization_endpoint: "javascript:alert(1)" }),
      "no authorization_endpoint",
    ],
    ["issuer", (own) => ({ ...own, issuer: "https://other.example" }), "another issuer"],
    ["no pkce", (own) => ({ ...own, code_challenge_methods_supported: ["plain"] }), "PKCE"],
  ];
  for (const [name, serverMetadata, words] of metadata) {
    await t.step(`metadata with a hostile ${name} lead nowhere`, async () => {
      await using other = new PersonLoginUpstream({ serverMetadata });
      const otherId = await register(name, other.url);
      const said = await ann.connect(otherId).then(({ text }) => text, (error) => String(error));
      assertStringIncludes(said, words);
    });
  }

  await t.step("the secret of a given client stays at the server of its first login", async () => {
    const clients = { mine: "secretOfTheClient" };
    await using thief = new PersonLoginUpstream({ clients });
    let named: string | null = null;
    await using turned = new PersonLoginUpstream({ clients, names: () => named });
    ann.isAt(turned.issuer, "ann");
    const given = { client_id: "mine", client_secret: clients.mine };
    const turnedId = await register("turned", turned.url, given);
    assertStringIncludes((await ann.connect(turnedId)).text, "Connected.");
    // A login that is under way when the upstream turns does not end there either.
    const begun = await answerOf(eve, turnedId);
    named = thief.issuer;
    assertMatch((await eve.browser.open(begun)).text, /Connected\.|Start again/);
    // On both workers.
    for (let n = 0; n < 6; n++) await assertRejects(() => ann.begin(turnedId), Error, "belongs to");
    assertEquals([thief.authorizations.length, thief.tokenRequests.length], [0, 0]);
    // It is the operator's choice.
    const oauth_config = { grant_type: "authorization_code", ...given, issuer: thief.issuer };
    const changed = await gateway.api("PUT", `/gateways/${turnedId}`, { auth_type: "oauth", oauth_config });
    assertEquals(changed.status, 200, JSON.stringify(changed.body));
    assertStringIncludes(await ann.begin(turnedId), thief.issuer);
  });

  await t.step("a token goes to its upstream alone, and to nobody else's calls", async () => {
    await using second = new PersonLoginUpstream();
    const secondId = await register("second", second.url);
    const call = (name: string, token: string, headers = {}) =>
      fetch(`${gateway.url}/rpc`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name, arguments: {} },
        }),
      }).then((answer) => answer.text());
    assertStringIncludes(await call("own-whoami", ann.token), '"text":"ann"');
    for (
      const headers of [{}, { "token-owner": "ann@x.example" }, { "x-upstream-authorization": "Bearer x" }]
    ) {
      assertStringIncludes(await call("own-whoami", eve.token, headers), "UPSTREAM_LOGIN_NEEDED");
    }
    await call("second-whoami", ann.token);
    assert(
      second.mcpWith.every(({ authorization }) => authorization === null),
      "a token for a second upstream",
    );
    const others = await gateway.api(
      "DELETE",
      `/connections/${id}/users/ann@x.example`,
      undefined,
      eve.token,
    );
    assertEquals(others.status, 404);
    assertEquals((await gateway.api("GET", "/connections/all", undefined, eve.token)).body, []);
    await assertRejects(() => eve.begin("nothing"), Error, "HTTP 404");
    assertEquals((await gateway.api("DELETE", `/gateways/${secondId}`)).status, 200);
  });

  await t.step("a user made anew with a deleted user's address inherits no login", async () => {
    assert((await statesOf(ann)).includes("connected"));
    assertEquals((await gateway.api("DELETE", "/auth/email/admin/users/ann@x.example")).status, 200);
    const again = await PersonBrowser.make(gateway, "ann@x.example");
    assert(!(await statesOf(again)).includes("connected"));
  });
});
