// People log in to upstreams by authorization code, each with a login of their own, or one for all.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { freePort } from "../support/free_port.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { LoginUpstream } from "../support/login_upstream.ts";
import { post } from "../support/mcp_post.ts";
import { OidcProvider } from "../support/oidc_provider.ts";
import { PersonBrowser } from "../support/person_browser.ts";
import { PersonLoginUpstream, register, whoami } from "../support/person_login_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";

const SETTINGS = { SSRF_ALLOW_LOCALHOST: "true", LOG_LEVEL: "DEBUG" };

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
  // The cookie of a login under way goes to the pages of this connection alone.
  const ofLogin = ann.browser.setCookies.filter((each) => each.startsWith("sluice_login_"));
  assertEquals(ofLogin.map((each) => /; Path=([^;]+);/.exec(each)?.[1]), [
    `/admin/connections/${id}`,
    `/admin/connections/${id}`,
  ]);
  // A button that loses the login asks first.
  assertStringIncludes(page.text, 'data-confirm="Disconnect own?"');
  assertEquals(upstream.registrations.map((each) => each.application_type), ["native"]);
  const [asked] = upstream.authorizations;
  assertEquals([asked.get("resource"), asked.get("code_challenge_method"), asked.get("scope")], [
    upstream.url,
    "S256",
    "tools offline_access",
  ]);
  await waitFor(async () => {
    const calls = await Promise.all(Array.from({ length: 6 }, () => whoami(gateway, "own", ann.token)));
    return calls.every((answer) => answer === "ann");
  }, { what: "the tools on all replicas" });
  assertStringIncludes(await whoami(gateway, "own", bob.token), SHOWN);
  await bob.connect(id);
  await waitFor(async () => {
    const calls = await Promise.all(Array.from({ length: 6 }, () => whoami(gateway, "own", bob.token)));
    return calls.every((answer) => answer === "bob");
  }, { what: "the login on all replicas" });
  const calls = Array.from(
    { length: 40 },
    (_, n) => whoami(gateway, "own", n % 2 === 0 ? ann.token : bob.token),
  );
  assertEquals(
    (await Promise.all(calls)).map((who, n) => [n % 2, who]),
    calls.map((_, n) => [n % 2, ["ann", "bob"][n % 2]]),
  );

  // The tokens live 3 s. Each is renewed once for all workers: a refresh token that came twice would end the login.
  do {
    const answers = [ann, bob, ann, bob].map(({ token }) => whoami(gateway, "own", token));
    assertEquals(await Promise.all(answers), ["ann", "bob", "ann", "bob"]);
  } while (upstream.renewals < 2);
  // No session of the upstream has seen two people, and no answer, list or log has a token.
  for (const { authorization, session } of upstream.mcpWith) {
    const owner = session === null ? undefined : upstream.sessions.get(session);
    if (owner !== undefined) assertStringIncludes(authorization!, `access-${owner}-`);
  }
  const shown = JSON.stringify([
    (await gateway.api("GET", "/gateways")).body,
    (await gateway.api("GET", "/connections/all")).body,
    (await gateway.api("GET", "/export")).body,
  ]);
  const logs = gateway.processes.flatMap(({ stdout, stderr }) => [...stdout.lines, ...stderr.lines]).join(
    "\n",
  );
  for (const secret of ["access-ann", "refresh-ann", "access-bob", "code-"]) {
    assert(!shown.includes(secret) && !logs.includes(secret), secret);
  }

  // A lost refresh token leads back to a login; so does a disconnection, which revokes.
  upstream.refreshTokens.clear();
  await waitFor(async () => (await whoami(gateway, "own", ann.token)).includes("does not renew"), {
    what: "the end of a login that is not renewed",
  });
  const states = (await gateway.api("GET", "/connections/all")).body;
  assertEquals(states[0].state, "lost");
  await ann.connect(id);
  // Other replicas hear a moment later of a login, and of its end.
  await waitFor(async () => await whoami(gateway, "own", ann.token) === "ann", { what: "the login" });
  const own = await gateway.api("GET", "/connections", undefined, ann.token);
  assertEquals(own.body.map(({ gateway_id, state }: Record<string, string>) => [gateway_id, state]), [[
    id,
    "connected",
  ]]);
  assertEquals((await gateway.api("DELETE", `/connections/${id}`, undefined, ann.token)).status, 204);
  // A token that was renewed meanwhile is revoked as well.
  assert(upstream.revoked.length >= 1);
  await waitFor(async () => {
    const calls = await Promise.all(Array.from({ length: 6 }, () => whoami(gateway, "own", ann.token)));
    return calls.every((answer) => answer.includes(SHOWN));
  }, { what: "the end of the login" });

  // Another address gets no token of the former one.
  await ann.connect(id);
  await using other = new PersonLoginUpstream();
  const oauth_config = { grant_type: "authorization_code" };
  const moved = await gateway.api("PUT", `/gateways/${id}`, {
    url: other.url,
    auth_type: "oauth",
    oauth_config,
  });
  assertEquals(moved.status, 200);
  assertStringIncludes(await whoami(gateway, "own", ann.token), SHOWN);
  assertEquals(other.mcpWith.filter(({ authorization }) => authorization !== null), []);
});

