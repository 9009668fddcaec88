// The main job: a real MCP server behind the gateway, called by clients that we did not write.
import { assert, assertEquals } from "@std/assert";
import { connectAsking } from "../support/asking_client.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { connectV1, connectV2, inspect, type McpClient } from "../support/mcp_clients.ts";
import { startEverything } from "../support/upstream_everything.ts";

interface Tool {
  readonly name: string;
}

const RPC_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** tools/list by raw fetch, so that no SDK drops fields: from an endpoint that may keep sessions. */
async function rawTools(url: string, token?: string, capabilities = {}): Promise<Tool[]> {
  const headers: Record<string, string> = {
    ...RPC_HEADERS,
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const post = async (body: unknown) => {
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    const text = await response.text();
    const sessionId = response.headers.get("mcp-session-id");
    if (sessionId !== null) headers["mcp-session-id"] = sessionId;
    const data = /^data: (\S.*)$/m.exec(text)?.[1] ?? text;
    return data === "" ? null : JSON.parse(data);
  };
  const params = {
    protocolVersion: "2025-11-25",
    capabilities,
    clientInfo: { name: "raw", version: "1" },
  };
  await post({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  await post({ jsonrpc: "2.0", method: "notifications/initialized" });
  return (await post({ jsonrpc: "2.0", id: 2, method: "tools/list" })).result.tools;
}

const NAME =
  "A registered server's tools, resources and prompts are listed verbatim and work from every client";

gatewayTest(NAME, async (start, t) => {
  await using upstream = await startEverything();
  await using sluice = await start();
  const token = await sluice.token();
  const gateway = await sluice.registerUpstream("everything", upstream.url);
  const direct = await rawTools(upstream.url);
  // The server has more tools for a client that can be asked everything.
  const capable = { roots: {}, sampling: {}, elicitation: { form: {}, url: {} } };

  await t.step("registration reports what it found", () => {
    assertEquals(gateway.toolCount, direct.length);
    assertEquals(gateway.skippedTools, []);
    assert(gateway.resourceCount > 0 && gateway.promptCount > 0);
  });

  await t.step("tools/list shows every tool as the upstream does, but for the name", async () => {
    const listed = await rawTools(`${sluice.url}/mcp`, token);
    const slug = (name: string) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
    assertEquals(listed, direct.map((tool) => ({ ...tool, name: `everything-${slug(tool.name)}` })));
    const byRpc = await sluice.rpc("tools/list");
    assertEquals(byRpc.body.result.tools, listed);
    const more = await rawTools(upstream.url, undefined, capable);
    assert(more.length > direct.length);
    const byName = (tools: Tool[]) => tools.toSorted((a, b) => a.name < b.name ? -1 : 1);
    assertEquals(
      byName(await rawTools(`${sluice.url}/mcp`, token, capable)),
      byName(more.map((tool) => ({ ...tool, name: `everything-${slug(tool.name)}` }))),
    );
  });

  await t.step("tools/call works by /rpc, by both names and as a method", async () => {
    const text = (body: { result: { content: { text: string }[] } }) => body.result.content[0]!.text;
    for (const name of ["everything-echo", "echo"]) {
      const { body } = await sluice.rpc("tools/call", { name, arguments: { message: "hello" } });
      assertEquals(text(body), "Echo: hello");
    }
    assertEquals(text((await sluice.rpc("echo", { message: "as method" })).body), "Echo: as method");
  });

  const { body: tools } = await sluice.api("GET", "/tools");
  const pick = (name: string) =>
    tools.find((tool: { originalName: string }) => tool.originalName === name).id;
  const { body: server, status } = await sluice.api("POST", "/servers", {
    server: { id: "chosen-id", name: "Chosen", associated_tools: [pick("echo"), pick("get-sum")] },
  });
  assertEquals([status, server.id], [201, "chosen-id"]);
  const { body: resources } = await sluice.api("GET", "/resources");
  const { body: prompts } = await sluice.api("GET", "/prompts");

  const use = async (client: McpClient, toolCount: number) => {
    const { tools } = await client.listTools();
    assertEquals(tools.length, toolCount);
    const sum = await client.callTool("everything-get-sum", { a: 2, b: 3 });
    assert(sum.content[0].text.includes("5"), sum.content[0].text);
    const refused = await client.callTool("everything-get-sum", { a: "x" });
    assertEquals(refused.isError, true);
    await client.terminate();
  };
  for (const [name, connect] of [["v1", connectV1], ["v2", connectV2]] as const) {
    await t.step(`SDK ${name} client on /mcp and on a virtual server`, async () => {
      await using all = await connect(`${sluice.url}/mcp`, { token });
      const read = await all.readResource(resources[0].uri);
      assertEquals(read.contents[0].uri, resources[0].uri);
      const prompt = await all.getPrompt(
        prompts.find((p: Tool) => p.name === "everything-simple-prompt").name,
      );
      assert(prompt.messages.length > 0);
      await use(all, direct.length);
      await using chosen = await connect(`${sluice.url}/servers/chosen-id/mcp`, { token });
      await use(chosen, 2);
    });
  }

  await t.step("Inspector CLI lists and calls", async () => {
    const url = `${sluice.url}/servers/chosen-id/mcp`;
    const listed = await inspect(url, ["--method", "tools/list"], { token }) as { tools: Tool[] };
    assertEquals(listed.tools.map(({ name }) => name), ["everything-echo", "everything-get-sum"]);
    const args = ["--method", "tools/call", "--tool-name", "everything-echo", "--tool-arg", "message=hi"];
    const called = await inspect(url, args, { token }) as { content: { text: string }[] };
    assertEquals(called.content[0]!.text, "Echo: hi");
  });

  await t.step("progress notifications arrive before the result, on the call's own stream", async () => {
    const response = await fetch(`${sluice.url}/mcp`, {
      method: "POST",
      headers: { ...RPC_HEADERS, authorization: `Bearer ${token}` },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: "long",
        method: "tools/call",
        params: {
          name: "everything-trigger-long-running-operation",
          arguments: { duration: 1, steps: 2 },
          _meta: { progressToken: "mine" },
        },
      }),
    });
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    const messages = [...(await response.text()).matchAll(/^data: (\S.*)$/gm)].map((match) =>
      JSON.parse(match[1]!)
    );
    assertEquals(messages.at(-1).id, "long");
    const progress = messages.slice(0, -1);
    assert(progress.length >= 2);
    for (const message of progress) {
      assertEquals([message.method, message.params.progressToken], ["notifications/progress", "mine"]);
    }
  });

  await t.step("what a tool asks the client comes to it, and its answer to the tool", async () => {
    const names = Array.from({ length: 6 }, (_, i) => `client${i}`);
    await Promise.all(names.map(async (name) => {
      await using client = await connectAsking(`${sluice.url}/mcp`, { token, name });
      const sampled = await client.call("everything-trigger-sampling-request", { prompt: "hello" });
      assert(sampled.includes(`sampled by ${name}`), sampled);
      const elicited = await client.call("everything-trigger-elicitation-request");
      assert(elicited.includes(name), elicited);
    }));
  });
});
