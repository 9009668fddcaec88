// Clients that know nothing but an address log in at an identity provider, whose tokens the gateway takes.
import { assertEquals, assertRejects } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { freePort } from "../support/free_port.ts";
import { PASSWORD } from "../support/oauth_person.ts";
import { Browser, OidcProvider } from "../support/oidc_provider.ts";
import { SdkProvider, SDKS } from "../support/sdk_logins.ts";
import { Sluice } from "../support/sluice.ts";

const CALLBACK = "http://127.0.0.1:1/callback";

Deno.test("Clients log in at the issuer that the metadata name, and call with its tokens", async (t) => {
  const [idp, port] = [freePort(), freePort()];
  const resource = `http://127.0.0.1:${port}/mcp`;
  const accounts = { ann: { email: "ann@x.org", email_verified: true } };
  await using provider = await OidcProvider.start([], accounts, idp, {
    ...{ takesRegistrations: true, signsAccessTokens: true },
  });
  const issuer = {
    ...{ issuer: provider.issuer, jwks_uri: `${provider.issuer}/jwks`, allow_http: true },
    ...{ audience: resource, authorization_server: true, scopes: ["tools"] },
  };
  await using gateway = await Sluice.start({
    env: {
      ...{ PORT: String(port), OAUTH_AUTHORIZATION_SERVER: "off", SSRF_ALLOW_LOCALHOST: "true" },
      JWT_ISSUERS: JSON.stringify([issuer]),
    },
  });
  await using counter = CounterUpstream.start();
  await gateway.registerUpstream("counter", counter.url);
  const user = { email: "ann@x.org", password: PASSWORD, is_admin: false };
  assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);

  for (const { name, connect, redeem } of SDKS) {
    await t.step(name, async () => {
      const client = new SdkProvider(CALLBACK);
      await assertRejects(() => connect(resource, client));
      const asked = client.opened!.searchParams;
      assertEquals([client.opened!.origin, asked.get("resource")], [provider.issuer, resource]);
      assertEquals(asked.get("scope"), "tools");

      const isBack = (url: string) => url.startsWith(CALLBACK);
      const back = await new Browser().signIn(client.opened!.href, "ann", isBack);
      await redeem(resource, client, new URL(back.url).searchParams);
      const connection = await connect(resource, client);
      const { tools } = await connection.listTools();
      assertEquals(tools.some((tool) => tool.name === "counter-increment"), true);
      const { content } = await connection.callTool({ name: "counter-increment", arguments: {} });
      assertEquals(content, [{ type: "text", text: "1" }]);
      await connection.close();
    });
  }
});
