import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  promptRow,
  resourceRow,
  serverRow,
  toolRow,
  versionsAt,
} from "../../../tests/support/catalog_rows.ts";
import type { GatewayRow, OfferRows, ServerRow, ToolRow } from "../../store/registry/rows.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import { canSee } from "../../auth/rbac.ts";
import { Catalog } from "./catalog.ts";
import { resolvePrompt, resolveResource, resolveTool } from "./resolver.ts";

const GATEWAYS = [gatewayRow("a"), gatewayRow("b")];
const HIDDEN = { visibility: "team", teamId: "t1" } as const;
const anybody = principal();
const member = principal({ teams: ["t1"] });

function failure(run: () => unknown): SluiceError {
  return assertThrows(run, SluiceError);
}

Deno.test("Catalog keeps only what is enabled and comes from an enabled gateway", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [gatewayRow("a"), gatewayRow("off", { enabled: false })],
    tools: [
      toolRow("a", "on"),
      toolRow("a", "off", { enabled: false }),
      toolRow("off", "x"),
      toolRow("gone", "x"),
      toolRow("a", "rest", { gatewayId: null }),
    ],
  }));
  assertEquals(all.tools.entries.map(({ key }) => key), ["a-on"]);
});

Deno.test("Catalog lists an upstream's object verbatim but for the name", () => {
  const definition =
    '{ "x-new": 1.0, "name":"echo", "inputSchema":{"$defs":{},"name":"inner"}, "big":12345678901234567890 }';
  const { all } = new Catalog(
    catalogRows({ gateways: GATEWAYS, tools: [toolRow("a", "echo", { definition })] }),
  );
  assertEquals(
    all.tools.listText,
    '{ "x-new": 1.0, "name":"a-echo", "inputSchema":{"$defs":{},"name":"inner"}, "big":12345678901234567890 }',
  );
});

Deno.test("Catalog puts the operator's words in place of the upstream's", () => {
  const definition = '{"name":"echo","description":"theirs","title":"Theirs"}';
  const given = { definition, description: "ours", displayName: "Ours" };
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "echo", given)],
    prompts: [promptRow("a", "ask", { description: "ours" })],
  }));
  assertEquals(JSON.parse(all.tools.listText), { name: "a-echo", description: "ours", title: "Ours" });
  assertEquals(JSON.parse(all.prompts.listText), { name: "a-ask", description: "ours" });
});

Deno.test("Catalog lists resources and templates in the operator's words, under the upstream's URI", () => {
  const given = { customName: "Ours", description: "ours", mimeType: "text/plain" };
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [resourceRow("a", "r:1", given), resourceRow("a", "r:{x}", { mimeType: "text/plain" })],
  }));
  const words = { name: "Ours", description: "ours", mimeType: "text/plain" };
  assertEquals(JSON.parse(all.resources.listText), { uri: "r:1", ...words });
  const template = { uriTemplate: "r:{x}", name: "r:{x}", mimeType: "text/plain" };
  assertEquals(JSON.parse(all.templates.listText), template);
});

Deno.test("Catalog tells resources from templates, and leaves both verbatim", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [
      resourceRow("a", "x://1", { definition: '{"uri":"x://1", "n":1.0}' }),
      resourceRow("a", "x://{id}"),
    ],
  }));
  assertEquals(all.resources.listText, '{"uri":"x://1", "n":1.0}');
  assertEquals(all.templates.entries.map(({ key }) => key), ["x://{id}"]);
});

Deno.test("Catalog.scope() shows a virtual server's members in list order, and no server that is off or unknown", () => {
  const catalog = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [
      toolRow("b", "w"),
      toolRow("a", "x", { position: 1 }),
      toolRow("a", "y"),
      toolRow("b", "z", { enabled: false }),
    ],
    servers: [
      serverRow("s", { toolIds: ["b-w", "a-y", "b-z", "gone", "a-x"] }),
      serverRow("off", { enabled: false }),
    ],
  }));
  assertEquals(catalog.scope("s")!.tools.entries.map(({ key }) => key), ["a-y", "a-x", "b-w"]);
  assertEquals(catalog.scope("off"), undefined);
  assertEquals(catalog.scope("nothing"), undefined);
  assertEquals(catalog.scope(null), catalog.all);
});

