// Who meets whose state: upstreams that keep something for their client, and clients that must find all that is theirs and nothing
// else. Every cell of client, upstream and isolation.
import { assert, assertEquals } from "@std/assert";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/sse"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { CLUSTER_REPLICAS } from "../support/cluster.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { connectAuto, connectStateless, connectV1 } from "../support/mcp_clients.ts";
import { post } from "../support/mcp_post.ts";
import { claimsOf } from "../support/sessionless_parts.ts";
import { SessionlessSocket } from "../support/sessionless_socket.ts";
import { Sluice } from "../support/sluice.ts";
import { spawnStdio, stdioCommand } from "../support/stdio_command.ts";
import { waitFor } from "../support/wait_for.ts";
import { conformanceLaunch, counterLaunch } from "../support/stdio_upstream.ts";

type Isolation = "session" | "caller" | "shared";
type Kind = "session" | "stateless" | "rpc";

/** One who calls, and the calls. */
interface Actor {
  readonly user: string;
  readonly kind: Kind;
  readonly name: string;
  increment(tool: string): Promise<number>;
}

const CALLS = 4;

/** By whom an actor's counter is shared; null: each call has one of its own. */
function holderOf({ user, kind, name }: Actor, isolation: Isolation, isProcess: boolean): string | null {
  if (isolation === "shared") return "everybody";
  if (isolation === "caller") return user;
  if (kind === "session") return name;
  return kind === "rpc" && !isProcess ? null : user;
}

async function actorsOf(sluice: Gateway, stack: AsyncDisposableStack): Promise<Actor[]> {
  const actors: Actor[] = [];
  for (const user of ["ann@example.com", "bob@example.com"]) {
    const token = await sluice.token({ username: user, admin: false });
    for (const kind of ["session", "session", "stateless", "stateless"] as const) {
      const connect = kind === "session" ? connectV1 : connectStateless;
      const client = stack.use(await connect(`${sluice.url}/mcp`, { token }));
      actors.push({
        user,
        kind,
        name: `${user} ${actors.length}`,
        increment: async (tool) => Number((await client.callTool(tool)).content[0].text),
      });
    }
    actors.push({
      user,
      kind: "rpc",
      name: `${user} rpc`,
      increment: async (tool) => {
        const { body } = await sluice.rpc("tools/call", { name: tool }, token);
        return Number(body.result.content[0].text);
      },
    });
  }
  return actors;
}

/** Each of at most so many counters has told 1, 2, 3, and so on. */
function assertCounted(answers: readonly number[], counters: number, holder: string): void {
  const told = (count: number) => answers.filter((answer) => answer === count).length;
  const counts = answers.map((_, i) => told(i + 1));
  const where = `${holder}: ${answers}`;
  assertEquals(counts.reduce((sum, times) => sum + times, 0), answers.length, where);
  assert(counts.every((times, i) => times <= (i === 0 ? counters : counts[i - 1]!)), where);
}

gatewayTest(
  "Nobody meets another's state, and everybody finds his own, in every cell of client, upstream and isolation",
  async (start, t, on) => {
    await using stack = new AsyncDisposableStack();
    const sluice = stack.use(await start({ STDIO_ENABLED: "true", MCP_REVISIONS: "all" }));
    const cells: { name: string; isolation: Isolation; isProcess: boolean }[] = [];
    for (const isolation of ["session", "caller", "shared"] as const) {
      const http = stack.use(CounterUpstream.start());
      await sluice.registerUpstream(`http-${isolation}`, http.url, { isolation });
      const launch = counterLaunch(`mark-${crypto.randomUUID()}`);
      const registration = { name: `stdio-${isolation}`, transport: "STDIO", isolation, ...launch };
      assertEquals((await sluice.api("POST", "/gateways", registration)).status, 200);
      cells.push({ name: `http-${isolation}`, isolation, isProcess: false });
      cells.push({ name: `stdio-${isolation}`, isolation, isProcess: true });
    }
    const actors = await actorsOf(sluice, stack);
    for (const { name, isolation, isProcess } of cells) {
      await t.step(name, async () => {
        const told = new Map<string, number[]>();
        await Promise.all(actors.map(async (actor) => {
          for (let i = 0; i < CALLS; i++) {
            const answer = await actor.increment(`${name}-increment`);
            const holder = holderOf(actor, isolation, isProcess) ?? `call ${crypto.randomUUID()}`;
            told.set(holder, [...told.get(holder) ?? [], answer]);
          }
        }));
        // What everybody shares is in one worker of each replica.
        const places = isolation === "shared" && on === "cluster" ? CLUSTER_REPLICAS : 1;
        for (const [holder, answers] of told) assertCounted(answers, places, holder);
      });
    }
  },
);

