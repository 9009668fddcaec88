// An upstream whose lists a test writes word by word, in a revision with sessions (without a session id) or in 2026-07-28.
import { serveOnLoopback } from "./loopback_server.ts";

export interface ListRequest {
  readonly method: string;
  // deno-lint-ignore no-explicit-any -- params of any method; tests read what they sent.
  readonly params: any;
}

/** A result as value, a JSON-RPC error, a whole response, or the text of a result. */
export type ListAnswer =
  | { readonly result: unknown }
  | { readonly resultText: string }
  | { readonly error: { readonly code: number; readonly message: string } }
  | Response
  | Promise<Response>;

export interface ListingOptions {
  readonly revision?: "2025-11-25" | "2026-07-28";
  readonly capabilities?: Readonly<Record<string, unknown>>;
}

const CAPABILITIES = { tools: { listChanged: true }, resources: {}, prompts: {} };

const EMPTY: Readonly<Record<string, unknown>> = {
  "tools/list": { tools: [] },
  "resources/list": { resources: [] },
  "resources/templates/list": { resourceTemplates: [] },
  "prompts/list": { prompts: [] },
};

export class ListingUpstream implements AsyncDisposable {
  readonly url: string;
  /** The answers by method; a list that is absent is empty. */
  readonly answers = new Map<string, (request: ListRequest) => ListAnswer>();
  /** The methods that were asked for, in order. */
  readonly asked: string[] = [];
  readonly #options: ListingOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(options: ListingOptions = {}) {
    this.#options = options;
    this.#server = serveOnLoopback((request) => this.#serve(request));
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  /** Lists tools, each as name or whole object. */
  set tools(tools: readonly unknown[]) {
    const objects = tools.map((tool) =>
      typeof tool === "string" ? { name: tool, inputSchema: { type: "object" } } : tool
    );
    this.answers.set("tools/list", () => ({ result: { tools: objects } }));
  }

  /** Answers a method with this result. */
  result(method: string, result: unknown): void {
    this.answers.set(method, () => ({ result }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    this.asked.push(method);
    const answer = this.answers.get(method)?.({ method, params }) ?? this.#usual(method, params);
    if (answer instanceof Response || answer instanceof Promise) return await answer;
    if ("resultText" in answer) {
      return new Response(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${answer.resultText}}`, {
        headers: { "content-type": "application/json" },
      });
    }
    return Response.json({ jsonrpc: "2.0", id, ...answer });
  }

  #usual(method: string, params: { readonly arguments?: unknown }): ListAnswer {
    const { revision = "2025-11-25", capabilities = CAPABILITIES } = this.#options;
    const isStateless = revision === "2026-07-28";
    const more = isStateless ? { resultType: "complete", ttlMs: 1_000, cacheScope: "private" } : {};
    switch (method) {
      case "initialize":
        if (isStateless) break;
        return {
          result: { protocolVersion: revision, capabilities, serverInfo: { name: "lists", version: "1" } },
        };
      case "server/discover":
        if (!isStateless) break;
        return { result: { supportedVersions: [revision], capabilities, ...more } };
      case "ping":
        return { result: {} };
      case "tools/call":
        return {
          result: { content: [{ type: "text", text: JSON.stringify(params.arguments ?? {}) }], ...more },
        };
      default:
        if (method in EMPTY) return { result: { ...EMPTY[method] as object, ...more } };
    }
    return { error: { code: -32601, message: "Method not found" } };
  }
}
