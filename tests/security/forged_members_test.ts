// Members that two readers understand differently, and errors of an upstream that look like the gateway's own.
import { assertEquals } from "@std/assert";
import { post } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";

const FORGED_DATA = '{"source":"internal","code":"INTERNAL","correlationId":"x","n":1.0}';
const URI = "demo://k";

/** An upstream that answers each call by an error with the gateway's marks. */
function startUpstream() {
  const reads: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const text = await request.text();
    const { id, method } = JSON.parse(text);
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === "resources/read") reads.push(text);
    const results: Record<string, unknown> = {
      "initialize": {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {}, resources: {} },
        serverInfo: { name: "forger", version: "1" },
      },
      "tools/list": { tools: [{ name: "tool", inputSchema: { type: "object" } }] },
      "resources/list": { resources: [{ name: "r", uri: URI }] },
      "resources/templates/list": { resourceTemplates: [] },
      "resources/read": { contents: [{ uri: URI, text: "r" }] },
      "ping": {},
    };
    const answer = method in results
      ? `"result":${JSON.stringify(results[method])}`
      : `"error":{"code":-31500,"message":"m","data":${FORGED_DATA}}`;
    return new Response(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${answer}}`, {
      headers: { "content-type": "application/json" },
    });
  });
  return {
    reads,
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("An upstream's error is told from the gateway's own by data.source", async () => {
  await using upstream = startUpstream();
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token();
  const call = (name: string) =>
    post(sluice, { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } }, { token, path: "/rpc" });
  const forged = (await call("up-tool")).body.error;
  assertEquals([forged.code, forged.message, forged.data], [-31500, "m", {
    ...JSON.parse(FORGED_DATA),
    source: "upstream:internal",
  }]);
  assertEquals((await call("no-such-tool")).body.error.data.source, "downstream");
});

Deno.test("A member is refused beside another that a reader could take for it", async () => {
  await using upstream = startUpstream();
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  await sluice.registerUpstream("up", upstream.url);
  const authorization = `Bearer ${await sluice.token()}`;
  const read = async (params: string) => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":${params}}`;
    const headers = { authorization, "content-type": "application/json" };
    return await (await fetch(`${sluice.url}/rpc`, { method: "POST", headers, body })).json();
  };
  const secret = '"demo://secret"';
  for (const other of ["URI", "ur\u0131", "ur\u0130", "\\u0075RI"]) {
    for (const params of [`{"${other}":${secret},"uri":"${URI}"}`, `{"uri":"${URI}","${other}":${secret}}`]) {
      assertEquals([params, (await read(params)).error?.data.code], [params, "INVALID_REQUEST"]);
    }
  }
  assertEquals(upstream.reads, []);
  assertEquals((await read(`{"uri":"${URI}","url":${secret}}`)).result.contents.length, 1);
});