Deno.test("A 2026-07-28 process is never shared by two callers or two sessions, in either kind of revisions", async () => {
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true" } });
  const { status } = await sluice.api("POST", "/gateways", {
    name: "one",
    transport: "STDIO",
    ...conformanceLaunch(`mark-${crypto.randomUUID()}`),
  });
  assertEquals(status, 200);
  const processesOf = async (username: string, connect: typeof connectV1) => {
    const token = await sluice.token({ username, admin: false });
    await using client = await connect(`${sluice.url}/mcp`, { token });
    const found = new Set<string>();
    for (let i = 0; i < 4; i++) found.add((await client.callTool("one-process")).content[0].text);
    return [...found];
  };
  const all: string[][] = [];
  for (const username of ["ann@example.com", "bob@example.com"]) {
    all.push(await processesOf(username, connectStateless));
    for (let i = 0; i < 2; i++) all.push(await processesOf(username, connectV1));
  }
  // Each has one, whichever worker its calls reach.
  assertEquals([new Set(all.flat()).size, all.length], [6, 6]);
  assertEquals(all.map(({ length }) => length), all.map(() => 1));
});

Deno.test("A client that prefers 2026-07-28 gets it where no upstream keeps state from it, else a session and its state", async () => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start();
  const token = await sluice.token();
  const { id } = await sluice.registerUpstream("counter", counter.url);
  const count = async (path: string) => {
    await using client = await connectAuto(sluice.url + path, { token });
    const told = [];
    for (let i = 0; i < 3; i++) told.push((await client.callTool("counter-increment")).content[0].text);
    return [client.sessionId !== undefined, ...told];
  };
  assertEquals(await count("/mcp"), [true, "1", "2", "3"]);
  const tools = (await sluice.api("GET", "/tools")).body.map(({ id }: { id: string }) => id);
  for (const [revisions, hasSession] of [["auto", true], ["all", false], [["2025-06-18"], true]] as const) {
    const server = {
      id: `s-${hasSession}-${revisions}`,
      name: `${revisions}`,
      associated_tools: tools,
      revisions,
    };
    const { status, body } = await sluice.api("POST", "/servers", { server });
    assertEquals([status, body.revisions], [201, revisions]);
    assertEquals(await count(`/servers/${server.id}/mcp`), [hasSession, "1", "2", "3"], `${revisions}`);
  }
  await sluice.api("PUT", `/gateways/${id}`, { isolation: "shared" });
  assertEquals(await count("/mcp"), [false, "1", "2", "3"]);
});

Deno.test("An endpoint that does not offer 2026-07-28 refuses all its requests, over HTTP, WebSocket, SSE and stdio", async () => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start();
  const token = await sluice.token();
  const tokenFile = `${sluice.cwd}/token`;
  await Deno.writeTextFile(tokenFile, token, { mode: 0o600 });
  await using socket = await SessionlessSocket.connect(sluice.url, token);
  const asked = [
    ["server/discover", {}],
    ["tools/list", {}],
    ["tools/call", { name: "counter-increment" }],
    ["subscriptions/listen", { notifications: { toolsListChanged: true } }],
  ] as const;
  const requests = asked.map(([method, params], id) => {
    return { jsonrpc: "2.0" as const, id, method, params: { ...params, _meta: claimsOf() } };
  });
  const ways: Record<string, (request: typeof requests[number]) => Promise<{ error: unknown }>> = {
    HTTP: async (request) => {
      const { method, params } = request;
      const name = "name" in params ? { "mcp-name": params.name } : undefined;
      const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": method, ...name };
      const { status, body } = await post(sluice, request, { token, headers });
      assertEquals(status, 400);
      return body;
    },
    WebSocket: ({ method, params }) => socket.ask(method, params),
    SSE: async (request) => {
      const requestInit = { headers: { authorization: `Bearer ${token}` } };
      const sse = new SSEClientTransport(new URL(`${sluice.url}/sse`), { requestInit });
      const answer = new Promise<{ error: unknown }>((resolve) =>
        sse.onmessage = (message) => resolve({ error: undefined, ...message })
      );
      await sse.start();
      await sse.send(request);
      return await answer.finally(() => sse.close());
    },
    stdio: async (request) => {
      const command = stdioCommand(sluice.cwd, "--url", sluice.url, "--token-file", tokenFile);
      const bridge = spawnStdio(command);
      await bridge.say(request);
      const answer = await waitFor(() => bridge.messages()[0], { what: "the bridge to answer" });
      await bridge.writer.close();
      await bridge.ended();
      return answer;
    },
  };
  const discovered = await socket.ask("server/discover");
  assertEquals(discovered.result.supportedVersions, ["2026-07-28"], "no upstream keeps a state");
  await sluice.registerUpstream("counter", counter.url);
  const supported = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
  for (const [way, ask] of Object.entries(ways)) {
    // Each start of a bridge takes most of a second.
    for (const request of way === "stdio" ? requests.slice(2) : requests) {
      const { error } = await ask(request);
      const { code, data } = error as { code: number; data: Record<string, unknown> };
      assertEquals(
        [code, data.supported, data.requested],
        [-32000, supported, "2026-07-28"],
        `${way} ${request.method}`,
      );
    }
  }
});

