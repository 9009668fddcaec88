// An upstream whose tools grow while it is called, and that says so as often as it is told to.

/** Gives a session to whoever asks, and takes any. Its tool `grow` adds as many tools as `by` says, and sends `words` list_changed before its answer. */
export class GrowingUpstream implements AsyncDisposable {
  readonly url: string;
  /** How often its tools were listed. */
  listed = 0;
  readonly #names = ["grow"];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#serve(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  static start(): GrowingUpstream {
    return new GrowingUpstream();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const result = (value: unknown) => ({ jsonrpc: "2.0", id, result: value });
    switch (method) {
      case "initialize":
        return Response.json(
          result({
            protocolVersion: "2025-11-25",
            capabilities: { tools: { listChanged: true } },
            serverInfo: { name: "growing", version: "1" },
          }),
          { headers: { "mcp-session-id": crypto.randomUUID() } },
        );
      case "tools/list":
        this.listed++;
        return Response.json(result({
          tools: this.#names.map((name) => ({ name, inputSchema: { type: "object" } })),
        }));
      case "tools/call": {
        const { by, words } = params.arguments;
        for (let i = 0; i < by; i++) this.#names.push(`grown ${this.#names.length}`);
        const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
        const messages = [...Array(words).fill(changed), result({ content: [] })];
        return new Response(messages.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(""), {
          headers: { "content-type": "text/event-stream" },
        });
      }
      default:
        return Response.json(result({}));
    }
  }
}
