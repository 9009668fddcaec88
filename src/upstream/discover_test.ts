import { NO_PASSTHROUGH, upstreamDeps } from "../../tests/support/upstream_deps.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { FakeUpstream, type Received, refusal, result } from "../../tests/support/fake_upstream.ts";
import { catalogRows, gatewayRow } from "../../tests/support/catalog_rows.ts";
import { SluiceError } from "../base/errors.ts";
import type { DiscoveredEntry } from "../store/registry/rows.ts";
import { discover, NOTHING_FOUND } from "./discover.ts";
import { Upstreams } from "./upstreams.ts";
import { httpTransports } from "../../tests/support/http_transports.ts";

const OPTIONS = {
  stdioStart: { ms: 1_000, setting: "STDIO_START_TIMEOUT" },
  clientInfo: { name: "sluice", version: "1" },
  timeoutMs: 1_000,
  limits: { maxEntries: 100, maxBytes: 100_000 },
};
const inputSchema = { type: "object" };
const ALL = { tools: {}, resources: {}, prompts: {} };

/** An upstream that answers lists from `pages`, by cursor (null: the first page). */
function upstreamWith(
  pages: (method: string, cursor: string | null) => unknown,
  capabilities: Record<string, unknown> = ALL,
) {
  const upstream = new FakeUpstream(({ method, id, params }: Received) => {
    if (!method.includes("/list")) return undefined;
    const { cursor = null } = (params ?? {}) as { cursor?: string };
    const page = pages(method, cursor);
    return page instanceof Error
      ? {
        body: JSON.stringify({
          jsonrpc: "2.0",
          id,
          error: { code: Number(page.name), message: page.message },
        }),
      }
      : result(id, JSON.stringify(page));
  });
  upstream.capabilities = capabilities;
  return upstream;
}

function rpcError(code: number, message: string): Error {
  return Object.assign(new Error(message), { name: String(code) });
}

const EMPTY = { tools: [], resources: [], resourceTemplates: [], prompts: [] };

/** The names of a list's entries; null: it failed. */
function namesOf(entries: readonly DiscoveredEntry[] | null): string[] | null {
  return entries?.map(({ key }) => key) ?? null;
}

async function failure(pages: (method: string, cursor: string | null) => unknown): Promise<SluiceError> {
  const upstream = upstreamWith(pages);
  const error = await assertRejects(() => discover(upstream.transport(), OPTIONS), SluiceError);
  assertEquals(upstream.methods.at(-1), "DELETE", "the session ends also after a failure");
  return error;
}

Deno.test("discover() gives each object as the upstream has written it", async () => {
  const tool =
    '{ "name":"a", "inputSchema":{"type":"object","maximum":18446744073709551615, "2":1.0, "1":1e400} }';
  const upstream = new FakeUpstream(({ method, id }) =>
    method === "tools/list" ? result(id, `{"tools":[ ${tool} ,{"name":"b"}]}`) : undefined
  );
  assertEquals((await discover(upstream.transport(), OPTIONS)).tools, [
    { key: "a", text: tool, sessionText: null },
    { key: "b", text: '{"inputSchema":{"type":"object"},"name":"b"}', sessionText: null },
  ]);
});

Deno.test("discover() lists all pages in order, fields untouched, and ends the session", async () => {
  const upstream = upstreamWith((method, cursor) => {
    if (method !== "tools/list") return EMPTY;
    if (cursor === null) return { tools: [{ name: "a", inputSchema, future: [1] }], nextCursor: "c1" };
    if (cursor === "c1") return { tools: [], nextCursor: "c2" };
    return { tools: [{ name: "b", inputSchema }], nextCursor: null };
  });
  const found = await discover(upstream.transport(), OPTIONS);
  assertEquals(found.tools?.map(({ text }) => text), [
    '{"name":"a","inputSchema":{"type":"object"},"future":[1]}',
    '{"name":"b","inputSchema":{"type":"object"}}',
  ]);
  assertEquals([found.capabilities, found.serverInfo, found.protocolVersion], [
    ALL,
    { name: "fake" },
    "2025-11-25",
  ]);
  assertEquals(upstream.methods.at(-1), "DELETE");
});

