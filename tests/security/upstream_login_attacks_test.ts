// Hostile authorization servers, browsers and moments against the logins of people at upstreams.
import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import type { Gateway } from "../support/gateway.ts";
import { PersonBrowser } from "../support/person_browser.ts";
import {
  type PersonLoginOptions,
  PersonLoginUpstream,
  register,
  whoami,
} from "../support/person_login_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const SETTINGS = { SSRF_ALLOW_LOCALHOST: "true", LOG_LEVEL: "DEBUG" };

const NEEDS_LOGIN = "needs a login of yours";

/** On all workers. */
async function callsOf(gateway: Gateway, name: string, token: string): Promise<string[]> {
  return await Promise.all(Array.from({ length: 12 }, () => whoami(gateway, name, token)));
}

/** Replicas hear a moment later that a login has ended. */
async function refusesAll(gateway: Gateway, name: string, token: string): Promise<void> {
  await waitFor(
    async () => (await callsOf(gateway, name, token)).every((answer) => answer.includes(NEEDS_LOGIN)),
    { what: "the end of a login on all workers" },
  );
}

gatewayTest("A renewal under way gives a login that has ended no new token", async (start) => {
  await using gateway = await start(SETTINGS);
  const held = Promise.withResolvers<void>();
  let isRenewing = false;
  await using upstream = new PersonLoginUpstream({
    expiresInS: 2,
    given: async (own, form) => {
      if (form.get("grant_type") !== "refresh_token") return own;
      const answer = await own.json();
      const given = upstream.accessTokens.get(answer.access_token)!;
      upstream.accessTokens.set(answer.access_token, { ...given, expiresAt: Date.now() + 600_000 });
      isRenewing = true;
      await held.promise;
      return Response.json({ ...answer, expires_in: 600 });
    },
  });
  const { id } = await register(gateway, "own", upstream.url);
  const ann = await PersonBrowser.make(gateway, "ann@x.example");
  ann.isAt(upstream.issuer, "ann");
  await ann.connect(id);
  await waitFor(async () => {
    // The token is renewed behind a call before its end, or for a call after it.
    void whoami(gateway, "own", ann.token);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isRenewing;
  }, { what: "a renewal" });
  const { status } = await gateway.api("DELETE", `/connections/${id}`, undefined, ann.token);
  assertEquals(status, 204);
  held.resolve();
  await waitFor(() => upstream.refreshTokens.size === 0, { what: "the end of the new token" });
  await refusesAll(gateway, "own", ann.token);
});

