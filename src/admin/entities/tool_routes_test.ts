import { assertEquals, assertStringIncludes } from "@std/assert";
import { ADMIN, type AdminHarness, ALICE, withAdminApi } from "../../../tests/support/admin_api.ts";
import { discovery } from "../../../tests/support/registry_rows.ts";

const URL_1 = "http://127.0.0.1:9000/mcp";

async function withGateway(
  run: (
    harness: AdminHarness & { gatewayId: string; idOf(kind: string, name: string): Promise<string> },
  ) => Promise<void>,
): Promise<void> {
  await withAdminApi(async (harness) => {
    harness.upstreams.set(
      URL_1,
      discovery({
        tools: ["a", "b", "c"],
        resources: ["r:1", "r:2"],
        templates: ["r:{x}"],
        prompts: ["p", "q"],
      }),
    );
    const { body } = await harness.call("POST", "/gateways", { body: { name: "one", url: URL_1 } });
    const idOf = async (kind: string, name: string) => {
      const { body: rows } = await harness.call("GET", `/${kind}?include_inactive=true`);
      return rows.find((row: { name: string; uri?: string }) => row.name === name || row.uri === name).id;
    };
    await run({ ...harness, gatewayId: body.id, idOf });
  });
}

Deno.test("PUT of tools, resources and prompts warns of fields that it does not know or use", () =>
  withGateway(async ({ call, idOf }) => {
    const cases = [
      ["tools", "one-a", { descripton: "d", plugin_chain_pre: ["x"], deprecated: false, title: null }],
      ["resources", "r:1", { visibilty: "private", extension_metadata: { a: 1 } }],
      ["prompts", "one-p", { dispaly_name: "P", slug: "x" }],
    ] as const;
    const found = [];
    for (const [kind, name, body] of cases) {
      const answer = await call("PUT", `/${kind}/${await idOf(kind, name)}`, { body });
      assertEquals(answer.status, 200);
      const warnings: { loc: string[]; msg: string; type: string }[] = answer.body.warnings;
      found.push(
        warnings.map(({ loc, msg, type }) => `${loc[1]} ${type} ${/mean "(.*)"/.exec(msg)?.[1] ?? ""}`),
      );
    }
    assertEquals(found, [
      ["descripton unknown_field description", "plugin_chain_pre no_effect "],
      ["visibilty unknown_field visibility", "extension_metadata no_effect "],
      ["dispaly_name unknown_field display_name", "slug unknown_field "],
    ]);
  }));

Deno.test("GET /tools gives ContextForge's fields, the upstream's words and its objects", () =>
  withGateway(async ({ call, gatewayId }) => {
    const { body } = await call("GET", "/tools");
    assertEquals(body.map(({ name }: { name: string }) => name), ["one-a", "one-b", "one-c"]);
    const [tool] = body;
    assertEquals([tool.originalName, tool.gatewaySlug, tool.gatewayId], ["a", "one", gatewayId]);
    assertEquals([tool.description, tool.originalDescription], ["does a", "does a"]);
    assertEquals([tool.inputSchema, tool.outputSchema], [{ type: "object" }, null]);
    assertEquals([tool.integrationType, tool.requestType, tool.url], ["MCP", "STREAMABLEHTTP", URL_1]);
    const { metrics, ...alone } = (await call("GET", `/tools/${tool.id}`)).body;
    assertEquals({ ...alone, metrics: null }, tool);
    assertEquals([metrics.totalExecutions, metrics.avgResponseTime], [0, null]);
  }));

Deno.test("GET /tools does not tell the URL of a gateway that the caller may not see", () =>
  withGateway(async ({ call, store, gatewayId }) => {
    await store.gateways.update(gatewayId, { visibility: "private" });
    const [{ id }] = await store.tools.list();
    await store.tools.update(id, { visibility: "public" });
    const { body } = await call("GET", "/tools", { as: ALICE });
    assertEquals([body.length, body[0].url, body[0].gatewaySlug], [1, null, null]);
    assertEquals((await call("GET", `/tools/${id}`, { as: ALICE })).body.url, null);
    assertEquals((await call("GET", `/tools/${id}`)).body.url, URL_1);
  }));

