// Each MCP endpoint as a protected resource of OAuth: what a client without a token finds out, and where it is sent.
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
} from "@modelcontextprotocol/sdk/client/auth.js";
import { SignJWT } from "jose";
import { Sluice } from "../support/sluice.ts";

const LOGIN = "https://login.example";

Deno.test("A refused client finds the metadata of its resource, at the address that it uses, and the issuers to log in at", async () => {
  await using gateway = await Sluice.start({
    env: {
      TRUSTED_PROXY_NETWORKS: "127.0.0.1",
      APP_ROOT_PATH: "/gw",
      ALLOWED_HOSTS: "public.example",
      OAUTH_AUTHORIZATION_SERVER: "on",
      OAUTH_DYNAMIC_REGISTRATION: "false",
      OAUTH_CLIENT_METADATA_DOCUMENTS: "false",
      JWT_ISSUERS: JSON.stringify([
        { issuer: LOGIN, jwks_uri: `${LOGIN}/keys`, audience: "sluice", authorization_server: true },
        { issuer: "https://other.example", jwks_uri: "https://other.example/keys", audience: "sluice" },
      ]),
    },
  });
  const ask = (path: string, init: RequestInit = {}) => fetch(gateway.url + path, init);
  for (const path of ["/mcp", "/servers/a/mcp", "/sse", "/servers/a/sse"]) {
    const response = await ask(path, { headers: { authorization: "Bearer nonsense" } });
    await response.body?.cancel();
    assertEquals(response.status, 401);
    const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(response);
    assertEquals([scope, error], ["tools.read tools.execute resources.read prompts.read", "invalid_token"]);
    const metadata = await discoverOAuthProtectedResourceMetadata(`${gateway.url}/gw${path}`, {
      resourceMetadataUrl,
    });
    assertEquals(metadata.resource, `${gateway.url}/gw${path}`);
    assertEquals(metadata.authorization_servers, [`${gateway.url}/gw`, LOGIN]);
    // The client that ignores the header finds the same by the path.
    assertEquals(await discoverOAuthProtectedResourceMetadata(`${gateway.url}/gw${path}`), metadata);
  }
  const byServer = await (await ask("/servers/a/.well-known/oauth-protected-resource")).json();
  assertEquals(byServer.resource, `${gateway.url}/gw/servers/a/mcp`);

  // The issuer below a path is found too, and says what it does not take.
  const server = (await discoverAuthorizationServerMetadata(`${gateway.url}/gw`))!;
  assertEquals([server.issuer, server.registration_endpoint, server.client_id_metadata_document_supported], [
    `${gateway.url}/gw`,
    undefined,
    false,
  ]);
  const registered = await gateway.api(
    "POST",
    "/oauth/register",
    { redirect_uris: ["http://127.0.0.1/cb"] },
    null,
  );
  assertEquals([registered.status, registered.body.error], [403, "invalid_client_metadata"]);
  assertStringIncludes(registered.body.error_description, "OAUTH_DYNAMIC_REGISTRATION");

  // Behind a proxy the client's address counts, and no other endpoint is a resource.
  const proxied = {
    "x-forwarded-host": "public.example",
    "x-forwarded-proto": "https",
    "x-forwarded-prefix": "/p",
  };
  const refused = await ask("/mcp", { headers: proxied });
  await refused.body?.cancel();
  assertStringIncludes(
    refused.headers.get("www-authenticate")!,
    'resource_metadata="https://public.example/p/.well-known/oauth-protected-resource/mcp"',
  );
  const rest = await ask("/tools");
  await rest.body?.cancel();
  assertEquals(rest.headers.get("www-authenticate"), 'Bearer realm="sluice"');
  assertEquals(
    (await gateway.api("GET", "/.well-known/oauth-protected-resource/tools", undefined, null)).status,
    404,
  );

  // Web pages of every origin may read the metadata, and call nothing else.
  const page = { origin: "https://page.example" };
  const read = await ask("/.well-known/oauth-protected-resource/mcp", { headers: page });
  await read.body?.cancel();
  assertEquals([read.status, read.headers.get("access-control-allow-origin")], [200, page.origin]);
  const called = await ask("/mcp", { headers: page });
  await called.body?.cancel();
  assertEquals([called.status, called.headers.get("access-control-allow-origin")], [403, null]);
});

Deno.test("Without a place to log in, a refusal names none, and access tokens are refused", async () => {
  const env = { WORKERS: "1", OAUTH_AUTHORIZATION_SERVER: "off" };
  await using gateway = await Sluice.start({ env });
  const user = { email: "ann@x.org", password: "A-long-Password-7", is_admin: true };
  assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);
  const response = await fetch(`${gateway.url}/mcp`);
  await response.body?.cancel();
  assertEquals(response.headers.get("www-authenticate"), 'Bearer realm="sluice"');
  for (
    const path of [
      ...[
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/oauth/jwks",
      ],
      ...["/.well-known/openid-configuration", "/oauth/authorize"],
    ]
  ) assertEquals((await gateway.api("GET", path, undefined, null)).status, 404, path);
  // Clients that register without looking are told what to do.
  const { status, body } = await gateway.api(
    "POST",
    "/register",
    { redirect_uris: ["http://127.0.0.1/cb"] },
    null,
  );
  assertEquals(status, 400);
  assertStringIncludes(body.error_description, "put a token into the Authorization header");
  const claims = {
    sub: user.email,
    iss: gateway.url,
    aud: `${gateway.url}/mcp`,
    scope: "tools.read",
    grant_id: "g",
  };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "at+jwt" }).setJti("j")
    .setExpirationTime("1h").sign(new TextEncoder().encode(gateway.secret));
  const refused = await gateway.api("POST", "/mcp", { jsonrpc: "2.0", id: 1, method: "tools/list" }, token);
  assertEquals(refused.status, 401);
  assertStringIncludes(JSON.stringify(refused.body), "access tokens of OAuth clients are not taken here");
});
