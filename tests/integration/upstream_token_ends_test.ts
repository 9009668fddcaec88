// The tokens of users and upstreams that are gone are revoked at the authorization servers of the upstreams (RFC 7009).
import { assert, assertEquals } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import { LoginUpstream } from "../support/login_upstream.ts";
import { metric } from "../support/metric.ts";
import { PersonBrowser } from "../support/person_browser.ts";
import { PersonLoginUpstream } from "../support/person_login_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const SECRET = "secretOfTheClient";

gatewayTest("Tokens for upstreams end with their user and their upstream, there too", async (start, t) => {
  await using gateway = await start({ SSRF_ALLOW_LOCALHOST: "true" });
  await using upstream = new PersonLoginUpstream();
  const { body: { id } } = await gateway.api("POST", "/gateways", {
    ...{ name: "own", url: upstream.url, auth_type: "oauth" },
    oauth_config: { grant_type: "authorization_code" },
  });
  const revoked = (token: string) =>
    waitFor(() => upstream.revoked.includes(token), { what: "the revocation of a token" });
  const refreshTokens: string[] = [];
  for (const name of ["ann", "bob", "cid"]) {
    const person = await PersonBrowser.make(gateway, `${name}@x.example`);
    person.isAt(upstream.issuer, name);
    await person.connect(id);
    refreshTokens.push([...upstream.refreshTokens].find(([, given]) => given.person === name)![0]);
  }
  const [ann, bob, cid] = refreshTokens;
  const owners = async () =>
    (await gateway.api("GET", "/connections/all")).body
      .map(({ owner }: { owner: string }) => owner).sort();
  assertEquals((await owners()).length, 3);

  await t.step("a deleted user's, and a deactivated one's", async () => {
    const users = "/auth/email/admin/users";
    assertEquals((await gateway.api("DELETE", `${users}/ann@x.example`)).status, 200);
    assertEquals((await owners()).length, 2);
    await revoked(ann);
    assertEquals((await gateway.api("PUT", `${users}/bob@x.example`, { is_active: false })).status, 200);
    assertEquals(await owners(), ["cid@x.example"]);
    await revoked(bob);
    assertEquals(upstream.revoked.includes(cid), false);
  });

  await t.step("those of an upstream with other credentials", async () => {
    const oauth_config = { grant_type: "authorization_code", scopes: ["tools"] };
    const same = await gateway.api("PUT", `/gateways/${id}`, { description: "the same" });
    assertEquals([same.status, await owners()], [200, ["cid@x.example"]]);
    assertEquals((await gateway.api("PUT", `/gateways/${id}`, { oauth_config })).status, 200);
    assertEquals(await owners(), []);
    await revoked(cid);
  });

  await t.step(
    "the client's own, of a deleted upstream; a failure is counted and tells no secret",
    async () => {
      const oauth_config = { grant_type: "client_credentials", client_id: "sluice", client_secret: SECRET };
      const of = async (name: string, path: string) => {
        const login: LoginUpstream = new LoginUpstream({
          serverMetadata: (own) => ({ ...own, revocation_endpoint: `${login.issuer}/${path}` }),
        });
        const { status } = await gateway.api("POST", "/gateways", {
          ...{ name, url: login.url, auth_type: "oauth", oauth_config },
        });
        assertEquals(status, 200);
        // The token of the registration was kept nowhere.
        const { body: { result } } = await gateway.rpc("tools/call", {
          name: `${name}-whoami`,
          arguments: {},
        });
        assertEquals(result.content[0].text, "tools");
        const token = login.callsWith.at(-1)!.slice("Bearer ".length);
        assertEquals((await gateway.api("DELETE", `/gateways/${name}`)).status, 200);
        return { login, token };
      };
      const { login, token } = await of("revokes", "revoke");
      await using _login = login;
      await waitFor(() => login.revoked.length > 0, { what: "the revocation of the client's token" });
      assertEquals(login.revoked, [{ token, authorization: `Basic ${btoa(`sluice:${SECRET}`)}` }]);
      const lost = await of("refuses", "elsewhere");
      await using _lost = lost.login;
      const count = (outcome: string) =>
        metric(gateway, "sluice_upstream_token_revocations_total", `outcome="${outcome}"`);
      await waitFor(async () => await count("failed") === 1, { what: "the failed revocation" });
      await waitFor(async () => await count("success") === 4, { what: "the successful revocations" });
      const logs = await waitFor(() => {
        const text = gateway.processes.flatMap(({ stdout, stderr }) => [...stdout.lines, ...stderr.lines])
          .join("\n");
        return text.includes("did not revoke a token") && text;
      }, { what: "the line of the failed revocation" });
      for (const secret of [...refreshTokens, token, lost.token, SECRET]) assert(!logs.includes(secret));
    },
  );
});
