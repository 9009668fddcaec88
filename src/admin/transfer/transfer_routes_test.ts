import { assertEquals, assertStringIncludes } from "@std/assert";
import { ADMIN, type AdminHarness, withAdminApi } from "../../../tests/support/admin_api.ts";
import { discovery, newServer } from "../../../tests/support/registry_rows.ts";
import { SluiceError } from "../../base/errors.ts";

const URL = "http://one.test/mcp";

/** As ContextForge exports: servers name tools, which the upstreams list. */
const FILE = {
  version: "2025-03-26",
  exported_at: "2026-01-01T00:00:00Z",
  source_gateway: "http://contextforge.test",
  entities: {
    gateways: [
      { name: "one", url: URL, transport: "STREAMABLEHTTP", enabled: true, auth_type: null },
      { name: "two", url: "http://two.test/mcp", transport: "STREAMABLEHTTP", enabled: true },
    ],
    servers: [{ name: "Desk", tool_ids: ["one-a"], is_active: true }],
  },
};

async function imported({ call, store }: AdminHarness, strategy = "update") {
  const body = { import_data: FILE, conflict_strategy: strategy };
  const { status, body: answer } = await call("POST", "/import", { body });
  const names = async (kind: "gateways" | "tools" | "servers") =>
    (await store[kind].list()).map(({ name }) => name).sort();
  return { status, answer, has: [await names("gateways"), await names("tools"), await names("servers")] };
}

Deno.test("an import of ContextForge's file lists its upstreams first, and writes all in one change", () =>
  withAdminApi(async (harness) => {
    harness.upstreams.set(URL, discovery({ tools: ["a", "b"] }));
    harness.upstreams.set(
      "http://two.test/mcp",
      new SluiceError("UPSTREAM_TIMEOUT", { upstream: "two" }),
    );
    const { status, answer, has } = await imported(harness);
    assertEquals([status, has], [200, [["one", "two"], ["one-a", "one-b"], ["Desk"]]]);
    assertStringIncludes(answer.warnings.join(), "gateway two is tried again later");
    const [desk] = await harness.store.servers.list();
    const tools = await harness.store.tools.list();
    assertEquals(desk.toolIds, tools.filter(({ name }) => name === "one-a").map(({ id }) => id));
    const pending = (await harness.store.gateways.list()).map(({ name, registration }) => [
      name,
      registration !== null,
    ]);
    assertEquals([pending.toSorted(), harness.changes()], [[["one", false], ["two", true]], 1]);
  }));

Deno.test("an import names what it leaves out, also an entity without a name", () =>
  withAdminApi(async ({ call }) => {
    const gateways = [{ url: URL, transport: "STREAMABLEHTTP" }, { id: "g-2", url: URL }];
    const servers = [{ tool_ids: [] }];
    const import_data = { ...FILE, entities: { gateways, servers } };
    const { body } = await call("POST", "/import", { body: { import_data } });
    assertEquals(body.errors, [
      "gateway without a name: it has no name",
      "gateway g-2: it has no name",
      "server without a name: it has no name",
    ]);
  }));

Deno.test("an import of ContextForge's file that another write gets in the way of leaves nothing", () =>
  withAdminApi(async (harness) => {
    const { store, upstreams } = harness;
    // The other write comes while the upstream is asked.
    let inserting: Promise<unknown> | undefined;
    upstreams.get = () => {
      inserting ??= store.servers.insert(newServer({ name: "Desk" }));
      return discovery({ tools: ["a"] });
    };
    const { status, has } = await imported(harness, "fail");
    await inserting;
    assertEquals([status, has], [409, [[], [], ["Desk"]]]);
  }));

