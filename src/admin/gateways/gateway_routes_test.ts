import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { ALICE, withAdminApi } from "../../../tests/support/admin_api.ts";
import { discovery, entryOf } from "../../../tests/support/registry_rows.ts";

const URL_1 = "http://127.0.0.1:9000/mcp";
const URL_2 = "http://127.0.0.1:9001/mcp";

Deno.test("POST /gateways connects, stores everything and answers like ContextForge", () =>
  withAdminApi(async ({ call, upstreams, discovered, changes, store }) => {
    upstreams.set(
      URL_1,
      discovery({ tools: ["get_time", "a"], resources: ["r:1"], templates: ["r:{x}"], prompts: ["p"] }),
    );
    const { status, body } = await call("POST", "/gateways", {
      body: {
        name: "Fast Time",
        url: URL_1,
        tags: ["Support Desk", { id: "x", label: "x" }, "support_desk"],
        passthrough_headers: ["X-Tenant-Id"],
        description: "d",
      },
    });
    assertEquals(status, 200);
    assertEquals([body.name, body.slug, body.url, body.transport], [
      "Fast Time",
      "fast-time",
      URL_1,
      "STREAMABLEHTTP",
    ]);
    assertEquals([body.toolCount, body.resourceCount, body.promptCount, body.skippedTools], [2, 2, 1, []]);
    assertEquals([body.enabled, body.reachable, body.visibility], [true, true, "public"]);
    assertEquals(body.tags, [{ id: "support-desk", label: "Support Desk" }, { id: "x", label: "x" }]);
    assertEquals([body.passthroughHeaders, body.protocolVersion], [["x-tenant-id"], "2025-11-25"]);
    assertEquals([body.authType, body.authValue, body.createdBy], [null, null, "admin@example.com"]);
    assertMatch(body.id, /^[0-9a-f]{32}$/);
    assertEquals(discovered, [{
      name: "Fast Time",
      url: URL_1,
      transport: "STREAMABLEHTTP",
      headers: [],
      caCertificate: null,
      env: {},
      oauth: null,
      aws: null,
      certificate: null,
      isTransportOpen: true,
      protocol: "auto",
    }]);
    assertEquals((await store.tools.list()).map(({ name }) => name), ["fast-time-a", "fast-time-get-time"]);
    assertEquals(changes(), 1);
    const { metrics, ...alone } = (await call("GET", `/v1/gateways/${body.id}/`)).body;
    assertEquals([{ ...alone, metrics: null }, metrics.totalExecutions], [body, 0]);
  }));

Deno.test("POST /gateways warns of fields that it does not know or use, and takes the rest", () =>
  withAdminApi(async ({ call }) => {
    const { status, body } = await call("POST", "/gateways", {
      body: {
        name: "Time",
        url: URL_1,
        descripton: "d",
        passthruoghHeaders: ["x-a"],
        nonsense: 1,
        signing_algorithm: "ed25519",
        ca_certificate_sig: null,
        gateway_mode: "cache",
        slug: "other",
        oauth_config: null,
      },
    });
    assertEquals([status, body.slug, body.description], [200, "time", null]);
    assertEquals(body.warnings, [
      {
        loc: ["body", "descripton"],
        msg: '"descripton" is not a known field, and was ignored; did you mean "description"?',
        type: "unknown_field",
      },
      {
        loc: ["body", "passthruoghHeaders"],
        msg:
          '"passthruoghHeaders" is not a known field, and was ignored; did you mean "passthrough_headers"?',
        type: "unknown_field",
      },
      {
        loc: ["body", "nonsense"],
        msg: '"nonsense" is not a known field, and was ignored',
        type: "unknown_field",
      },
      {
        loc: ["body", "signing_algorithm"],
        msg: '"signing_algorithm" is a field of ContextForge that has no effect here',
        type: "no_effect",
      },
      {
        loc: ["body", "slug"],
        msg: '"slug" cannot be set by this request, and was ignored',
        type: "read_only",
      },
    ]);
    const put = await call("PUT", `/gateways/${body.id}`, { body: { tgas: ["a"], tags: ["b"] } });
    assertEquals([put.body.tags, put.body.warnings.map(({ msg }: { msg: string }) => msg)], [
      [{ id: "b", label: "b" }],
      ['"tgas" is not a known field, and was ignored; did you mean "tags"?'],
    ]);
  }));

