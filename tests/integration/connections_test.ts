// People log in to upstreams by authorization code, each with a login of their own, or one for all.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import type { Gateway } from "../support/gateway.ts";
import { PersonBrowser } from "../support/person_browser.ts";
import { PersonLoginUpstream } from "../support/person_login_upstream.ts";

const SETTINGS = { SSRF_ALLOW_LOCALHOST: "true", LOG_LEVEL: "DEBUG" };

async function register(
  gateway: Gateway,
  name: string,
  url: string,
  config: Record<string, unknown> = {},
): Promise<{ readonly id: string }> {
  const { status, body } = await gateway.api("POST", "/gateways", {
    ...{ name, url, transport: "STREAMABLEHTTP", auth_type: "oauth" },
    oauth_config: { grant_type: "authorization_code", ...config },
  });
  assertEquals(status, 200, JSON.stringify(body));
  return body;
}

/** One call without a session, which any worker serves. @returns the upstream's name for the person, or the error */
async function whoami(gateway: Gateway, name: string, token: string): Promise<string> {
  const { body } = await gateway.rpc("tools/call", { name: `${name}-whoami`, arguments: {} }, token);
  return body.error?.message ?? body.result.content[0].text;
}

const SHOWN = "a login of yours";

gatewayTest("Each user calls an upstream with a login of their own", async (start) => {
  await using gateway = await start(SETTINGS);
  await using upstream = new PersonLoginUpstream({ expiresInS: 3 });
  const { id } = await register(gateway, "own", upstream.url);
  const ann = await PersonBrowser.make(gateway, "ann@x.example");
  const bob = await PersonBrowser.make(gateway, "bob@x.example");
  ann.isAt(upstream.issuer, "ann");
  bob.isAt(upstream.issuer, "bob");

  // The first login lists the upstream.
  const page = await ann.connect(id);
  assertStringIncludes(page.text, "Connected. You can go back");
  assertEquals(upstream.registrations.length, 1);
  const [asked] = upstream.authorizations;
  assertEquals([asked.get("resource"), asked.get("code_challenge_method"), asked.get("scope")], [
    upstream.url,
    "S256",
    "tools offline_access",
  ]);
  assertEquals(await whoami(gateway, "own", ann.token), "ann");
  assertStringIncludes(await whoami(gateway, "own", bob.token), SHOWN);
  await bob.connect(id);
  const calls = Array.from(
    { length: 40 },
    (_, n) => whoami(gateway, "own", n % 2 === 0 ? ann.token : bob.token),
  );
  assertEquals(new Set(await Promise.all(calls)), new Set(["ann", "bob"]));
  assertEquals(await whoami(gateway, "own", bob.token), "bob");
});
