import { assertEquals, assertRejects } from "@std/assert";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CounterUpstream } from "./counter_upstream.ts";

async function connect(url: string): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const client = new Client({ name: "test", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  return { client, transport };
}

async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args });
  return (content as { text: string }[])[0].text;
}

for (const jsonReplies of [false, true]) {
  Deno.test(`CounterUpstream counts per session (${jsonReplies ? "JSON" : "SSE"} replies)`, async () => {
    await using upstream = CounterUpstream.start({ jsonReplies });
    const first = await connect(upstream.url);
    const second = await connect(upstream.url);
    assertEquals(await call(first.client, "increment"), "1");
    assertEquals(await call(first.client, "increment"), "2");
    assertEquals(await call(second.client, "get"), "0");
    await Promise.all([call(first.client, "hold", { ms: 20 }), call(first.client, "hold", { ms: 20 })]);
    assertEquals(upstream.maxRunningInOneSession, 2);
    assertEquals(upstream.liveSessions, 2);
    await first.transport.terminateSession();
    assertEquals(upstream.liveSessions, 1);
    assertEquals(upstream.seen, { initialize: 2, initialized: 2, deleted: 1, calls: 5 });
    await first.client.close();
    await second.client.close();
  });
}

Deno.test("CounterUpstream.expireSessions() and requireBearer() refuse what was accepted", async () => {
  await using upstream = CounterUpstream.start();
  const { client } = await connect(upstream.url);
  await upstream.expireSessions();
  assertEquals(upstream.liveSessions, 0);
  await assertRejects(() => call(client, "get"), Error, "Session not found");
  await client.close();
  upstream.requireBearer("secret");
  await assertRejects(() => connect(upstream.url), Error);
});