Deno.test("PUT /gateways/{id} takes back what GET gave without a warning, and warns of what it cannot set", () =>
  withAdminApi(async ({ call }) => {
    const { body: { id } } = await call("POST", "/gateways", { body: { name: "Time", url: URL_1 } });
    const { body: read } = await call("GET", `/gateways/${id}`);
    const { body } = await call("PUT", `/gateways/${id}`, { body: { ...read, description: "new" } });
    assertEquals([body.description, body.warnings], ["new", undefined]);
    const off = await call("PUT", `/gateways/${id}`, { body: { ...read, enabled: false } });
    assertEquals([off.body.enabled, off.body.warnings[0].loc], [true, ["body", "enabled"]]);
  }));

Deno.test("POST /gateways says every fault at once", () =>
  withAdminApi(async ({ call, discovered, changes }) => {
    const { status, body } = await call("POST", "/gateways", {
      body: {
        url: "ftp://x",
        transport: "PIGEON",
        visibility: "team",
        tags: 7,
        auth_type: "bearer",
        client_cert: "x",
        auth_value: "x",
        refresh_interval_seconds: 1,
      },
    });
    assertEquals(status, 422);
    const faults = body.detail.map(({ loc, type }: { loc: string[]; type: string }) =>
      `${loc.join(".")} ${type}`
    );
    assertEquals(faults.sort(), [
      "body.auth_token missing",
      "body.auth_value not_supported",
      "body.client_cert value_error",
      "body.name missing",
      "body.refresh_interval_seconds number_too_small",
      "body.tags array_type",
      "body.team_id missing",
      "body.transport enum",
      "body.url value_error",
    ]);
    for (const { msg } of body.detail) assertEquals(typeof msg, "string");
    assertEquals([discovered.length, changes()], [0, 0]);
  }));

Deno.test("POST /gateways refuses a body that is no object, and credentials in the URL", () =>
  withAdminApi(async ({ call }) => {
    assertEquals((await call("POST", "/gateways")).body.detail[0].type, "missing");
    assertEquals((await call("POST", "/gateways", { body: [] })).body.detail[0].type, "object_type");
    const { status, body } = await call("POST", "/gateways", {
      body: { name: "x", url: "http://u:p@h/mcp" },
    });
    assertEquals([status, body.detail[0].loc], [422, ["body", "url"]]);
  }));

Deno.test("POST /gateways takes camelCase names as well", () =>
  withAdminApi(async ({ call }) => {
    const { body } = await call("POST", "/gateways", {
      body: { name: "x", url: URL_1, authType: "bearer", authToken: "t", refreshIntervalSeconds: 300 },
    });
    assertEquals([body.authType, body.authToken, body.refreshIntervalSeconds], ["bearer", "*****", 300]);
  }));

Deno.test("POST /gateways leaves nothing behind when the upstream fails, and says why", () =>
  withAdminApi(async ({ call, upstreams, store, changes }) => {
    upstreams.set(URL_1, new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "x", reason: "refused" }));
    upstreams.set(
      URL_2,
      new SluiceError("UPSTREAM_TIMEOUT", { upstream: "x", phase: "answer", timeoutMs: 1, setting: "S" }),
    );
    const refused = await call("POST", "/gateways", { body: { name: "x", url: URL_1 } });
    assertEquals(refused.status, 502);
    assertStringIncludes(refused.body.detail, 'Cannot connect to upstream "x": refused');
    assertEquals((await call("POST", "/gateways", { body: { name: "x", url: URL_2 } })).status, 504);
    assertEquals([(await store.gateways.list()).length, changes()], [0, 0]);
  }));

