// Many stateless MCP servers in one process, each at a path of its own, with tools by the hundred, which they list in pages.

export interface ManyUpstreams extends AsyncDisposable {
  /** @param name in the path, and in every answer of its tools */
  url(name: string): string;
}

/** Each server has the tools `tool_0`, `tool_1` and so on. Called, they answer the server's name and their own. */
export function startManyUpstreams({ tools, pageSize }: { tools: number; pageSize: number }): ManyUpstreams {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const name = new URL(request.url).pathname.slice(1);
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    return Response.json({ jsonrpc: "2.0", id, result: resultOf(name, method, params) });
  });
  const resultOf = (name: string, method: string, params: { name?: string; cursor?: string } = {}) => {
    switch (method) {
      case "initialize":
        return {
          protocolVersion: "2025-11-25",
          capabilities: { tools: {} },
          serverInfo: { name, version: "1" },
        };
      case "tools/list": {
        const from = Number(params.cursor ?? 0);
        const to = Math.min(from + pageSize, tools);
        const page = Array.from({ length: to - from }, (_, i) => ({
          name: `tool_${from + i}`,
          description: `tool ${from + i} of ${name}`,
          inputSchema: { type: "object" },
        }));
        return { tools: page, ...(to < tools ? { nextCursor: `${to}` } : {}) };
      }
      case "tools/call":
        return { content: [{ type: "text", text: `${name} ${params.name}` }] };
      default:
        return {};
    }
  };
  return {
    url: (name) => `http://127.0.0.1:${server.addr.port}/${name}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