Deno.test("GET /tools says of each tool whether its gateway can be reached now, hidden or not", () =>
  withGateway(async ({ call, store, gatewayId }) => {
    const told = async (as = ALICE) => {
      const { body } = await call("GET", "/tools", { as });
      const single = (await call("GET", `/tools/${body[0].id}`, { as })).body.reachable;
      return [...body.map(({ reachable }: { reachable: boolean }) => reachable), single];
    };
    assertEquals(await told(), [true, true, true, true]);
    const row = (await store.gateways.get(gatewayId))!;
    await store.saveHealth(row, { reachable: false });
    assertEquals(await told(), [false, false, false, false]);
    await store.gateways.update(gatewayId, { visibility: "private" });
    for (const { id } of await store.tools.list()) await store.tools.update(id, { visibility: "public" });
    assertEquals(await told(), [false, false, false, false]);
    await store.saveHealth((await store.gateways.get(gatewayId))!, { reachable: true });
    assertEquals(await told(), [true, true, true, true]);
  }));

Deno.test("GET /tools pages by limit and cursor, also while rows come and go", () =>
  withGateway(async ({ call, store }) => {
    const first = (await call("GET", "/tools?include_pagination=true&limit=2")).body;
    assertEquals(first.tools.map(({ name }: { name: string }) => name), ["one-a", "one-b"]);
    await store.tools.delete(first.tools[1].id);
    const second =
      (await call("GET", `/tools?include_pagination=true&limit=2&cursor=${first.nextCursor}`)).body;
    assertEquals([second.tools.length, second.tools[0].name, second.nextCursor], [1, "one-c", null]);
    assertEquals((await call("GET", "/tools?limit=1")).body.length, 1);
    assertEquals((await call("GET", "/tools?limit=0")).body.length, 2);
    const wrong = await call("GET", "/tools?limit=-1&include_inactive=perhaps");
    assertEquals(wrong.body.detail.map(({ loc }: { loc: string[] }) => loc.join(".")).sort(), [
      "query.include_inactive",
      "query.limit",
    ]);
  }));

Deno.test("lists begin with the newest entities, and an empty, null or invalid cursor is none", () =>
  withGateway(async ({ call, upstreams }) => {
    upstreams.set("http://newer/mcp", discovery({ tools: ["z", "y"] }));
    await call("POST", "/gateways", { body: { name: "newer", url: "http://newer/mcp" } });
    const names = async (query: string) =>
      (await call("GET", `/tools?${query}`)).body.map(({ name }: { name: string }) => name);
    const all = ["newer-z", "newer-y", "one-a", "one-b", "one-c"];
    for (const cursor of ["", "null", "%7B%7D", "eyJjcmVhdGVkX2F0IjogIjIwMjQifQ", "WzEsMiwzXQ"]) {
      assertEquals(await names(`cursor=${cursor}`), all, cursor);
    }
    const { body } = await call("GET", "/tools?include_pagination=true&limit=2");
    await call("POST", "/gateways", { body: { name: "newest", url: "http://newer/mcp", tags: ["a b"] } });
    assertEquals(await names(`cursor=${body.nextCursor}`), all.slice(2));
  }));

Deno.test("GET /admin/tools, servers, gateways, resources and prompts have numbered pages", () =>
  withGateway(async ({ call }) => {
    await call("POST", "/servers", { body: { server: { name: "s" } } });
    const { body } = await call("GET", "/admin/tools?page=2&per_page=2&include_inactive=true");
    assertEquals(body.data.map(({ name }: { name: string }) => name), ["one-c"]);
    assertEquals(body.pagination, {
      page: 2,
      per_page: 2,
      total_items: 3,
      total_pages: 2,
      has_next: false,
      has_prev: true,
    });
    const link = (page: number) => `/admin/tools?page=${page}&per_page=2&include_inactive=true`;
    assertEquals(body.links, { self: link(2), first: link(1), last: link(2), next: null, prev: link(1) });
    for (const [kind, amount] of [["servers", 1], ["gateways", 1], ["resources", 2], ["prompts", 2]]) {
      const page = (await call("GET", `/admin/${kind}`)).body;
      assertEquals([page.data.length, page.pagination.total_items, page.links.next], [amount, amount, null]);
    }
    assertEquals((await call("GET", "/admin/tools?page=9")).body.data, []);
    assertEquals((await call("GET", "/admin/tools?page=0")).status, 422);
    assertEquals(
      (await call("GET", "/admin/gateways", { as: { ...ALICE, permissions: ["tools.read"] } })).status,
      403,
    );
  }));