Deno.test("POST /gateways asks the egress guard before it connects", () =>
  withAdminApi(async ({ call, deniedHosts, discovered }) => {
    deniedHosts.add("127.0.0.1");
    const { status, body } = await call("POST", "/gateways", { body: { name: "x", url: URL_1 } });
    assertEquals([status, body.detail, discovered.length], [422, "127.0.0.1 is denied", 0]);
  }));

Deno.test("POST /gateways refuses a taken name, and a URL with the same credentials", () =>
  withAdminApi(async ({ call }) => {
    const post = (body: unknown) => call("POST", "/gateways", { body });
    await post({ name: "One", url: URL_1, auth_type: "bearer", auth_token: "t" });
    assertEquals((await post({ name: "one!", url: URL_2 })).status, 409);
    const same = await post({ name: "two", url: URL_1, auth_type: "bearer", auth_token: "t" });
    assertEquals(same.status, 409);
    assertStringIncludes(same.body.detail, 'Gateway "One" has this URL and these credentials already');
    assertEquals((await post({ name: "two", url: URL_1, auth_type: "bearer", auth_token: "u" })).status, 200);
    assertEquals((await post({ name: "three", url: URL_1 })).status, 200);
  }));

Deno.test("POST /gateways seals credentials, uses them and never shows them", () =>
  withAdminApi(async ({ call, discovered, store }) => {
    const cases = [
      [{ auth_type: "basic", auth_username: "u", auth_password: "hush" }, [[
        "authorization",
        "Basic dTpodXNo",
      ]]],
      [{ auth_type: "bearer", auth_token: "hush" }, [["authorization", "Bearer hush"]]],
      [{ auth_type: "authheaders", auth_headers: [{ key: "X-Key", value: "hush" }] }, [["x-key", "hush"]]],
      [{ auth_type: "authheaders", auth_header_key: "X-Key", auth_header_value: "hush" }, [[
        "x-key",
        "hush",
      ]]],
      [{ auth_type: "query_param", auth_query_param_key: "k", auth_query_param_value: "hush" }, []],
    ] as const;
    for (const [i, [auth, headers]] of cases.entries()) {
      const url = `http://127.0.0.1:9000/${i}`;
      const { status, body } = await call("POST", "/gateways", { body: { name: `g${i}`, url, ...auth } });
      assertEquals(status, 200);
      assertEquals([body.authType, body.authValue], [auth.auth_type, "*****"]);
      assertEquals(discovered.at(-1)!.headers, headers.map(([name, value]) => [name, value]));
      assertEquals(discovered.at(-1)!.url, auth.auth_type === "query_param" ? `${url}?k=hush` : url);
      assertEquals(JSON.stringify(body).includes("hush"), false);
      const row = (await store.gateways.get(body.id))!;
      assertEquals([JSON.stringify(row).includes("hush"), row.url], [false, url]);
    }
  }));

Deno.test("POST /gateways tells what of the upstream it could not take", () =>
  withAdminApi(async ({ call, upstreams }) => {
    upstreams.set(URL_1, {
      ...discovery({}),
      tools: [entryOf("a", '{"name":"a"}'), entryOf("a", '{"name":"a"}')],
    });
    const { body } = await call("POST", "/gateways", { body: { name: "x", url: URL_1 } });
    assertEquals([body.toolCount, body.skippedTools[0].name], [1, "a"]);
    assertStringIncludes(body.skippedTools[0].reason, "twice");
    assertEquals((await call("GET", `/gateways/${body.id}`)).body.skippedTools, body.skippedTools);
  }));

