// Lists that belong to a session: what an upstream lists to one client reaches that client, as it does directly, and nobody else.
import { assert, assertEquals } from "@std/assert";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/stdio"
import type { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import {
  connectSse,
  connectStdioV1,
  connectWebSocket,
  type DuplexClient,
} from "../support/duplex_clients.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { serveSse } from "../support/stateless_sse.ts";
import { serveWebSocket } from "../support/stateless_websocket.ts";
import { stdioCommand } from "../support/stdio_command.ts";
import { UnlockingUpstream, vault, VAULT_URI } from "../support/unlocking_upstream.ts";
import { startEverything } from "../support/upstream_everything.ts";
import { waitFor } from "../support/wait_for.ts";

/** A client that counts what it hears of changed lists. */
class Listening implements AsyncDisposable {
  readonly heard = { tools: 0, resources: 0, prompts: 0 };

  private constructor(readonly client: Client) {
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void this.heard.tools++);
    client.setNotificationHandler(ResourceListChangedNotificationSchema, () => void this.heard.resources++);
    client.setNotificationHandler(PromptListChangedNotificationSchema, () => void this.heard.prompts++);
  }

  static async connect(url: string, token?: string, capabilities = {}): Promise<Listening> {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const client = new Client({ name: "listening", version: "1" }, { capabilities });
    const listening = new Listening(client);
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
    return listening;
  }

  async call(name: string): Promise<string> {
    const { content } = await this.client.callTool({ name });
    return (content as { text: string }[])[0]!.text;
  }

  async tools(): Promise<string[]> {
    return (await this.client.listTools()).tools.map(({ name }) => name).sort();
  }

  async lists(): Promise<unknown[]> {
    const [{ resources }, { prompts }] = await Promise.all([
      this.client.listResources(),
      this.client.listPrompts(),
    ]);
    return [
      await this.tools(),
      resources.map(({ uri }) => uri).sort(),
      prompts.map(({ name }) => name).sort(),
    ];
  }

  async hears(what: Listening["heard"]): Promise<void> {
    const heard = () => {
      assertEquals(this.heard, what);
      return true;
    };
    await waitFor(heard, { what: "the changed lists" });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client.close();
  }
}

const LOCKED = [["lock", "unlock"], ["open://note"], ["open"]];
const UNLOCKED = [["lock", "secret", "unlock"], ["open://note", VAULT_URI], ["hint", "open"]];
const NONE = { tools: 0, resources: 0, prompts: 0 };
const ALL = { tools: 1, resources: 1, prompts: 1 };

function prefixed([tools, uris, prompts]: string[][]): unknown[] {
  return [tools!.map((name) => `vault-${name}`), uris, prompts!.map((name) => `vault-${name}`)];
}

async function reads(sluice: Gateway): Promise<number> {
  const all = await Promise.all(
    sluice.processes.map((each) => metric(each, "sluice_session_list_reads_total")),
  );
  return all.reduce((sum, one) => sum + one, 0);
}