Deno.test("discover() asks only for what the capabilities promise", async () => {
  const upstream = upstreamWith(() => EMPTY, { prompts: {} });
  const found = await discover(upstream.transport(), OPTIONS);
  assertEquals(upstream.methods.filter((method) => method.includes("list")), ["prompts/list"]);
  assertEquals([found.tools, found.resources], [[], []]);
});

Deno.test("discover() takes a missing templates list for an empty one", async () => {
  const upstream = upstreamWith((method) =>
    method === "resources/templates/list" ? rpcError(-32601, "Method not found") : EMPTY
  );
  assertEquals((await discover(upstream.transport(), OPTIONS)).resourceTemplates, []);
});

Deno.test("discover() takes an empty cursor for the end, as older servers mean it", async () => {
  const upstream = upstreamWith(() => ({ ...EMPTY, nextCursor: "" }));
  await discover(upstream.transport(), OPTIONS);
  assertEquals(upstream.methods.filter((method) => method === "tools/list").length, 1);
});

Deno.test("discover() goes on behind an empty cursor of 2026-07-28", async () => {
  const upstream = upstreamWith((method, cursor) => {
    if (method !== "tools/list") return EMPTY;
    return cursor === null ? { tools: [{ name: "a" }], nextCursor: "" } : { tools: [{ name: "b" }] };
  });
  upstream.revisions = "stateless";
  const { tools } = await discover(upstream.transport(), OPTIONS);
  assertEquals(namesOf(tools), ["a", "b"]);
});

Deno.test("discover() says what is wrong with a list", async () => {
  const cases: [unknown, string, string][] = [
    [{ tools: {} }, "UPSTREAM_PROTOCOL_ERROR", 'no "tools" array'],
    [{}, "UPSTREAM_PROTOCOL_ERROR", 'no "tools" array'],
    [null, "UPSTREAM_PROTOCOL_ERROR", 'no "tools" array'],
    [{ tools: [], nextCursor: 5 }, "UPSTREAM_PROTOCOL_ERROR", '"nextCursor" is not a string'],
    [{ tools: [], nextCursor: "again" }, "UPSTREAM_PROTOCOL_ERROR", "the same cursor came twice"],
    [rpcError(-32000, "not today"), "UPSTREAM_REJECTED", "not today"],
  ];
  for (const [page, code, words] of cases) {
    const error = await failure(() => page);
    assertEquals([error.code, error.message.includes(words)], [code, true], error.message);
  }
});

const TWO: Record<string, unknown> = {
  "tools/list": { tools: [{ name: "t", inputSchema }] },
  "resources/list": { resources: [{ uri: "r:1", name: "r" }] },
  "resources/templates/list": { resourceTemplates: [{ uriTemplate: "r:{x}", name: "r" }] },
  "prompts/list": { prompts: [{ name: "p" }] },
};

Deno.test("discover() takes the lists that work, and names the one that does not", async () => {
  const faults = [rpcError(-32603, "db down"), { prompts: null }, {}, null];
  for (const broken of Object.keys(TWO)) {
    for (const fault of faults) {
      const upstream = upstreamWith((method) => method === broken ? fault : TWO[method]);
      const found = await discover(upstream.transport(), OPTIONS);
      const names = [found.tools, found.resources, found.resourceTemplates, found.prompts].map(namesOf);
      const whole = [["t"], ["r:1"], ["r:{x}"], ["p"]];
      assertEquals(names, Object.keys(TWO).map((method, i) => method === broken ? null : whole[i]!));
      assertEquals(found.warnings.map(({ list, name }) => [list, name]), [[broken, null]]);
    }
  }
});

