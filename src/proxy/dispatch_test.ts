import { assertEquals } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  promptRow,
  resourceRow,
  serverRow,
  toolRow,
} from "../../tests/support/catalog_rows.ts";
import { dataPlane, requestOf } from "../../tests/support/data_plane.ts";
import { FakeUpstream } from "../../tests/support/fake_upstream.ts";
import { principal, settle } from "../../tests/support/fakes.ts";
import { SluiceError } from "../base/errors.ts";
import { Catalog } from "../catalog/snapshot/catalog.ts";
import type { CallContext } from "./call/call_context.ts";

const HIDDEN = { visibility: "team", teamId: "t1" } as const;

const ROWS = catalogRows({
  gateways: [gatewayRow("a", { capabilities: { completions: {} } }), gatewayRow("b")],
  tools: [toolRow("a", "echo"), toolRow("a", "secret", HIDDEN), toolRow("b", "slow", { timeoutMs: 5 })],
  prompts: [promptRow("a", "ask"), promptRow("a", "hidden", HIDDEN)],
  resources: [resourceRow("a", "x://1"), resourceRow("a", "t://{id}"), resourceRow("a", "x://2", HIDDEN)],
  servers: [
    serverRow("s", { name: "Small", description: "for tests", toolIds: ["a-echo"] }),
    serverRow("own", {
      naming: "original",
      toolOverrides: { "b-slow": { name: "wait" } },
      serverInfo: { name: "mine", title: "Mine" },
      instructions: "Do this.",
      description: "for tests",
      toolIds: ["b-slow", "a-echo"],
      promptIds: ["a-ask"],
    }),
  ],
});

async function setUp(a = new FakeUpstream()) {
  const b = new FakeUpstream();
  const plane = await dataPlane(ROWS, { a, b });
  const ask = async (method: string, params?: unknown, more: Partial<CallContext> = {}) => {
    const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    return JSON.parse(await plane.dispatcher.respond(plane.context(more), requestOf(text)));
  };
  return { ...plane, ask, a, b };
}

Deno.test("Dispatcher.respond() lists in order what the caller may see", async () => {
  const { ask } = await setUp();
  const member = { principal: principal({ teams: ["t1"] }) };
  const names = (list: { name: string }[]) => list.map(({ name }) => name);
  assertEquals(names((await ask("tools/list")).result.tools), ["a-echo", "b-slow"]);
  assertEquals(names((await ask("tools/list", {}, member)).result.tools), ["a-echo", "a-secret", "b-slow"]);
  assertEquals(names((await ask("prompts/list")).result.prompts), ["a-ask"]);
  assertEquals(names((await ask("resources/list")).result.resources), ["x://1"]);
  assertEquals(names((await ask("resources/list", {}, member)).result.resources), ["x://1", "x://2"]);
  assertEquals(names((await ask("resources/templates/list")).result.resourceTemplates), ["t://{id}"]);
});

Deno.test("Dispatcher.respond() refuses a cursor that it has not given", async () => {
  const { ask } = await setUp();
  assertEquals((await ask("tools/list", { cursor: "x" })).error.code, -32602);
});

Deno.test("Dispatcher.respond() lists only as far as the token's permissions reach", async () => {
  const { ask } = await setUp();
  const narrow = { principal: principal({ permissions: ["tools.read"] }) };
  assertEquals((await ask("tools/list", {}, narrow)).result.tools.length, 2);
  assertEquals((await ask("prompts/list", {}, narrow)).error.data.code, "FORBIDDEN");
});

Deno.test("Dispatcher.respond() holds every call to the token's permissions, before the upstream hears of it", async () => {
  const { ask, a } = await setUp();
  const narrow = { principal: principal({ permissions: ["servers.use"] }) };
  const calls: [string, unknown][] = [
    ["tools/call", { name: "a-echo" }],
    ["prompts/get", { name: "a-ask" }],
    ["resources/read", { uri: "x://1" }],
    ["completion/complete", { ref: { type: "ref/prompt", name: "a-ask" } }],
    ["completion/complete", { ref: { type: "ref/resource", uri: "t://{id}" } }],
    ["a-echo", {}],
  ];
  for (const [method, params] of calls) {
    const { error } = await ask(method, params, { ...narrow, toolsAsMethods: true });
    assertEquals(error.data.code, "FORBIDDEN", method);
  }
  assertEquals(a.received, []);
});