Deno.test("a list that fails is named in every answer about the gateway until it works, and its entries stay", () =>
  withAdminApi(async ({ call, upstreams, store }) => {
    const found = discovery({ tools: ["a"], prompts: ["p"], templates: ["r:{x}"], resources: ["r:1"] });
    const warnings = [
      { list: "prompts/list", name: null, reason: "it broke" },
      { list: "tools/list", name: "a", reason: 'left out: "title" must be a string' },
    ];
    upstreams.set(URL_1, { ...found, prompts: null, warnings });
    const { body: made } = await call("POST", "/gateways", { body: { name: "x", url: URL_1 } });
    assertEquals([made.toolCount, made.promptCount, made.reachable], [1, 0, true]);
    assertEquals(made.warnings, [
      {
        loc: ["prompts/list"],
        msg: "the list failed, so its former entries stay: it broke",
        type: "list_failed",
      },
      { loc: ["tools/list", "a"], msg: 'left out: "title" must be a string', type: "entry_repaired" },
    ]);
    const row = (await store.gateways.get(made.id))!;
    await store.saveHealth(row, { reachable: true, lastError: null });
    for (const path of [`/gateways/${made.id}`, "/gateways"]) {
      const { body } = await call("GET", path);
      const [shown] = [body].flat();
      assertEquals([shown.lastError, shown.warnings], ["prompts/list: it broke", made.warnings]);
    }
    const put = { description: "d", warnings: made.warnings, skippedTools: [], nonsense: 1 };
    const { body: changed } = await call("PUT", `/gateways/${made.id}`, { body: put });
    assertEquals(changed.warnings.map(({ type }: { type: string }) => type), [
      "list_failed",
      "entry_repaired",
      "unknown_field",
    ]);

    const refresh = async () =>
      (await call("POST", `/gateways/${made.id}/tools/refresh?include_resources=true&include_prompts=true`))
        .body;
    upstreams.set(URL_1, found);
    assertEquals(
      [(await refresh()).promptsAdded, (await call("GET", `/gateways/${made.id}`)).body.lastError],
      [
        1,
        null,
      ],
    );
    upstreams.set(URL_1, {
      ...discovery({ tools: ["b"] }),
      prompts: null,
      resourceTemplates: null,
      warnings,
    });
    const again = await refresh();
    assertEquals([again.promptsRemoved, again.resourcesRemoved, again.toolsAdded, again.warnings], [
      0,
      1,
      1,
      made.warnings,
    ]);
    const { prompts, resources } = await store.readCatalog();
    assertEquals([prompts.length, resources.map(({ uri }) => uri)], [1, ["r:{x}"]]);
  }));

Deno.test("PUT /gateways/{id} changes fields without connecting, and renames tools with the gateway", () =>
  withAdminApi(async ({ call, upstreams, discovered, store }) => {
    upstreams.set(URL_1, discovery({ tools: ["a"] }));
    const { body: before } = await call("POST", "/gateways", {
      body: { name: "one", url: URL_1, description: "d" },
    });
    const { status, body } = await call("PUT", `/gateways/${before.id}`, {
      body: { ...before, name: "Other Name", description: null, tags: ["t"], visibility: "private" },
    });
    assertEquals([status, body.name, body.slug, body.description, body.version], [
      200,
      "Other Name",
      "other-name",
      null,
      3,
    ]);
    assertEquals(discovered.length, 1);
    assertEquals((await store.tools.list()).map(({ name, visibility }) => [name, visibility]), [
      ["other-name-a", "private"],
    ]);
  }));

Deno.test("PUT /gateways/{id} with another URL discovers again, and stores nothing when that fails", () =>
  withAdminApi(async ({ call, upstreams, store }) => {
    upstreams.set(URL_1, discovery({ tools: ["a", "b"] }));
    upstreams.set(URL_2, discovery({ tools: ["b", "c"] }));
    upstreams.set(
      "http://bad/",
      new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "x", reason: "refused" }),
    );
    const { body: { id } } = await call("POST", "/gateways", { body: { name: "one", url: URL_1 } });
    assertEquals(
      (await call("PUT", `/gateways/${id}`, { body: { url: "http://bad/", description: "n" } })).status,
      502,
    );
    assertEquals((await store.gateways.get(id))?.description, null);
    const { body } = await call("PUT", `/gateways/${id}`, { body: { url: URL_2 } });
    assertEquals([body.url, body.toolCount], [URL_2, 2]);
    assertEquals((await store.tools.list()).map(({ name }) => name), ["one-b", "one-c"]);
  }));