gatewayTest("what a tool unlocks in a session is that session's own", async (start, t) => {
  await using upstream = UnlockingUpstream.start();
  await using sluice = await start();
  const token = await sluice.token();
  const { id } = await sluice.registerUpstream("vault", upstream.url);
  const registry = async () =>
    (await sluice.api("GET", "/tools")).body.map(({ name }: { name: string }) => name).sort();
  const { body: tools } = await sluice.api("GET", "/tools");
  for (
    const server of [
      { id: "whole", name: "Whole", associated_gateways: [id] },
      { id: "narrowed", name: "Narrowed", associated_gateways: [id], excluded: ["secret"] },
      { id: "bare", name: "Bare", associated_gateways: [id], naming: "original" },
      { id: "chosen", name: "Chosen", associated_tools: tools.map((tool: { id: string }) => tool.id) },
    ]
  ) {
    assertEquals((await sluice.api("POST", "/servers", { server })).status, 201);
  }

  /** Has each client's session to the upstream open its stream: what is reported before is lost. */
  const openStreams = async (clients: readonly Listening[], tool: string) => {
    const before = upstream.count("GET");
    await Promise.all(clients.map((each) => each.call(tool)));
    await waitFor(() => upstream.count("GET") >= before + clients.length, { what: "the streams" });
  };

  await t.step("directly", async () => {
    await using direct = await Listening.connect(upstream.url);
    await waitFor(() => upstream.count("GET") > 0, { what: "the stream" });
    assertEquals(await direct.lists(), LOCKED);
    assertEquals(await direct.call("unlock"), "unlocked");
    await direct.hears(ALL);
    assertEquals(await direct.lists(), UNLOCKED);
    assertEquals(await direct.call("secret"), "s3cret");
  });

  await t.step("through the gateway, in several workers", async () => {
    const url = `${sluice.url}/mcp`;
    const unlocking = await Promise.all([1, 2, 3, 4].map(() => Listening.connect(url, token)));
    const others = await Promise.all([1, 2].map(() => Listening.connect(url, token)));
    for (const each of [...unlocking, ...others]) assertEquals(await each.lists(), prefixed(LOCKED));
    await openStreams([...unlocking, ...others], "vault-lock");
    await Promise.all(unlocking.map(async (each) => {
      assertEquals(await each.call("vault-unlock"), "unlocked");
      await each.hears(ALL);
      assertEquals(await each.lists(), prefixed(UNLOCKED));
      assertEquals(await each.call("vault-secret"), "s3cret");
      const { contents } = await each.client.readResource({ uri: VAULT_URI });
      assertEquals(contents, [{ uri: VAULT_URI, text: "noted" }]);
      assertEquals((await each.client.getPrompt({ name: "vault-hint" })).messages.length, 1);
    }));
    assertEquals(await registry(), ["vault-lock", "vault-unlock"]);
    for (const other of others) {
      assertEquals([await other.lists(), other.heard], [prefixed(LOCKED), NONE]);
      const refused = await other.client.callTool({ name: "vault-secret" }).catch((error) => error);
      assert(String(refused).includes("Unknown tool"), String(refused));
    }
    const [one] = unlocking;
    await one!.call("vault-lock");
    await one!.hears({ tools: 2, resources: 2, prompts: 2 });
    assertEquals(await one!.lists(), prefixed(LOCKED));
    for (const each of [...unlocking, ...others]) await each[Symbol.asyncDispose]();
  });

  await t.step("at virtual servers, by their naming and selections", async () => {
    const listed = async (server: string, prefix: string) => {
      await using client = await Listening.connect(`${sluice.url}/servers/${server}/mcp`, token);
      assertEquals(await client.tools(), [`${prefix}lock`, `${prefix}unlock`]);
      await openStreams([client], `${prefix}lock`);
      await client.call(`${prefix}unlock`);
      if (server === "whole" || server === "bare") {
        await waitFor(() => client.heard.tools === 1, { what: "the changed list of tools" });
      }
      return await client.tools();
    };
    assertEquals(await listed("whole", "vault-"), ["vault-lock", "vault-secret", "vault-unlock"]);
    assertEquals(await listed("bare", ""), ["lock", "secret", "unlock"]);
    assertEquals(await listed("narrowed", "vault-"), ["vault-lock", "vault-unlock"]);
    assertEquals(await listed("chosen", "vault-"), ["vault-lock", "vault-unlock"]);
  });

  await t.step("callable at once by a client that hears nothing, and listed", async () => {
    const session = await openSession(sluice, { token });
    const ask = async (message: unknown) =>
      (await post(sluice, message, { token, headers: inSession(session) })).body;
    await ask(toolCall("vault-unlock"));
    assertEquals((await ask(toolCall("vault-secret"))).result.content[0].text, "s3cret");
    const { result } = await ask({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    assertEquals(result.tools.length, 3);
    const before = await reads(sluice);
    assertEquals((await ask(toolCall("vault-nothing"))).error.code, -32602);
    await ask(toolCall("vault-nothing"));
    assertEquals(await reads(sluice) - before <= 1, true, "an unknown name is asked for once");
  });

  await t.step("a session is asked once, when its client lists again", async () => {
    await using client = await Listening.connect(`${sluice.url}/mcp`, token);
    const before = upstream.count("tools/list");
    const asked = async () => {
      await client.tools();
      return upstream.count("tools/list") - before;
    };
    assertEquals(await asked(), 0);
    // A session whose stream is open reports its changes, and is asked no second time without one.
    await openStreams([client], "vault-lock");
    assertEquals(await asked(), 1);
    await client.call("vault-lock");
    assertEquals(await asked(), 1);
  });
});

const CAPABLE = { roots: {}, sampling: {}, elicitation: {} };

gatewayTest("lists that depend on what the client can do, and on its process", async (start, t) => {
  await using http = await startEverything();
  await using sluice = await start({ STDIO_ENABLED: "true" });
  const token = await sluice.token();
  const { toolCount } = await sluice.registerUpstream("every", http.url);

  await t.step("each client has the tools that it has directly", async () => {
    for (const capabilities of [{}, CAPABLE, CAPABLE]) {
      await using direct = await Listening.connect(http.url, undefined, capabilities);
      await using client = await Listening.connect(`${sluice.url}/mcp`, token, capabilities);
      const expected = (await direct.tools()).map((name) => `every-${name}`);
      assertEquals(await client.tools(), expected);
      assertEquals(expected.includes("every-trigger-sampling-request"), capabilities === CAPABLE);
      if (capabilities !== CAPABLE) assertEquals(toolCount, expected.length);
    }
  });

  await t.step("what an operator switches off stays off", async () => {
    const { body: tools } = await sluice.api("GET", "/tools");
    const echo = tools.find(({ name }: { name: string }) => name === "every-echo");
    await sluice.api("POST", `/tools/${echo.id}/toggle?activate=false`);
    await using client = await Listening.connect(`${sluice.url}/mcp`, token, CAPABLE);
    const listed = await client.tools();
    assert(
      listed.includes("every-trigger-sampling-request") && !listed.includes("every-echo"),
      String(listed),
    );
  });

  await t.step("a process that adds tools at run time", async () => {
    const script = new URL("../support/unlocking_upstream.ts", import.meta.url).pathname;
    const { status, body } = await sluice.api("POST", "/gateways", {
      name: "vault",
      transport: "STDIO",
      command: Deno.execPath(),
      args: ["run", "-A", "--quiet", script],
    });
    assertEquals(status, 200, JSON.stringify(body));
    await using client = await Listening.connect(`${sluice.url}/mcp`, token);
    await using other = await Listening.connect(`${sluice.url}/mcp`, token);
    await client.call("vault-unlock");
    await waitFor(async () => (await client.tools()).includes("vault-secret"), { what: "the unlocked tool" });
    assertEquals(await client.call("vault-secret"), "s3cret");
    assertEquals((await other.tools()).includes("vault-secret"), false);
  });
}, { inCluster: false });

Deno.test("what a tool unlocks is its session's own over SSE, WebSocket and stdio, on both sides, and after a recycle", async (t) => {
  const connect = (transport: unknown) => void vault().connect(transport as StdioServerTransport);
  await using sse = serveSse(connect);
  await using webSocket = serveWebSocket(connect);
  await using http = UnlockingUpstream.start();
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true", LOG_LEVEL: "INFO" } });
  const token = await sluice.token();
  const tokenFile = `${sluice.cwd}/token`;
  await Deno.writeTextFile(tokenFile, token, { mode: 0o600 });
  const script = new URL("../support/unlocking_upstream.ts", import.meta.url).pathname;
  const upstreams = [
    ["http", { url: http.url }],
    ["sse", { url: sse.url, transport: "SSE" }],
    ["websocket", { url: webSocket.url, transport: "WEBSOCKET" }],
    ["stdio", { transport: "STDIO", command: Deno.execPath(), args: ["run", "-A", "--quiet", script] }],
  ] as const;
  for (const [name, place] of upstreams) {
    const { status, body } = await sluice.api("POST", "/gateways", { name, ...place });
    assertEquals(status, 200, JSON.stringify(body));
  }
  const clients: Record<string, () => Promise<DuplexClient>> = {
    SSE: () => connectSse(`${sluice.url}/sse`, token),
    WebSocket: () => connectWebSocket(`${sluice.url}/ws`, token),
    stdio: () => connectStdioV1(stdioCommand(sluice.cwd, "--url", sluice.url, "--token-file", tokenFile)),
  };
  const secrets = async (client: Pick<DuplexClient, "listTools">) =>
    (await client.listTools()).tools.map(({ name }) => name).filter((name) => name.endsWith("-secret"))
      .sort();
  for (const [kind, connect] of Object.entries(clients)) {
    await t.step(`a client on ${kind}`, async () => {
      await using client = await connect();
      await using other = await connect();
      const unlocked: string[] = [];
      for (const [name] of upstreams) {
        const before = client.heard.length;
        await client.callTool(`${name}-unlock`);
        unlocked.push(`${name}-secret`);
        await waitFor(() => client.heard.length > before, { what: `the client to hear of ${name}` });
        assertEquals(await secrets(client), unlocked.toSorted(), name);
        assertEquals((await client.callTool(`${name}-secret`)).content[0].text, "s3cret");
      }
      assertEquals(await secrets(other), []);
    });
  }
  await t.step("a session whose worker is recycled", async () => {
    await using client = await Listening.connect(`${sluice.url}/mcp`, token);
    await client.call("http-unlock");
    const list = async () => (await client.tools()).filter((name) => name.endsWith("-secret"));
    await waitFor(async () => (await list()).length === 1, { what: "the unlocked tool" });
    await Deno.writeTextFile(`${sluice.cwd}/.env`, "TOOL_TIMEOUT=20\n");
    Deno.kill(sluice.pid, "SIGHUP");
    const begun = () => sluice.log().filter(({ event }) => event === "recycling worker").length;
    await waitFor(() => begun() === 2, { what: "the recycling of both workers to begin" });
    await waitFor(async () => (await list()).length === 1, {
      what: "the tool to be listed by the successor",
    });
    assertEquals(await client.call("http-secret"), "s3cret");
  });
});
