// The gateway exchanges the tokens of its callers for tokens of an upstream (RFC 8693).
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from "jose";
import { gatewayTest } from "../support/gateway_tests.ts";
import type { Gateway } from "../support/gateway.ts";
import { LoginUpstream } from "../support/login_upstream.ts";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { metric } from "../support/metric.ts";
import { OidcProvider } from "../support/oidc_provider.ts";

const SECRET = "secretOfTheClient";
const BASIC = `Basic ${btoa(`sluice:${SECRET}`)}`;
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const TYPE = "urn:ietf:params:oauth:token-type:";

/** Issues tokens of callers, which the gateway takes by JWT_ISSUERS. */
async function identityProvider() {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const key = { ...await exportJWK(publicKey), kid: "k" };
  const server = serveOnLoopback(() => Response.json({ keys: [key] }));
  const issuer = "https://idp.example";
  return {
    setting: JSON.stringify([{
      ...{ issuer, jwks_uri: `http://127.0.0.1:${server.addr.port}/keys`, allow_http: true },
      ...{ audience: "gateway", algorithms: ["ES256"] },
    }]),
    token: (sub: string, more: Record<string, unknown> = {}) =>
      new SignJWT({
        ...{ iss: issuer, aud: "gateway", sub, email: `${sub}@x.example`, email_verified: true },
        ...more,
      })
        .setProtectedHeader({ alg: "ES256", kid: "k" }).setIssuedAt().setExpirationTime("10m")
        .setJti(crypto.randomUUID()).sign(privateKey),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Gives a token for each subject token, of which `whoami` answers the subject. */
function exchangingUpstream() {
  const exchanges: URLSearchParams[] = [];
  let count = 0;
  const upstream: LoginUpstream = new LoginUpstream({
    token: (form) => {
      if (form.get("grant_type") !== EXCHANGE) return null;
      exchanges.push(form);
      const { sub, scope = "" } = decodeJwt<{ scope?: string }>(form.get("subject_token")!);
      if (sub === "eve") {
        const error_description = `no ${form.get("subject_token")} with ${SECRET}`;
        return Response.json({ error: "invalid_target", error_description }, { status: 400 });
      }
      const access_token = `exchanged-${++count}`;
      const expiresAt = Date.now() + 600_000;
      upstream.tokens.set(access_token, {
        scope: `${sub} ${scope}`.trim(),
        resource: upstream.url,
        expiresAt,
      });
      return Response.json({ access_token, token_type: "Bearer", expires_in: 600 });
    },
  });
  return { upstream, exchanges };
}

function configOf(issuer: string, more: Record<string, unknown> = {}) {
  return { grant_type: "token_exchange", client_id: "sluice", client_secret: SECRET, issuer, ...more };
}

async function register(gateway: Gateway, url: string, oauth_config: unknown, token?: string) {
  const body = { name: "crm", url, auth_type: "oauth", visibility: "public", oauth_config };
  return await gateway.api("POST", "/gateways", body, token);
}

/** One call without a session, which any worker serves. */
async function whoami(gateway: Gateway, token?: string): Promise<string> {
  const { body } = await gateway.api("POST", "/rpc", {
    ...{ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "crm-whoami", arguments: {} } },
  }, token);
  return body.error === undefined ? body.result.content[0].text : `${body.error.code} ${body.error.message}`;
}

gatewayTest(
  "Each caller's token is exchanged once, for a token that serves that caller alone",
  async (start, t) => {
    await using idp = await identityProvider();
    const { upstream, exchanges } = exchangingUpstream();
    await using _upstream = upstream;
    await using gateway = await start({ SSRF_ALLOW_LOCALHOST: "true", JWT_ISSUERS: idp.setting });
    const [ann, bob, eve] = await Promise.all(["ann", "bob", "eve"].map((sub) => idp.token(sub)));

    await t.step("only an administrator registers it, with the authorization server", async () => {
      const wrong: [Record<string, unknown>, string][] = [
        [{ issuer: undefined }, "callers' tokens are sent there"],
        [{ client_secret: undefined }, "client_secret"],
        [{ subject_token_type: "saml2" }, "subject_token_type"],
        [{ requested_token_type: 7 }, "requested_token_type"],
        [{ audience: "a".repeat(3_000) }, "audience"],
        [{ audience: "a\nb" }, "audience"],
        [{ connection: "user" }, "has no effect without grant_type"],
        [{ grant_type: "client_credentials", audience: "x" }, "has no effect without grant_type"],
      ];
      for (const [more, words] of wrong) {
        const { status, body } = await register(gateway, upstream.url, configOf(upstream.issuer, more));
        assertEquals(status, 422, JSON.stringify([more, body]));
        assertStringIncludes(JSON.stringify(body), words);
      }
      const user = { email: "dev@x.example", password: "a-Password-of-dev-1", full_name: "Dev" };
      assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);
      const role = { role_id: "developer", scope: "global" };
      assert((await gateway.api("POST", "/rbac/users/dev@x.example/roles", role)).status < 300);
      const dev = await gateway.token({ username: "dev@x.example", admin: false, claims: { teams: null } });
      const theft = await register(gateway, upstream.url, configOf(upstream.issuer), dev);
      assertEquals(theft.status, 422, JSON.stringify(theft.body));
      assertStringIncludes(JSON.stringify(theft.body), "only an administrator may register");
      assertEquals(upstream.tokenRequests, []);
    });

    const config = configOf(upstream.issuer, {
      requested_token_type: "jwt",
      audience: "crm",
      scopes: ["tools"],
    });
    const { status, body } = await register(gateway, upstream.url, config);
    assertEquals([status, body.toolCount], [200, 1], JSON.stringify(body));
    assertEquals(body.oauthConfig, {
      ...config,
      client_secret: "*****",
      ...{ private_key: null, client_auth: null, token_url: null, resource: null },
      ...{ subject_token_type: "access_token", send_resource: true },
    });
    // The gateway's own requests are the client's.
    assertEquals(upstream.tokenRequests.map(({ form }) => form.get("grant_type")), ["client_credentials"]);

    await t.step("one exchange for all calls of a token, on all workers", async () => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) => whoami(gateway, i % 2 ? ann : bob)),
      );
      assertEquals(answers, answers.map((_, i) => i % 2 ? "ann" : "bob"));
      assertEquals(exchanges.length, 2);
      const form = exchanges.find((each) => each.get("subject_token") === ann)!;
      assertEquals(Object.fromEntries(form), {
        ...{ grant_type: EXCHANGE, subject_token: ann, subject_token_type: `${TYPE}access_token` },
        ...{ requested_token_type: `${TYPE}jwt`, audience: "crm", resource: upstream.url, scope: "tools" },
      });
      assertEquals(upstream.tokenRequests.at(-1)!.authorization, BASIC);
    });

    await t.step("another token of the same caller is exchanged for itself", async () => {
      const wide = await idp.token("ann", { scope: "admin" });
      assertEquals(await whoami(gateway, wide), "ann admin");
      assertEquals(await whoami(gateway, ann), "ann");
      assertEquals(exchanges.length, 3);
    });

    await t.step("a call without a token of an issuer is told what to do", async () => {
      const answer = await whoami(gateway);
      assertStringIncludes(answer, "-31446");
      assertStringIncludes(answer, "Call with an access token of an issuer in JWT_ISSUERS");
      assertEquals(exchanges.length, 3);
    });

    await t.step("a refused exchange is one caller's, and tells no secret", async () => {
      for (let i = 0; i < 10; i++) {
        const answer = await whoami(gateway, eve);
        assertStringIncludes(answer, "-31446");
        assertStringIncludes(answer, "does not exchange yours (invalid_target)");
      }
      assertEquals(await whoami(gateway, bob), "bob");
      assert(await metric(gateway, "sluice_upstream_token_requests_total", 'outcome="failed"') >= 1);
      const shown = JSON.stringify([
        (await gateway.api("GET", "/gateways")).body,
        (await gateway.api("GET", "/export")).body,
        (await gateway.api("GET", "/gateways/crm/history")).body,
      ]);
      const logs = gateway.processes.map(({ stdout, stderr }) =>
        [...stdout.lines, ...stderr.lines].join("\n")
      ).join("");
      for (const secret of [SECRET, BASIC.slice(6), ann, bob, eve, ...upstream.tokens.keys()]) {
        assert(!shown.includes(secret) && !logs.includes(secret));
      }
      // The upstream gets the exchanged tokens alone.
      assertEquals(upstream.mcpWith.filter((header) => header !== null && /eyJ/.test(header)), []);
    });

    await t.step("a moved upstream gets no token that was exchanged for the former one", async () => {
      const moved = configOf(upstream.issuer, { audience: "other" });
      assertEquals((await gateway.api("PUT", "/gateways/crm", { oauth_config: moved })).status, 200);
      assertEquals(await whoami(gateway, ann), "ann");
      assertEquals(exchanges.at(-1)!.get("audience"), "other");
    });
  },
);