Deno.test("Dispatcher.respond() does not reach by any method what the caller may not see", async () => {
  const { ask, a } = await setUp();
  const calls: [string, unknown, string][] = [
    ["tools/call", { name: "a-secret" }, "TOOL_NOT_FOUND"],
    ["tools/call", { name: "secret" }, "TOOL_NOT_FOUND"],
    ["a-secret", {}, "METHOD_NOT_FOUND"],
    ["prompts/get", { name: "hidden" }, "PROMPT_NOT_FOUND"],
    ["resources/read", { uri: "x://2" }, "RESOURCE_NOT_FOUND"],
    ["completion/complete", { ref: { type: "ref/prompt", name: "hidden" } }, "PROMPT_NOT_FOUND"],
  ];
  for (const [method, params, code] of calls) {
    assertEquals((await ask(method, params, { toolsAsMethods: true })).error.data.code, code, method);
  }
  assertEquals(a.received, []);
});

Deno.test("Dispatcher.respond() shows and calls only what the virtual server has", async () => {
  const { ask, catalog } = await setUp();
  const small = { scope: catalog.scope("s")! };
  assertEquals((await ask("tools/list", {}, small)).result.tools.length, 1);
  assertEquals((await ask("tools/call", { name: "b-slow" }, small)).error.data.code, "TOOL_NOT_FOUND");
  assertEquals((await ask("tools/call", { name: "echo" }, small)).result, { ok: true });
});

Deno.test("Dispatcher.respond() speaks a virtual server's names in every method, and the upstream hears its own", async () => {
  const { ask, catalog, a, b } = await setUp();
  const own = { scope: catalog.scope("own")! };
  const names = (list: { name: string }[]) => list.map(({ name }) => name);
  assertEquals(names((await ask("tools/list", {}, own)).result.tools), ["echo", "wait"]);
  assertEquals(names((await ask("prompts/list", {}, own)).result.prompts), ["ask"]);
  await ask("tools/call", { name: "wait" }, own);
  await ask("prompts/get", { name: "ask" }, own);
  await ask("completion/complete", { ref: { type: "ref/prompt", name: "ask" } }, own);
  assertEquals((await ask("tools/call", { name: "b-slow" }, own)).error.data.code, "TOOL_NOT_FOUND");
  assertEquals((await ask("prompts/get", { name: "a-ask" }, own)).error.data.code, "PROMPT_NOT_FOUND");
  const heard = [...a.received, ...b.received].map(({ method, params }) => [method, params])
    .filter(([method]) => !/initialize/.test(`${method}`) && method !== "DELETE");
  assertEquals(heard, [
    ["prompts/get", { name: "ask" }],
    ["completion/complete", { ref: { type: "ref/prompt", name: "ask" } }],
    ["tools/call", { name: "slow" }],
  ]);
});

Deno.test("Dispatcher.respond() says in initialize what the virtual server's row says, and what its upstreams can do", async () => {
  const { ask, catalog } = await setUp();
  const { result } = await ask("initialize", { protocolVersion: "2025-11-25" }, {
    scope: catalog.scope("own")!,
  });
  assertEquals(result.serverInfo, { name: "mine", title: "Mine", version: "1.2.3" });
  assertEquals(result.instructions, "Do this.");
  assertEquals(result.capabilities, {
    tools: { listChanged: true },
    resources: { listChanged: true },
    prompts: { listChanged: true },
    completions: {},
  });
});

Deno.test("Dispatcher.respond() promises what the upstreams promise, and knows the methods of it", async () => {
  const capabilities = { logging: {}, resources: { subscribe: true }, experimental: { x: {} } };
  const { dispatcher, context } = await dataPlane({
    gateways: [gatewayRow("a", { capabilities })],
    resources: [resourceRow("a", "x://1")],
  });
  const text = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}';
  const shown = JSON.parse(await dispatcher.respond(context(), requestOf(text))).result.capabilities;
  assertEquals([shown.logging, dispatcher.knows("logging/setLevel", "2025-11-25")], [{}, true]);
  assertEquals([shown.resources, dispatcher.knows("resources/subscribe", "2025-11-25")], [
    { subscribe: true, listChanged: true },
    true,
  ]);
  assertEquals(shown.experimental, { x: {} });
});

