// The gateway logs in to upstreams that want OAuth, and what hostile upstreams and authorization servers try.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import type { Gateway } from "../support/gateway.ts";
import { LoginUpstream, type LoginUpstreamOptions } from "../support/login_upstream.ts";
import { OidcProvider } from "../support/oidc_provider.ts";
import { metric } from "../support/metric.ts";
import { waitFor } from "../support/wait_for.ts";

const SECRET = "secretOfTheClient";
const CONFIG = { grant_type: "client_credentials", client_id: "sluice", client_secret: SECRET };
const BASIC = `Basic ${btoa(`sluice:${SECRET}`)}`;

// deno-lint-ignore no-explicit-any -- the answer's body
async function register(gateway: Gateway, name: string, url: string, config: unknown = CONFIG): Promise<any> {
  return await gateway.api("POST", "/gateways", {
    ...{ name, url, transport: "STREAMABLEHTTP", auth_type: "oauth", oauth_config: config },
  });
}

/** One call without a session, which any worker serves. */
async function whoami(gateway: Gateway, name: string): Promise<string> {
  const { body } = await gateway.api("POST", "/rpc", {
    ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
    params: { name: `${name}-whoami`, arguments: {} },
  });
  return body.error?.message ?? body.result.content[0].text;
}

gatewayTest("A gateway logs in to an upstream as itself, once for all calls", async (start) => {
  await using gateway = await start({ SSRF_ALLOW_LOCALHOST: "true", UPSTREAM_OAUTH_TIMEOUT: "5" });

  // Without a login the refusal says what to do.
  await using upstream = new LoginUpstream({ expiresInS: 6, furtherScope: "secrets" });
  const plain = await gateway.api("POST", "/gateways", { name: "plain", url: upstream.url });
  assertStringIncludes(JSON.stringify(plain.body), `It wants OAuth: register it with auth_type \\"oauth\\"`);

  // The authorization server is found by the upstream's 401; the secret goes there alone.
  const { status, body } = await register(gateway, "login", upstream.url);
  assertEquals([status, body.authType], [200, "oauth"]);
  assertEquals(body.oauthConfig, {
    ...CONFIG,
    client_secret: "*****",
    ...{ private_key: null, client_auth: null, issuer: null, token_url: null, scopes: [], resource: null },
  });
  const [{ form, authorization }] = upstream.tokenRequests;
  assertEquals([authorization, Object.fromEntries(form)], [
    BASIC,
    { grant_type: "client_credentials", resource: upstream.url, scope: "tools" },
  ]);

  // The first call lacks a scope: the gateway asks for it too.
  assertEquals(await whoami(gateway, "login"), "tools secrets");

  // Calls on all workers share one token. It is renewed before it expires, once for all.
  const answers = await Promise.all(Array.from({ length: 30 }, () => whoami(gateway, "login")));
  assertEquals(new Set(answers), new Set(["tools secrets"]));
  const before = upstream.tokenRequests.length;
  const began = Date.now();
  while (Date.now() - began < 5_000) {
    assertEquals(await whoami(gateway, "login"), "tools secrets");
  }
  const tookMs = Date.now() - began;
  const renewals = upstream.tokenRequests.length - before;
  // A token of 6 s is renewed after 3 s. The last call may have taken its time.
  const most = tookMs / 3_000 + 1;
  assert(
    renewals >= 1 && renewals <= most,
    `${renewals} requests for tokens in ${tookMs} ms, not 1 to ${most}`,
  );
  assert(await metric(gateway, "sluice_upstream_token_requests_total", 'outcome="success"') >= 3);

  // No answer, no export without a passphrase and no log has a secret.
  const shown = JSON.stringify([
    (await gateway.api("GET", "/gateways")).body,
    (await gateway.api("GET", "/export")).body,
  ]);
  const logs = gateway.processes.map(({ stdout, stderr }) => [...stdout.lines, ...stderr.lines].join("\n"))
    .join("");
  for (const secret of [SECRET, BASIC.slice(6), ...upstream.tokens.keys()]) {
    assert(!shown.includes(secret) && !logs.includes(secret));
  }

  // An answer sent back changes nothing; another authorization server does not get the stored secret.
  const kept = upstream.tokenRequests.length;
  const same = await gateway.api("PUT", `/gateways/${body.id}`, { ...body, description: "again" });
  assertEquals(same.status, 200);
  assert(upstream.tokenRequests.length - kept <= 1);
  const moved = await gateway.api("PUT", `/gateways/${body.id}`, {
    oauth_config: { ...body.oauthConfig, token_url: "http://127.0.0.1:1/token" },
  });
  assertEquals(moved.status, 422);
  assertStringIncludes(JSON.stringify(moved.body), "send the secret too");

  assertEquals((await gateway.api("DELETE", `/gateways/${body.id}`)).status, 200);
});

gatewayTest(
  "A refused token is replaced once, by evidence, and an upstream that refuses all gets no flood",
  async (start) => {
    await using gateway = await start({ SSRF_ALLOW_LOCALHOST: "true" });
    await using upstream = new LoginUpstream();
    await register(gateway, "login", upstream.url);
    assertEquals(await whoami(gateway, "login"), "tools");
    const before = upstream.tokenRequests.length;
    // A token that is refused although it is new would be refused again.
    upstream.forgetTokens();
    const refused = await whoami(gateway, "login");
    assertEquals(refused, 'Upstream "login" refused our credentials (HTTP 401)');
    assertEquals(upstream.tokenRequests.length, before);
    // The gateway forgets the token with the credentials.
    const { body: [{ id }] } = await gateway.api("GET", "/gateways");
    const again = await gateway.api("PUT", `/gateways/${id}`, {
      auth_type: "oauth",
      oauth_config: { ...CONFIG, scopes: "tools" },
    });
    assertEquals(again.status, 200);
    assertEquals(await whoami(gateway, "login"), "tools");
  },
  { inCluster: false },
);

