// An upstream's faulty lists take nothing away from anybody: odd entries, lists that fail, lists without end.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { connectV1, connectV2 } from "../support/mcp_clients.ts";
import { metric } from "../support/metric.ts";
import { LIST_KEYS, type ListMethod, type PythonList, readByPython } from "../support/sdk_parsers.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const SCHEMA = { type: "object" };
const tool = (name: string, inputSchema: unknown, more: Record<string, unknown> = {}) => ({
  name,
  inputSchema,
  ...more,
});

let deep: unknown = SCHEMA;
for (let i = 0; i < 80; i++) deep = { type: "object", properties: { a: deep } };

/** Legal, if unusual: these pass word by word. */
const LEGAL = [
  tool("recursive", {
    type: "object",
    properties: { node: { $ref: "#/$defs/Node" } },
    $defs: { Node: { type: "object", properties: { next: { $ref: "#/$defs/Node" } } } },
  }),
  tool("deep", deep),
  tool("conditional", { type: "object", allOf: [{ if: { required: ["a"] }, then: { required: ["b"] } }] }),
  tool("many-values", {
    type: "object",
    properties: { e: { enum: Array.from({ length: 5_000 }, (_, i) => `v${i}`) } },
  }),
  tool("names", { type: "object", properties: { constructor: { type: "string" }, toString: {} } }),
  tool("external", { type: "object", $ref: "https://example.com/schema.json" }),
  tool("everything", SCHEMA, {
    title: "T",
    description: "<script> ü \u2028",
    annotations: { readOnlyHint: true, x: 1 },
    icons: [{ src: "data:image/png;base64,AA==", sizes: ["1x1"], theme: "dark", y: 2 }],
    outputSchema: {
      type: "object",
      properties: { r: { $ref: "#/$defs/R" } },
      $defs: { R: { type: "string" } },
    },
    execution: { taskSupport: "optional" },
    _meta: { "ui/resourceUri": "ui://x" },
    custom: { a: 1 },
  }),
];

/** One meaning each: these are repaired. */
const REPAIRED = [
  tool("empty", {}),
  { name: "no-schema" },
  tool("null-schema", null),
  tool("true-schema", true),
  tool("any-of", { anyOf: [SCHEMA, { type: "null" }] }),
  tool("two-types", { type: ["object", "null"] }),
  tool("null-members", { type: "object", properties: null, required: null }),
  tool("null-hints", SCHEMA, {
    title: null,
    description: null,
    annotations: null,
    outputSchema: null,
    icons: null,
  }),
  tool("odd-hints", SCHEMA, { annotations: { readOnlyHint: "yes" }, icons: [{}], _meta: [], execution: 5 }),
  tool("true-property", { type: "object", properties: { a: true, b: false } }),
  tool("odd-output", SCHEMA, { outputSchema: [] }),
  tool("array-output", SCHEMA, { outputSchema: { type: "array", items: {} } }),
  tool("lost-reference", SCHEMA, {
    outputSchema: { type: "object", properties: { a: { $ref: "#/nowhere" } } },
  }),
  tool("bad-pattern", SCHEMA, { outputSchema: { type: "object", properties: { a: { pattern: "[" } } } }),
  tool("old-id", SCHEMA, { outputSchema: { type: "object", id: "x" } }),
  tool("same-id-1", SCHEMA, {
    outputSchema: { type: "object", $defs: { a: { $id: "https://x/y", minimum: 1 } } },
  }),
  tool("same-id-2", SCHEMA, {
    outputSchema: { type: "object", $defs: { a: { $id: "https://x/y", minimum: 2 } } },
  }),
];

/** No certain meaning: these are left out. */
const LEFT_OUT = [
  tool("array-schema", []),
  tool("text-schema", "object"),
  tool("typo", { type: "objekt" }),
  tool("number-property", { type: "object", properties: { a: 5 } }),
  { name: 5, inputSchema: SCHEMA },
  { description: "no name" },
  null,
  7,
];

const OTHER_LISTS = {
  "resources/list": {
    resources: [
      { uri: "a:ok", name: "ok" },
      { uri: "a:no-name" },
      {
        uri: "a:odd",
        name: "odd",
        size: 1.5,
        mimeType: null,
        annotations: { lastModified: "today", priority: 7 },
      },
      { name: "no uri" },
      null,
    ],
  },
  "resources/templates/list": { resourceTemplates: [{ uriTemplate: "a:{x}", title: 5 }, { name: "none" }] },
  "prompts/list": {
    prompts: [
      { name: "ok", arguments: [{ name: "a", required: null, description: null }] },
      { name: "odd", arguments: [{ description: "no name" }] },
      { name: "" },
      { title: "none" },
    ],
  },
};