gatewayTest("Logins withstand hostile servers and browsers", async (start, t) => {
  await using gateway = await start(SETTINGS);
  const ann = await PersonBrowser.make(gateway, "Ann@x.example");
  const bob = await PersonBrowser.make(gateway, "bob@x.example");

  let count = 0;
  const against = async (
    what: string,
    options: PersonLoginOptions,
    check: (upstream: PersonLoginUpstream, id: string, name: string) => Promise<void>,
    config: Record<string, unknown> = {},
  ) => {
    await t.step(what, async () => {
      await using upstream = new PersonLoginUpstream(options);
      const name = `u${count++}`;
      const { id } = await register(gateway, name, upstream.url, config);
      ann.isAt(upstream.issuer, "ann");
      bob.isAt(upstream.issuer, "bob");
      await check(upstream, id, name);
    });
  };
  /** The page that says why no login begins or ends. */
  const refusedPage = async (id: string) => {
    const { browser, url } = ann;
    const page = await browser.open(`${url}/admin/connections/${id}`, { form: {} });
    return page.status === 200 ? await ann.connect(id) : page;
  };
  const refused = (what: string, options: PersonLoginOptions, words: string) =>
    against(what, options, async (upstream, id) => {
      const page = await refusedPage(id);
      assertEquals(page.status, 502);
      assertStringIncludes(page.text, words);
      assertEquals(upstream.tokenRequests.length + upstream.accessTokens.size, 0);
    });

  const given = (more: Record<string, unknown>): PersonLoginOptions => ({
    given: async (own) => Response.json({ ...await own.json(), ...more }),
  });
  for (const life of [1e300, 1e15, 0.5]) {
    await against(`a life of ${life} s`, given({ expires_in: life }), async (_upstream, id) => {
      assertStringIncludes((await ann.connect(id)).text, "Connected.");
      const all = await gateway.api("GET", "/connections/all");
      assertEquals(all.status, 200);
      const { expires_at: end } = all.body.find((each: { gateway_id: string }) => each.gateway_id === id);
      assert(life > 1 ? end === null : Date.parse(end) <= Date.now(), end);
    });
  }
  const answer = (change: (own: URLSearchParams) => void): PersonLoginOptions => ({ answer: change });
  const ofOther = "not of the authorization server that was asked";
  await refused("another issuer", answer((own) => own.set("iss", "https://other.example")), ofOther);
  await refused("no issuer", answer((own) => own.delete("iss")), ofOther);
  await refused("another state", answer((own) => own.set("state", "x")), "belongs to no login");
  const metadata = (more: Record<string, unknown>): PersonLoginOptions => ({
    serverMetadata: (own) => ({ ...own, ...more }),
  });
  const noPkce = "does not say that it supports PKCE";
  await refused("no PKCE", metadata({ code_challenge_methods_supported: undefined }), noPkce);
  await refused("plain PKCE", metadata({ code_challenge_methods_supported: ["plain"] }), noPkce);
  await refused("metadata of others", metadata({ issuer: "https://other.example" }), "name another issuer");
  await refused(
    "script",
    metadata({ authorization_endpoint: "javascript:alert(1)" }),
    "no authorization_endpoint",
  );
  const huge = metadata({ x: "x".repeat(1_000_000) });
  await refused("huge metadata", huge, "cannot reach its authorization server");
  const scopes = Array.from({ length: 100 }, (_, n) => `https://scopes.example/auth/one.of.many.${n}`);
  await refused("more scopes than a cookie holds", { scopes }, "longer than a cookie");
  for (const address of ["http://169.254.169.254/latest", "http://10.1.2.3/x"]) {
    await refused(
      `registration at ${address}`,
      metadata({ registration_endpoint: address }),
      "may not connect",
    );
    await refused(`tokens of ${address}`, metadata({ token_endpoint: address }), "may not connect");
  }

  await against("redirects are not followed", {
    given: () => new Response(null, { status: 307, headers: { location: `${gateway.url}/health` } }),
  }, async (_upstream, id) => {
    assertStringIncludes((await ann.connect(id)).text, "HTTP 307");
  });
  await against("words of the server are for administrators, and repeat no secrets", {
    clients: { mine: "the-secret-of-the-client" },
    given: (_own, form) =>
      Response.json({
        error: "invalid_client",
        error_description: `<script> ${form.get("client_secret")} ${form.get("code")}`,
      }, { status: 400 }),
  }, async (upstream, id, name) => {
    const { status, text } = await ann.connect(id);
    assertEquals(status, 502);
    assertFalse(text.includes("it answered"), "Ann sees the words of the server");
    const log = await waitFor(
      () =>
        gateway.log().map((line) => JSON.stringify(line)).find((line) =>
          line.includes("a person cannot log in") && line.includes(`"${name}"`)
        ),
      { what: "the line of the log" },
    );
    assertStringIncludes(log, "<script> *** ***");
    const [sent] = upstream.tokenRequests;
    for (const secret of [sent.get("client_secret")!, sent.get("code")!]) assertFalse(log.includes(secret));
  }, { client_id: "mine", client_secret: "the-secret-of-the-client", client_auth: "client_secret_post" });

  await against("an answer is of one browser and one user", {}, async (upstream, id, name) => {
    let back = "";
    await ann.browser.open(await ann.begin(id), {
      until: (url) => url.includes("/callback") && (back = url) !== "",
    });
    const elsewhere = await PersonBrowser.signIn(gateway, "ann@x.example");
    await bob.begin(id);
    const withCookie = await PersonBrowser.signIn(gateway, "bob@x.example");
    for (const [key, cookie] of ann.browser.cookies) {
      if (cookie.name.startsWith("sluice_login_")) withCookie.browser.cookies.set(key, cookie);
    }
    for (const { browser } of [elsewhere, bob, withCookie]) {
      assertEquals((await browser.open(back)).status, 502);
    }
    assertEquals(upstream.tokenRequests.length, 0);
    assertStringIncludes((await ann.browser.open(back)).text, "Connected.");
    assertEquals((await ann.browser.open(back)).status, 502);
    assertEquals(upstream.tokenRequests.length, 1);
    await waitFor(
      async () => (await callsOf(gateway, name, ann.token)).every((answer) => answer === "ann"),
      { what: "the login on all workers" },
    );
    assertStringIncludes(await whoami(gateway, name, bob.token), NEEDS_LOGIN);
    const kept = JSON.stringify([
      gateway.log(),
      (await gateway.api("GET", "/export")).body,
      (await gateway.api("GET", `/gateways/${id}`)).body,
    ]);
    const code = new URL(back).searchParams.get("code")!;
    for (const secret of [code, ...upstream.accessTokens.keys(), ...upstream.refreshTokens.keys()]) {
      assertFalse(kept.includes(secret), secret);
    }

    const deleted = await gateway.api("DELETE", "/auth/email/admin/users/ann%40x.example");
    assertEquals(deleted.status, 200);
    const successor = await PersonBrowser.make(gateway, "ann@x.example");
    await refusesAll(gateway, name, successor.token);
  });
});
