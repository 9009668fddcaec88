// The requests of ContextForge's API usage guide, sent to this gateway: which of them it answers, and in which shapes.
import { assert, assertEquals } from "@std/assert";
import { GUIDE_REQUESTS, type GuideRequest } from "../support/contextforge_requests.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { post } from "../support/mcp_post.ts";
import { startEverything } from "../support/upstream_everything.ts";

/** The requests that are refused, by method and path, and why. */
const REFUSED: readonly (readonly [request: RegExp, why: string])[] = [
  [/^POST \/(tools|resources|prompts)$/, "tools, resources and prompts come from upstreams only"],
  [/^POST \/resources\/subscribe\//, "updates reach MCP clients only; ContextForge has no such path either"],
  [/ \/v1\/(admin\/)?llm\//, "there is no chat with language models"],
  [/^POST \/import$/, "the guide's example is no whole export: it has no version and no date"],
  [/ \/a2a/, "there are no A2A agents"],
];

/** How many requests of the guide must succeed. */
const LEAST = 85;

gatewayTest(
  "The requests of ContextForge's API guide are answered, and the rest is refused for known reasons",
  async (start) => {
    await using everything = await startEverything();
    await using sse = await startEverything({ transport: "sse" });
    await using sluice = await start();
    const token = await sluice.token();
    const known = {
      name: "everything",
      url: everything.url,
      transport: "STREAMABLEHTTP",
      tags: ["Your Tag Name"],
    };
    const { body: gateway } = await sluice.api("POST", "/gateways", known);
    await sluice.registerUpstream("other", sse.url, { transport: "SSE" });
    const first = async (path: string, name: string) =>
      (await sluice.api("GET", path)).body.find((row: { name: string }) => row.name === name).id;
    const { body: tools } = await sluice.api("GET", "/tools?include_pagination=true&limit=1");
    const values: Record<string, string> = {
      UPSTREAM: everything.url,
      GATEWAY_ID: gateway.id,
      NEXT: tools.nextCursor,
      TOOL_NAME: "everything-echo",
      TOOL_ID: await first("/tools", "everything-echo"),
      TOOL2_ID: await first("/tools", "everything-get-sum"),
      RESOURCE_ID: (await sluice.api("GET", "/resources")).body[0].id,
      PROMPT_ID: await first("/prompts", "everything-simple-prompt"),
    };
    let succeeded = 0;
    const refused: string[] = [];
    for (const request of GUIDE_REQUESTS) {
      const { isOk, body, told } = await send(sluice, token, request, values);
      if (isOk) succeeded++;
      else refused.push(told);
      assertEquals(isOk, !isRefused(request), `${request.section}: ${told}`);
      if (isOk && request.method === "POST") await follow(sluice, request, body, values);
    }
    console.log(`${succeeded} of ${GUIDE_REQUESTS.length} requests of ContextForge's API guide succeed`);
    assert(succeeded >= LEAST, refused.join("\n"));
    await checkShapes(sluice, values);
    await checkServerIds(sluice);
  },
  { inCluster: false },
);

function isRefused({ method, target }: GuideRequest): boolean {
  return REFUSED.some(([request]) => request.test(`${method} ${target.split("?")[0]}`));
}

async function send(
  sluice: Gateway,
  token: string,
  { method, target, body }: GuideRequest,
  values: Readonly<Record<string, string>>,
) {
  const put = (text: string) => text.replace(/\$([A-Z0-9_]+)/g, (_, name) => values[name]);
  const response = await fetch(`${sluice.url}${put(target)}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body === undefined ? undefined : put(JSON.stringify(body)),
  });
  const isStream = response.headers.get("content-type") === "text/event-stream";
  const text = isStream ? "" : await response.text();
  await response.body?.cancel().catch(() => {});
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  const told = `${method} ${put(target)} -> ${response.status} ${text.slice(0, 300)}`;
  return { isOk: response.ok, body: isJson ? JSON.parse(text) : null, told };
}

/** What a reader does after a request before he goes on: takes its id, or switches on again what it has switched off. */
async function follow(
  sluice: Gateway,
  { target }: GuideRequest,
  // deno-lint-ignore no-explicit-any -- answers of every shape
  body: any,
  values: Record<string, string>,
): Promise<void> {
  if (target === "/gateways") values.GATEWAY_ID = body.id;
  if (target === "/servers") values.SERVER_ID = body.id;
  if (!target.endsWith("?activate=false")) return;
  const path = target.replace(/\$([A-Z0-9_]+)/g, (_, name) => values[name]).replace("false", "true");
  assertEquals((await sluice.api("POST", path)).status, 200);
}

/** The members that the guide's scripts read. */
async function checkShapes(sluice: Gateway, values: Readonly<Record<string, string>>): Promise<void> {
  const get = async (path: string) => (await sluice.api("GET", path)).body;
  const resource = await get(`/resources/${values.RESOURCE_ID}`);
  assertEquals([resource.type, resource.id, typeof resource.text], [
    "resource",
    values.RESOURCE_ID,
    "string",
  ]);
  const { resource_templates: templates } = await get("/resources/templates/list");
  assert(templates.length > 0 && templates[0].uriTemplate.includes("{"));
  const { entities } = (await get("/tags?include_entities=true"))[0];
  assertEquals(entities.map(({ name, type }: Record<string, string>) => [name, type]), [[
    "everything",
    "gateway",
  ]]);
  assertEquals((await get("/tags/your-tag-name/entities")).length, 1);
  const page = await get("/admin/tools?per_page=2");
  assertEquals([page.data.length, page.pagination.per_page, page.links.prev], [2, 2, null]);
  const [newest] = await get("/gateways");
  assertEquals([newest.name, newest.tags], ["test-server", []]);
  const tool = (await get("/tools")).find(({ id }: { id: string }) => id === values.TOOL_ID);
  assertEquals([tool.gatewaySlug, tool.description], ["everything", "Updated tool description"]);
}

/** A virtual server whose id is a UUID is one server at every endpoint, with and without dashes. */
async function checkServerIds(sluice: Gateway): Promise<void> {
  const dashed = "550e8400-e29b-41d4-a716-446655440000";
  const plain = dashed.replaceAll("-", "");
  const server = { id: dashed, name: "moved", associated_tools: ["everything-echo"] };
  assertEquals((await sluice.api("POST", "/servers", { server })).body.id, plain);
  const namesIn = ({ result }: { result: { tools: { name: string }[] } }) =>
    result.tools.map(({ name }) => name);
  for (const id of [dashed, plain]) {
    const token = await sluice.token({ admin: false, claims: { scopes: { server_id: id } } });
    const list = (params: unknown) => ({ jsonrpc: "2.0", id: 1, method: "tools/list", params });
    const { body: scoped } = await post(sluice, list({ server_id: id }), { token, path: "/rpc" });
    assertEquals(namesIn(scoped), ["everything-echo"]);
    for (const path of [`/servers/${dashed}/mcp`, `/servers/${plain}/mcp`]) {
      const params = {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "c", version: "1" },
      };
      const opened = await post(sluice, { ...list(params), method: "initialize" }, { token, path });
      const headers = { "mcp-session-id": opened.sessionId! };
      const { body } = await post(sluice, list({}), { token, path: `/servers/${id}/mcp`, headers });
      assertEquals(namesIn(body), ["everything-echo"]);
    }
    assertEquals((await sluice.api("GET", `/servers/${dashed}/tools`, undefined, token)).status, 200);
  }
}
