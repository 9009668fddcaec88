// Legacy SSE and WebSocket on two workers, used by clients that we did not write.
import { assert, assertEquals } from "@std/assert";
import { startConformanceUpstream } from "../conformance/upstream_process.ts";
import { connectSse, connectWebSocket, type DuplexClient } from "../support/duplex_clients.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inspect } from "../support/mcp_clients.ts";
import { Sluice } from "../support/sluice.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const TRANSPORTS = [["sse", connectSse], ["ws", connectWebSocket]] as const;

const textOf = (result: { content: { text: string }[] }) => result.content[0]!.text;

gatewayTest("SDK clients use SSE and WebSocket, whichever worker their messages reach", async (start, t) => {
  await using upstream = await startConformanceUpstream("sessions");
  await using sluice = await start({ DISABLE_ACCESS_LOG: "false" });
  await sluice.registerUpstream("up", upstream.url);
  const { body: tools } = await sluice.api("GET", "/tools");
  const chosen = tools.find((tool: { originalName: string }) => tool.originalName === "test_simple_text").id;
  await sluice.api("POST", "/servers", { server: { id: "one", name: "One", associated_tools: [chosen] } });
  const token = await sluice.token();

  for (const [name, connect] of TRANSPORTS) {
    await t.step(`${name}: calls, sampling and elicitation`, async () => {
      // More clients than workers: POSTs of some of them are forwarded.
      await using clients = await connectAll(8, () => connect(`${sluice.url}/${name}`, token));
      await Promise.all(clients.all.map(async (client) => {
        for (let round = 0; round < 3; round++) {
          assert(textOf(await client.callTool("up-test-simple-text")).length > 0);
        }
        const sampled = await client.callTool("up-test-sampling", { prompt: "2+2" });
        assert(textOf(sampled).includes("four"), textOf(sampled));
        const elicited = await client.callTool("up-test-elicitation", { message: "Who?" });
        assert(textOf(elicited).includes("ann@example.com"), textOf(elicited));
      }));
    });

    await t.step(`${name}: a virtual server shows its own tools only`, async () => {
      await using client = await connect(`${sluice.url}/servers/one/${name}`, token);
      assertEquals((await client.listTools()).tools.map((tool) => tool.name), ["up-test-simple-text"]);
    });

    await t.step(`${name}: clients hear of changed lists`, async () => {
      await using client = await connect(`${sluice.url}/${name}`, token);
      await using second = SlowUpstream.start({ delayMs: 1 });
      await sluice.registerUpstream(`second-${name}`, second.url);
      await waitFor(() => client.heard.includes("notifications/tools/list_changed"), { what: "the news" });
    });
  }

  await t.step("the Inspector CLI lists and calls over SSE", async () => {
    const url = `${sluice.url}/servers/one/sse`;
    const listed = await inspect(url, ["--method", "tools/list"], { token, transport: "sse" });
    assertEquals((listed as { tools: { name: string }[] }).tools.map(({ name }) => name), [
      "up-test-simple-text",
    ]);
    const args = ["--method", "tools/call", "--tool-name", "up-test-simple-text"];
    const called = await inspect(url, args, { token, transport: "sse" });
    assert(textOf(called as { content: { text: string }[] }).length > 0);
  });

  await t.step(
    "the access log has a line for each connection and for each call, without secrets",
    async () => {
      const lines = () => sluice.log().filter(({ endpoint }) => endpoint === "sse" || endpoint === "ws");
      // A client closes its WebSocket before the gateway knows.
      await waitFor(
        () => lines().filter(({ event, status }) => event === "request" && status === 101).length >= 10,
        {
          what: "the lines of closed WebSockets",
        },
      );
      const calls = lines().filter(({ event, tool }) => event === "call" && tool === "up-test-sampling");
      assertEquals(calls.map(({ endpoint }) => endpoint).sort(), [
        ...Array(8).fill("sse"),
        ...Array(8).fill("ws"),
      ]);
      assert(calls.every(({ rpcMethod, upstream }) => rpcMethod === "tools/call" && upstream === "up"));
      const posts = sluice.log().filter(({ endpoint }) => endpoint === "message");
      assert(
        posts.length > 0 && posts.every(({ path, status }) => !String(path).includes("?") && status === 202),
      );
      const written = sluice.processes.flatMap(({ stdout }) => stdout.lines);
      assert(!written.some((line) => line.includes(token) || line.includes("session_id")));
    },
  );
});

Deno.test("A call over SSE or WebSocket ends before its worker does, and the client is told to come again", async (t) => {
  await using upstream = SlowUpstream.start({ delayMs: 2_000 });
  await using sluice = await Sluice.start({ env: { WORKERS: "2" } });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token();
  const clients: DuplexClient[] = [];
  for (const [name, connect] of TRANSPORTS) clients.push(await connect(`${sluice.url}/${name}`, token));
  const idle = await connectWebSocket(`${sluice.url}/ws`, token);
  const calls = clients.map((client) => client.callTool("up-slow"));
  await waitFor(() => upstream.calls === calls.length, { what: "the calls to be under way" });
  const code = sluice.stop();
  await t.step("calls under way are answered", async () => {
    for (const result of await Promise.all(calls)) assertEquals(textOf(result), "done");
  });
  await t.step("connections end", async () => {
    await Promise.all([idle.closed, clients[1]!.closed]);
    assertEquals(await code, 0);
  });
  for (const client of [...clients, idle]) await client[Symbol.asyncDispose]();
});

async function connectAll(count: number, connect: () => Promise<DuplexClient>) {
  const all = await Promise.all(Array.from({ length: count }, connect));
  return {
    all,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(all.map((client) => client[Symbol.asyncDispose]()));
    },
  };
}