gatewayTest("A call that needs a login asks the client to open the page, and goes on", async (start) => {
  await using gateway = await start({ ...SETTINGS, MCP_REVISIONS: "all" });
  await using upstream = new PersonLoginUpstream({ furtherScope: "more" });
  const { id } = await register(gateway, "own", upstream.url);
  const ann = await PersonBrowser.make(gateway, "ann@x.example");
  const bob = await PersonBrowser.make(gateway, "bob@x.example");
  ann.isAt(upstream.issuer, "ann");
  bob.isAt(upstream.issuer, "bob");
  await ann.connect(id);
  // Its login lacks a scope. The next one asks for it.
  await waitFor(async () => (await whoami(gateway, "own", ann.token)).includes("further rights"), {
    what: "the login, which lacks a scope",
  });
  await ann.connect(id);
  assertEquals(upstream.authorizations.at(-1)!.get("scope"), "tools offline_access more");
  await waitFor(async () => await whoami(gateway, "own", ann.token) === "ann", {
    what: "the further rights",
  });

  const completed: string[] = [];
  const headers = { Authorization: `Bearer ${bob.token}` };
  const client = new Client({ name: "t", version: "1" }, { capabilities: { elicitation: { url: {} } } });
  const asked: { url: string; elicitationId: string }[] = [];
  let way = { id, person: bob };
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    const { mode, url, elicitationId } = params as unknown as Record<string, string>;
    assertEquals(mode, "url");
    asked.push({ url, elicitationId });
    assertEquals(new URL(url).pathname, `/admin/connections/${way.id}`);
    await way.person.connect(way.id);
    return { action: "accept" as const };
  });
  client.fallbackNotificationHandler = (notification) => {
    completed.push(notification.method);
    return Promise.resolve();
  };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), { requestInit: { headers } }),
  );
  const answer = await client.callTool({ name: "own-whoami", arguments: {} });
  assertEquals(answer.content, [{ type: "text", text: "bob" }]);
  // Once for the login, once for the scope.
  assertEquals(asked.length, 2);
  // Where all callers share a login, somebody who may change the upstream connects it, and the call goes on as well.
  await using common = new PersonLoginUpstream();
  const shared = await register(gateway, "shared", common.url, { connection: "shared" });
  const boss = await PersonBrowser.make(gateway, "boss@x.example", { is_admin: true });
  boss.isAt(common.issuer, "boss");
  const answersOfShared = async (wanted: string) => {
    await waitFor(async () => {
      const calls = await Promise.all(Array.from({ length: 6 }, () => whoami(gateway, "shared", bob.token)));
      return calls.every((each) => each.includes(wanted));
    }, { what: `"${wanted}" on all replicas` });
  };
  await boss.connect(shared.id);
  await answersOfShared("boss");
  assertEquals((await gateway.api("DELETE", `/connections/${shared.id}`)).status, 204);
  await answersOfShared(SHOWN);
  way = { id: shared.id, person: boss };
  const later = await client.callTool({ name: "shared-whoami", arguments: {} });
  assertEquals(later.content, [{ type: "text", text: "boss" }]);
  // In 2026-07-28 the question is an input request, and the client calls again with the answer.
  const eve = await PersonBrowser.make(gateway, "eve@x.example");
  eve.isAt(upstream.issuer, "eve");
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { url: {} } },
  };
  const claims = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "own-whoami",
  };
  let more: Record<string, unknown> = {};
  for (let turn = 0;; turn++) {
    const params = { name: "own-whoami", arguments: {}, _meta, ...more };
    const { body } = await post(gateway, { jsonrpc: "2.0", id: turn, method: "tools/call", params }, {
      token: eve.token,
      headers: claims,
    });
    assertEquals([body.error, turn < 3], [undefined, true]);
    if (body.result.resultType !== "input_required") {
      assertEquals([body.result.content, turn], [[{ type: "text", text: "eve" }], 2]);
      break;
    }
    const [[key, question]] = Object.entries<{ params: Record<string, string> }>(body.result.inputRequests);
    const { mode, url, elicitationId } = question.params;
    assertEquals([mode, new URL(url).pathname, elicitationId], [
      "url",
      `/admin/connections/${id}`,
      undefined,
    ]);
    await eve.connect(id);
    more = { requestState: body.result.requestState, inputResponses: { [key]: { action: "accept" } } };
  }
  await waitFor(
    () => completed.filter((method) => method === "notifications/elicitation/complete").length === 3,
    {
      what: "the notifications that the logins are done",
    },
  );
  await client.close();
});