Deno.test("discover() leaves out entries that clients cannot read, names the first hundred, and goes on", async () => {
  const tools = [null, "b", { description: "d" }, { name: "a", inputSchema: [] }, {
    name: "ok",
    inputSchema,
  }];
  const upstream = upstreamWith((method) =>
    method === "tools/list"
      ? { tools }
      : method === "prompts/list"
      ? { prompts: Array.from({ length: 100 }, () => null) }
      : EMPTY
  );
  const found = await discover(upstream.transport(), OPTIONS);
  assertEquals(namesOf(found.tools), ["ok"]);
  assertEquals(found.skipped.slice(0, 4).map(({ kind, name }) => `${kind} ${name}`), [
    "tool #1",
    "tool #2",
    "tool #3",
    "tool a",
  ]);
  assertEquals(found.skipped.length, 100);
});

Deno.test("discover() has less patience after a list has timed out", async () => {
  const upstream = new FakeUpstream(({ method, id }) => {
    if (!method.includes("/list")) return undefined;
    if (method !== "tools/list") return result(id, JSON.stringify(EMPTY));
    const limit = { phase: "answer", timeoutMs: 30_000, setting: "X" };
    throw new SluiceError("UPSTREAM_TIMEOUT", { upstream: "fake", ...limit });
  });
  upstream.capabilities = ALL;
  const found = await discover(upstream.transport(), { ...OPTIONS, timeoutMs: 30_000 });
  assertEquals([namesOf(found.tools), namesOf(found.prompts)], [null, []]);
  const waits = upstream.received.filter(({ method }) => method.includes("/list"))
    .map(({ http }) => http.deadline?.ms);
  assertEquals(waits, [30_000, 5_000, 5_000, 5_000]);
});

for (
  const [setting, limits] of [
    ["MAX_UPSTREAM_LIST_ENTRIES", { maxEntries: 5, maxBytes: 10_000 }],
    ["MAX_UPSTREAM_LIST_BYTES", { maxEntries: 100, maxBytes: 1_000 }],
  ] as const
) {
  Deno.test(`discover() gives up at ${setting}, whichever list and page exceeds it`, async () => {
    for (const large of Object.keys(TWO)) {
      let page = 0;
      const upstream = upstreamWith((method) => {
        if (method !== large) return TWO[method];
        const [key, entries] = Object.entries(TWO[method] as Record<string, unknown[]>)[0]!;
        return { [key]: [...entries, ...entries], junk: "x".repeat(100), nextCursor: `c${page++}` };
      });
      const error = await assertRejects(
        () => discover(upstream.transport(), { ...OPTIONS, limits }),
        SluiceError,
        setting,
      );
      assertEquals([error.code, page < 12], ["UPSTREAM_LIST_TOO_LARGE", true]);
    }
  });
}

Deno.test("discover() refuses a description without end", async () => {
  const upstream = upstreamWith(() => EMPTY, {
    tools: {},
    experimental: { a: { b: "x".repeat(1_100_000) } },
  });
  await assertRejects(() => discover(upstream.transport(), OPTIONS), SluiceError, "description of itself");
});

Deno.test("discover() does not follow cursors that never end", async () => {
  let page = 0;
  const error = await failure(() => ({ tools: [], nextCursor: `c${page++}` }));
  // The other three lists fail at their first page.
  assertEquals([error.message.includes("more than 1000 pages"), page], [true, 1_003]);
});

Deno.test("discover() speaks 2026-07-28 with an upstream that does, and needs no session", async () => {
  const upstream = upstreamWith(
    (method, cursor) =>
      method !== "tools/list"
        ? EMPTY
        : cursor === null
        ? { tools: [{ name: "a" }], nextCursor: "c" }
        : { tools: [{ name: "b" }] },
    { tools: { listChanged: true } },
  );
  upstream.revisions = "stateless";
  const found = await discover(upstream.transport(), OPTIONS);
  assertEquals(
    [found.protocolVersion, found.protocols, found.stateful, found.capabilities, found.serverInfo],
    ["2026-07-28", ["2026-07-28"], false, { tools: { listChanged: true } }, { name: "fake" }],
  );
  assertEquals(namesOf(found.tools), ["a", "b"]);
  assertEquals(upstream.methods, ["initialize", "server/discover", "tools/list", "tools/list"]);
});

