// A merged endpoint of 20 upstreams with 5,000 tools: lists in pages while upstreams come and go, and names as a server wants them.
import { assert, assertEquals } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import { connectV1, connectV2 } from "../support/mcp_clients.ts";
import { inSession, openSession, post } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { startManyUpstreams } from "../support/many_upstreams.ts";
import { waitFor } from "../support/wait_for.ts";

const UPSTREAMS = 20;
const TOOLS_EACH = 250;
/** No multiple of what an upstream has: pages end within one. */
const PAGE_SIZE = 900;

gatewayTest("5,000 tools are listed in pages, complete and once, as upstreams change", async (start, t) => {
  await using upstreams = startManyUpstreams({ tools: TOOLS_EACH, pageSize: 100 });
  await using sluice = await start({ MCP_LIST_PAGE_SIZE: `${PAGE_SIZE}` });
  const token = await sluice.token();
  const names = Array.from({ length: UPSTREAMS }, (_, i) => `up${String(i).padStart(2, "0")}`);
  const gatewayIds = new Map<string, string>();
  for (const name of names) {
    const { id, toolCount } = await sluice.registerUpstream(name, upstreams.url(name));
    assertEquals(toolCount, TOOLS_EACH);
    gatewayIds.set(name, id);
  }
  const toolsOf = (name: string) => Array.from({ length: TOOLS_EACH }, (_, i) => `${name}-tool-${i}`);

  await t.step("the SDK's v2 client follows the cursors by itself", async () => {
    await using client = await connectV2(`${sluice.url}/mcp`, { token });
    const { tools } = await client.listTools();
    assertEquals(tools.map(({ name }) => name), names.flatMap(toolsOf));
    await client.terminate();
  });

  await t.step("a cursor works on any worker, and a tampered one is -32602", async () => {
    const list = (cursor?: string) => ({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { cursor } });
    const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession(sluice, { token })));
    const ask = async (session: string, cursor?: string) =>
      (await post(sluice, list(cursor), { token, headers: inSession(session) })).body;
    const first = (await ask(sessions[0]!)).result;
    assertEquals(first.tools.length, PAGE_SIZE);
    const second = await Promise.all(sessions.map((session) => ask(session, first.nextCursor)));
    for (const { result } of second) assertEquals(result.tools[0].name, "up03-tool-150");
    const tampered = first.nextCursor.replace(/^./, (letter: string) => letter === "A" ? "B" : "A");
    assertEquals((await ask(sessions[0]!, tampered)).error.code, -32602);
  });

  await t.step("the SDK's v1 client walks on while upstreams are deleted and added", async () => {
    await using client = await connectV1(`${sluice.url}/mcp`, { token });
    const given: string[] = [];
    let page = await client.listTools();
    const sizes = [page.tools.length];
    given.push(...page.tools.map(({ name }) => name));
    // One that was given in part, one that was not reached yet, and a new one.
    for (const name of ["up03", "up10"]) {
      assertEquals((await sluice.api("DELETE", `/gateways/${gatewayIds.get(name)}`)).status, 200);
    }
    await sluice.registerUpstream("aaa", upstreams.url("aaa"));
    while (page.nextCursor !== undefined) {
      page = await client.listTools(page.nextCursor);
      sizes.push(page.tools.length);
      given.push(...page.tools.map(({ name }) => name));
      if (sizes.length === 2) {
        assertEquals((await sluice.api("DELETE", `/gateways/${gatewayIds.get("up00")}`)).status, 200);
        const refreshed = await sluice.api("POST", `/gateways/${gatewayIds.get("up07")}/tools/refresh`);
        assertEquals(refreshed.status, 200);
      }
    }
    assertEquals(new Set(given).size, given.length);
    const whole = (...some: string[]) => some.flatMap(toolsOf);
    assertEquals(given, [
      ...whole(...names.slice(0, 3)),
      ...toolsOf("up03").slice(0, 150),
      ...whole(...names.slice(4, 10), ...names.slice(11), "aaa"),
    ]);
    assertEquals(sizes, [900, 900, 900, 900, 900, 400]);
    await client.terminate();
  });
});

gatewayTest("a virtual server speaks the names it was given; two of one name are refused", async (start) => {
  await using upstreams = startManyUpstreams({ tools: 3, pageSize: 2 });
  await using sluice = await start();
  const token = await sluice.token();
  for (const name of ["one", "two"]) await sluice.registerUpstream(name, upstreams.url(name));
  const server = {
    id: "s",
    name: "Shown",
    naming: "original",
    associated_tools: ["one-tool-0", "one-tool-1", "two-tool-1"],
    server_info: { name: "mine", version: "9" },
    instructions: "Ask for anything.",
  };
  const refused = await sluice.api("POST", "/servers", { server });
  assertEquals(refused.status, 409);
  assert(/"one-tool-1" and "two-tool-1"/.test(refused.body.detail), refused.body.detail);
  const created = await sluice.api("POST", "/servers", {
    server: { ...server, tool_overrides: { "two-tool-1": { name: "second", description: "the other" } } },
  });
  assertEquals([created.status, created.body.conflicts], [201, []]);

  await using client = await connectV1(`${sluice.url}/servers/s/mcp`, { token });
  assertEquals((await client.listTools()).tools.map(({ name }) => name), ["tool_0", "tool_1", "second"]);
  for (const [name, answer] of [["tool_1", "one tool_1"], ["second", "two tool_1"]]) {
    assertEquals((await client.callTool(name!)).content, [{ type: "text", text: answer }]);
  }
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "t", version: "1" },
  };
  const { body } = await post(sluice, { jsonrpc: "2.0", id: 1, method: "initialize", params }, {
    token,
    path: "/servers/s/mcp",
  });
  assertEquals(body.result.serverInfo, { name: "mine", title: "Shown", version: "9" });
  assertEquals(body.result.instructions, "Ask for anything.");
  await client.terminate();

  // A rename makes a conflict that no write to the server could refuse: it is logged, counted and shown.
  const { body: one } = await sluice.api("GET", "/gateways/one");
  const words = { naming: "prefixed", tool_overrides: { "two-tool-1": { name: "uno-tool-0" } } };
  assertEquals((await sluice.api("PUT", "/servers/s", words)).status, 200);
  assertEquals((await sluice.api("PUT", `/gateways/${one.id}`, { name: "uno" })).status, 200);
  const [conflict] = (await sluice.api("GET", "/servers/s")).body.conflicts;
  assertEquals([conflict.name, conflict.renamedTo], ["uno-tool-0", "uno-tool-0-2"]);
  for (const replica of sluice.processes) {
    await waitFor(async () => await metric(replica, "sluice_name_conflicts ") === 1, {
      what: "the conflict to be counted",
    });
  }
  const conflicts = () => sluice.log().filter(({ event }) => event === "name conflict at an endpoint");
  await waitFor(() => conflicts().length >= sluice.processes.length, { what: "the conflict in the log" });
  const logged = conflicts();
  assertEquals(
    logged.map(({ name, renamed }) => [name, renamed]),
    sluice.processes.map(() => ["uno-tool-0", "uno-tool-0"]),
  );
});