Deno.test("GET /tools filters by gateway and tags", () =>
  withGateway(async ({ call, gatewayId, idOf }) => {
    await call("PUT", `/tools/${await idOf("tools", "one-a")}`, {
      body: { tags: ["x", { id: "y", label: "y" }] },
    });
    const tags = [{ id: "x", label: "x" }, { id: "y", label: "y" }];
    assertEquals((await call("GET", "/tools?tags=y")).body[0].tags, tags);
    assertEquals((await call("GET", `/tools?gateway_id=${gatewayId}`)).body.length, 3);
    assertEquals((await call("GET", "/tools?gateway_id=absent")).body.length, 0);
  }));

Deno.test("PUT /tools/{id} keeps the operator's words apart from the upstream's", () =>
  withGateway(async ({ call, idOf, store, gatewayId, upstreams }) => {
    const id = await idOf("tools", "one-a");
    const { status, body } = await call("PUT", `/tools/${id}`, {
      body: {
        custom_name: "My Tool",
        displayName: "Mine",
        description: "my words",
        timeout_ms: 500,
        visibility: "private",
      },
    });
    assertEquals([status, body.name, body.customName, body.customNameSlug], [
      200,
      "one-my-tool",
      "My Tool",
      "my-tool",
    ]);
    assertEquals([body.displayName, body.description, body.originalDescription], [
      "Mine",
      "my words",
      "does a",
    ]);
    assertEquals([body.timeoutMs, body.visibility, body.modifiedBy], [500, "private", "admin@example.com"]);
    upstreams.set(URL_1, discovery({ tools: ["a"] }));
    await call("POST", `/gateways/${gatewayId}/tools/refresh`);
    assertEquals((await store.tools.get(id))?.name, "one-my-tool");
    const back = await call("PUT", `/tools/${id}`, { body: { custom_name: null, description: "does a" } });
    assertEquals([back.body.name, back.body.customName, (await store.tools.get(id))?.description], [
      "one-a",
      "a",
      null,
    ]);
  }));

Deno.test("PUT /tools/{id} takes back what GET gave, unchanged", () =>
  withGateway(async ({ call, idOf, store }) => {
    const id = await idOf("tools", "one-a");
    const { body } = await call("GET", `/tools/${id}`);
    assertEquals((await call("PUT", `/tools/${id}`, { body })).status, 200);
    const row = (await store.tools.get(id))!;
    assertEquals([row.name, row.customName, row.displayName, row.description], ["one-a", null, null, null]);
  }));

Deno.test("PUT /tools/{id} refuses a name of another tool and fields of the upstream", () =>
  withGateway(async ({ call, idOf, store }) => {
    const id = await idOf("tools", "one-a");
    const taken = await call("PUT", `/tools/${id}`, { body: { custom_name: "B" } });
    assertEquals([taken.status, taken.body.detail], [409, 'A tool named "one-b" exists already']);
    const foreign = await call("PUT", `/tools/${id}`, {
      body: { input_schema: {}, url: "http://x/", timeout_ms: 0 },
    });
    assertEquals(foreign.status, 422);
    assertEquals(foreign.body.detail.map(({ loc }: { loc: string[] }) => loc[1]).sort(), [
      "input_schema",
      "timeout_ms",
      "url",
    ]);
    assertEquals((await store.tools.get(id))?.name, "one-a");
  }));