Deno.test("PUT /gateways/{id} keeps the secret that the mask stands for", () =>
  withAdminApi(async ({ call, discovered }) => {
    const auth = {
      auth_type: "authheaders",
      auth_headers: [{ key: "A", value: "1" }, { key: "B", value: "2" }],
    };
    const { body: before } = await call("POST", "/gateways", { body: { name: "one", url: URL_1, ...auth } });
    assertEquals((await call("PUT", `/gateways/${before.id}`, { body: before })).status, 200);
    assertEquals(discovered.length, 1); // the client sent back what it read, and nothing changed
    const { status } = await call("PUT", `/gateways/${before.id}`, {
      body: {
        auth_type: "authheaders",
        auth_headers: [{ key: "b", value: "*****" }, { key: "C", value: "3" }],
      },
    });
    assertEquals([status, discovered.at(-1)!.headers], [200, [["b", "2"], ["c", "3"]]]);
    const unknown = await call("PUT", `/gateways/${before.id}`, {
      body: { auth_headers: [{ key: "D", value: "*****" }] },
    });
    assertEquals([unknown.status, unknown.body.detail[0].loc], [422, ["body", "auth_headers", 0, "value"]]);
    const { body: without } = await call("PUT", `/gateways/${before.id}`, { body: { auth_type: "none" } });
    assertEquals([without.authType, without.authValue, discovered.at(-1)!.headers], [null, null, []]);
  }));

Deno.test("PUT /gateways/{id} sends no stored credentials to another server", () =>
  withAdminApi(async ({ call, discovered }) => {
    const auth = { auth_type: "bearer", auth_token: "secret-1" };
    const url = `${URL_1}?key=secret-2`;
    const { body: before } = await call("POST", "/gateways", { body: { name: "one", url, ...auth } });
    const move = (changes: Record<string, unknown>) =>
      call("PUT", `/gateways/${before.id}`, { body: { url: URL_2, ...changes } });
    const refusals = [
      await move({}),
      await move({ ...before, url: URL_2 }),
      await move({ auth_token: "*****" }),
    ];
    assertEquals(refusals.map(({ status }) => status), [422, 422, 422]);
    const masked = await call("PUT", `/gateways/${before.id}`, {
      body: { url: `${URL_2}?key=*****`, auth_token: "secret-3" },
    });
    assertEquals([masked.status, masked.body.detail[0].loc], [422, ["body", "url"]]);
    assertEquals(discovered.length, 1);
    assertEquals((await move({ auth_type: "bearer", auth_token: "secret-3" })).status, 200);
    assertEquals(discovered.at(-1)!.headers, [["authorization", "Bearer secret-3"]]);
    assertEquals(
      (await call("PUT", `/gateways/${before.id}`, { body: { url, auth_type: null } })).status,
      200,
    );
    assertEquals(discovered.at(-1)!.headers, []);
  }));

Deno.test("PUT /gateways/{id} mends credentials that a lost secret made unreadable", () =>
  withAdminApi(async ({ call, withSecret }) => {
    const { body: { id } } = await call("POST", "/gateways", {
      body: { name: "one", url: URL_1, auth_type: "bearer", auth_token: "t" },
    });
    const later = await withSecret("another secret");
    const { body: list } = await later("GET", "/gateways");
    assertEquals([list[0].authType, list[0].authToken], ["bearer", null]);
    const refresh = await later("POST", `/gateways/${id}/tools/refresh`);
    assertEquals(refresh.status, 500);
    assertStringIncludes(refresh.body.detail, "AUTH_ENCRYPTION_SECRET");
    assertEquals(
      (await later("PUT", `/gateways/${id}`, { body: { auth_token: "u", auth_type: "bearer" } })).status,
      200,
    );
    assertEquals((await later("POST", `/gateways/${id}/tools/refresh`)).status, 200);
  }));

