// An upstream with sessions that records each request: its headers, and its body as it came.
type Json = Record<string, unknown>;

export interface RecordedRequest {
  readonly method: string;
  readonly headers: Headers;
  /** The text of the body. */
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- params of every method
  readonly params: any;
}

/** The arguments of its tool `work`: how long it takes, and how it ends. */
export interface Work {
  readonly ms?: number;
  readonly ends?: "error" | "isError";
}

export class RecordingUpstream implements AsyncDisposable {
  readonly url: string;
  readonly requests: RecordedRequest[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor() {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => this.#serve(request));
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  static start(): RecordingUpstream {
    return new RecordingUpstream();
  }

  /** The calls of its tool so far. */
  calls(): RecordedRequest[] {
    return this.requests.filter(({ method }) => method === "tools/call");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const { headers } = request;
    if (request.method === "DELETE") return new Response(null, { status: 204 });
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    const text = await request.text();
    const { id, method, params = {} } = JSON.parse(text);
    this.requests.push({ method, headers: new Headers(headers), text, params });
    if (id === undefined) return new Response(null, { status: 202 });
    const answer = { jsonrpc: "2.0", id, ...await answerTo(method, params) };
    const sessionId = headers.get("mcp-session-id") ?? crypto.randomUUID();
    return Response.json(answer, { headers: { "mcp-session-id": sessionId } });
  }
}

async function answerTo(method: string, params: Json): Promise<Json> {
  switch (method) {
    case "initialize":
      return {
        result: {
          protocolVersion: "2025-06-18",
          capabilities: { tools: {} },
          serverInfo: { name: "recording", version: "1" },
        },
      };
    case "tools/list":
      return { result: { tools: [{ name: "work", inputSchema: { type: "object" } }] } };
    case "tools/call": {
      const { ms = 0, ends } = (params.arguments ?? {}) as Work;
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      if (ends === "error") return { error: { code: -32603, message: "it failed" } };
      return { result: { content: [], ...(ends === "isError" ? { isError: true } : {}) } };
    }
    default:
      return { error: { code: -32601, message: "Method not found" } };
  }
}
