// A hostile upstream: an MCP server whose tools, one per mode, misbehave as they are called.

import { serveOnLoopback } from "./loopback_server.ts";
import { CHAOS_MODES, type ChaosMode, isChaosMode } from "./chaos_modes.ts";

export interface ChaosOptions {
  readonly port?: number;
  /** Gives each initialize an Mcp-Session-Id and refuses unknown ones with 404. */
  readonly sessions?: boolean;
}

type Message = {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: {
    readonly name?: unknown;
    readonly _meta?: { readonly progressToken?: string | number };
  };
};

/** The chaos upstream, in this process. `url` behaves but for its tools; `urlOf(mode)` answers every request in that mode. */
export class ChaosUpstream implements AsyncDisposable {
  readonly url: string;
  /** How often each mode was asked for. */
  readonly asked = new Map<ChaosMode, number>();
  /** `params` of the notifications/cancelled that came. */
  readonly cancelled: unknown[] = [];
  /** Callers that went away before they had their whole answer. */
  abandoned = 0;
  readonly #sessions = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #givesSessions: boolean;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor({ port = 0, sessions = false }: ChaosOptions) {
    this.#givesSessions = sessions;
    this.#server = serveOnLoopback((request) => this.#serve(request), port);
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  static start(options: ChaosOptions = {}): ChaosUpstream {
    return new ChaosUpstream(options);
  }

  /** An endpoint at which everything, initialize too, is answered in `mode`. */
  urlOf(mode: ChaosMode): string {
    return new URL(`/${mode}/mcp`, this.url).href;
  }

  get liveSessions(): number {
    return this.#sessions.size;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#server.shutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #serve(request: Request): Promise<Response> {
    const [, mode, rest] = new URL(request.url).pathname.split("/");
    if (request.method === "DELETE") {
      const known = this.#sessions.delete(request.headers.get("mcp-session-id") ?? "");
      return new Response(null, { status: known ? 200 : 404 });
    }
    if (request.method !== "POST") {
      return new Response(null, { status: 405, headers: { allow: "POST, DELETE" } });
    }
    const message: Message = await request.json();
    if (rest === "mcp" && isChaosMode(mode)) return this.#misbehave(mode, request, message);
    return this.#behave(request, message);
  }

  #behave(request: Request, message: Message): Response | Promise<Response> {
    const session = request.headers.get("mcp-session-id");
    if (this.#givesSessions && message.method !== "initialize" && !this.#sessions.has(session ?? "")) {
      return new Response("Session not found", { status: 404 });
    }
    if (message.id === undefined) {
      if (message.method === "notifications/cancelled") this.cancelled.push(message.params);
      return new Response(null, { status: 202 });
    }
    switch (message.method) {
      case "initialize":
        return this.#initialize(message);
      case "ping":
        return result(message, {});
      case "tools/list":
        return result(message, {
          tools: Object.keys(CHAOS_MODES).map((name) => ({
            name,
            description: `Answers in mode ${name}`,
            inputSchema: { type: "object" },
          })),
        });
      case "tools/call":
        if (isChaosMode(message.params?.name)) return this.#misbehave(message.params.name, request, message);
    }
    return Response.json({
      jsonrpc: "2.0",
      id: message.id,
      error: { code: -32601, message: "Method not found" },
    });
  }

  #initialize(message: Message): Response {
    const headers = new Headers();
    if (this.#givesSessions) {
      const id = crypto.randomUUID();
      this.#sessions.add(id);
      headers.set("mcp-session-id", id);
    }
    return result(message, {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {}, logging: {} },
      serverInfo: { name: "chaos", version: "1.0.0" },
    }, headers);
  }

  #misbehave(mode: ChaosMode, request: Request, message: Message): Response | Promise<Response> {
    this.asked.set(mode, (this.asked.get(mode) ?? 0) + 1);
    if (mode === "session_lost") this.#sessions.delete(request.headers.get("mcp-session-id") ?? "");
    const end = Promise.withResolvers<void>();
    let there = true;
    const left = () => {
      if (there) this.abandoned++;
      there = false;
      end.resolve();
    };
    request.signal.addEventListener("abort", left, { once: true });
    this.#stopping.signal.addEventListener("abort", () => end.resolve(), { once: true });
    return CHAOS_MODES[mode]({
      id: message.id ?? null,
      progressToken: message.params?._meta?.progressToken,
      request,
      gone: end.promise,
      left,
    });
  }
}

function result(message: Message, value: unknown, headers?: Headers): Response {
  return Response.json({ jsonrpc: "2.0", id: message.id, result: value }, { headers });
}