Deno.test("POST /gateways/{id}/tools/refresh takes over tools, and the rest when asked", () =>
  withAdminApi(async ({ call, upstreams, store }) => {
    upstreams.set(URL_1, discovery({ tools: ["a", "b"], resources: ["r:1"], prompts: ["p"] }));
    const { body: { id } } = await call("POST", "/gateways", { body: { name: "one", url: URL_1 } });
    upstreams.set(URL_1, {
      ...discovery({ tools: ["c"] }),
      tools: [entryOf("a", '{"name":"a"}'), entryOf("c", '{"name":"c"}')],
    });
    const { body } = await call("POST", `/gateways/${id}/tools/refresh`);
    assertEquals([body.success, body.gatewayId], [true, id]);
    assertEquals([body.toolsAdded, body.toolsUpdated, body.toolsRemoved, body.resourcesRemoved], [
      1,
      1,
      1,
      0,
    ]);
    const all = await call("POST", `/gateways/${id}/tools/refresh?include_resources=true&include_prompts=1`);
    assertEquals([all.body.resourcesRemoved, all.body.promptsRemoved], [1, 1]);
    upstreams.set(URL_1, new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "one", reason: "refused" }));
    assertEquals((await call("POST", `/gateways/${id}/tools/refresh`)).status, 502);
    assertStringIncludes((await store.gateways.get(id))!.lastError!, "refused");
    assertEquals((await store.tools.list()).length, 2);
  }));

Deno.test("gateways are switched, listed, filtered and deleted", () =>
  withAdminApi(async ({ call, upstreams, store }) => {
    upstreams.set(URL_1, discovery({ tools: ["a"] }));
    const { body: one } = await call("POST", "/gateways", { body: { name: "one", url: URL_1, tags: ["x"] } });
    await call("POST", "/gateways", { body: { name: "two", url: URL_2 } });
    const off = await call("POST", `/gateways/${one.id}/state?activate=false`);
    assertEquals([off.body.status, off.body.gateway.enabled], ["success", false]);
    const names = async (path: string) =>
      (await call("GET", path)).body.map(({ name }: { name: string }) => name);
    assertEquals(await names("/gateways"), ["two"]);
    assertEquals(await names("/gateways?include_inactive=true"), ["two", "one"]);
    assertEquals(await names("/gateways?include_inactive=true&tags=x,y"), ["one"]);
    assertEquals(await names("/tools"), []); // the gateway is disabled
    assertEquals(await names("/tools?include_inactive=true"), ["one-a"]);
    assertEquals((await call("POST", `/gateways/${one.id}/toggle?activate=true`)).body.gateway.enabled, true);
    assertEquals((await call("DELETE", `/gateways/${one.id}`)).status, 200);
    assertEquals((await call("GET", `/gateways/${one.id}`)).status, 404);
    assertEquals((await store.tools.list()).length, 0);
  }));

Deno.test("GET /gateways/{id} takes a name or slug that only one gateway has, among those that the caller may see", () =>
  withAdminApi(async ({ call, store }) => {
    const register = async (name: string, more = {}) =>
      (await call("POST", "/gateways", { body: { name, url: `http://127.0.0.1:9000/${name}`, ...more } }))
        .body;
    const one = await register("Fast Time");
    for (const path of ["Fast%20Time", "fast-time", one.id]) {
      assertEquals((await call("GET", `/gateways/${path}`)).body.id, one.id, path);
    }
    const hidden = await register("other", { visibility: "private" });
    await store.gateways.update(hidden.id, { name: "fast-time" });
    const { status, body } = await call("GET", "/gateways/fast-time");
    assertEquals([status, body.detail.includes(one.id), body.detail.includes(hidden.id)], [409, true, true]);
    assertEquals((await call("GET", "/gateways/fast-time", { as: ALICE })).body.id, one.id);
    assertEquals((await call("GET", "/gateways/other", { as: ALICE })).status, 404);
    assertEquals((await call("DELETE", "/gateways/fast-time")).status, 409);
    assertEquals((await store.gateways.list()).length, 2);
  }));