Deno.test("Authorization servers with rules of their own", async (t) => {
  await using gateway = await Sluice.start({ env: SETTINGS });
  const ann = await PersonBrowser.make(gateway, "ann@x.example");
  const clients = { sluice: "secretOfTheClient" };
  const given = { client_id: "sluice", client_secret: clients.sluice };

  await t.step(
    "without registration it says what to do; Entra: a tenant, no resource, no PKCE in the metadata",
    async () => {
      const serverMetadata = ({ code_challenge_methods_supported: _, ...own }: Record<string, unknown>) =>
        own;
      await using entra = new PersonLoginUpstream({
        ...{ clients, refusesResource: true, tenant: "/tenant/v2.0", serverMetadata },
      });
      ann.isAt(entra.issuer, "ann");
      const { id } = await register(gateway, "plain", entra.url);
      await assertRejects(() => ann.begin(id), Error, "PKCE");
      const named = await register(gateway, "named", `${entra.url}?x`, { issuer: entra.issuer });
      await assertRejects(() => ann.begin(named.id), Error, "Register the gateway there");
      const refusing = await register(gateway, "refusing", `${entra.url}?y`, {
        issuer: entra.issuer,
        ...given,
      });
      assertStringIncludes((await ann.connect(refusing.id)).text, "Set send_resource to false");
      const config = { ...given, issuer: entra.issuer, send_resource: false, scopes: "api://app/.default" };
      const whole = await register(gateway, "entra", `${entra.url}?z`, config);
      assertStringIncludes((await ann.connect(whole.id)).text, "Connected.");
      assertEquals(entra.authorizations.at(-1)!.get("scope"), "api://app/.default");
    },
  );

  await t.step("each address of the gateway has a client of its own, as long as they are few", async () => {
    await using upstream = new PersonLoginUpstream({ opensForAll: true });
    ann.isAt(upstream.issuer, "ann");
    const { id } = await register(gateway, "addresses", upstream.url);
    let back = "";
    await ann.browser.open(await ann.begin(id), {
      until: (url) => url.includes("/callback") && (back = url) !== "",
    });
    using client = Deno.createHttpClient({ allowHost: true });
    const beginAt = async (host: string) => {
      const page = `/admin/connections/${id}`;
      const answer = await fetch(gateway.url + page, {
        ...{ method: "POST", client, body: new URLSearchParams() },
        headers: {
          ...{ host, origin: `http://${host}`, accept: "text/html" },
          cookie: ann.browser.cookiesFor(gateway.url + page),
        },
      });
      return { status: answer.status, text: await answer.text() };
    };
    for (let n = 1; n < 8; n++) assertEquals((await beginAt(`localhost:${n}`)).status, 200);
    const further = await beginAt("localhost:8");
    assertEquals(further.status, 502);
    assertStringIncludes(further.text, "set GATEWAY_PUBLIC_URL");
    assertEquals((await beginAt("localhost:1")).status, 200);
    assertEquals(new Set(upstream.registrations.map((each) => String(each.redirect_uris))).size, 8);
    assertEquals(upstream.registrations.length, 8);
    // The login that had begun before goes on.
    assertStringIncludes((await ann.browser.open(back)).text, "Connected.");
    // Each beginning has asked the upstream for its challenge in a session, which it has ended.
    assert(upstream.ofNobody.opened >= 9);
    await waitFor(() => upstream.ofNobody.open.size === 0, { what: "the end of the sessions of nobody" });
  });

  await t.step("an upstream that has another server by now leads people there", async () => {
    await using next = new PersonLoginUpstream();
    let named: string | null = null;
    await using upstream = new PersonLoginUpstream({
      ...{ expiresInS: 2, names: () => named },
      given: (own) => named === null ? own : new Response(null, { status: 503 }),
    });
    ann.isAt(upstream.issuer, "ann");
    const { id } = await register(gateway, "moving", upstream.url);
    await ann.connect(id);
    assertEquals(await whoami(gateway, "moving", ann.token), "ann");
    named = next.issuer;
    // The former server does not answer any more.
    await waitFor(
      async () => (await whoami(gateway, "moving", ann.token)).includes("another authorization server now"),
      { what: "the end of the login" },
    );
    const { body } = await gateway.api("GET", "/connections", undefined, ann.token);
    const own = body.find((each: { gateway_id: string }) => each.gateway_id === id);
    assertEquals([own.state, own.fault], ["lost", "the upstream has another authorization server now"]);
    for (let n = 0; n < 6; n++) assertStringIncludes(await ann.begin(id), next.issuer);
    assertEquals(next.registrations.length, 1);
  });

  await t.step(
    "Google: a refresh token for further parameters alone; a shared login is the operator's",
    async () => {
      await using google = new PersonLoginUpstream({ clients, wantsAccessType: true });
      const admin = await PersonBrowser.make(gateway, "boss@x.example", { is_admin: true });
      admin.isAt(google.issuer, "boss");
      const authorization_params = { access_type: "offline", prompt: "consent" };
      const config = { ...given, connection: "shared", authorization_params };
      const { id } = await register(gateway, "google", google.url, config);
      await assertRejects(() => ann.begin(id), Error, "gateways.update");
      assertStringIncludes((await admin.connect(id)).text, "renewed by itself");
      assertEquals(await whoami(gateway, "google", ann.token), "boss");
    },
  );
});