Deno.test("an export with a passphrase has the values of a query sealed, and an import with it has them back", () =>
  withAdminApi(async ({ call, store }) => {
    const hosted = "https://hosted.test/mcp?api_key=hush-1&v=2";
    await call("POST", "/gateways", { body: { name: "hosted", url: hosted } });
    const passphrase = "correct horse battery";
    const { body: file } = await call("POST", "/export/selective", { body: { passphrase } });
    const [entity] = file.entities.gateways;
    assertEquals([JSON.stringify(file).includes("hush-1"), entity.url], [
      false,
      "https://hosted.test/mcp?api_key=*****&v=*****",
    ]);
    const run = async (import_data: unknown, rekey_secret?: string) =>
      (await call("POST", "/import", { body: { import_data, rekey_secret, conflict_strategy: "update" } }))
        .body;
    const addresses = async () => (await store.gateways.list()).map(({ url }) => url);
    // Where the upstream is here, the masks stand for its values.
    assertEquals([(await run(file)).progress.updated, await addresses()], [0, [hosted]]);

    const [{ id }] = await store.gateways.list();
    assertEquals((await call("DELETE", `/gateways/${id}`)).status, 200);
    for (const secret of [undefined, "wrong passphrase"]) {
      assertStringIncludes(
        (await run(file, secret)).errors.join(),
        "send the file's passphrase in rekey_secret",
      );
    }
    // Values that were sealed for one server go to no other one.
    const moved = {
      ...file,
      entities: { gateways: [{ ...entity, url: "https://evil.test/mcp?api_key=*****" }] },
    };
    assertStringIncludes((await run(moved, passphrase)).errors.join(), "a mask in the query stands for");
    // A sealed address is no credentials.
    const swapped = { ...entity, auth_type: "bearer", auth_value: entity.sealed_url };
    assertStringIncludes(
      (await run(
        { ...file, entities: { gateways: [{ ...swapped, name: "swapped", id: "swapped" }] } },
        passphrase,
      ))
        .warnings.join(),
      "its credentials cannot be opened",
    );
    assertEquals(await addresses(), [hosted]);
    await call("DELETE", "/gateways/swapped");
    assertEquals([(await run(file, passphrase)).errors, await addresses()], [[], [hosted]]);
  }));

Deno.test("an imported upstream where people log in waits for its first login", () =>
  withAdminApi(async ({ call, store }) => {
    const oauth_config = { grant_type: "authorization_code" };
    await call("POST", "/gateways", {
      body: { name: "notes", url: "https://notes.test/mcp", auth_type: "oauth", oauth_config },
    });
    const passphrase = "correct horse battery";
    const { body: import_data } = await call("POST", "/export/selective", { body: { passphrase } });
    const waiting = async () =>
      (await store.gateways.list()).map((
        { registration, lastError },
      ) => [registration?.nextTryAt, lastError]);
    const before = await waiting();
    const [{ id }] = await store.gateways.list();
    assertEquals((await call("DELETE", `/gateways/${id}`)).status, 200);
    const { body } = await call("POST", "/import", { body: { import_data, rekey_secret: passphrase } });
    assertEquals([body.errors, await waiting()], [[], before]);
    assertEquals(before[0]![0], null);
  }));

Deno.test("an import by somebody else than an administrator brings no upstream that exchanges callers' tokens", () =>
  withAdminApi(async ({ call, store, upstreams }) => {
    const url = "https://crm.test/mcp";
    upstreams.set(url, discovery({ tools: ["a"] }));
    const oauth_config = {
      ...{ grant_type: "token_exchange", client_id: "sluice", client_secret: "hush-hush" },
      token_url: "https://evil.test/token",
    };
    const body = { name: "crm", url, auth_type: "oauth", oauth_config };
    assertEquals((await call("POST", "/gateways", { body })).status, 200);
    const rekey_secret = "correct horse battery";
    const exported = await call("POST", "/export/selective", { body: { passphrase: rekey_secret } });
    const [{ id }] = await store.gateways.list();
    assertEquals((await call("DELETE", `/gateways/${id}`)).status, 200);
    const { gateways } = exported.body.entities;
    const import_data = { ...exported.body, source_gateway: "http://other.test", entities: { gateways } };
    const permissions = ["admin.import", "gateways.create", "gateways.update"];
    for (const [as, names] of [[{ ...ADMIN, permissions }, []], [ADMIN, ["crm"]]] as const) {
      const answer = await call("POST", "/import", { body: { import_data, rekey_secret }, as });
      const told = answer.body.errors.join().includes("an administrator has to import it");
      assertEquals([answer.status, told], [200, names.length === 0], JSON.stringify(answer.body));
      assertEquals((await store.gateways.list()).map(({ name }) => name), [...names]);
    }
  }));

