// Real servers behind every upstream transport: the same tools, and the same questions to the client.
import { assert, assertEquals } from "@std/assert";
import { connectAsking } from "../support/asking_client.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { connectV2 } from "../support/mcp_clients.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { startSupergateway } from "../support/supergateway.ts";
import { startEverything } from "../support/upstream_everything.ts";
import { waitFor } from "../support/wait_for.ts";

gatewayTest("server-everything offers the same, and asks, over all transports", async (start, t) => {
  const launch = npmProgram("mcp-server-everything");
  await using http = await startEverything();
  await using sse = await startEverything({ transport: "sse" });
  await using socket = await startSupergateway([launch.command, ...launch.args].join(" "));
  await using sluice = await start({ STDIO_ENABLED: "true" });
  const token = await sluice.token();
  const bodies = [
    { name: "http", transport: "STREAMABLEHTTP", url: http.url },
    { name: "sse", transport: "SSE", url: sse.url },
    { name: "socket", transport: "WEBSOCKET", url: socket.url },
    { name: "process", transport: "STDIO", ...launch },
  ];
  const toolsOf = async (gatewayId: string) => {
    const { body } = await sluice.api("GET", `/tools?gateway_id=${gatewayId}&limit=0`);
    return body.map(({ originalName }: { originalName: string }) => originalName).sort();
  };
  let expected: string[] = [];
  for (const given of bodies) {
    await t.step(`registered over ${given.transport}`, async () => {
      const { status, body } = await sluice.api("POST", "/gateways", given);
      assertEquals([status, body.transport], [200, given.transport], JSON.stringify(body));
      const tools = await toolsOf(body.id);
      if (expected.length === 0) expected = tools;
      assertEquals(tools, expected);
      assert(
        tools.includes("echo") && !tools.includes("trigger-sampling-request"),
        "for a client that cannot be asked",
      );
    });
  }
  await t.step("called over each, within a session and without", async () => {
    await using client = await connectV2(`${sluice.url}/mcp`, { token });
    for (const { name } of bodies) {
      const result = await client.callTool(`${name}-echo`, { message: `by ${name}` });
      assertEquals(result.content[0].text, `Echo: by ${name}`);
      const { body } = await sluice.rpc("tools/call", {
        name: `${name}-get-sum`,
        arguments: { a: 2, b: 40 },
      });
      assert(body.result.content[0].text.includes("42"), JSON.stringify(body));
    }
    await client.terminate();
  });
  // supergateway has one process for all its sockets, and tells what that asks to all of them.
  for (const name of ["http", "sse", "process"]) {
    await t.step(`two clients at once are asked over ${name}, each for its own call`, async () => {
      const names = ["ann", "bob"];
      const clients = await Promise.all(
        names.map((each) => connectAsking(`${sluice.url}/mcp`, { token, name: each })),
      );
      await Promise.all(clients.map(async (client, i) => {
        const prompt = { prompt: "hello", maxTokens: 10 };
        const sampled = await client.call(`${name}-trigger-sampling-request`, prompt);
        assert(sampled.includes(`sampled by ${names[i]}`), sampled);
        const filled = await client.call(`${name}-trigger-elicitation-request`);
        assert(filled.includes(`Name: ${names[i]}`), filled);
        const roots = await client.call(`${name}-get-roots-list`);
        assert(roots.includes(`file:///${names[i]}`), roots);
      }));
      for (const client of clients) await client[Symbol.asyncDispose]();
    });
  }
  await t.step("an upstream that goes away and comes back is called again in the same session", async () => {
    await using client = await connectV2(`${sluice.url}/mcp`, { token });
    await client.callTool("sse-echo", { message: "before" });
    const port = Number(new URL(sse.url).port);
    await sse.stop();
    await using _again = await startEverything({ transport: "sse", port });
    const echo = async () => (await client.callTool("sse-echo", { message: "after" })).content[0].text;
    await waitFor(async () => await echo() === "Echo: after", { what: "the new server to be called" });
    await client.terminate();
  });
});