Deno.test("A real provider registers the gateway as a client", async () => {
  await using gateway = await Sluice.start({ env: SETTINGS });
  const checker = { client_id: "checker", client_secret: "secretOfTheChecker" };
  const none = { grant_types: [], response_types: [], redirect_uris: [] };
  await using provider = await OidcProvider.start(
    [{ ...checker, ...none }],
    { ann: {}, bob: {} },
    freePort(),
    {
      takesRegistrations: true,
    },
  );
  const ask = async (token: string) => {
    const headers = { authorization: `Basic ${btoa("checker:secretOfTheChecker")}` };
    const body = new URLSearchParams({ token });
    const answer = await fetch(`${provider.issuer}/token/introspection`, { method: "POST", headers, body });
    const { active, scope, aud, sub } = await answer.json();
    return active ? { scope: `${scope} of ${sub}`, resource: String(aud) } : null;
  };
  await using upstream = new LoginUpstream({ authorizationServer: { issuer: provider.issuer, ask } });
  const { id } = await register(gateway, "real", upstream.url, {
    authorization_params: { prompt: "consent" },
  });
  for (const name of ["ann", "bob"]) {
    const person = await PersonBrowser.make(gateway, `${name}@x.example`);
    const page = await person.browser.signIn(await person.begin(id), name);
    assertStringIncludes(page.text, "Connected.");
    assertStringIncludes(page.text, "renewed by itself");
    assertStringIncludes(await whoami(gateway, "real", person.token), `of ${name}`);
  }
});