Deno.test("Dispatcher.respond() calls a tool as a method only where the endpoint says so", async () => {
  const { ask, a } = await setUp();
  assertEquals((await ask("a-echo", { x: 1 })).error.code, -32601);
  for (const method of ["a-echo", "echo"]) {
    assertEquals((await ask(method, { x: 1 }, { toolsAsMethods: true })).result, { ok: true });
  }
  assertEquals((await ask("a-echo", undefined, { toolsAsMethods: true })).result, { ok: true });
  assertEquals((await ask("a-echo", [1], { toolsAsMethods: true })).error.code, -32602);
  assertEquals((await ask("nothing", {}, { toolsAsMethods: true })).error.code, -32601);
  const params = a.received.filter(({ method }) => method === "tools/call").map(({ params }) => params);
  const called = (args: unknown) => ({ name: "echo", arguments: args });
  assertEquals(params, [called({ x: 1 }), called({ x: 1 }), called({})]);
});

Deno.test("Dispatcher.respond() takes null for no arguments, and passes none on", async () => {
  const { ask, a } = await setUp();
  assertEquals((await ask("tools/call", { name: "a-echo", arguments: null, _meta: {} })).result, {
    ok: true,
  });
  await ask("prompts/get", { arguments: null, name: "a-ask" });
  const sent = a.received.filter(({ method }) => method === "tools/call" || method === "prompts/get");
  assertEquals(sent.map(({ params }) => params), [{ name: "echo", _meta: {} }, { name: "ask" }]);
});

Deno.test("Dispatcher.respond() refuses params of the wrong shape without asking the upstream", async () => {
  const { ask, a } = await setUp();
  const calls: [string, unknown][] = [
    ["tools/call", undefined],
    ["tools/call", []],
    ["tools/call", { name: 1 }],
    ["tools/call", { name: "a-echo", arguments: [] }],
    ["prompts/get", {}],
    ["resources/read", { uri: 1 }],
    ["completion/complete", {}],
    ["completion/complete", { ref: { type: "ref/tool", name: "a-echo" } }],
    ["initialize", {}],
  ];
  for (const [method, params] of calls) assertEquals((await ask(method, params)).error.code, -32602, method);
  assertEquals(a.received, []);
});

Deno.test("Dispatcher.respond() says of itself what initialize asks for", async () => {
  const { ask, catalog } = await setUp();
  const { result } = await ask("initialize", { protocolVersion: "2025-06-18", capabilities: {} });
  assertEquals(result.protocolVersion, "2025-06-18");
  assertEquals(result.serverInfo, { name: "sluice", version: "1.2.3" });
  assertEquals(Object.keys(result.capabilities), ["tools", "resources", "prompts", "completions"]);
  const small =
    (await ask("initialize", { protocolVersion: "1999-01-01" }, { scope: catalog.scope("s")! })).result;
  assertEquals([small.protocolVersion, small.serverInfo.title, small.instructions], [
    "2025-11-25",
    "Small",
    "for tests",
  ]);
  assertEquals("completions" in small.capabilities, false);
  assertEquals((await ask("ping")).result, {});
});

Deno.test("Dispatcher.respond() passes on the instructions of upstreams that the caller sees, and the identity of a single one", async () => {
  const { ask } = await setUp();
  const serverInfo = { name: "upstream-a", version: "3" };
  const catalog = new Catalog(catalogRows({
    gateways: [
      gatewayRow("a", {
        instructions: "Ask a.",
        serverInfo: { ...serverInfo, title: "A", icons: [], websiteUrl: 7 },
      }),
      gatewayRow("b", { instructions: "Ask b." }),
      gatewayRow("c", { instructions: "x".repeat(70_000) }),
      gatewayRow("d", { instructions: "Ask d.", ...HIDDEN }),
    ],
    tools: [toolRow("a", "x"), toolRow("b", "x"), toolRow("c", "x"), toolRow("d", "x", HIDDEN)],
    servers: [
      serverRow("one", { gatewayIds: ["a"] }),
      serverRow("said", { gatewayIds: ["a", "b"], description: "Both." }),
      serverRow("own", { gatewayIds: ["a"], instructions: "Mine.", serverInfo: { name: "mine" } }),
    ],
  }));
  const initialize = async (id: string | null) =>
    (await ask("initialize", { protocolVersion: "2025-11-25" }, { scope: catalog.scope(id)! })).result;
  const one = await initialize("one");
  assertEquals([one.instructions, one.serverInfo], ["Ask a.", { ...serverInfo, title: "one" }]);
  const said = await initialize("said");
  assertEquals(said.instructions, "Both.\n\n# a\n\nAsk a.\n\n# b\n\nAsk b.");
  assertEquals(said.serverInfo, { name: "sluice", title: "said", version: "1.2.3" });
  const own = await initialize("own");
  assertEquals([own.instructions, own.serverInfo], ["Mine.", { name: "mine", title: "own", version: "3" }]);
  const all = await initialize(null);
  assertEquals(all.instructions, "# a\n\nAsk a.\n\n# b\n\nAsk b.");
  assertEquals(all.serverInfo, { name: "sluice", version: "1.2.3" });
});

