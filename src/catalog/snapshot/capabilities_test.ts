import { assertEquals } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  promptRow,
  resourceRow,
  toolRow,
} from "../../../tests/support/catalog_rows.ts";
import { TASKS_EXTENSION } from "../../mcp/tasks.ts";
import { type Capabilities, forClient, mergeCapabilities } from "./capabilities.ts";
import { Catalog } from "./catalog.ts";

const LISTS = {
  tools: { listChanged: true },
  resources: { listChanged: true },
  prompts: { listChanged: true },
};

function merged(all: Capabilities[], { withTools = all, withResources = all, withArguments = all } = {}) {
  return mergeCapabilities({ all, withTools, withResources, withArguments });
}

Deno.test("mergeCapabilities() always has lists that change, and nothing that nobody offers", () => {
  assertEquals(merged([]), LISTS);
  assertEquals(merged([{ tools: { listChanged: false } }]), LISTS);
});

Deno.test("mergeCapabilities() has what one upstream offers", () => {
  assertEquals(merged([{}, { logging: {} }]), { ...LISTS, logging: {} });
  assertEquals(merged([{}, { completions: {} }]), { ...LISTS, completions: {} });
  const subscribing = merged([{ resources: { subscribe: false } }, { resources: { subscribe: true } }]);
  assertEquals(subscribing.resources, { subscribe: true, listChanged: true });
});

Deno.test("mergeCapabilities() has no subscriptions or completions that nothing here could use", () => {
  const all = [{ resources: { subscribe: true }, completions: {} }];
  assertEquals(merged(all, { withResources: [], withArguments: [] }), LISTS);
});

Deno.test("mergeCapabilities() passes on what it never heard of, the first registered before the others", () => {
  const one = {
    experimental: { "x/a": { depth: { n: 1 } } },
    extensions: { "io.ui": { mimeTypes: ["text/html"] } },
    future: [1],
    tools: { paged: true },
  };
  const two = {
    experimental: { "x/a": { depth: { n: 2 }, more: true }, "x/b": {} },
    extensions: { "io.other": {} },
    future: { b: 1 },
    tools: { paged: false, searched: 2 },
  };
  assertEquals(merged([one, two]), {
    ...LISTS,
    tools: { paged: true, searched: 2, listChanged: true },
    experimental: { "x/a": { depth: { n: 1 } }, "x/b": {} },
    extensions: { "io.ui": { mimeTypes: ["text/html"] }, "io.other": {} },
    future: [1],
  });
});

Deno.test("mergeCapabilities() has of tasks what any upstream with tools here has", () => {
  const one = { tasks: { list: {}, requests: { tools: { call: {} } } } };
  const two = { tasks: { cancel: {}, requests: { tools: { call: { depth: 1 } }, future: {} } } };
  assertEquals(merged([one, {}, two]).tasks, {
    list: {},
    cancel: {},
    requests: { tools: { call: { depth: 1 } }, future: {} },
  });
  assertEquals("tasks" in merged([one], { withTools: [] }), false);
  assertEquals("tasks" in merged([{ tasks: true }]), false);
});

Deno.test("Tasks are offered in the revisions that both client and upstream speak", () => {
  const offered = (protocolVersion: string, capabilities: Capabilities) => {
    const gateways = [gatewayRow("a", { protocolVersion, capabilities })];
    const { all } = new Catalog(catalogRows({ gateways, tools: [toolRow("a", "x")] }));
    const whole = all.capabilities(() => true);
    return [false, true].map((isSessionless) => {
      const { tasks, extensions } = forClient(whole, isSessionless);
      return {
        ...(tasks === undefined ? {} : { tasks }),
        ...(extensions === undefined ? {} : { extensions }),
      };
    });
  };
  const both = { tasks: { list: {} }, extensions: { [TASKS_EXTENSION]: {}, "io.ui": {} } };
  assertEquals(offered("2025-11-25", both), [
    { tasks: { list: {} }, extensions: { "io.ui": {} } },
    { extensions: { "io.ui": {} } },
  ]);
  assertEquals(offered("2026-07-28", both), [
    { extensions: { "io.ui": {} } },
    { extensions: { [TASKS_EXTENSION]: {}, "io.ui": {} } },
  ]);
  assertEquals(offered("2026-07-28", { extensions: { [TASKS_EXTENSION]: {} } })[0], {});
});

Deno.test("mergeCapabilities() takes a member called __proto__ for what it is", () => {
  const odd = JSON.parse('{"experimental":{"__proto__":{"a":1}},"__proto__":{"b":2}}');
  const result = merged([odd, { experimental: {} }]);
  assertEquals(
    JSON.stringify({ experimental: result.experimental, own: Object.keys(result) }),
    '{"experimental":{"__proto__":{"a":1}},"own":["tools","resources","prompts","experimental","__proto__"]}',
  );
});

Deno.test("mergeCapabilities() reads over what is no object", () => {
  assertEquals(merged([{ tools: true, resources: null, prompts: "yes", completions: 1 }]), {
    ...LISTS,
    completions: {},
  });
});

Deno.test("Scope.capabilities() are made once where everything is public, and tell nobody of an upstream that he cannot see", () => {
  const gateways = [
    gatewayRow("b", { capabilities: { experimental: { by: "b" } }, createdAt: "2026-01-02T00:00:00Z" }),
    gatewayRow("a", { capabilities: { experimental: { by: "a" }, logging: {} } }),
  ];
  const tools = [toolRow("b", "x"), toolRow("a", "x")];
  const { all } = new Catalog(catalogRows({ gateways, tools }));
  const capabilities = all.capabilities(() => true);
  assertEquals(capabilities.experimental, { by: "a" });
  assertEquals(all.capabilities(() => false) === capabilities, true);
  const hidden = new Catalog(catalogRows({
    gateways,
    tools: [toolRow("b", "x"), toolRow("a", "x", { visibility: "private" })],
    prompts: [promptRow("b", "p")],
    resources: [resourceRow("b", "r:1")],
  }));
  const sees = ({ visibility }: { visibility: string }) => visibility === "public";
  assertEquals(hidden.all.capabilities(sees), { ...LISTS, experimental: { by: "b" } });
  assertEquals("logging" in hidden.all.capabilities(() => true), true);
});