for (const revision of ["2025-11-25", "2026-07-28"] as const) {
  gatewayTest(`odd entries of a ${revision} upstream take no list from any SDK's client`, async (start) => {
    await using good = new ListingUpstream();
    await using odd = new ListingUpstream({ revision });
    good.tools = ["fine"];
    odd.tools = [...LEGAL, ...REPAIRED, ...LEFT_OUT];
    for (const [method, result] of Object.entries(OTHER_LISTS)) odd.result(method, result);
    await using gateway = await start();
    await gateway.registerUpstream("good", good.url);
    const registered = await gateway.registerUpstream("odd", odd.url);

    const skipped = registered.skippedTools.map(({ kind, name }: Record<string, string>) =>
      `${kind} ${name}`
    );
    const count = LEGAL.length + REPAIRED.length;
    assertEquals(skipped, [
      "tool array-schema",
      "tool text-schema",
      "tool typo",
      "tool number-property",
      ...[5, 6, 7, 8].map((n) => `tool #${count + n}`),
      "resource #4",
      "resource #5",
      "template #2",
      "prompt odd",
      "prompt #3",
      "prompt #4",
    ]);
    assertEquals(
      (await gateway.api("GET", `/gateways/${registered.id}`)).body.skippedTools.length,
      skipped.length,
    );
    await waitFor(
      () => gateway.log().some(({ event, name }) => event === "upstream entry skipped" && name === "typo"),
      { what: "the skipped entry in the log" },
    );
    assertEquals(registered.toolCount, count);

    const token = await gateway.token();
    for (const connect of [connectV1, connectV2]) {
      await using client = await connect(`${gateway.url}/mcp`, { token });
      assertEquals((await client.listTools()).tools.length, count + 1);
    }
    await readByModernClient(gateway, count + 1);
    await readEverythingByPython(gateway);

    const { body } = await gateway.rpc("tools/list");
    for (const expected of LEGAL) {
      const shown = body.result.tools.find(({ name }: { name: string }) => name === `odd-${expected.name}`);
      assertEquals(JSON.stringify({ ...shown, name: expected.name }), JSON.stringify(expected));
    }
  }, { inCluster: false });
}

async function readByModernClient(gateway: Gateway, tools: number): Promise<void> {
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${await gateway.token()}` } },
  });
  const mode = { pin: "2026-07-28" };
  const client = new Client({ name: "t", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(transport);
  assertEquals((await client.listTools()).tools.length, tools);
  assertEquals((await client.listResources()).resources.map(({ name }) => name), ["ok", "a:no-name", "odd"]);
  assertEquals((await client.listPrompts()).prompts.map(({ name }) => name), ["odd-ok"]);
  await client.close();
}

async function readEverythingByPython(gateway: Gateway): Promise<void> {
  const lists: PythonList[] = [];
  for (const method of Object.keys(LIST_KEYS) as ListMethod[]) {
    for (const revision of ["2025-11-25", "2026-07-28"]) {
      const sessionless = revision === "2026-07-28";
      const response = await fetch(`${gateway.url}${sessionless ? "/mcp" : "/rpc"}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${await gateway.token()}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...(sessionless ? { "mcp-protocol-version": revision, "mcp-method": method } : {}),
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method,
          params: sessionless
            ? {
              _meta: {
                "io.modelcontextprotocol/protocolVersion": revision,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
              },
            }
            : {},
        }),
      });
      const text = await response.text();
      const json = text.startsWith("{") ? text : /^data: (.*)$/m.exec(text)![1]!;
      lists.push({ method, revision, result: JSON.stringify(JSON.parse(json).result) });
    }
  }
  assertEquals(await readByPython(lists), lists.map(() => "ok"));
}

gatewayTest("a list that fails takes neither the upstream nor its other lists away", async (start) => {
  await using upstream = new ListingUpstream();
  await using gateway = await start();
  const faults = [
    { error: { code: -32603, message: "db down" } },
    { result: { prompts: null } },
    new Response("boom", { status: 500 }),
    new Response("<h1>Log in</h1>", { headers: { "content-type": "text/html" } }),
    { result: [] },
    { result: { prompts: { name: "p" } } },
    new Response(": and no answer\n\n", { headers: { "content-type": "text/event-stream" } }),
  ];
  upstream.tools = ["a"];
  upstream.answers.set("prompts/list", () => faults[0]!);
  const registered = await gateway.registerUpstream("up", upstream.url);
  assertEquals([registered.toolCount, registered.warnings[0].loc], [1, ["prompts/list"]]);
  assertStringIncludes(registered.lastError, "db down");
  const { id } = registered;
  const refresh = () =>
    gateway.api("POST", `/gateways/${id}/tools/refresh?include_resources=true&include_prompts=true`);

  upstream.result("prompts/list", { prompts: [{ name: "p" }] });
  assertEquals((await refresh()).body.promptsAdded, 1);
  assertEquals((await gateway.api("GET", `/gateways/${id}`)).body.lastError, null);

  for (const [i, fault] of faults.entries()) {
    upstream.answers.set("prompts/list", () => fault instanceof Response ? fault.clone() : fault);
    upstream.tools = ["a", `new${i}`];
    const { status, body } = await refresh();
    assertEquals([status, body.toolsAdded, body.promptsRemoved, body.warnings[0].type], [
      200,
      1,
      0,
      "list_failed",
    ]);
    const prompts = await gateway.rpc("prompts/list");
    assertEquals(prompts.body.result.prompts.length, 1);
  }
  const all = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"];
  for (const method of all) upstream.answers.set(method, () => faults[0]!);
  const { status, body } = await refresh();
  assertEquals(status, 502, JSON.stringify(body));
  assertEquals((await gateway.rpc("tools/list")).body.result.tools.length, 2);
});

