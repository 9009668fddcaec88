// Attacks on the login of OAuth clients: stolen codes and tokens, redirects to strangers, forged consent, clients that pretend to be
// others, floods.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decodeJwt } from "jose";
import { post } from "../support/mcp_post.ts";
import { OAuthPerson, pkce, requestOf, sendForm, SITE } from "../support/oauth_person.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { mintToken } from "../support/tokens.ts";

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

Deno.test("Login of OAuth clients holds against attacks", async (t) => {
  await using gateway = await Sluice.start({
    env: { OAUTH_REGISTRATIONS_PER_HOUR: "1000", OAUTH_REQUESTS_PER_MINUTE: "10000" },
  });
  const victim = await OAuthPerson.make(gateway, "victim@x.org");
  const attacker = await OAuthPerson.make(gateway, "attacker@x.org", { is_admin: true });
  const client = await victim.register();
  const tokenAt = `${gateway.url}/oauth/token`;
  const statusAt = async (token: string, path = "/mcp") =>
    (await post(gateway, LIST, { token, path })).status;
  const errorOf = async (form: Record<string, string>) => (await sendForm(tokenAt, form)).body.error;
  /** A code that the victim's browser has got, with what redeems it. */
  const codeFor = async (more: Record<string, string> = {}) => {
    const { verifier, challenge } = await pkce();
    const request = requestOf({
      client_id: client,
      resource: `${gateway.url}/mcp`,
      code_challenge: challenge,
      ...more,
    });
    const answer = await OAuthPerson.answerOf(await victim.decide(request));
    return {
      ...{
        grant_type: "authorization_code",
        code: answer.get("code")!,
        redirect_uri: SITE,
        client_id: client,
      },
      code_verifier: verifier,
    };
  };

  await t.step("a code is redeemed once, by its client, at its redirect URI, with its verifier", async () => {
    const other = await victim.register();
    const { verifier } = await pkce();
    for (
      const wrong of [
        ...[{ client_id: other }, { redirect_uri: `${SITE}/` }, { code: "x" }, { code_verifier: verifier }],
        ...[{ code_verifier: "" }, { code_verifier: "short" }],
      ]
    ) {
      const good = await codeFor();
      const error = await errorOf({ ...good, ...wrong });
      assert(error === "invalid_grant" || error === "invalid_request", `${JSON.stringify(wrong)}: ${error}`);
    }
    // A guess of the verifier uses the code up.
    const guessed = await codeFor();
    await errorOf({ ...guessed, code_verifier: verifier });
    assertEquals(await errorOf(guessed), "invalid_grant");

    // Many at once: one gets tokens, and loses them, because the others have shown that the code is known to somebody.
    const raced = await codeFor();
    const answers = await Promise.all(Array.from({ length: 8 }, () => sendForm(tokenAt, raced)));
    const won = answers.filter(({ status }) => status === 200);
    assert(won.length <= 1, `${won.length} redemptions of one code`);
    for (const { body } of won) {
      assertEquals(await statusAt(body.access_token), 401);
      assertEquals((await victim.refresh(client, body.refresh_token)).body.error, "invalid_grant");
    }
  });

  await t.step("another person's code does not log in a client that did not ask for it", async () => {
    // The attacker puts a code of an own login into the victim's client, which has another verifier.
    const { challenge } = await pkce();
    const request = requestOf({
      client_id: client,
      resource: `${gateway.url}/mcp`,
      code_challenge: challenge,
    });
    const injected = (await OAuthPerson.answerOf(await attacker.decide(request))).get("code")!;
    assertEquals(await errorOf({ ...await codeFor(), code: injected }), "invalid_grant");
  });

  await t.step("PKCE cannot be left out or weakened", async () => {
    for (
      const weak of [
        ...[{ code_challenge: undefined }, { code_challenge_method: undefined }, {
          code_challenge_method: "plain",
        }],
        ...[{ code_challenge: "", code_challenge_method: undefined }, { code_challenge_method: "s256" }],
      ]
    ) {
      const query = requestOf({ client_id: client, ...weak });
      const answer = await OAuthPerson.answerOf(await victim.open(query));
      assertEquals(
        [answer.get("error"), answer.get("code")],
        ["invalid_request", null],
        JSON.stringify(weak),
      );
      assertEquals(answer.get("iss"), gateway.url);
      // The form of the page is checked anew.
      assertEquals((await OAuthPerson.answerOf(await victim.decide(query))).get("code"), null);
    }
    const { code_verifier: _, ...without } = await codeFor();
    assertEquals(await errorOf(without), "invalid_grant");
  });

  await t.step("no request sends a browser to an address that the client has not registered", async () => {
    const native = await victim.register({
      redirect_uris: ["http://127.0.0.1:3000/cb", "https://app.example/cb?x=1"],
    });
    for (
      const redirect of [
        ...[
          "https://evil.example/cb",
          "https://app.example.evil.example/cb?x=1",
          "https://app.example@evil.example/cb?x=1",
        ],
        ...[
          "https://app.example/cb?x=1&y",
          "https://app.example/cb",
          "https://app.example/cb?x=1#y",
          "//evil.example/cb",
        ],
        ...[
          "https://app.example/cb/../cb?x=1",
          "https://app.example\\\\@evil.example/cb?x=1",
          "javascript:alert(1)",
          "data:,x",
        ],
        ...[
          "http://127.0.0.1:3000@evil.example/cb",
          "http://127.0.0.1.evil.example:3000/cb",
          "http://localhost:3000/cb",
        ],
        ...[
          "http://127.0.0.1:3000/cb/x",
          "https://127.0.0.1:3000/cb",
          "http://127.0.0.1:3000/cb?x",
          "",
          "/admin",
        ],
      ]
    ) {
      const query = requestOf({ client_id: native, redirect_uri: redirect });
      for (const response of [await victim.open(query), await victim.decide(query)]) {
        await response.body?.cancel();
        assertEquals([response.status, response.headers.get("location")], [400, null], redirect);
      }
    }
    // The port of a loopback address is free.
    const page = await victim.open(
      requestOf({ client_id: native, redirect_uri: "http://127.0.0.1:51234/cb" }),
    );
    assertEquals(page.status, 200);
    await page.body?.cancel();
    // A link with a fault in it leads to no site that its reader has never allowed anything: anybody may register a client.
    const stranger = await attacker.register();
    for (const more of [{ response_type: "token" }, { prompt: "none" }] as Record<string, string>[]) {
      const known = await OAuthPerson.answerOf(
        await victim.open(requestOf({ client_id: client, resource: `${gateway.url}/sse`, ...more })),
      );
      assert(known.get("error") !== null);
      const response = await victim.open(requestOf({ client_id: stranger, ...more }));
      await response.body?.cancel();
      assertEquals([response.status, response.headers.get("location")], [400, null], JSON.stringify(more));
    }
    // Two values are none.
    const twice = requestOf({ client_id: client });
    twice.append("redirect_uri", "https://evil.example");
    assertEquals((await victim.open(twice)).status, 400);
  });

  await t.step("consent comes from the page of the gateway alone, which no page may frame", async () => {
    const query = requestOf({ client_id: client, resource: `${gateway.url}/sse` });
    for (
      const headers of [
        ...[{ origin: "https://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }],
        ...[{ "sec-fetch-site": "same-site" }, { origin: "https://evil.example", "sec-fetch-site": "none" }],
      ]
    ) {
      const response = await victim.decide(query, { headers: headers as Record<string, string> });
      await response.body?.cancel();
      assertEquals(response.status, 403, JSON.stringify(headers));
    }
    // The cookie is sent with links from elsewhere, so that a GET alone allows nothing.
    const asked = await victim.open(query);
    const text = await asked.text();
    assertEquals([asked.status, text.includes("Allow App?")], [200, true]);
    const policy = asked.headers.get("content-security-policy")!;
    assertStringIncludes(policy, "frame-ancestors 'none'");
    assertStringIncludes(policy, "form-action 'self' https: http:;");
    assertEquals(asked.headers.get("cache-control"), "private, no-store");
    // A client's page opens them in a window that reports to it afterwards; every other page is cut off from its opener.
    const opener = async (path: string) => {
      const response = await fetch(`${gateway.url}/admin/${path}`, { headers: { cookie: victim.cookie } });
      await response.body?.cancel();
      return response.headers.get("cross-origin-opener-policy");
    };
    assertEquals(asked.headers.get("cross-origin-opener-policy"), "unsafe-none");
    assertEquals(await Promise.all(["sign-in?next=authorize", "", "applications", "tokens"].map(opener)), [
      "unsafe-none",
      ...new Array(3).fill("same-origin"),
    ]);
    // Without a session, and with a session cookie of nonsense, the person signs in first.
    for (const cookie of ["", "sluice_session=x.y.z"]) {
      const response = await victim.open(query, cookie);
      assertEquals(response.status, 303);
      assertStringIncludes(response.headers.get("location")!, "/admin/sign-in?next=authorize");
    }
  });

  await t.step(
    "what a client is called cannot dress up the page, nor make it be remembered for another",
    async () => {
      const name = `<script>alert(1)</script>\u202eGitHub, by github.com`;
      const dressed = await victim.register({ client_name: name, redirect_uris: ["http://127.0.0.1/cb"] });
      const page =
        await (await victim.open(requestOf({ client_id: dressed, redirect_uri: "http://127.0.0.1:1/cb" })))
          .text();
      assert(!page.includes("<script>alert") && !page.includes("\u202e"));
      assertStringIncludes(page, "Nobody has checked that");
      // The same metadata make another client, with no consent; and a program on this machine is always asked about.
      await victim.connect(client);
      const twin = await victim.register();
      for (const [id, redirect_uri] of [[twin, SITE], [dressed, "http://127.0.0.1:1/cb"]] as const) {
        const request = requestOf({ client_id: id, redirect_uri, resource: `${gateway.url}/mcp` });
        assertEquals((await victim.open(request)).status, 200);
      }
      await OAuthPerson.answerOf(
        await victim.decide(requestOf({ client_id: dressed, redirect_uri: "http://127.0.0.1:1/cb" })),
      );
      assertEquals(
        (await victim.open(requestOf({ client_id: dressed, redirect_uri: "http://127.0.0.1:1/cb" }))).status,
        200,
      );
    },
  );

  await t.step("the metadata of a client are read from public https addresses alone", async () => {
    const reached: string[] = [];
    const inside = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      reached.push(request.url);
      return Response.json({});
    });
    await using strict = await Sluice.start({ env: { SSRF_ALLOW_LOCALHOST: "false", WORKERS: "1" } });
    const person = await OAuthPerson.make(strict, "ann@x.org");
    const { port } = inside.addr;
    for (
      const [id, words] of [
        [`https://127.0.0.1:${port}/client.json`, "metadata document"],
        [`https://localhost:${port}/client.json`, "metadata document"],
        ["https://169.254.169.254/latest/meta-data", "metadata document"],
        ["https://[::1]/client.json", "metadata document"],
        ["https://10.0.0.1/client.json", "metadata document"],
        [`http://127.0.0.1:${port}/client.json`, "not registered"],
        ["file:///etc/passwd", "not registered"],
        [`https://127.0.0.1:${port}/a/../client.json`, "not registered"],
      ]
    ) {
      const page = await person.open(requestOf({ client_id: id }));
      assertEquals(page.status, 400, id);
      assertStringIncludes(await page.text(), words!, id);
    }
    // Nobody without a login makes the gateway read an address.
    const stranger = await person.open(requestOf({ client_id: `https://127.0.0.1:${port}/x` }), "");
    assertEquals(stranger.status, 303);
    assertEquals(reached, []);
    await inside.shutdown();
  });

  await t.step("a token opens the resource that it is for, whoever asks for another", async () => {
    await gateway.api("POST", "/servers", { server: { id: "one", name: "One" } });
    await gateway.api("POST", "/servers", { server: { id: "two", name: "Two" } });
    const paths = ["/mcp", "/servers/one/mcp", "/servers/two/mcp"];
    const { access, refresh } = await victim.connect(client, { resource: `${gateway.url}/servers/one/mcp` });
    assertEquals(await Promise.all(paths.map((path) => statusAt(access, path))), [401, 200, 401]);
    const other = await victim.refresh(client, refresh, { resource: `${gateway.url}/servers/two/mcp` });
    assertEquals(other.body.error, "invalid_target");
    const wider = await victim.refresh(client, refresh, { scope: "tools.read tools.create" });
    assertEquals(wider.body.error, "invalid_scope");
    for (const resource of ["https://evil.example/mcp", `${gateway.url}/admin`, `${gateway.url}/mcp#x`]) {
      const answer = await OAuthPerson.answerOf(
        await victim.open(requestOf({ client_id: client, resource })),
      );
      assertEquals(answer.get("error"), "invalid_target", resource);
    }
    // By another name of the gateway it is another resource.
    const byAnother = {
      url: gateway.url.replace("127.0.0.1", "localhost"),
      token: () => Promise.resolve(access),
    };
    const byName = await post(byAnother, LIST, { path: "/servers/one/mcp" });
    assertEquals(byName.status, 401);
    // Neither the REST API nor the pages take it, and it connects no further client.
    assertEquals((await gateway.api("GET", "/tools", undefined, access)).status, 401);
    const asSession = await victim.open(requestOf({ client_id: client }), `sluice_session=${access}`);
    assertEquals(asSession.status, 303);
    // A token of the gateway that claims to be one, and one with a changed audience.
    const forged = await mintToken(
      gateway.secret,
      { claims: { aud: `${gateway.url}/mcp`, scope: "tools.read" } } as never,
    );
    assertEquals(await statusAt(forged), 401);
    const [header, , signature] = access.split(".");
    const changed = btoa(JSON.stringify({ ...decodeJwt(access), aud: `${gateway.url}/mcp` })).replaceAll(
      "=",
      "",
    );
    assertEquals(await statusAt(`${header}.${changed}.${signature}`), 401);
  });

  await t.step("an API token and a narrowed token connect no client", async () => {
    const made = await gateway.api("POST", "/tokens", { name: "api", expires_in_days: 1 }, victim.token);
    assertEquals(made.status, 201);
    const response = await victim.open(
      requestOf({ client_id: client }),
      `sluice_session=${made.body.access_token}`,
    );
    assertEquals(response.status, 403);
    await response.body?.cancel();
  });

  await t.step("one user neither sees nor ends what another has connected", async () => {
    const mine = await gateway.api("GET", "/oauth/applications", undefined, victim.token);
    const theirs = await gateway.api("GET", "/oauth/applications", undefined, attacker.token);
    const ids = theirs.body.map((each: { id: string }) => each.id);
    assert(mine.body.length > 0 && mine.body.every((each: { id: string }) => !ids.includes(each.id)));
    const { status } = await gateway.api(
      "DELETE",
      `/oauth/applications/${mine.body[0].id}`,
      undefined,
      attacker.token,
    );
    assertEquals(status, 404);
    assertEquals((await gateway.api("GET", "/oauth/applications", undefined, null)).status, 401);
  });

  await t.step("a client that cannot show who it is learns how (RFC 6749, section 5.2)", async () => {
    for (const path of ["token", "revoke", "device_authorization"]) {
      const response = await fetch(`${gateway.url}/oauth/${path}`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`${client}:wrong`)}` },
        body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "x", token: "x" }),
      });
      assertEquals([response.status, (await response.json()).error], [401, "invalid_client"], path);
      assertStringIncludes(response.headers.get("www-authenticate") ?? "", "Basic realm=", path);
    }
  });

  await t.step("what comes with a request is bounded, and no secret is in the log", async () => {
    const large = await sendForm(tokenAt, { grant_type: "refresh_token", refresh_token: "x".repeat(50_000) });
    assertEquals(large.status, 413);
    const many = await gateway.api(
      "POST",
      "/oauth/register",
      { redirect_uris: new Array(11).fill(SITE) },
      null,
    );
    assertEquals([many.status, many.body.error], [400, "invalid_redirect_uri"]);
    const { access, refresh, code } = await victim.connect(client);
    const log = gateway.stdout.lines.join("\n") + gateway.stderr.lines.join("\n");
    for (const secret of [access, refresh, refresh.split(".")[1]!, code, victim.token]) {
      assert(!log.includes(secret), "a secret is in the log");
    }
  });
});

Deno.test("Registrations and requests are limited by address, and clients in number", async () => {
  await using gateway = await Sluice.start({
    env: {
      ...{
        OAUTH_REGISTRATIONS_PER_HOUR: "12",
        OAUTH_REQUESTS_PER_MINUTE: "5",
        OAUTH_MAX_CLIENTS: "10",
        WORKERS: "1",
      },
      OAUTH_AUTHORIZATION_SERVER: "on",
    },
  });
  const register = () => gateway.api("POST", "/oauth/register", { redirect_uris: [SITE] }, null);
  // A window may end meanwhile.
  const answers: Awaited<ReturnType<typeof register>>[] = [];
  const limited = () => answers.filter(({ status }) => status === 429);
  while (limited().length < 2 && answers.length < 50) answers.push(await register());
  const made = answers.filter(({ status }) => status === 201);
  assertEquals([limited().length, made.length >= 12, made.length + 2], [2, true, answers.length]);
  const { body, headers } = limited()[0]!;
  assertEquals([body.error, Number(headers.get("retry-after")) > 0], ["temporarily_unavailable", true]);
  // The first ones have made room.
  const known = async (id: string) => {
    const { body } = await sendForm(`${gateway.url}/oauth/token`, {
      ...{
        grant_type: "authorization_code",
        code: "x",
        client_id: id,
        redirect_uri: SITE,
        code_verifier: "v".repeat(43),
      },
    });
    return body.error;
  };
  assertEquals([await known(made[0]!.body.client_id), await known(made.at(-1)!.body.client_id)], [
    "invalid_client",
    "invalid_grant",
  ]);
  const errors: string[] = [];
  while (errors.at(-1) !== "temporarily_unavailable" && errors.length < 50) errors.push(await known("x"));
  assertEquals([errors.at(-1), errors.length >= 3], ["temporarily_unavailable", true], `${errors}`);
  assertEquals(await metric(gateway, "sluice_oauth_limited_total", 'kind="registration"'), 2);
  assertEquals(await metric(gateway, "sluice_oauth_limited_total", 'kind="request"'), 1);
});