gatewayTest("A real provider exchanges the tokens that it has given", async (start) => {
  const client = {
    ...{ client_id: "sluice", client_secret: SECRET, response_types: [], redirect_uris: [] },
    ...{ grant_types: ["client_credentials", EXCHANGE], scope: "tools" },
  };
  const accounts = { ann: {}, bob: {}, eve: { exchanges: false } };
  await using provider = await OidcProvider.start([client], accounts);
  const ask = async (token: string) => {
    const body = new URLSearchParams({ token });
    const answer = await fetch(`${provider.issuer}/token/introspection`, {
      ...{ method: "POST", headers: { authorization: BASIC }, body },
    });
    const { active, sub, aud } = await answer.json();
    return active ? { scope: sub ?? "the client", resource: aud } : null;
  };
  await using upstream = new LoginUpstream({ authorizationServer: { issuer: provider.issuer, ask } });
  const jwks_uri = `${provider.issuer}/jwks`;
  await using gateway = await start({
    SSRF_ALLOW_LOCALHOST: "true",
    JWT_ISSUERS: JSON.stringify([{
      issuer: provider.issuer,
      jwks_uri,
      allow_http: true,
      audience: "gateway",
    }]),
  });
  const { status, body } = await register(gateway, upstream.url, configOf(provider.issuer));
  assertEquals([status, body.toolCount], [200, 1], JSON.stringify(body));
  const [ann, bob, eve] = await Promise.all(
    ["ann", "bob", "eve"].map((name) => provider.tokenOf(name, "sluice")),
  );
  assertEquals(await Promise.all([whoami(gateway, ann), whoami(gateway, bob)]), ["ann", "bob"]);
  assertStringIncludes(await whoami(gateway, eve), "invalid_target");
}, { inCluster: false });

