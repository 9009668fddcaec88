// Text of clients and upstreams in the log cannot control a terminal, break a line, or hide.
import { assertEquals } from "@std/assert";
import { post, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** An escape sequence, C1 controls with NEL, separators, direction marks, invisible characters. */
const HOSTILE = "\x1b[2J\x9b31m\x85\u2028\u2029\u061c\u202e\u2066\u200b\ufeff\u{e0041}\r\nlevel=ERROR";

const FORBIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

/** An upstream that is hostile in its words. */
function startUpstream() {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === "tools/call") return new Response(HOSTILE, { status: 500 });
    const result = method === "initialize"
      ? {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: HOSTILE, version: "1" },
      }
      : method === "tools/list"
      ? { tools: [{ name: "tool", inputSchema: { type: "object" } }] }
      : {};
    return Response.json({ jsonrpc: "2.0", id, result });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

for (const LOG_FORMAT of ["json", "text"]) {
  Deno.test(`The log as ${LOG_FORMAT} escapes what controls a terminal, breaks a line or is invisible`, async () => {
    await using upstream = startUpstream();
    const env = { WORKERS: "1", LOG_LEVEL: "DEBUG", LOG_FORMAT, DISABLE_ACCESS_LOG: "false" };
    await using sluice = await Sluice.start({ env });
    await sluice.registerUpstream("up", upstream.url);
    const token = await sluice.token({ username: `ann${HOSTILE}`, claims: { jti: "a\u202e\u2028b" } });
    for (const tool of ["up-tool", `tool${HOSTILE}`]) {
      const headers = { "x-correlation-id": "c-1" };
      await post(sluice, toolCall(tool), { token, path: "/rpc", headers });
    }
    await post(sluice, toolCall("x"), { token, path: `/servers/${encodeURIComponent(HOSTILE)}/mcp` });
    const about = () => sluice.stdout.lines.filter((line) => line.includes("c-1"));
    await waitFor(() => about().filter((line) => line.includes("request")).length >= 2, {
      what: "the access log",
    });
    assertEquals(await sluice.stop(), 0);
    const lines = [...sluice.stdout.lines, ...sluice.stderr.lines];
    assertEquals(lines.filter((line) => FORBIDDEN.test(line)), []);
    assertEquals(
      lines.some((line) => line.includes(String.raw`\u202e`)),
      true,
      "what was said is still told",
    );
    assertEquals(lines.filter((line) => /^level=ERROR/.test(line)), []);
  });
}
