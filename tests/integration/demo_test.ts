// The demo upstream: alone, as the SDK clients of both lines see it, and behind the gateway that starts it.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startTimeServer, type TimeServer } from "../../src/demo/time_server.ts";
import { freePort } from "../support/free_port.ts";
import { connectV1, connectV2 } from "../support/mcp_clients.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const ZONES = { source_timezone: "Europe/Berlin", target_timezone: "Europe/Dublin" };

async function withServer(run: (server: TimeServer) => Promise<void>): Promise<void> {
  const server = startTimeServer({ hostname: "127.0.0.1", port: 0 });
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

async function connectModern(url: string) {
  const client = new Client({ name: "sluice-tests", version: "1.0.0" }, {
    versionNegotiation: { mode: "auto" },
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  assertEquals(client.getNegotiatedProtocolVersion(), "2026-07-28");
  return {
    listTools: () => client.listTools(),
    // deno-lint-ignore no-explicit-any -- results of any tool; tests assert what they read.
    callTool: (name: string, args = {}): Promise<any> => client.callTool({ name, arguments: args }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

for (
  const [revisions, connect] of Object.entries({
    sdk1: connectV1,
    sdk2: connectV2,
    "2026-07-28": connectModern,
  })
) {
  Deno.test(`The demo upstream lists its tools and runs them for a client of ${revisions}`, () =>
    withServer(async ({ url }) => {
      await using client = await connect(url);
      const { tools } = await client.listTools();
      assertEquals(tools.map(({ name }) => name), ["convert_time", "get_system_time", "echo"]);
      for (const { inputSchema } of tools as unknown as { inputSchema: Record<string, unknown> }[]) {
        assertEquals([inputSchema.type, inputSchema.additionalProperties], ["object", false]);
        for (
          const property of Object.values(inputSchema.properties as Record<string, { description?: string }>)
        ) {
          assertEquals(typeof property.description, "string");
        }
      }
      const call = async (name: string, args: Record<string, unknown>) => {
        const { content, isError = false } = await client.callTool(name, args);
        return { text: content[0].text as string, isError };
      };
      const converted = JSON.parse((await call("convert_time", { ...ZONES, time: "2026-01-15T09:00" })).text);
      assertEquals([converted.target.datetime, converted.time_difference], [
        "2026-01-15T08:00:00+00:00",
        "-1.0h",
      ]);
      const now = JSON.parse((await call("get_system_time", {})).text);
      assertMatch(now.datetime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
      assertEquals(await call("echo", { message: "ü\n", delay: 1 }), { text: "ü\n", isError: false });
      for (
        const [name, args, words] of [
          ["convert_time", { ...ZONES, time: "25:00" }, 'Cannot read time "25:00"'],
          ["convert_time", ZONES, "time: Invalid input"],
          ["get_system_time", { timezone: "Nowhere" }, 'Unknown timezone "Nowhere"'],
          ["echo", { message: "a", delay: 60_001 }, "delay: Too big"],
          ["echo", { message: "a", more: 1 }, 'Unrecognized key: "more"'],
        ] as const
      ) {
        const { text, isError } = await call(name, args);
        assert(isError);
        assertStringIncludes(text, words);
      }
    }));
}

Deno.test("The demo upstream refuses other paths and web pages of other hosts", () =>
  withServer(async ({ url }) => {
    const status = async (address: string | URL, headers = {}) => {
      const message = { jsonrpc: "2.0", id: 1, method: "ping" };
      const response = await fetch(address, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        },
        body: JSON.stringify(message),
      });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await status(url), 200);
    assertEquals(await status(new URL("/other?/mcp", url)), 404);
    assertEquals(await status(url, { origin: "https://evil.example" }), 403);
    assertEquals(await status(url, { origin: "http://localhost:3000" }), 200);
  }));

Deno.test("TimeServer.close() ends calls that wait", async () => {
  const server = startTimeServer({ hostname: "127.0.0.1", port: 0 });
  await using legacy = await connectV1(server.url);
  const waiting = legacy.callTool("echo", { message: "m", delay: 60_000 });
  // The call has arrived when a later one is answered.
  await legacy.callTool("echo", { message: "m" });
  await server.close();
  assertEquals((await waiting).isError, true);
});

Deno.test("sluice demo serves until a signal, and says which port is taken", async () => {
  const port = freePort();
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "src/main.ts", "demo", "--port", String(port)],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  });
  const first = command.spawn();
  const client = await waitFor(() => connectV2(`http://127.0.0.1:${port}/mcp`), {
    what: "the demo",
  });
  assertEquals((await client.callTool("echo", { message: "m" })).content[0].text, "m");
  await client[Symbol.asyncDispose]();
  const second = await command.output();
  assertEquals(second.code, 1);
  assertStringIncludes(new TextDecoder().decode(second.stderr), `Cannot listen on 127.0.0.1:${port}`);
  first.kill("SIGTERM");
  const { code, stdout } = await first.output();
  assertEquals(code, 0);
  assertStringIncludes(new TextDecoder().decode(stdout), `MCP time server: http://127.0.0.1:${port}/mcp`);
});

Deno.test("serve --demo registers the demo upstream, also at the next start, and its tools answer by their own names", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_demo_" });
  for (let start = 0; start < 2; start++) {
    await using sluice = await Sluice.start({ args: ["--demo"], cwd });
    const { body } = await sluice.rpc("convert_time", { ...ZONES, time: "09:00" });
    assertEquals(JSON.parse(body.result.content[0].text).time_difference, "-1.0h");
    assertEquals((await sluice.rpc("demo-echo", { message: "m" })).body.result.content, [{
      type: "text",
      text: "m",
    }]);
    const { body: gateways } = await sluice.api("GET", "/gateways");
    assertEquals(
      gateways.map(({ protocols }: { protocols: string[] }) => protocols),
      [["2026-07-28", "2025-11-25"]],
    );
  }
  await Deno.remove(cwd, { recursive: true });
});