Deno.test("POST /tools, /resources and /prompts say what this version cannot do", () =>
  withAdminApi(async ({ call }) => {
    const rest = await call("POST", "/tools", {
      body: { tool: { name: "x", integration_type: "REST", url: "http://x" } },
    });
    assertEquals([rest.status, rest.body.detail[0].loc], [422, ["body", "tool", "integration_type"]]);
    assertStringIncludes(rest.body.detail[0].msg, "not supported yet by this version");
    const flat = await call("POST", "/tools", { body: { name: "x" } });
    assertEquals(flat.body.detail[0].loc, ["body", "tool"]);
    const agent = await call("POST", "/tools", { body: { tool: { integrationType: "A2A" } } });
    assertEquals(agent.body.detail.length, 2);
    assertStringIncludes(agent.body.detail[1].msg, '"A2A" is not supported yet');
    const mcp = await call("POST", "/tools", { body: { tool: { name: "x", integration_type: "MCP" } } });
    assertStringIncludes(mcp.body.detail[0].msg, "POST /gateways");
    assertEquals((await call("POST", "/resources", { body: { resource: { uri: "r:1" } } })).status, 422);
    assertEquals((await call("POST", "/prompts", { body: { prompt: { name: "p" } } })).status, 422);
  }));

Deno.test("tools, resources and prompts are switched and deleted", () =>
  withGateway(async ({ call, idOf }) => {
    for (
      const [kind, key, name] of [["tools", "tool", "one-a"], ["resources", "resource", "r:1"], [
        "prompts",
        "prompt",
        "one-p",
      ]]
    ) {
      const id = await idOf(kind, name);
      const { body } = await call("POST", `/${kind}/${id}/state?activate=false`);
      assertEquals([body.status, body[key].enabled, body[key].created_by], ["success", false, ADMIN.email]);
      const listed = (await call("GET", `/${kind}`)).body.map((row: { id: string }) => row.id);
      assertEquals(listed.includes(id), false);
      assertEquals((await call("POST", `/${kind}/${id}/state?activate=false`, { as: ALICE })).status, 403);
      assertEquals((await call("DELETE", `/${kind}/${id}`)).body.status, "success");
      assertEquals((await call("DELETE", `/${kind}/${id}`)).status, 404);
    }
  }));

Deno.test("resources are listed apart from templates, described and read", () =>
  withGateway(async ({ call, idOf }) => {
    const uris = (rows: { uri: string }[]) => rows.map(({ uri }) => uri);
    assertEquals(uris((await call("GET", "/resources")).body), ["r:1", "r:2"]);
    const { body: { resource_templates: [template, ...more], ...rest } } = await call(
      "GET",
      "/v1/resources/templates/list",
    );
    assertEquals([template.uriTemplate, template.name, more], ["r:{x}", "template r:{x}", []]);
    assertEquals(rest, { _meta: {}, next_cursor: null });
    const id = await idOf("resources", "r:1");
    assertEquals((await call("GET", `/resources/${id}`)).body, {
      ...{ type: "resource", id, uri: "r:1", mime_type: null, text: "content", blob: null },
    });
    assertEquals((await call("GET", `/resources/${id}/info`)).body.name, "resource r:1");
    const put = await call("PUT", `/resources/${id}`, {
      body: { tags: ["t"], uri: "other:1", mime_type: "x" },
    });
    assertEquals([put.status, put.body.detail.map(({ loc }: { loc: string[] }) => loc[1]).sort()], [422, [
      "mime_type",
      "uri",
    ]]);
    const tagged = await call("PUT", `/resources/${id}`, { body: { tags: ["t"] } });
    assertEquals(tagged.body.tags, [{ id: "t", label: "t" }]);
  }));