Deno.test("Catalog lists gateways as they were registered, each with what it has as it was first seen", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [
      gatewayRow("c", { createdAt: "2026-01-02T00:00:00Z" }),
      gatewayRow("b"),
      gatewayRow("a", { createdAt: "2026-01-03T00:00:00Z" }),
    ],
    tools: [
      toolRow("a", "x"),
      toolRow("b", "x", { position: 7 }),
      toolRow("b", "y", { position: 3 }),
      toolRow("c", "x"),
    ],
  }));
  assertEquals(all.tools.entries.map(({ key }) => key), ["b-y", "b-x", "c-x", "a-x"]);
});

Deno.test("Catalog gives a server with original names the upstreams' names, and calls them so", () => {
  const catalog = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "get_x"), toolRow("b", "y", { description: "registry's" })],
    prompts: [promptRow("a", "ask me")],
    resources: [resourceRow("a", "x://1")],
    servers: [
      serverRow("s", {
        naming: "original",
        toolIds: ["a-get_x", "b-y"],
        promptIds: ["a-ask me"],
        resourceIds: ["a x://1"],
      }),
    ],
  }));
  const scope = catalog.scope("s")!;
  const definition = '{"name":"get_x","inputSchema":{"type":"object"}}';
  assertEquals(scope.tools.entries[0].listText, definition);
  assertEquals(JSON.parse(scope.tools.entries[1].listText).description, "registry's");
  assertEquals(scope.prompts.entries.map(({ key }) => key), ["ask me"]);
  assertEquals(scope.resources.entries, catalog.all.resources.entries);
  assertEquals(scope.conflicts, []);
  assertEquals(resolveTool(scope, "y", anybody).originalKey, "y");
  assertEquals(resolvePrompt(scope, "ask me", anybody).gateway.id, "a");
  assertEquals(failure(() => resolveTool(scope, "b-y", anybody)).code, "TOOL_NOT_FOUND");
  assertEquals(resolveTool(catalog.all, "b-y", anybody).key, "b-y");
});

Deno.test("Catalog gives a server's tools the operator's names and descriptions, there alone", () => {
  const toolOverrides = { "a-x": { name: "find", description: "here" }, "a-y": { description: "there" } };
  const catalog = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "x", { description: "registry's" }), toolRow("a", "y", { position: 1 })],
    servers: [
      serverRow("s", { toolIds: ["a-x", "a-y"], toolOverrides }),
      serverRow("plain", { toolIds: ["a-x", "a-y"] }),
    ],
  }));
  const scope = catalog.scope("s")!;
  const shown = scope.tools.entries.map(({ listText }) => JSON.parse(listText));
  assertEquals(shown.map(({ name, description }) => [name, description]), [["find", "here"], [
    "a-y",
    "there",
  ]]);
  assertEquals(resolveTool(scope, "find", anybody).originalKeyText, '"x"');
  // Servers without overrides share the registry's entries.
  assertEquals(catalog.scope("plain")!.tools.entries[0] === catalog.all.tools.entries[0], true);
  assertEquals(JSON.parse(catalog.all.tools.entries[0].listText).description, "registry's");
});

Deno.test("Catalog gives the whole registry the upstreams' names where MCP_NAMING says so, with conflicts", () => {
  const rows = catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "search"), toolRow("b", "search"), toolRow("b", "y")],
    prompts: [promptRow("a", "ask")],
    servers: [serverRow("s", { gatewayIds: ["b"] })],
  });
  const catalog = new Catalog(rows, { naming: "original" });
  const { all } = catalog;
  assertEquals(all.tools.entries.map(({ key }) => key), ["search", "b-search", "y"]);
  assertEquals(all.prompts.entries.map(({ key }) => key), ["ask"]);
  assertEquals(resolveTool(all, "search", anybody).gateway.id, "a");
  assertEquals(all.conflicts.map(({ renamed, renamedTo }) => [renamed.id, renamedTo]), [[
    "b-search",
    "b-search",
  ]]);
  assertEquals(catalog.scope("s")!.tools.entries.map(({ key }) => key), ["b-search", "b-y"]);
});