Deno.test("a gateway is changed, refreshed, switched and deleted by its name or slug", () =>
  withAdminApi(async ({ call }) => {
    await call("POST", "/gateways", { body: { name: "My Time", url: URL_1 } });
    for (const name of ["My%20Time", "my-time"]) {
      const paths = [
        ["PUT", `/gateways/${name}`],
        ["POST", `/gateways/${name}/state?activate=false`],
        ["POST", `/gateways/${name}/state`],
        ["POST", `/gateways/${name}/tools/refresh`],
        ["GET", `/gateways/${name}/removed`],
      ] as const;
      for (const [method, path] of paths) {
        const { status } = await call(method, path, method === "PUT" ? { body: { description: name } } : {});
        assertEquals([method, path, status], [method, path, 200]);
      }
    }
    assertEquals((await call("DELETE", "/gateways/my-time")).status, 200);
    assertEquals((await call("GET", "/gateways")).body, []);
  }));

Deno.test("gateways that one may not see are not found, and only administrators change any", () =>
  withAdminApi(async ({ call }) => {
    const { body: secret } = await call("POST", "/gateways", {
      body: { name: "one", url: URL_1, visibility: "private" },
    });
    const { body: team } = await call("POST", "/gateways", {
      body: { name: "two", url: URL_2, visibility: "team", team_id: "t1" },
    });
    assertEquals((await call("GET", `/gateways/${secret.id}`, { as: ALICE })).status, 404);
    assertEquals((await call("GET", `/gateways/${team.id}`, { as: ALICE })).status, 200);
    assertEquals((await call("GET", "/gateways", { as: ALICE })).body.length, 1);
    assertEquals((await call("DELETE", `/gateways/${team.id}`, { as: ALICE })).status, 403);
    const narrowAdmin = { ...ALICE, isAdmin: true };
    assertEquals((await call("DELETE", `/gateways/${secret.id}`, { as: narrowAdmin })).status, 404);
  }));

Deno.test("a gateway's isolation has a former name, and warns of one session for everybody", () =>
  withAdminApi(async ({ call }) => {
    const shown = (
      { isolation, sessionMode, warnings = [] }: {
        isolation: string;
        sessionMode: string;
        warnings?: { type: string }[];
      },
    ) => [isolation, sessionMode, ...warnings.map(({ type }) => type)];
    const create = async (name: string, fields: Record<string, unknown>) =>
      (await call("POST", "/gateways", { body: { name, url: `${URL_1}?${name}`, ...fields } })).body;
    assertEquals(shown(await create("a", {})), ["session", "bound"]);
    assertEquals(shown(await create("b", { session_mode: "bound" })), ["session", "bound"]);
    assertEquals(shown(await create("c", { session_mode: "shared" })), [
      "shared",
      "shared",
      "shared_by_all_callers",
    ]);
    const own = await create("d", { isolation: "caller", session_mode: "bound" });
    assertEquals(shown(own), ["caller", "shared"], "the new name counts");
    const put = async (body: Record<string, unknown>) =>
      (await call("PUT", `/gateways/${own.id}`, { body })).body;
    assertEquals(shown(await put({ description: "d" })), ["caller", "shared"]);
    assertEquals(shown(await put({ isolation: "shared" })), ["shared", "shared", "shared_by_all_callers"]);
    assertEquals((await call("PUT", `/gateways/${own.id}`, { body: { isolation: "all" } })).status, 422);
  }));