Deno.test("an export has no id, name or text of what its maker does not see, and an import of it loses none of that", () =>
  withAdminApi(async ({ call, store, upstreams }) => {
    const register = async (name: string) => {
      const url = `https://${name}.test/mcp`;
      const [a, b] = ["a", "b"].map((suffix) => `${name}-${suffix}`);
      upstreams.set(url, discovery({ tools: [a!, b!], resources: [`r:${a}`, `r:${b}`], prompts: [a!, b!] }));
      return (await call("POST", "/gateways", { body: { name, url } })).body.id as string;
    };
    const [open, closed] = [await register("open"), await register("closed")];
    // Of the visible upstream every second entry is private; of the private upstream every second one stays public.
    const hidden = new Set([closed]);
    await store.gateways.update(closed, { visibility: "private" });
    for (const entities of [store.tools, store.resources, store.prompts]) {
      for (const { id, definition } of await (entities as typeof store.tools).list()) {
        const visibility = definition.includes("-b") ? "private" : "public";
        if (visibility === "private") hidden.add(id);
        await (entities as typeof store.tools).update(id, { visibility });
      }
    }
    const [tools, resources, prompts] = [
      await store.tools.list(),
      await store.resources.list(),
      await store.prompts.list(),
    ];
    const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);
    const secretTool = tools.find(({ id }) => hidden.has(id))!;
    const overrides = {
      [secretTool.id]: { name: "hush" },
      [tools.find(({ id }) => !hidden.has(id))!.id]: { name: "told" },
    };
    const server = await store.servers.insert(newServer({
      ...{ name: "Desk", toolIds: ids(tools), resourceIds: ids(resources), promptIds: ids(prompts) },
      ...{ gatewayIds: [open, closed], toolOverrides: overrides },
    }));
    const scoped = { ...ADMIN, teams: [] };
    for (
      const [method, path, body] of [
        ["GET", "/export", undefined],
        ["POST", "/export/selective", { servers: ["Desk"], tools: ids(tools) }],
      ] as const
    ) {
      const { body: file } = await call(method, path, { body, as: scoped });
      const text = JSON.stringify({ ...file, metadata: { ...file.metadata, export_options: {} } });
      assertEquals([path, [...hidden].filter((id) => text.includes(id))], [path, []]);
      assertEquals([text.includes("hush"), text.includes("told"), text.includes(secretTool.name)], [
        false,
        true,
        false,
      ]);
      const run = async (import_data: unknown, as = scoped) =>
        (await call("POST", "/import", { body: { import_data, conflict_strategy: "update" }, as })).body;
      const { entities } = file;
      assertEquals((await run({ ...file, entities: { servers: entities.servers } })).progress.updated, 0);
      const changed = entities.servers.map((each: Record<string, unknown>) => ({
        ...{ ...each, description: path, associated_tool_ids: [] },
      }));
      await run({ ...file, entities: { servers: changed } });
      const after = (await store.servers.get(server.id))!;
      assertEquals([after.description, after.toolIds.toSorted(), after.resourceIds, after.gatewayIds], [
        path,
        [...hidden].filter((id) => ids(tools).includes(id)).toSorted(),
        server.resourceIds,
        server.gatewayIds,
      ]);
      assertEquals(after.toolOverrides[secretTool.id], { name: "hush" });
      await store.servers.update(server.id, { toolIds: server.toolIds, description: null });
    }
    // A file cannot make a member of what its importer does not see.
    const { body: file } = await call("GET", "/export");
    const other = { ...file.entities.servers[0], id: "e".repeat(32), name: "Other" };
    const answer = await call("POST", "/import", {
      body: { import_data: { ...file, entities: { servers: [other] } } },
      as: scoped,
    });
    assertStringIncludes(answer.body.warnings.join(), "of its tools are not here");
    const hiddenIn = async (server: string) => {
      const row = (await store.servers.list()).find(({ name }) => name === server)!;
      const { toolIds, resourceIds, promptIds, gatewayIds, toolOverrides } = row;
      const members = [
        ...toolIds,
        ...resourceIds,
        ...promptIds,
        ...gatewayIds,
        ...Object.keys(toolOverrides),
      ];
      return members.filter((id) => hidden.has(id));
    };
    assertEquals(await hiddenIn("Other"), []);
    // Nor if the file has these entries themselves: what is here stays, and is no member.
    const third = { ...other, id: "c".repeat(32), name: "Third" };
    const whole = { ...file, entities: { ...file.entities, servers: [third] } };
    await call("POST", "/import", { body: { import_data: whole }, as: scoped });
    assertEquals(await hiddenIn("Third"), []);
    // Nor by the name of a server that has such members: the imported one is new, beside it.
    const twin = { ...other, id: "d".repeat(32), name: "Desk" };
    const import_data = { ...file, entities: { servers: [twin] } };
    await call("POST", "/import", { body: { import_data, conflict_strategy: "rename" }, as: scoped });
    const renamed = (await store.servers.list()).map(({ name }) => name).find((name) =>
      name !== "Desk" && name.startsWith("Desk")
    );
    assertEquals(await hiddenIn(renamed!), []);
  }));