Deno.test("Catalog keeps a name with the first registered, also while that one is off, and reports the conflict", () => {
  const rows = (enabled: boolean) =>
    catalogRows({
      gateways: [gatewayRow("b", { enabled }), gatewayRow("a", { createdAt: "2026-01-02T00:00:00Z" })],
      tools: [toolRow("a", "search"), toolRow("b", "search")],
      servers: [serverRow("s", { naming: "original", toolIds: ["a-search", "b-search"] })],
    });
  const scope = new Catalog(rows(true)).scope("s")!;
  assertEquals(scope.tools.entries.map(({ key }) => key), ["search", "a-search"]);
  assertEquals(resolveTool(scope, "search", anybody).gateway.id, "b");
  assertEquals(resolveTool(scope, "a-search", anybody).gateway.id, "a");
  const [{ kind, name, keptBy, renamed, renamedTo }] = scope.conflicts;
  assertEquals([kind, name, keptBy.id, renamed.id, renamedTo], [
    "tool",
    "search",
    "b-search",
    "a-search",
    "a-search",
  ]);
  assertEquals(new Catalog(rows(false)).scope("s")!.tools.entries.map(({ key }) => key), ["a-search"]);
});

Deno.test("resolveTool() finds our name first, the upstream's where it means one tool", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "echo"), toolRow("b", "add"), toolRow("b", "a-echo")],
  }));
  assertEquals(resolveTool(all, "a-echo", anybody).gateway.id, "a");
  assertEquals(resolveTool(all, "add", anybody).key, "b-add");
  assertEquals(failure(() => resolveTool(all, "nothing", anybody)).code, "TOOL_NOT_FOUND");
});

Deno.test("resolveTool() never takes a name that begins with another gateway's slug for an upstream's own", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [...GATEWAYS, gatewayRow("a-b")],
    tools: [toolRow("b", "a-echo"), toolRow("b", "b-own"), toolRow("b", "a.dotted"), toolRow("b", "ab-x")],
  }));
  // Gateway "a" has no such tool, or has none any more.
  for (const name of ["a-echo", "a.dotted"]) {
    assertEquals(failure(() => resolveTool(all, name, anybody)).code, "TOOL_NOT_FOUND", name);
  }
  assertEquals(resolveTool(all, "b-own", anybody).key, "b-b-own");
  assertEquals(resolveTool(all, "ab-x", anybody).key, "b-ab-x");
});

Deno.test("resolveTool() refuses an original name of several tools and names them, as far as the caller sees them", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [...GATEWAYS, gatewayRow("c")],
    tools: [toolRow("b", "echo"), toolRow("a", "echo"), toolRow("c", "echo", HIDDEN)],
  }));
  const error = failure(() => resolveTool(all, "echo", anybody));
  assertEquals([error.code, error.params.candidates], ["NAME_AMBIGUOUS", "a-echo, b-echo"]);
  assertEquals(failure(() => resolveTool(all, "echo", member)).params.candidates, "a-echo, b-echo, c-echo");
});

Deno.test("resolveTool() does not find, by any name, what the caller may not see", () => {
  const { all } = new Catalog(
    catalogRows({ gateways: GATEWAYS, tools: [toolRow("a", "echo", HIDDEN), toolRow("b", "add")] }),
  );
  for (const name of ["a-echo", "echo"]) {
    assertEquals(failure(() => resolveTool(all, name, anybody)).code, "TOOL_NOT_FOUND", name);
    assertEquals(resolveTool(all, name, member).key, "a-echo");
  }
});