const HOSTILE: readonly (readonly [string, LoginUpstreamOptions, RegExp, number])[] = [
  [
    "metadata of another resource",
    { resourceMetadata: (own) => ({ ...own, resource: "http://127.0.0.1:9/mcp" }) },
    /another resource/,
    0,
  ],
  ["metadata elsewhere", { challenge: "http://169.254.169.254/latest/meta-data" }, /another origin/, 0],
  [
    "another issuer",
    { serverMetadata: (own) => ({ ...own, issuer: "https://other.example" }) },
    /another issuer/,
    0,
  ],
  [
    "a forbidden token endpoint",
    { serverMetadata: (own) => ({ ...own, token_endpoint: "http://169.254.169.254/token" }) },
    /may not connect/,
    0,
  ],
  ["no token endpoint", { serverMetadata: (own) => ({ ...own, token_endpoint: 7 }) }, /no token_endpoint/, 0],
  ["huge metadata", { serverMetadata: (own) => ({ ...own, more: "x".repeat(300_000) }) }, /cannot reach/, 0],
  [
    "an error with the secret",
    { token: () => Response.json({ error: "invalid_client", error_description: "no" }, { status: 401 }) },
    /does not accept the gateway's client/,
    1,
  ],
  [
    "a redirect of the token endpoint",
    { token: () => new Response(null, { status: 307, headers: { location: "http://127.0.0.1:9/" } }) },
    /HTTP 307/,
    1,
  ],
  [
    "a token with a line break",
    { token: () => Response.json({ access_token: "a\r\nb", token_type: "bearer" }) },
    /no header can carry/,
    1,
  ],
  [
    "a slow token endpoint",
    {
      token: () => new Promise<Response>((resolve) => setTimeout(() => resolve(new Response("late")), 3_000)),
    },
    /cannot reach/,
    1,
  ],
];

gatewayTest("Hostile metadata and authorization servers get no secret and are named", async (start, t) => {
  await using gateway = await start({ SSRF_ALLOW_LOCALHOST: "true", UPSTREAM_OAUTH_TIMEOUT: "2" });
  for (const [name, options, words, asked] of HOSTILE) {
    await t.step(name, async () => {
      await using upstream = new LoginUpstream(options);
      const { status, body } = await register(gateway, "hostile", upstream.url);
      assertEquals(status, 502);
      assertMatch(JSON.stringify(body), words);
      assertStringIncludes(JSON.stringify(body), 'Cannot log in to upstream \\"hostile\\"');
      assert(!JSON.stringify(body).includes(SECRET));
      assertEquals(upstream.tokenRequests.length, asked);
    });
  }
  await t.step("a redirect of the upstream to another origin gets no token", async () => {
    await using upstream = new LoginUpstream();
    const seen: (string | null)[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      seen.push(request.headers.get("authorization"));
      return new Response(null, { status: 307, headers: { location: upstream.url } });
    });
    const url = `http://127.0.0.1:${server.addr.port}/mcp`;
    const given = { ...CONFIG, token_url: `${upstream.issuer}/token` };
    assertEquals((await register(gateway, "redirect", url, given)).status, 502);
    await server.shutdown();
    assert(seen.length > 0);
    assert(seen.some((header) => header !== null));
    assertEquals(upstream.mcpWith, []);
    await waitFor(() => upstream.tokenRequests.length === 1, { what: "one request for a token" });
  });
}, { inCluster: false });

gatewayTest("A gateway logs in at a real provider, by a secret and by a private key", async (start, t) => {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const pem = `-----BEGIN PRIVATE KEY-----\n${der.toBase64()}\n-----END PRIVATE KEY-----\n`;
  const key = { ...await crypto.subtle.exportKey("jwk", pair.publicKey), alg: "ES256", use: "sig" };
  const common = {
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
    scope: "tools",
  };
  await using provider = await OidcProvider.start([
    { ...common, client_id: "sluice", client_secret: SECRET },
    { ...common, client_id: "keyed", token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [key] } },
  ], {});
  const ask = async (token: string) => {
    const headers = { authorization: BASIC };
    const body = new URLSearchParams({ token });
    const answer = await fetch(`${provider.issuer}/token/introspection`, { method: "POST", headers, body });
    const { active, scope, aud } = await answer.json();
    return active ? { scope, resource: aud } : null;
  };
  await using upstream = new LoginUpstream({ authorizationServer: { issuer: provider.issuer, ask } });
  await using gateway = await start({ SSRF_ALLOW_LOCALHOST: "true" });
  await t.step("secret", async () => {
    const { status, body } = await register(gateway, "secret", upstream.url);
    assertEquals([status, body.toolCount], [200, 1]);
    assertEquals(await whoami(gateway, "secret"), "tools");
  });
  await t.step("key", async () => {
    const keyed = { client_id: "keyed", private_key: pem };
    const { status, body } = await register(gateway, "key", upstream.url, keyed);
    assertEquals([status, body.oauthConfig?.private_key], [200, "*****"], JSON.stringify(body));
    assertEquals(await whoami(gateway, "key"), "tools");
  });
  await t.step("an unknown client", async () => {
    const { status, body } = await register(gateway, "wrong", upstream.url, {
      ...CONFIG,
      client_id: "nobody",
    });
    assertEquals(status, 502);
    assertStringIncludes(JSON.stringify(body), "Check client_id, client_secret and client_auth");
  });
}, { inCluster: false });
