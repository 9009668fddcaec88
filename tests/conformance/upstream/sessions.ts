// Revisions with sessions, up to 2025-11-25: a server and a transport per session.
import {
  isInitializeRequest,
  type RequestStateCodec,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { MemoryEventStore } from "./event_store.ts";
import type { RoundState } from "./input_tools.ts";
import { createServer } from "./server.ts";
import type { SharedState } from "./shared_state.ts";

/** How long clients wait before they come back to a stream that was closed, ms. */
const RETRY_MS = 100;

export class Sessions {
  readonly #live = new Map<string, WebStandardStreamableHTTPServerTransport>();

  constructor(readonly state: SharedState, readonly codec: RequestStateCodec<RoundState>) {}

  async serve(request: Request): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    if (id !== null) {
      const transport = this.#live.get(id);
      // A session that ended answers 404, so that the client initializes again.
      return transport?.handleRequest(request) ?? refusal(404, -32001, "Session not found");
    }
    const body = await request.clone().json().catch(() => undefined);
    if (!isInitializeRequest(body)) return refusal(400, -32600, "Send initialize first, or Mcp-Session-Id");
    return (await this.#open()).handleRequest(request);
  }

  async #open(): Promise<WebStandardStreamableHTTPServerTransport> {
    const { server, follow } = createServer(this.state, this.codec);
    const unfollow = follow();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      eventStore: new MemoryEventStore(),
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => void this.#live.set(id, transport),
      onsessionclosed: (id) => {
        this.#live.delete(id);
        unfollow();
      },
    });
    await server.connect(transport);
    return transport;
  }
}

function refusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", id: null, error: { code, message } }, { status });
}