/** Upstream `evil` has tools with the registry name and the original name of the tool of `victim`. */
function withEvil(victim: Partial<GatewayRow & ToolRow>, servers: ServerRow[] = []): Catalog {
  const { enabled, visibility = "public", teamId = null } = victim;
  return new Catalog(catalogRows({
    gateways: [gatewayRow("evil"), gatewayRow("victim", { enabled: enabled ?? true })],
    tools: [
      toolRow("evil", "victim-create"),
      toolRow("evil", "create"),
      toolRow("victim", "create", { visibility, teamId }),
    ],
    prompts: [
      promptRow("evil", "victim-create"),
      promptRow("evil", "create"),
      promptRow("victim", "create", { visibility, teamId }),
    ],
    servers,
  }));
}

Deno.test("resolveTool() does not pass the names of a disabled or hidden tool to another upstream", () => {
  for (const victim of [{ enabled: false }, HIDDEN]) {
    const { all } = withEvil(victim);
    assertEquals(failure(() => resolveTool(all, "victim-create", anybody)).code, "TOOL_NOT_FOUND");
    assertEquals(failure(() => resolvePrompt(all, "victim-create", anybody)).code, "PROMPT_NOT_FOUND");
    // A caller who sees the disabled tool is told which names are left; nobody is told of a hidden one.
    const code = victim === HIDDEN ? "TOOL_NOT_FOUND" : "NAME_AMBIGUOUS";
    const error = failure(() => resolveTool(all, "create", anybody));
    assertEquals([error.code, error.params.candidates], [
      code,
      victim === HIDDEN ? undefined : "evil-create",
    ]);
    assertEquals(failure(() => resolvePrompt(all, "create", anybody)).code.startsWith("TOOL"), false);
    assertEquals(resolveTool(all, "evil-create", anybody).gateway.id, "evil");
  }
});

Deno.test("resolveTool() does not pass the names of a disabled member to another member of a virtual server", () => {
  const toolIds = ["evil-victim-create", "evil-create", "victim-create"];
  const servers = [
    serverRow("prefixed", { toolIds }),
    serverRow("original", { naming: "original", toolIds }),
    serverRow("renamed", { toolIds, toolOverrides: { "victim-create": { name: "victim-create2" } } }),
    serverRow("alone", { toolIds: ["evil-victim-create"] }),
  ];
  const catalog = withEvil({ enabled: false }, servers);
  const codeOf = (server: string, name: string) =>
    failure(() => resolveTool(catalog.scope(server)!, name, anybody)).code;
  assertEquals(codeOf("prefixed", "victim-create"), "TOOL_NOT_FOUND");
  assertEquals(codeOf("prefixed", "create"), "NAME_AMBIGUOUS");
  assertEquals(codeOf("renamed", "victim-create"), "TOOL_NOT_FOUND");
  assertEquals(codeOf("renamed", "victim-create2"), "TOOL_NOT_FOUND");
  // The name of a tool that is not a member.
  assertEquals(codeOf("alone", "victim-create"), "TOOL_NOT_FOUND");
  // With original names, `evil` was registered first and has the name of its own.
  const original = catalog.scope("original")!;
  assertEquals(resolveTool(original, "victim-create", anybody).originalKey, "victim-create");
  assertEquals(resolveTool(original, "create", anybody).gateway.id, "evil");
});

Deno.test("resolvePrompt() resolves like a tool", () => {
  const { all } = new Catalog(
    catalogRows({ gateways: GATEWAYS, prompts: [promptRow("a", "ask"), promptRow("b", "ask")] }),
  );
  assertEquals(resolvePrompt(all, "b-ask", anybody).gateway.id, "b");
  assertEquals(failure(() => resolvePrompt(all, "ask", anybody)).code, "NAME_AMBIGUOUS");
  assertEquals(failure(() => resolvePrompt(all, "x", anybody)).code, "PROMPT_NOT_FOUND");
});

Deno.test("resolveResource() prefers a listed URI to a template, and takes a template by its own text", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [resourceRow("a", "x://{id}"), resourceRow("b", "x://1")],
  }));
  assertEquals(resolveResource(all, "x://1", anybody).gateway.id, "b");
  assertEquals(resolveResource(all, "x://2", anybody).gateway.id, "a");
  assertEquals(resolveResource(all, "x://{id}", anybody).gateway.id, "a");
  assertEquals(failure(() => resolveResource(all, "y://1", anybody)).code, "RESOURCE_NOT_FOUND");
});