Deno.test("discover() finds both kinds of revisions, and what is promised in either", async () => {
  const upstream = upstreamWith(() => EMPTY, { logging: {} });
  upstream.revisions = "both";
  const found = await discover(upstream.transport(), OPTIONS);
  assertEquals([found.protocolVersion, found.protocols, found.stateful], [
    "2025-11-25",
    ["2026-07-28", "2025-11-25"],
    true,
  ]);
  assertEquals(upstream.methods.filter((method) => method === "DELETE").length, 1);
});

Deno.test("discover() keeps what is known of 2026-07-28 where the question gets no answer", async () => {
  for (const protocols of [[], ["2025-11-25"], ["2026-07-28", "2025-11-25"]]) {
    const upstream = new FakeUpstream(({ method }) => {
      if (method !== "server/discover") return undefined;
      throw new SluiceError("UPSTREAM_TIMEOUT", { upstream: "fake", phase: "answer", timeoutMs: 1 });
    });
    upstream.capabilities = {};
    const found = await discover(upstream.transport(), OPTIONS, {
      protocol: "auto",
      protocols,
      serverInfo: null,
    });
    assertEquals(found.protocols, protocols.length === 2 ? protocols : ["2025-11-25"]);
  }
});

Deno.test("discover() asks for the revision that the operator has decided, and for no other", async () => {
  const known = { protocol: "2025-06-18", ...NOTHING_FOUND };
  const upstream = upstreamWith(() => EMPTY);
  upstream.revisions = "both";
  upstream.protocolVersion = "2025-06-18";
  assertEquals((await discover(upstream.transport(), OPTIONS, known)).protocols, ["2025-06-18"]);
  const { protocolVersion } = upstream.received[0]!.params as { protocolVersion: string };
  assertEquals([protocolVersion, upstream.methods.includes("server/discover")], ["2025-06-18", false]);

  upstream.protocolVersion = "2025-11-25";
  await assertRejects(
    () => discover(upstream.transport(), OPTIONS, known),
    SluiceError,
    "protocol 2025-06-18",
  );

  const stateless = { protocol: "2026-07-28", ...NOTHING_FOUND };
  const newer = await discover(upstream.transport(), OPTIONS, stateless);
  assertEquals([newer.protocols, newer.stateful], [["2026-07-28"], false]);
  upstream.revisions = "sessions";
  const refusing = discover(upstream.transport(), OPTIONS, stateless);
  await assertRejects(() => refusing, SluiceError, "does not speak 2026-07-28");
});

Deno.test("discover() leaves out tools with header annotations at fault, and says why", async () => {
  const annotated = { type: "string", "x-mcp-header": "X" };
  const tools = [
    { name: "good", inputSchema: { type: "object", properties: { x: annotated } } },
    {
      name: "bad",
      inputSchema: { type: "object", properties: { list: { type: "array", items: annotated } } },
    },
  ];
  const upstream = upstreamWith(() => ({ ...EMPTY, tools }));
  upstream.revisions = "stateless";
  const found = await discover(upstream.transport(), OPTIONS);
  assertEquals(namesOf(found.tools), ["good"]);
  assertEquals(found.skipped, [{
    kind: "tool",
    name: "bad",
    reason: 'x-mcp-header of "list.items" is on no argument',
  }]);
});

Deno.test("discover() goes back to initialize where server/discover is answered as by an older server", async () => {
  const session = { code: -32000, message: "No valid session ID" };
  const version = { code: -32022, message: "Unsupported", data: { supported: ["2025-11-25"] } };
  for (
    const answer of [
      (id: unknown) => refusal(id, 400, session),
      () => refusal(null, 400, session),
      (id: unknown) => refusal(id, 404, { code: -32601, message: "Method not found" }),
      (id: unknown) => refusal(id, 200, { code: -32601, message: "Method not found" }),
      (id: unknown) => refusal(id, 400, version),
      (id: unknown) => result(id, '{"supportedVersions":["2025-11-25"]}'),
      () => ({ status: 400 }),
      () => ({ status: 405 }),
      () => ({ status: 202 }),
      () => ({ body: "<html>" }),
      // The probe proves nothing here, so the answer to initialize decides.
      () => ({ status: 401 }),
      () => ({ status: 500 }),
    ]
  ) {
    const upstream = new FakeUpstream(({ method, id }) =>
      method === "server/discover" ? answer(id) : undefined
    );
    upstream.capabilities = {};
    const found = await discover(upstream.transport(), OPTIONS);
    assertEquals([found.protocolVersion, found.stateful], ["2025-11-25", true], answer.toString());
  }
});