Deno.test("a gateway is asked again when its protocol is changed, and shows what it speaks", () =>
  withAdminApi(async ({ call, discovered }) => {
    const { body } = await call("POST", "/gateways", { body: { name: "a", url: URL_1 } });
    assertEquals([body.protocol, body.protocols], ["auto", ["2025-11-25"]]);
    const put = async (protocol: string) => await call("PUT", `/gateways/${body.id}`, { body: { protocol } });
    assertEquals((await put("2026-07-28")).body.protocol, "2026-07-28");
    assertEquals(discovered.map(({ protocol }) => protocol), ["auto", "2026-07-28"]);
    assertEquals([(await put("2026-07-28")).status, discovered.length], [200, 2]);
    assertEquals((await put("1999-01-01")).status, 422);
  }));

Deno.test("POST /gateways/test says what an upstream offers or why it fails, with the checks of a registration, and stores nothing", () =>
  withAdminApi(async ({ call, upstreams, deniedHosts, discovered, store, changes }) => {
    upstreams.set(
      URL_1,
      discovery({ tools: ["a", "b"], resources: ["r:1"], templates: ["r:{x}"], prompts: ["p"] }),
    );
    const secret = { auth_type: "bearer", auth_token: "${SECRET}" };
    const test = (body: Record<string, unknown>) =>
      call("POST", "/gateways/test", { body: { name: "one", url: URL_1, ...body } });
    const { status, body } = await test(secret);
    assertEquals([status, body.toolCount, body.resourceCount, body.promptCount], [200, 2, 2, 1]);
    assertEquals([body.transport, body.protocolVersion], ["STREAMABLEHTTP", "2025-11-25"]);
    assertStringIncludes(JSON.stringify(body.warnings), 'the variable \\"SECRET\\" was not expanded');
    assertEquals(discovered[0]!.headers, [["authorization", "Bearer ${SECRET}"]]);
    upstreams.set(URL_2, new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "one", reason: "refused" }));
    assertEquals((await test({ url: URL_2 })).status, 502);
    assertEquals((await test({ url: "ftp://127.0.0.1/" })).status, 422);
    deniedHosts.add("10.0.0.1");
    assertEquals((await test({ url: "http://10.0.0.1/mcp" })).body.detail, "10.0.0.1 is denied");
    assertEquals([await store.gateways.list(), changes(), discovered.length], [[], 0, 2]);
    await call("POST", "/gateways", { body: { name: "one", url: URL_1 } });
    assertEquals((await test({ url: URL_2 })).status, 409);
    const program = { transport: "STDIO", command: "/bin/true", url: undefined };
    assertEquals(
      (await call("POST", "/gateways/test", { body: { name: "p", ...program }, as: ALICE })).status,
      403,
    );
  }));

Deno.test("gateways are searched by the address that the caller sees, and filtered by state", () =>
  withAdminApi(async ({ call, store }) => {
    const url = "http://127.0.0.1:9000/secret-path?key=secret-value";
    const register = async (name: string, url: string) =>
      (await call("POST", "/gateways", { body: { name, url } })).body.id;
    const one = await register("one", url);
    const two = await register("two", URL_2);
    const three = await register("three", `${URL_2}/3`);
    await store.gateways.update(two, { reachable: false });
    await call("POST", `/gateways/${three}/state?activate=false`);
    const names = async (query: string, as?: typeof ALICE) =>
      (await call("GET", `/admin/gateways?include_inactive=true&${query}`, { as })).body
        .data.map(({ name }: { name: string }) => name);
    assertEquals(await names("q=secret-path"), ["one"]);
    assertEquals(await names("q=secret-value"), []);
    assertEquals(await names("q=secret-path", ALICE), []);
    assertEquals(await names("q=127.0.0.1:9000", ALICE), ["one"]);
    assertEquals(await names("state=reachable"), ["one"]);
    assertEquals(await names("state=unreachable"), ["two"]);
    assertEquals(await names("state=disabled"), ["three"]);
    await store.gateways.update(one, {
      registration: { tries: 1, nextTryAt: "2026-01-01T00:00:00Z", isTransportOpen: false },
    });
    assertEquals(await names("state=failed"), ["one"]);
    assertEquals((await call("GET", "/gateways?state=broken")).status, 422);
  }));
