// Executions of tools, resources, prompts, virtual servers and upstreams: what `/metrics` and entities say of them, over restarts.
import { assert, assertEquals } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { post, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

gatewayTest("Executions are counted once, whichever workers and replicas serve them", async (start) => {
  await using upstream = FastUpstream.start();
  await using gateway = await start({ METRICS_BUFFER_FLUSH_INTERVAL: "0.2" });
  const { body: { id } } = await gateway.api("POST", "/gateways", { name: "fast", url: upstream.url });
  const { body: [tool] } = await gateway.api("GET", "/tools");
  const server = { name: "s", associated_tools: [tool.id] };
  const { body: { id: serverId } } = await gateway.api("POST", "/servers", { server });
  const call = toolCall(tool.name, { message: "hi" });
  const calls = Array.from({ length: 8 * gateway.workers }, () => post(gateway, call, { path: "/rpc" }));
  const params = { ...call.params, server_id: serverId };
  const atServer = Array.from({ length: 5 }, () => gateway.rpc("tools/call", params));
  assertEquals([...new Set((await Promise.all(calls)).map(({ status }) => status))], [200]);
  await Promise.all(atServer);
  const wanted = [calls.length + 5, calls.length + 5, 5];
  const paths = [`/tools/${tool.id}`, `/gateways/${id}`, `/servers/${serverId}`];
  await waitFor(async () => {
    const seen = await Promise.all(paths.map((path) => gateway.api("GET", path)));
    const counts: number[] = seen.map(({ body }) => body.metrics.totalExecutions);
    assert(counts.every((count, i) => count <= wanted[i]!), String(counts));
    return JSON.stringify(counts) === JSON.stringify(wanted);
  }, { what: "what all replicas have executed" });
});

const ANSWERS: Readonly<Record<string, unknown>> = {
  initialize: {
    protocolVersion: "2025-11-25",
    capabilities: { tools: {}, resources: {}, prompts: {} },
    serverInfo: { name: "all", version: "1" },
  },
  "tools/list": { tools: [{ name: "work", inputSchema: { type: "object" } }] },
  "resources/list": { resources: [{ uri: "note:1", name: "note" }] },
  "resources/templates/list": { resourceTemplates: [] },
  "prompts/list": { prompts: [{ name: "greet" }] },
  "resources/read": { contents: [{ uri: "note:1", text: "a note" }] },
  "prompts/get": { messages: [] },
  ping: {},
};

/** An upstream with an entry of each kind. The tool says isError if it is told to. */
function startUpstream(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const isError = params?.arguments?.fail === true;
    const result = method === "tools/call" ? { content: [], isError } : ANSWERS[method];
    return Response.json({ jsonrpc: "2.0", id, result });
  });
}