Deno.test("resolveResource() gives a URI to the template with the longest literal prefix", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [gatewayRow("a"), gatewayRow("b"), gatewayRow("c", { createdAt: "2026-01-02T00:00:00Z" })],
    resources: [
      resourceRow("a", "{+any}"),
      resourceRow("b", "vault://{id}"),
      resourceRow("c", "vault://{+path}"),
      resourceRow("c", "vault://4{id}"),
    ],
  }));
  assertEquals(resolveResource(all, "vault://1", anybody).gateway.id, "b");
  assertEquals(resolveResource(all, "vault://42", anybody).gateway.id, "c");
  assertEquals(resolveResource(all, "vault://1/2", anybody).gateway.id, "c");
  assertEquals(resolveResource(all, "other", anybody).gateway.id, "a");
});

Deno.test("resolveResource() leaves a URI with the upstream that had it first", () => {
  const later = { createdAt: "2026-01-02T00:00:00Z" };
  const uris = ["vault://1", "vault://{id}"];
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: uris.flatMap((uri) => [resourceRow("a", uri, later), resourceRow("b", uri)]),
  }));
  for (const uri of [...uris, "vault://2"]) {
    assertEquals(resolveResource(all, uri, anybody).gateway.id, "b", uri);
  }
});

Deno.test("resolveResource() does not pass the URIs of a disabled upstream to another one", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [
      gatewayRow("victim", { enabled: false }),
      gatewayRow("evil", { createdAt: "2026-01-02T00:00:00Z" }),
    ],
    resources: [
      resourceRow("victim", "vault://1"),
      resourceRow("victim", "vault://{id}"),
      resourceRow("evil", "vault://1"),
      resourceRow("evil", "vault://{id}"),
      resourceRow("evil", "{+any}"),
    ],
  }));
  for (const uri of ["vault://1", "vault://2", "vault://{id}"]) {
    assertEquals(failure(() => resolveResource(all, uri, anybody)).code, "RESOURCE_NOT_FOUND", uri);
  }
  assertEquals(resolveResource(all, "vault:2", anybody).gateway.id, "evil");
});

Deno.test("resolveResource() tries the templates of one upstream whatever those of another cost", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [
      ...Array.from(
        { length: 100 },
        (_, i) => resourceRow("a", `${"{+a}y".repeat(20)}{+a}z${"z".repeat(i)}`),
      ),
      resourceRow("b", "{+any}"),
    ],
  }));
  assertEquals(resolveResource(all, `${"y".repeat(60_000)}${"z".repeat(200)}!`, anybody).gateway.id, "b");
});

Deno.test("resolveResource() reads a shared URI from the first upstream that the caller may see", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [
      resourceRow("a", "x://1", HIDDEN),
      resourceRow("b", "x://1"),
      resourceRow("a", "t://{id}", HIDDEN),
      resourceRow("b", "t://{id}"),
    ],
  }));
  for (const uri of ["x://1", "t://{id}", "t://5"]) {
    assertEquals(resolveResource(all, uri, anybody).gateway.id, "b", uri);
    assertEquals(resolveResource(all, uri, member).gateway.id, "a", uri);
  }
});

Deno.test("resolveResource() reads {path*} as several segments where no template matches otherwise", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [gatewayRow("a"), gatewayRow("b"), gatewayRow("off", { enabled: false })],
    resources: [
      resourceRow("a", "files://{path*}"),
      resourceRow("a", "x://{id}"),
      resourceRow("b", "files://deep/{+path}"),
      resourceRow("off", "off://{path*}"),
    ],
  }));
  assertEquals(resolveResource(all, "files://a", anybody).gateway.id, "a");
  assertEquals(resolveResource(all, "files://a/b/c.txt", anybody).gateway.id, "a");
  assertEquals(resolveResource(all, "files://deep/b/c.txt", anybody).gateway.id, "b");
  for (const uri of ["x://a/b", "files://", "files://a?b", "off://a/b"]) {
    assertEquals(failure(() => resolveResource(all, uri, anybody)).code, "RESOURCE_NOT_FOUND", uri);
  }
});

