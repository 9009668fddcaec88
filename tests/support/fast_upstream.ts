// A fast upstream for load: hand-written JSON-RPC without sessions, at a fraction of the cost of an SDK server.
//
//   deno run -A tests/support/fast_upstream.ts PORT    runs it as a process of its own

type Json = Record<string, unknown>;

/** The answer to every `convert_time`: what the demo upstream says to 2026-01-15T09:00 from Berlin to Dublin. */
const CONVERSION = JSON.stringify({
  source: zonedTime("Europe/Berlin", "2026-01-15T09:00:00+01:00"),
  target: zonedTime("Europe/Dublin", "2026-01-15T08:00:00+00:00"),
  time_difference: "-1.0h",
});

const TOOLS = [
  tool("convert_time", ["time", "source_timezone", "target_timezone"]),
  tool("echo", ["message"]),
];

/** Its tools: `convert_time`, which always gives the same answer, and `echo`. It speaks any revision with sessions, and keeps none. */
export class FastUpstream implements AsyncDisposable {
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(port: number) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, serve);
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  /** Default: a free port. */
  static start({ port = 0 } = {}): FastUpstream {
    return new FastUpstream(port);
  }

  close(): Promise<void> {
    return this.#server.shutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function serve(request: Request): Promise<Response> {
  if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
  const { id, method, params = {} } = JSON.parse(await request.text()) as {
    id?: unknown;
    method: string;
    params?: Json;
  };
  if (id === undefined) return new Response(null, { status: 202 });
  const answer = { jsonrpc: "2.0", id, ...answerTo(method, params) };
  return new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } });
}

export function answerTo(method: string, params: Json): Json {
  switch (method) {
    case "tools/call":
      return callTool(params);
    case "tools/list":
      return { result: { tools: TOOLS } };
    case "ping":
      return { result: {} };
    case "initialize": {
      const serverInfo = { name: "fast", version: "1.0.0" };
      const { protocolVersion } = params;
      return { result: { protocolVersion, capabilities: { tools: {} }, serverInfo } };
    }
    default:
      return { error: { code: -32601, message: "Method not found" } };
  }
}

function callTool({ name, arguments: args }: Json): Json {
  if (name === "convert_time") return text(CONVERSION);
  if (name === "echo") return text(String((args as Json | undefined)?.message ?? ""));
  return { error: { code: -32602, message: "Unknown tool" } };
}

function text(content: string): Json {
  return { result: { content: [{ type: "text", text: content }] } };
}

function tool(name: string, required: readonly string[]) {
  const properties = Object.fromEntries(required.map((argument) => [argument, { type: "string" }]));
  return { name, inputSchema: { type: "object", properties, required } };
}

function zonedTime(timezone: string, datetime: string) {
  return { timezone, datetime, day_of_week: "Thursday", is_dst: false };
}

if (import.meta.main) FastUpstream.start({ port: Number(Deno.args[0]) });