Deno.test("Executions survive a restart, have their least, mean and greatest time, and begin at zero when they are reset", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_executions_" });
  await using upstream = startUpstream();
  try {
    const before = await executeAll(cwd, `http://127.0.0.1:${upstream.addr.port}/mcp`);
    await using sluice = await Sluice.start({ cwd });
    const { body } = await sluice.api("GET", "/metrics");
    assertEquals([body.resources, body.prompts], [before.resources, before.prompts]);
    assertEquals((await sluice.api("GET", "/admin/metrics")).body, body);
    const [top] = body.topPerformers.tools;
    assertEquals([top.name, top.executionCount, top.successRate], ["all-work", 4, 75]);
    const { metrics } = (await sluice.api("GET", `/tools/${top.id}`)).body;
    assertEquals([metrics.totalExecutions, metrics.failedExecutions, metrics.failureRate], [4, 1, 0.25]);
    assert(metrics.minResponseTime > 0 && metrics.minResponseTime <= metrics.avgResponseTime);
    assert(metrics.avgResponseTime <= metrics.maxResponseTime && metrics.maxResponseTime < 60);
    const ago = Date.now() - Date.parse(metrics.lastExecutionTime);
    assert(ago >= -1_000 && ago < 600_000, `${ago} ms ago`);

    const historyOf = async (by: string) => {
      const { spans } =
        (await sluice.api("GET", `/metrics/history?entity=tool&entity_id=${top.id}&by=${by}`)).body;
      // The test may run over the end of an hour.
      const sum = (name: string) =>
        spans.reduce((total: number, span: Record<string, number>) => total + span[name]!, 0);
      return {
        starts: spans.map(({ start }: { start: string }) => start),
        calls: sum("totalExecutions"),
        failed: sum("failedExecutions"),
      };
    };
    for (
      const [by, begins] of [["hour", /^\d{4}-\d\d-\d\dT\d\d:00:00\.000Z$/], [
        "day",
        /T00:00:00\.000Z$/,
      ]] as const
    ) {
      const { starts, calls, failed } = await historyOf(by);
      assertEquals([calls, failed], [4, 1]);
      assert(starts.every((start: string) => begins.test(start)), starts.join());
    }
    assertEquals((await sluice.api("GET", "/metrics/history?entity=tool")).status, 422);
    const page = await fetch(`${sluice.url}/admin/tools/${top.id}`, {
      headers: { authorization: `Bearer ${await sluice.token()}`, accept: "text/html" },
    });
    assert(/Last 30 days<\/div><div class="value">4<\/div>.*1 failed/s.test(await page.text()));

    const reset = (query: string) => sluice.api("POST", `/metrics/reset${query}`);
    assertEquals((await reset("?entity=gadget")).status, 422);
    assertEquals((await reset("?entity_id=x")).status, 422);
    assertEquals((await reset(`?entity=tool&entity_id=${top.id}`)).status, 200);
    const after = (await sluice.api("GET", "/metrics")).body;
    assertEquals([after.tools.totalExecutions, after.topPerformers.tools], [0, []]);
    assertEquals((await historyOf("day")).starts, []);
    assertEquals(after.resources, before.resources);
    assertEquals((await reset("")).status, 200);
    assertEquals((await sluice.api("GET", "/metrics")).body.resources.totalExecutions, 0);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

/** @returns what /metrics says in the end */
async function executeAll(cwd: string, url: string) {
  // Nothing is written but for readers, and at the end.
  await using sluice = await Sluice.start({ cwd, env: { METRICS_BUFFER_FLUSH_INTERVAL: "3600" } });
  const { id } = await sluice.registerUpstream("all", url);
  const work = (fail: boolean) => sluice.rpc("tools/call", toolCall("all-work", { fail }).params);
  for (const fail of [false, true, false]) await work(fail);
  const { body: [resource] } = await sluice.api("GET", "/resources");
  const { body: [prompt] } = await sluice.api("GET", "/prompts");
  await sluice.rpc("resources/read", { uri: "note:1" });
  await sluice.rpc("prompts/get", { name: prompt.name });
  const { body } = await sluice.api("GET", "/metrics");
  assertEquals([body.resources.totalExecutions, body.prompts.totalExecutions], [1, 1]);
  assertEquals([body.topPerformers.prompts[0].id, body.topPerformers.resources[0].name], [prompt.id, "note"]);
  assertEquals((await sluice.api("GET", `/resources/${resource.id}/info`)).body.metrics, body.resources);
  assertEquals((await sluice.api("GET", `/prompts/${prompt.id}/info`)).body.metrics, body.prompts);
  assertEquals((await sluice.api("GET", `/gateways/${id}`)).body.metrics.totalExecutions, 5);
  // Nobody reads this one before the end.
  await work(false);
  return body;
}

Deno.test("DB_METRICS_RECORDING_ENABLED=false: nothing is recorded, and /metrics is the text", async () => {
  await using upstream = FastUpstream.start();
  await using sluice = await Sluice.start({ env: { DB_METRICS_RECORDING_ENABLED: "false" } });
  await sluice.registerUpstream("fast", upstream.url);
  await sluice.rpc("tools/call", toolCall("fast-echo", { message: "x" }).params);
  const { body: [tool] } = await sluice.api("GET", "/tools");
  assertEquals((await sluice.api("GET", `/tools/${tool.id}`)).body.metrics, null);
  const response = await fetch(`${sluice.url}/metrics`, {
    headers: { authorization: `Bearer ${await sluice.token()}` },
  });
  assert((await response.text()).includes("# TYPE sluice_workers_ready gauge"));
});