Deno.test("Of resources with one URI the list has the one that answers, for each caller", () => {
  const later = { createdAt: "2026-01-02T00:00:00Z" };
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "echo", later), toolRow("b", "echo")],
    resources: [
      ...["x://1", "x://{id}"].flatMap((uri) => [resourceRow("a", uri), resourceRow("b", uri, later)]),
      ...[resourceRow("a", "x://off", { enabled: false }), resourceRow("b", "x://off", later)],
      ...[resourceRow("a", "x://team", HIDDEN), resourceRow("b", "x://team", later)],
    ],
  }));
  const listed = (index: typeof all.resources, caller: typeof anybody) =>
    index.entries.filter((entry) => index.lists(entry, ({ row }) => canSee(caller, row)))
      .map(({ key, gateway }) => `${key} ${gateway.id}`);
  assertEquals(listed(all.resources, anybody), ["x://1 a", "x://team b"]);
  assertEquals(listed(all.resources, member), ["x://1 a", "x://team a"]);
  assertEquals(all.resources.allPublic, false);
  assertEquals([...all.templates.entries].map(({ gateway }) => gateway.id), ["a"]);
  assertEquals(JSON.parse(`[${all.templates.listText}]`).length, 1);
  assertEquals(all.tools.entries.length, 2);
});

Deno.test("Catalog shares with a former one what has not changed, and has rights of its own", () => {
  const rows = catalogRows({
    gateways: [gatewayRow("a"), gatewayRow("b")],
    tools: [toolRow("a", "one"), toolRow("b", "two")],
    servers: [
      serverRow("s", { toolIds: ["a-one"] }),
      serverRow("t", { toolIds: ["b-two"] }),
      serverRow("u", { gatewayIds: ["b"] }),
    ],
  });
  const former = new Catalog(rows, { naming: "original" });
  const { quotas, people, tokenChanges } = rows;
  const rights = { versions: versionsAt(2), revokedTokens: ["bad"], quotas, people, tokenChanges };
  const after = (gatewayIds: string[], serverIds: string[], changed: Partial<OfferRows>) =>
    new Catalog({
      ...{ former, ...rights },
      offer: {
        gatewayIds: new Set(gatewayIds),
        serverIds: new Set(serverIds),
        rows: catalogRows(changed),
      },
    });
  const same = after([], [], {});
  assertStrictEquals(same.all, former.all);
  assertStrictEquals(same.scope("s"), former.scope("s"));
  assertEquals(same.offersAs(former), true);
  assertStrictEquals(same.gateway("a"), former.gateway("a"));
  assertEquals([same.version, same.naming, [...same.revokedTokens]], ["2 w2", "original", ["bad"]]);
  assertEquals([former.version, former.revokedTokens.size], ["1 w1", 0]);

  const server = after([], ["s"], { servers: [serverRow("s", { toolIds: ["b-two"] })] });
  assertEquals(server.offersAs(former), false);
  assertStrictEquals(server.all, former.all);
  assertStrictEquals(server.scope("t"), former.scope("t"));
  assertEquals(server.scope("s")!.tools.all.map(({ key }) => key), ["b-two"]);

  const upstream = after(["b"], [], {
    gateways: [gatewayRow("b", { slug: "c" })],
    tools: [toolRow("b", "two", { enabled: false })],
  });
  assertStrictEquals(upstream.all.tools.all[0], former.all.tools.all[0]);
  assertEquals(upstream.all.tools.all.map(({ isOn }) => isOn), [true, false]);
  assertStrictEquals(upstream.scope("s")!.tools, former.scope("s")!.tools);
  assertStrictEquals(upstream.scope("s")!.whole, upstream.all);
  assertEquals(upstream.scope("s")!.toolNames.isOfAnother("c-x", "a"), true);
  assertEquals(["t", "u"].map((id) => upstream.scope(id)!.tools.all[0]!.isOn), [false, false]);
  assertEquals(former.all.tools.all.map(({ isOn }) => isOn), [true, true]);
});