Deno.test("discover() tells what initialize was refused with where nothing suggests another revision", async () => {
  const upstream = new FakeUpstream(({ id, method }) =>
    method === "initialize"
      ? refusal(id, 400, { code: -32602, message: "bad capabilities" })
      : { status: 400 }
  );
  await assertRejects(() => discover(upstream.transport(), OPTIONS), SluiceError, "bad capabilities");
});

Deno.test("discover() makes no second attempt where nothing listens", async () => {
  const upstream = new FakeUpstream(() => {
    throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "fake", reason: "refused" });
  });
  await assertRejects(() => discover(upstream.transport(), OPTIONS), SluiceError, "Cannot connect");
  assertEquals(upstream.methods, ["initialize"]);
});

const targetOf = (upstream: string) => ({
  transport: "STREAMABLEHTTP" as const,
  upstream,
  url: new URL("http://x/"),
  headers: [],
});

function upstreams(
  find = (row: { name: string }) => Promise.resolve(targetOf(row.name)),
) {
  const unusable: string[] = [];
  return {
    unusable,
    all: new Upstreams({
      transports: httpTransports(new FakeUpstream(), 1_000),
      shared: upstreamDeps(),
      passthrough: NO_PASSTHROUGH,
      targetOf: find,
      onUnusable: ({ name }) => unusable.push(name),
      onShared: () => {},
    }),
  };
}

Deno.test("Upstreams.update() keeps what has not changed and makes anew what has", async () => {
  const { all } = upstreams();
  const { gateways } = catalogRows({ gateways: [gatewayRow("a"), gatewayRow("b")] });
  await all.update(gateways);
  const [a, b] = [all.get("a"), all.get("b")];
  await all.update([gatewayRow("a", { description: "new" }), gatewayRow("b", { authSecret: "other" })]);
  assertEquals([all.get("a") === a, all.get("b") === b], [true, false]);
  const found = { protocols: ["2026-07-28"], protocolVersion: "2026-07-28", stateful: false };
  await all.update([gatewayRow("a", found), gatewayRow("b", { authSecret: "other" })]);
  assertEquals(all.get("a") === a, true, "what discovery finds is nothing that the operator has changed");
  await all.update([]);
  await assertRejects(async () => all.get("a"), SluiceError, "not found");
});

Deno.test("Upstreams.update() tells of credentials that cannot be opened, once, and keeps the others", async () => {
  const { all, unusable } = upstreams(({ name }) =>
    name === "b"
      ? Promise.reject(new SluiceError("SECRET_UNREADABLE", { owner: "gateway:b" }))
      : Promise.resolve(targetOf(name))
  );
  for (let i = 0; i < 2; i++) await all.update([gatewayRow("a"), gatewayRow("b")]);
  assertEquals([all.get("a").name, unusable], ["a", ["b"]]);
  const error = await assertRejects(async () => all.get("b"), SluiceError);
  assertEquals(error.code, "SECRET_UNREADABLE");
});

Deno.test("Upstreams.usable() leaves out what is switched off, and what cannot be used", async () => {
  const { all } = upstreams(({ name }) =>
    name === "c"
      ? Promise.reject(new SluiceError("SECRET_UNREADABLE", { owner: "gateway:c" }))
      : Promise.resolve(targetOf(name))
  );
  const names = () => all.usable().map(({ name }) => name);
  await all.update([gatewayRow("a"), gatewayRow("b", { enabled: false }), gatewayRow("c")]);
  const before = names();
  await all.update([gatewayRow("a"), gatewayRow("b")]);
  assertEquals([before, names()], [["a"], ["a", "b"]]);
});