gatewayTest(
  "No answer of an upstream or a token endpoint leads a caller's token elsewhere",
  async (start) => {
    await using idp = await identityProvider();
    const stolen: string[] = [];
    await using thief = serveOnLoopback(async (request) => {
      stolen.push(`${request.method} ${request.url} ${await request.text()}`);
      return Response.json({ access_token: "of-the-thief", token_type: "Bearer" });
    });
    const evil = `http://127.0.0.1:${thief.addr.port}`;
    const given = (access_token: string, more = {}) =>
      Response.json({ access_token, token_type: "Bearer", expires_in: 600, ...more });
    const answers: Record<string, (subject: string) => Response> = {
      moved: () => new Response(null, { status: 307, headers: { location: `${evil}/token` } }),
      found: () => new Response(null, { status: 302, headers: { location: `${evil}/token` } }),
      huge: () => given("x", { more: "x".repeat(300_000) }),
      long: () => given("x".repeat(20_000)),
      lines: () => given("a\r\nx-evil: 1"),
      number: () => given(7 as never),
      kind: () => given("x", { token_type: "N_A" }),
      code: (subject) => Response.json({ error: subject }, { status: 400 }),
      words: (error_description) =>
        Response.json({ error: "invalid_grant", error_description }, { status: 400 }),
      nonsense: (subject) => new Response(subject, { status: 400 }),
    };
    await using upstream = new LoginUpstream({
      challenge: `${evil}/.well-known/oauth-protected-resource`,
      resourceMetadata: (own) => ({ ...own, authorization_servers: [evil] }),
      token: (form) => {
        const subject = form.get("subject_token");
        return subject === null ? null : answers[decodeJwt(subject).sub!]?.(subject) ?? null;
      },
    });
    await using gateway = await start({
      SSRF_ALLOW_LOCALHOST: "true",
      JWT_ISSUERS: idp.setting,
      MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD: "100",
    });
    const { status, body } = await register(
      gateway,
      upstream.url,
      configOf(upstream.issuer, { scopes: ["tools"] }),
    );
    assertEquals([status, body.toolCount], [200, 1], JSON.stringify(body));
    const callers = await Promise.all(Object.keys(answers).map((sub) => idp.token(sub)));
    for (const token of callers) {
      const answer = await whoami(gateway, token);
      assert(/^-31[45]\d\d /.test(answer) && !answer.includes(token), answer);
    }
    // The upstream refuses its tokens, and names another authorization server.
    const bob = await idp.token("bob");
    assertEquals(await whoami(gateway, bob), "tools");
    upstream.forgetTokens();
    assertStringIncludes(await whoami(gateway, bob), "refused our credentials");
    assertEquals(stolen, []);
    const logs = gateway.processes.flatMap(({ stdout, stderr }) => [...stdout.lines, ...stderr.lines]).join(
      "\n",
    );
    for (const secret of [...callers, bob, SECRET]) assert(!logs.includes(secret));
  },
  { inCluster: false },
);