Deno.test("lists without end do not end the process, and the former lists stay", async () => {
  await using upstream = new ListingUpstream({
    capabilities: { tools: { listChanged: true }, resources: {} },
  });
  await using sluice = await Sluice.start({
    env: { WORKERS: "1", DENO_V8_FLAGS: "--max-old-space-size=300" },
  });
  upstream.tools = ["a"];
  const { id } = await sluice.registerUpstream("up", upstream.url);
  const refresh = () => sluice.api("POST", `/gateways/${id}/tools/refresh?include_resources=true`);

  let pages = 0;
  const description = "x".repeat(15_000_000);
  upstream.answers.set("tools/list", () => ({
    result: {
      tools: [{ ...tool(`t${pages}`, SCHEMA), description }],
      ...(++pages % 20 === 0 ? {} : { nextCursor: String(pages) }),
    },
  }));
  for (let i = 0; i < 3; i++) {
    const { status, body } = await refresh();
    assertEquals(status, 502);
    assertStringIncludes(JSON.stringify(body), "MAX_UPSTREAM_LIST_BYTES");
  }
  assertEquals(pages, 6);

  upstream.result("tools/list", { tools: [] });
  let entries = 0;
  upstream.answers.set("resources/list", () => {
    const resources = Array.from({ length: 1_000 }, () => ({ uri: `r:${entries++}`, name: "r" }));
    return { result: { resources, nextCursor: String(entries) } };
  });
  const { status, body } = await refresh();
  assertEquals([status, entries], [502, 11_000]);
  assertStringIncludes(JSON.stringify(body), "MAX_UPSTREAM_LIST_ENTRIES");

  const { body: gateway } = await sluice.api("GET", `/gateways/${id}`);
  assertStringIncludes(gateway.lastError, "MAX_UPSTREAM_LIST_ENTRIES");
  assertEquals([gateway.toolCount, gateway.resourceCount], [1, 0]);
  assertEquals((await sluice.rpc("tools/list")).body.result.tools.length, 1);
  assertEquals(await metric(sluice, "sluice_upstream_list_faults_total", 'fault="too_large"'), 4);
});

gatewayTest(
  "values of 2026-07-28 reach the clients of sessions as objects, and in their schemas",
  async (start) => {
    await using upstream = new ListingUpstream({ revision: "2026-07-28" });
    await using gateway = await start();
    const array = { type: "array", items: { $ref: "#/$defs/item" }, $defs: { item: { type: "string" } } };
    const either = { anyOf: [{ type: "object" }, { type: "null" }] };
    upstream.tools = [
      tool("array", SCHEMA, { outputSchema: array }),
      tool("either", SCHEMA, { outputSchema: either }),
      tool("object", SCHEMA, { outputSchema: { type: "object", required: ["a"] } }),
      tool("free", SCHEMA),
      tool("uncompiled", SCHEMA, { outputSchema: { type: "array", items: { $ref: "other.json" } } }),
    ];
    const results: Record<string, unknown> = {
      array: ["x"],
      either: { a: 1 },
      object: { a: 1 },
      free: 5,
      uncompiled: [1],
    };
    upstream.answers.set("tools/call", ({ params }) => ({
      result: {
        content: params.name === "free" ? [] : [{ type: "text", text: "T" }],
        structuredContent: results[params.name],
        resultType: "complete",
      },
    }));
    await gateway.registerUpstream("up", upstream.url);
    const token = await gateway.token();
    for (const connect of [connectV1, connectV2]) {
      await using client = await connect(`${gateway.url}/mcp`, { token });
      assertEquals((await client.listTools()).tools.length, 5);
      const answers = Object.fromEntries(
        await Promise.all(
          Object.keys(results).map(async (name) => {
            const { structuredContent, content } = await client.callTool(`up-${name}`);
            return [name, [structuredContent, content.map(({ text }: { text: string }) => text)]];
          }),
        ),
      );
      assertEquals(answers, {
        array: [{ result: ["x"] }, ["T"]],
        either: [{ result: { a: 1 } }, ["T"]],
        object: [{ a: 1 }, ["T"]],
        free: [{ result: 5 }, ["5"]],
        uncompiled: [{ result: [1] }, ["T"]],
      });
    }
    const transport = new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    });
    const modern = new Client({ name: "t", version: "1" }, {
      versionNegotiation: { mode: { pin: "2026-07-28" } },
    });
    await modern.connect(transport);
    const { tools } = await modern.listTools();
    assertEquals(tools[0]!.outputSchema, array);
    assertEquals((await modern.callTool({ name: "up-array", arguments: {} })).structuredContent, ["x"]);
    await modern.close();
  },
  { inCluster: false },
);