Deno.test("PUT /resources/{id} keeps the operator's words apart from the upstream's", () =>
  withGateway(async ({ call, idOf, store, gatewayId, upstreams }) => {
    const id = await idOf("resources", "r:1");
    const words = async () => {
      const { body } = await call("GET", `/resources/${id}/info`);
      return [body.name, body.description, body.mimeType];
    };
    const own = { name: "Mine", description: "my words", mime_type: "text/plain; charset=utf-8" };
    assertEquals((await call("PUT", `/resources/${id}`, { body: own })).status, 200);
    upstreams.set(URL_1, discovery({ resources: [] }));
    await call("POST", `/gateways/${gatewayId}/tools/refresh?include_resources=true`);
    upstreams.set(URL_1, discovery({ resources: ["r:1"] }));
    await call("POST", `/gateways/${gatewayId}/tools/refresh?include_resources=true`);
    assertEquals(await words(), ["Mine", "my words", "text/plain; charset=utf-8"]);
    const server = { name: "s", associated_resources: ["Mine"] };
    assertEquals((await call("POST", "/servers", { body: { server } })).body.associatedResources, [id]);
    const { body: read } = await call("GET", `/resources/${id}/info`);
    assertEquals((await call("PUT", `/resources/${id}`, { body: read })).status, 200);
    assertEquals(await words(), ["Mine", "my words", "text/plain; charset=utf-8"]);
    await call("PUT", `/resources/${id}`, {
      body: { name: "resource r:1", description: null, mime_type: null },
    });
    const row = (await store.resources.get(id))!;
    assertEquals([row.customName, row.description, row.mimeType], [null, null, null]);
    assertEquals(await words(), ["resource r:1", null, null]);
  }));

Deno.test("prompts are rendered with and without arguments, and not while switched off", () =>
  withGateway(async ({ call, idOf, gatewayId }) => {
    const id = await idOf("prompts", "one-p");
    const without = await call("GET", `/prompts/${id}`);
    assertEquals([without.status, without.body.detail], [422, [
      { loc: ["body", "who"], msg: "Field required", type: "missing" },
    ]]);
    for (const path of [id, "one-p"]) {
      const { body } = await call("POST", `/prompts/${path}`, { body: { who: "me" } });
      assertEquals(body, { originalName: "p", args: { who: "me" }, messages: [] });
    }
    assertEquals((await call("POST", `/prompts/${id}`, { body: { who: 1 } })).body.detail[0].loc, [
      "body",
      "who",
    ]);
    const named = await call("PUT", `/prompts/${id}`, { body: { custom_name: "Hello" } });
    assertEquals([named.body.name, named.body.originalName], ["one-hello", "p"]);
    assertEquals((await call("PUT", `/prompts/${id}`, { body: { custom_name: null } })).body.name, "one-p");
    for (const [way, reason] of [["drain", "being drained"], ["state?activate=false", "switched off"]]) {
      await call("POST", `/gateways/${gatewayId}/${way}`);
      const { status, body } = await call("GET", `/prompts/${id}`);
      assertEquals([status, body.detail], [503, `Upstream "one" cannot be used: it is ${reason}`]);
      assertEquals((await call("GET", "/prompts/one-p", { as: ALICE })).status, 503);
    }
    await call("POST", `/gateways/${gatewayId}/state`);
    await call("POST", `/prompts/${id}/state?activate=false`);
    assertEquals((await call("GET", `/prompts/${id}`)).status, 404);
  }));

Deno.test("a change is answered NOT_FOUND if somebody else deletes what it has changed before the answer", () =>
  withAdminApi(async ({ call, store, upstreams }) => {
    upstreams.set(URL_1, discovery({ tools: ["a"], prompts: ["p"] }));
    await call("POST", "/gateways", { body: { name: "one", url: URL_1 } });
    const [tool, prompt] = [(await store.tools.list())[0]!, (await store.prompts.list())[0]!];
    const [gateway] = await store.gateways.list();
    const { transaction } = store;
    const afterwards = (then: () => Promise<unknown>) =>
      Object.assign(store, {
        transaction: async (fn: Parameters<typeof transaction>[0]) => {
          const done = await transaction(fn);
          await then();
          return done;
        },
      });
    for (
      const [path, then] of [
        [`/tools/${tool.id}`, () => store.tools.delete(tool.id)],
        [`/prompts/${prompt.id}`, () => store.prompts.delete(prompt.id)],
        [`/gateways/${gateway!.id}`, () => store.gateways.delete(gateway!.id)],
      ] as const
    ) {
      afterwards(then);
      assertEquals((await call("PUT", path, { body: { tags: ["t"] } })).status, 404, path);
    }
  }));