Deno.test("A caller's session over HTTP moves to the successors of recycled workers", async () => {
  await using counter = CounterUpstream.start();
  const env = { MCP_REVISIONS: "all", LOG_LEVEL: "INFO" };
  await using sluice = await Sluice.start({ env });
  await sluice.registerUpstream("counter", counter.url);
  const token = await sluice.token();
  await using client = await connectStateless(`${sluice.url}/mcp`, { token });
  const count = async () => (await client.callTool("counter-increment")).content[0].text;
  assertEquals([await count(), await count()], ["1", "2"]);
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "TOOL_TIMEOUT=20\n");
  Deno.kill(sluice.pid, "SIGHUP");
  const recycled = () => sluice.log().filter(({ event }) => event === "worker recycled").length;
  await waitFor(() => recycled() === 2, { what: "both workers to be recycled" });
  assertEquals([await count(), await count()], ["3", "4"]);
});

Deno.test("What an upstream asks on its GET stream reaches the client of the running call, in both kinds of revisions, and nobody else", async () => {
  await using upstream = serveAsking();
  await using sluice = await Sluice.start({ env: { MCP_REVISIONS: "all", TOOL_TIMEOUT: "10" } });
  await sluice.registerUpstream("asking", upstream.url);
  const kinds = { "2026-07-28": { pin: "2026-07-28" }, "2025-11-25": "legacy" } as const;
  const clients = await Promise.all(
    ["ann", "bob"].flatMap((user) =>
      Object.entries(kinds).map(async ([revision, mode]) => {
        const name = `${user} ${revision}`;
        const client = new Client({ name, version: "1" }, {
          versionNegotiation: { mode },
          capabilities: { elicitation: {}, roots: {}, sampling: {} },
        });
        client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name } }));
        client.setRequestHandler("roots/list", () => ({ roots: [{ uri: `file:///${name}` }] }));
        client.setRequestHandler("sampling/createMessage", ({ params }) => {
          const [question] = params.messages;
          const { text } = question!.content as { text: string };
          return { model: "m", role: "assistant", content: { type: "text", text: `${text} ${name}` } };
        });
        const token = await sluice.token({ username: `${user}@example.com`, admin: false });
        const requestInit = { headers: { authorization: `Bearer ${token}` } };
        await client.connect(
          new StreamableHTTPClientTransport(new URL(`${sluice.url}/mcp`), { requestInit }),
        );
        return { name, client };
      })
    ),
  );
  await Promise.all(clients.map(async ({ name, client }) => {
    for (let i = 0; i < 2; i++) {
      const { content } = await client.callTool({ name: "asking-ask" });
      const said = JSON.parse((content as { text: string }[])[0]!.text);
      assertEquals(said, [name, `file:///${name}`, `I am ${name}`]);
    }
    await client.close();
  }));
});

/** An SDK server whose tool asks its client outside of the call's stream, as most tools written with the SDK do. */
function serveAsking(): AsyncDisposable & { readonly url: string } {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const open = async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    const mcp = new McpServer({ name: "asking", version: "1" });
    mcp.registerTool("ask", {}, async () => {
      const requestedSchema = { type: "object", properties: { name: { type: "string" } } } as const;
      const said = await mcp.server.elicitInput({ message: "Who?", requestedSchema });
      const { roots } = await mcp.server.listRoots();
      const { content } = await mcp.server.createMessage({
        messages: [{ role: "user", content: { type: "text", text: "I am" } }],
        maxTokens: 9,
      });
      const all = [said.content?.name, roots[0]?.uri, (content as { text: string }).text];
      return { content: [{ type: "text", text: JSON.stringify(all) }] };
    });
    await mcp.connect(transport);
    return transport;
  };
  const server = serveOnLoopback(async (request) => {
    const id = request.headers.get("mcp-session-id");
    const transport = id === null ? await open() : sessions.get(id);
    return transport?.handleRequest(request) ?? new Response(null, { status: 404 });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      for (const transport of sessions.values()) await transport.close();
      await server.shutdown();
    },
  };
}
