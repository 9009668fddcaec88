import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DEMO_REVISIONS } from "./demo_rpc.ts";
import { type DemoServer, startDemoServer } from "./demo_server.ts";

type Json = Record<string, unknown>;

async function withServer(run: (server: DemoServer) => Promise<void>): Promise<void> {
  const server = startDemoServer({ hostname: "127.0.0.1", port: 0 });
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

async function post(
  { url }: DemoServer,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Json }> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  assertEquals(response.headers.get("mcp-session-id"), null);
  return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
}

function request(method: string, params?: Json, id: unknown = 1): Json {
  return { jsonrpc: "2.0", id, method, params };
}

async function call(
  server: DemoServer,
  name: string,
  args: Json,
): Promise<{ text: string; isError: boolean }> {
  const { body } = await post(server, request("tools/call", { name, arguments: args }));
  const result = body.result as { content: [{ text: string }]; isError?: boolean };
  return { text: result.content[0].text, isError: result.isError ?? false };
}

async function errorCode(answer: Promise<{ status: number; body: Json }>): Promise<[number, number]> {
  const { status, body } = await answer;
  return [status, (body.error as { code: number }).code];
}

Deno.test("startDemoServer() negotiates each revision and offers its newest for others", () =>
  withServer(async (server) => {
    for (const [asked, got] of [...DEMO_REVISIONS.map((r) => [r, r]), ["2026-07-28", "2025-11-25"]]) {
      const params = { protocolVersion: asked, capabilities: {}, clientInfo: { name: "t", version: "1" } };
      const { status, body } = await post(server, request("initialize", params));
      assertEquals(status, 200);
      assertEquals((body.result as Json).protocolVersion, got);
      assertEquals((body.result as Json).capabilities, { tools: { listChanged: false } });
    }
    assertEquals((await post(server, { jsonrpc: "2.0", method: "notifications/initialized" })).status, 202);
    assertEquals((await post(server, request("ping"))).body, { jsonrpc: "2.0", id: 1, result: {} });
  }));

Deno.test("startDemoServer() lists its tools with strict, described schemas", () =>
  withServer(async (server) => {
    const { body } = await post(server, request("tools/list"));
    const tools = (body.result as { tools: Json[] }).tools;
    assertEquals(tools.map((tool) => tool.name), ["convert_time", "get_system_time", "echo"]);
    for (const tool of tools) {
      const { type, additionalProperties, properties } = tool.inputSchema as Json;
      assertEquals([type, additionalProperties], ["object", false]);
      for (const property of Object.values(properties as Record<string, Json>)) {
        assertEquals(typeof property.description, "string");
      }
    }
  }));

Deno.test("startDemoServer() runs its tools", () =>
  withServer(async (server) => {
    const time = "2026-01-15T09:00";
    const converted = await call(server, "convert_time", {
      time,
      source_timezone: "Europe/Berlin",
      target_timezone: "Europe/Dublin",
    });
    assertEquals(JSON.parse(converted.text).target.datetime, "2026-01-15T08:00:00+00:00");
    assertEquals(JSON.parse(converted.text).time_difference, "-1.0h");
    const now = await call(server, "get_system_time", {});
    assertMatch(JSON.parse(now.text).datetime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
    assertEquals(await call(server, "echo", { message: "ü\n", delay: 1 }), { text: "ü\n", isError: false });
  }));

Deno.test("startDemoServer() tells bad arguments in words, as a tool's result", () =>
  withServer(async (server) => {
    const zone = { source_timezone: "UTC", target_timezone: "UTC" };
    for (
      const [name, args, words] of [
        ["convert_time", { ...zone, time: "25:00" }, 'Cannot read time "25:00"'],
        ["convert_time", zone, '"time" is required'],
        ["get_system_time", { timezone: "Nowhere" }, 'Unknown timezone "Nowhere"'],
        ["get_system_time", { timezone: null }, '"timezone" must be a string'],
        ["echo", { message: "a", delay: 60_001 }, '"delay" must be an integer from 0 to 60000'],
        ["echo", { message: "a", constructor: 1 }, '"constructor" is not known'],
      ] as const
    ) {
      const { text, isError } = await call(server, name, args);
      assertEquals(isError, true);
      assertStringIncludes(text, words);
    }
  }));

Deno.test("startDemoServer() answers what it does not know with the protocol's errors", () =>
  withServer(async (server) => {
    assertEquals(await errorCode(post(server, "{")), [400, -32700]);
    assertEquals(await errorCode(post(server, "null")), [400, -32600]);
    assertEquals(await errorCode(post(server, { jsonrpc: "2.0", id: null, method: "ping" })), [400, -32600]);
    assertEquals(await errorCode(post(server, request("resources/list"))), [200, -32601]);
    assertEquals(await errorCode(post(server, request("toString"))), [200, -32601]);
    assertEquals(await errorCode(post(server, request("tools/call", { name: "nope" }))), [200, -32602]);
    assertEquals(await errorCode(post(server, request("tools/list", { cursor: "x" }))), [200, -32602]);
    const version = { "mcp-protocol-version": "2026-07-28" };
    assertEquals(await errorCode(post(server, request("ping"), version)), [400, -32600]);
    assertEquals((await post(server, request("ping"), { origin: "https://evil.example" })).status, 403);
    assertEquals((await post(server, request("ping"), { origin: "http://localhost:3000" })).status, 200);
    assertEquals((await post(server, request("ping"), { "content-type": "text/plain" })).status, 415);
  }));

Deno.test("startDemoServer() takes batches of revision 2025-03-26 only", () =>
  withServer(async (server) => {
    const batch = [request("ping", {}, "a"), { jsonrpc: "2.0", method: "notifications/x" }, 7];
    const { body } = await post(server, batch);
    assertEquals((body as unknown as Json[]).map((reply) => reply.id), ["a", null]);
    const version = { "mcp-protocol-version": "2025-11-25" };
    assertEquals(await errorCode(post(server, batch, version)), [400, -32600]);
    assertEquals(await errorCode(post(server, [])), [400, -32600]);
  }));

Deno.test("startDemoServer() refuses GET, DELETE and other paths", () =>
  withServer(async (server) => {
    for (const method of ["GET", "DELETE", "PUT"]) {
      const response = await fetch(server.url, { method });
      await response.body?.cancel();
      assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
    }
    const elsewhere = await fetch(new URL("/other?/mcp", server.url), { method: "POST" });
    await elsewhere.body?.cancel();
    assertEquals(elsewhere.status, 404);
  }));

Deno.test("DemoServer.close() does not wait for delayed calls", async () => {
  const server = startDemoServer({ hostname: "127.0.0.1", port: 0 });
  const waiting = post(
    server,
    request("tools/call", { name: "echo", arguments: { message: "m", delay: 60_000 } }),
  );
  // The call has arrived when a later one is answered on a connection of its own.
  await post(server, request("ping"));
  await server.close();
  assertEquals((await waiting).status, 503);
});