Deno.test("Two replicas share logins, and the gateway is known by its metadata document", async () => {
  const port = freePort();
  await using upstream = new PersonLoginUpstream({ expiresInS: 3, takesDocuments: true });
  const own = { PORT: String(port), GATEWAY_PUBLIC_URL: `http://127.0.0.1:${port}` };
  await withTwo(
    async (one, other) => {
      const { id } = await register(one, "own", upstream.url);
      const ann = await PersonBrowser.make(one, "ann@x.example");
      ann.isAt(upstream.issuer, "ann");
      assertStringIncludes((await ann.connect(id)).text, "Connected.");
      assertEquals(
        upstream.authorizations[0].get("client_id"),
        `${own.GATEWAY_PUBLIC_URL}/oauth/client-metadata/${id}`,
      );
      assertEquals(upstream.registrations, []);
      await waitFor(async () => await whoami(other, "own", ann.token) === "ann", {
        what: "the login at the other replica",
      });
      do {
        const answers = [one, other, one, other].map((replica) => whoami(replica, "own", ann.token));
        assertEquals(await Promise.all(answers), ["ann", "ann", "ann", "ann"]);
      } while (upstream.renewals < 1);
      await one.api("DELETE", `/connections/${id}`, undefined, ann.token);
      await waitFor(async () => (await whoami(other, "own", ann.token)).includes(SHOWN), {
        what: "the end of the login at the other replica",
      });
    },
    SETTINGS,
    [own, {}],
  );
});

Deno.test("The lists of an upstream where each user logs in follow it, with the login of whoever connected first", async () => {
  await using upstream = new PersonLoginUpstream({ announces: true });
  await withTwo(async (one, other) => {
    const { id } = await register(one, "own", upstream.url);
    const tools = async (replica: Sluice) => {
      const { body } = await replica.rpc("tools/list");
      return body.result.tools.map(({ name }: { name: string }) => name).sort().join(" ");
    };
    const listed = async (wanted: string) =>
      await waitFor(async () => {
        // Each replica has two workers.
        const lists = await Promise.all([one, one, one, other, other, other].map(tools));
        return lists.every((list) => list === wanted);
      }, { what: `the tools "${wanted}" at both replicas` });
    const lastError = async () => String((await one.api("GET", `/gateways/${id}`)).body.lastError);
    await listed("");
    assertStringIncludes(await lastError(), "waits for a login: connect it on the page Your connections");

    const ann = await PersonBrowser.make(one, "ann@x.example");
    const bob = await PersonBrowser.make(one, "bob@x.example");
    ann.isAt(upstream.issuer, "ann");
    bob.isAt(upstream.issuer, "bob");
    await ann.connect(id);
    await listed("own-whoami");
    await waitFor(async () => await lastError() === "null", { what: "no reason any more" });
    // One stream of the leader, with the login that reads the lists.
    const heardBy = async (person: string) =>
      await waitFor(() => [...upstream.streams.values()].join() === person, {
        what: `the stream of ${person}`,
      });
    await heardBy("ann");
    upstream.offer(["whoami", "second"]);
    await listed("own-second own-whoami");

    // The next oldest login takes its place.
    await bob.connect(id);
    assertEquals((await one.api("DELETE", `/connections/${id}`, undefined, ann.token)).status, 204);
    await heardBy("bob");
    upstream.offer(["whoami", "second", "third"]);
    await listed("own-second own-third own-whoami");

    // Without any login the lists stay, and the operator reads what is missing.
    assertEquals((await one.api("DELETE", `/connections/${id}`, undefined, bob.token)).status, 204);
    await waitFor(async () => (await lastError()).includes("nobody is connected"), { what: "the reason" });
    await listed("own-second own-third own-whoami");
    await waitFor(async () => (await whoami(other, "own", bob.token)).includes(SHOWN), {
      what: "the end of the login at the other replica",
    });
  }, { ...SETTINGS, HEALTH_CHECK_INTERVAL: "1" });
});
