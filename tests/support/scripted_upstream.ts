// A stateful upstream whose calls run until a test says otherwise, and which notes who was called and who was cancelled.
import { serveOnLoopback } from "./loopback_server.ts";

/** One tools/call as the upstream sees it. */
export interface RunningCall {
  /** The tool's argument `label`. */
  readonly label: string;
  readonly session: string;
  readonly id: unknown;
  /** Lets it answer. */
  readonly finish: () => void;
}

/** Tools: `wait` answers when it is let go; `tell` too, after a notification that makes its answer an event stream. */
export class ScriptedUpstream implements AsyncDisposable {
  readonly url: string;
  readonly calls: RunningCall[] = [];
  /** The labels of the calls that a notifications/cancelled named, by session and request id; "?" names none. */
  readonly cancelled: string[] = [];
  readonly #sessions = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor() {
    this.#server = serveOnLoopback((request) => this.#serve(request));
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  static start(): ScriptedUpstream {
    return new ScriptedUpstream();
  }

  get liveSessions(): number {
    return this.#sessions.size;
  }

  called(label: string): RunningCall | undefined {
    return this.calls.find((call) => call.label === label);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    for (const { finish } of this.calls) finish();
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const session = request.headers.get("mcp-session-id") ?? "";
    if (request.method === "DELETE") {
      this.#sessions.delete(session);
      return new Response(null, { status: 204 });
    }
    const message = await request.json();
    if (message.method === "initialize") return this.#initialize(message.id);
    if (!this.#sessions.has(session)) return new Response("Session not found", { status: 404 });
    if (message.method === "notifications/cancelled") {
      const { requestId } = message.params;
      const named = this.calls.find((call) => call.session === session && call.id === requestId);
      this.cancelled.push(named?.label ?? "?");
    }
    if (message.id === undefined) return new Response(null, { status: 202 });
    if (message.method === "tools/list") {
      const tools = ["wait", "tell"].map((name) => ({ name, inputSchema: { type: "object" } }));
      return Response.json({ jsonrpc: "2.0", id: message.id, result: { tools } });
    }
    if (message.method === "tools/call") return await this.#call(session, message.id, message.params);
    return Response.json({ jsonrpc: "2.0", id: message.id, result: {} });
  }

  #initialize(id: unknown): Response {
    const session = crypto.randomUUID();
    this.#sessions.add(session);
    const serverInfo = { name: "scripted", version: "1" };
    const result = { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo };
    return Response.json({ jsonrpc: "2.0", id, result }, { headers: { "mcp-session-id": session } });
  }

  async #call(
    session: string,
    id: unknown,
    { name, arguments: args }: { name: string; arguments: { label: string } },
  ): Promise<Response> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.calls.push({ label: args.label, session, id, finish: resolve });
    const answer = { jsonrpc: "2.0", id, result: { content: [{ type: "text", text: args.label }] } };
    if (name === "wait") {
      await promise;
      return Response.json(answer);
    }
    const event = (message: unknown) => new TextEncoder().encode(`data: ${JSON.stringify(message)}\n\n`);
    const told = {
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { level: "info", data: "working" },
    };
    let open = true;
    const body = new ReadableStream<Uint8Array>({
      start: async (controller) => {
        controller.enqueue(event(told));
        await promise;
        if (!open) return;
        controller.enqueue(event(answer));
        controller.close();
      },
      cancel: () => void (open = false),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }
}