Deno.test("Dispatcher.respond() gives the tool's own limit, else the setting's", async () => {
  const { ask, a, b } = await setUp();
  await ask("tools/call", { name: "b-slow" });
  await ask("tools/call", { name: "a-echo" });
  await ask("resources/read", { uri: "x://1" });
  const limits = [...a.received, ...b.received].filter(({ method }) => /call|read/.test(method))
    .map(({ method, http }) => [method, http.readTimeoutMs, http.deadline!.setting]);
  assertEquals(limits, [
    ["tools/call", 60_000, "TOOL_TIMEOUT"],
    ["resources/read", 30_000, "MCP_SESSION_POOL_TRANSPORT_TIMEOUT"],
    ["tools/call", 5, "the tool's timeout_ms"],
  ]);
});

Deno.test("Dispatcher.respond() passes an upstream's JSON-RPC error on, and words its HTTP failure", async () => {
  const error = { code: -32000, message: "theirs", data: { a: 1 } };
  const failing = new FakeUpstream(({ method, id }) =>
    method === "tools/call" ? { body: JSON.stringify({ jsonrpc: "2.0", id, error }) } : undefined
  );
  assertEquals((await (await setUp(failing)).ask("tools/call", { name: "a-echo" })).error, error);
  const broken = new FakeUpstream(({ method }) =>
    method === "tools/call" ? { status: 500, body: "boom" } : undefined
  );
  const answer = (await (await setUp(broken)).ask("tools/call", { name: "a-echo" })).error;
  assertEquals([answer.code, answer.data.source], [-31506, "upstream"]);
});

Deno.test("Dispatcher.respond() calls a call that its client gave up cancelled, whatever the signal's words, and logs no fault", async () => {
  for (const reason of [undefined, new SluiceError("REQUEST_CANCELLED")]) {
    const hanging = new FakeUpstream(({ method }) =>
      method === "tools/call" ? new Promise(() => {}) : undefined
    );
    const { ask, log } = await setUp(hanging);
    const abort = new AbortController();
    const answer = ask("tools/call", { name: "a-echo" }, { signal: abort.signal });
    await settle();
    abort.abort(reason);
    assertEquals((await answer).error.data.code, "REQUEST_CANCELLED");
    assertEquals(log.lines.map((line) => JSON.parse(line).level), ["DEBUG"]);
  }
});

Deno.test("Dispatcher.respond() lets nobody keep a list for longer than its most impatient upstream allows", async () => {
  const rows = catalogRows({
    gateways: [gatewayRow("a", { listTtlMs: 5_000 }), gatewayRow("b"), gatewayRow("c", { listTtlMs: 0 })],
    tools: [toolRow("a", "one"), toolRow("b", "two")],
    prompts: [promptRow("b", "ask")],
    resources: [resourceRow("c", "x://1")],
  });
  const { dispatcher, context } = await dataPlane(rows, {});
  const ttlOf = async (method: string) => {
    const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method });
    const answer = await dispatcher.respond(context({ revision: "2026-07-28" }), requestOf(text));
    return JSON.parse(answer).result.ttlMs;
  };
  const methods = ["tools/list", "prompts/list", "resources/list"];
  assertEquals(await Promise.all(methods.map(ttlOf)), [5_000, 60_000, 0]);
});
