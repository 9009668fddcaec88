// Upstreams that lose their sessions when a test says so, and then answer in words of their own: each kind at /<kind>/mcp.
import { serveOnLoopback } from "./loopback_server.ts";

/** The answer to a request in a session that the server does not know. */
type Unknown = (id: unknown) => Response;

const text = (status: number, body: string): Unknown => () => new Response(body, { status });
const json = (status: number, body: unknown): Unknown => () => Response.json(body, { status });
const error = (status: number, code: number, message: string, withId = true): Unknown => (id) =>
  Response.json({ jsonrpc: "2.0", id: withId ? id ?? null : null, error: { code, message } }, { status });

export const LOST: Readonly<Record<string, Unknown>> = {
  s404: error(404, -32001, "Session not found", false),
  s404_text: text(404, "session not found"),
  s400_no_id: error(400, -32000, "Bad Request: No valid session ID provided", false),
  s400_not_initialized: error(400, -32000, "Bad Request: Server not initialized", false),
  s400_text: text(400, "Invalid or missing session ID"),
  s401_text: text(401, "Unauthorized: Session not found"),
  s401_json: json(401, { error: "invalid session" }),
  s403: json(403, { error: "session does not belong to this principal" }),
  s410: text(410, ""),
  s422: text(422, "Unexpected message, expect initialize request"),
  s500: text(500, "Session not found"),
  s503: error(503, -32001, "MCP session unknown or expired", false),
  s200_not_found: error(200, -32001, "Session not found"),
  s200_not_initialized: error(200, -32002, "Server not initialized"),
  s200_parameters: error(200, -32602, "Invalid request parameters"),
  s200_page: () => new Response("<h1>Log in</h1>", { headers: { "content-type": "text/html" } }),
  s403_page: () => new Response("<h1>No</h1>", { status: 403, headers: { "content-type": "text/html" } }),
};

export class ForgetfulUpstream implements AsyncDisposable {
  /** Calls that were executed, by kind. */
  readonly executed = new Map<string, number>();
  /** Sessions by id: their kind, and what its calls have counted. */
  readonly #sessions = new Map<string, { readonly kind: string; count: number }>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = serveOnLoopback((request) => this.#serve(request));
  }

  url(kind: string): string {
    return `http://127.0.0.1:${this.#server.addr.port}/${kind}/mcp`;
  }

  /** Loses all sessions, as by a restart. */
  forget(): void {
    this.#sessions.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const kind = new URL(request.url).pathname.split("/")[1]!;
    const sessionId = request.headers.get("mcp-session-id") ?? "";
    if (request.method === "GET") return new Response(null, { status: 405 });
    if (request.method === "DELETE") {
      return new Response(null, { status: this.#sessions.delete(sessionId) ? 200 : 404 });
    }
    const { id, method, params } = await request.json();
    const answer = (result: unknown, headers = {}) =>
      Response.json({ jsonrpc: "2.0", id, result }, { headers });
    if (method === "initialize") {
      const own = crypto.randomUUID();
      this.#sessions.set(own, { kind, count: 0 });
      const { protocolVersion } = params;
      const serverInfo = { name: "forgetful", version: "1" };
      return answer({ protocolVersion, capabilities: { tools: {} }, serverInfo }, { "mcp-session-id": own });
    }
    if (method === "server/discover") return error(400, -32600, "no session")(id);
    const session = this.#sessions.get(sessionId);
    if (session?.kind !== kind) return LOST[kind]!(id);
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === "ping") return answer({});
    if (method === "tools/list") {
      return answer({ tools: [{ name: "count", inputSchema: { type: "object" } }] });
    }
    this.executed.set(kind, (this.executed.get(kind) ?? 0) + 1);
    return answer({ content: [{ type: "text", text: String(++session.count) }] });
  }
}
