// A client whose id is the address of its metadata, allowed by a person who signs in at an identity provider on the way.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { Browser, OidcProvider } from "../support/oidc_provider.ts";
import { pkce, requestOf, sendForm } from "../support/oauth_person.ts";
import { makeSelfSigned } from "../support/self_signed.ts";
import { Sluice } from "../support/sluice.ts";

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

Deno.test("A client with a metadata document is allowed by a person who signs in at an identity provider", async () => {
  const folder = await Deno.makeTempDir();
  const { certFile, keyFile } = await makeSelfSigned(folder, "client");
  let reads = 0;
  const site = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen: () => {},
    cert: await Deno.readTextFile(certFile),
    key: await Deno.readTextFile(keyFile),
  }, (request) => {
    reads++;
    const { pathname, origin } = new URL(request.url);
    if (pathname === "/moved.json") return Response.redirect(`${origin}/client.json`);
    const isTerminal = pathname === "/terminal.json";
    return Response.json({
      client_id: `${origin}${isTerminal ? pathname : "/client.json"}`,
      client_name: isTerminal ? "A terminal" : "A web site",
      ...(isTerminal ? { grant_types: [DEVICE_GRANT] } : {}),
      redirect_uris: [`${origin}/cb`],
      token_endpoint_auth_method: "none",
    });
  });
  const client = `https://localhost:${site.addr.port}`;
  const port = freePort();
  await using provider = await OidcProvider.start([{
    ...{ client_id: "sluice", client_secret: "secret of the client" },
    redirect_uris: [`http://127.0.0.1:${port}/auth/sso/callback/main`],
  }], { ann: { email: "ann@x.org", email_verified: true, name: "Ann", groups: [] } });
  await using gateway = await Sluice.start({
    env: {
      ...{ PORT: String(port), DENO_CERT: certFile, SSO_ENABLED: "true" },
      SSO_PROVIDERS: JSON.stringify([{
        ...{ id: "main", display_name: "Main", issuer: provider.issuer, allow_http: true },
        ...{ client_id: "sluice", client_secret: "secret of the client" },
      }]),
    },
  });
  const { verifier, challenge } = await pkce();
  const resource = `${gateway.url}/mcp`;
  const request = requestOf({
    ...{
      client_id: `${client}/client.json`,
      redirect_uri: `${client}/cb`,
      code_challenge: challenge,
      resource,
    },
  });
  const browser = new Browser();
  const asked = await browser.open(`${gateway.url}/oauth/authorize?${request}`);
  assertStringIncludes(asked.url, "/admin/sign-in?next=authorize");
  // Nothing is read for somebody who has not signed in.
  assertEquals(reads, 0);
  const link = /<a [^>]*href="(\/auth\/sso\/login\/main\?next=[^"]+)"/.exec(asked.text)![1]!.replaceAll(
    "&amp;",
    "&",
  );
  const page = await browser.signIn(gateway.url + link, "ann");
  assertStringIncludes(page.url, "/admin/authorize?");
  assertStringIncludes(page.text, "A web site, by <b>localhost:");
  assertEquals(reads, 1);

  const form = { request: request.toString(), decision: "allow", scope: "tools.read" };
  const back = await browser.open(`${gateway.url}/admin/authorize`, {
    form,
    until: (url) => url.startsWith(client),
  });
  const code = new URL(back.url).searchParams.get("code")!;
  const { status, body } = await sendForm(`${gateway.url}/oauth/token`, {
    ...{ grant_type: "authorization_code", code, redirect_uri: `${client}/cb`, code_verifier: verifier },
    client_id: `${client}/client.json`,
  });
  assertEquals([status, body.scope], [200, "tools.read"]);
  const refreshed = await sendForm(`${gateway.url}/oauth/token`, {
    ...{ grant_type: "refresh_token", refresh_token: body.refresh_token, client_id: `${client}/client.json` },
  });
  assertEquals(refreshed.status, 200);

  // Redirects are not followed, and the page says why.
  const moved = await browser.open(
    `${gateway.url}/oauth/authorize?${
      requestOf({ client_id: `${client}/moved.json`, redirect_uri: `${client}/cb` })
    }`,
  );
  assertEquals(moved.status, 400);
  assertStringIncludes(moved.text, "it answered HTTP 302");
  assert(reads <= 1 + 1);

  // Anybody can begin a terminal's login with the address of a well-known client.
  const codePage = async (path: string) => {
    const { body } = await sendForm(`${gateway.url}/oauth/device_authorization`, {
      client_id: client + path,
    });
    return await browser.open(body.verification_uri_complete);
  };
  const pretended = await codePage("/client.json");
  assertEquals(pretended.status, 400);
  assertStringIncludes(pretended.text, "A web site does not log in by codes of terminals");
  assertStringIncludes((await codePage("/terminal.json")).text, "A program on a computer cannot prove that.");
  await site.shutdown();
  await Deno.remove(folder, { recursive: true });
});
