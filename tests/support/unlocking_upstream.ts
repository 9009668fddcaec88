// A server on the official SDK whose lists change within a session: its tool `unlock` adds a tool, a resource and a prompt for the session
// that calls it, and `lock` takes them away. Run as a program, it serves on standard input and output.

// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/stdio"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { ElicitResultSchema } from "@modelcontextprotocol/sdk/types.js";

export const VAULT_URI = "vault://note";

export class UnlockingUpstream implements AsyncDisposable {
  readonly url: string;
  readonly #seen = new Map<string, number>();
  readonly #sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(private readonly asks: boolean) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#serve(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  /** @param asks whether it has a tool `ask` too, which asks every client for its name */
  static start({ asks = false } = {}): UnlockingUpstream {
    return new UnlockingUpstream(asks);
  }

  /** How often it was asked. @param kind JSON-RPC method; `GET` for streams */
  count(kind: string): number {
    return this.#seen.get(kind) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((transport) => transport.close()));
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const message = request.method === "POST" ? await request.clone().json() : undefined;
    const kind = message === undefined ? request.method : String(message.method);
    this.#seen.set(kind, this.count(kind) + 1);
    const id = request.headers.get("mcp-session-id");
    if (id !== null) {
      const session = this.#sessions.get(id);
      return session?.handleRequest(request, { parsedBody: message }) ?? new Response(null, { status: 404 });
    }
    if (message?.method !== "initialize") return new Response(null, { status: 400 });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (opened) => void this.#sessions.set(opened, transport),
      onsessionclosed: (closed) => void this.#sessions.delete(closed),
    });
    await vault(this.asks).connect(transport);
    return await transport.handleRequest(request, { parsedBody: message });
  }
}

/** The server of one session. */
export function vault(asks = false): McpServer {
  const server = new McpServer({ name: "vault", version: "1" });
  const text = (text: string) => ({ content: [{ type: "text" as const, text }] });
  let unlocked: { remove(): void }[] = [];
  server.registerTool("unlock", {}, () => {
    unlocked = [
      server.registerTool("secret", { description: "Tells the secret" }, () => text("s3cret")),
      server.registerResource(
        "note",
        VAULT_URI,
        {},
        () => ({ contents: [{ uri: VAULT_URI, text: "noted" }] }),
      ),
      server.registerPrompt(
        "hint",
        {},
        () => ({ messages: [{ role: "user", content: { type: "text", text: "hinted" } }] }),
      ),
    ];
    return text("unlocked");
  });
  server.registerTool("lock", {}, () => {
    for (const each of unlocked.splice(0)) each.remove();
    return text("locked");
  });
  if (asks) {
    server.registerTool("ask", {}, async ({ sendRequest }) => {
      const requestedSchema = { type: "object" as const, properties: { name: { type: "string" as const } } };
      const params = { mode: "form" as const, message: "Your name?", requestedSchema };
      const { content } = await sendRequest({ method: "elicitation/create", params }, ElicitResultSchema);
      return text(JSON.stringify(content));
    });
  }
  server.registerResource("open", "open://note", {}, () => ({ contents: [] }));
  server.registerPrompt(
    "open",
    {},
    () => ({ messages: [{ role: "user", content: { type: "text", text: "open" } }] }),
  );
  return server;
}

if (import.meta.main) await vault().connect(new StdioServerTransport());
