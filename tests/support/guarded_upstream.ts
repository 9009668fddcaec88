// An upstream that answers only requests with its credentials. Its tools say who called them, so that a test sees what a gateway sent.
import { serveOnLoopback } from "./loopback_server.ts";

const TOOLS = [
  {
    name: "open_ticket",
    description: "Opens a ticket",
    inputSchema: { type: "object", properties: { title: { type: "string" } }, required: ["title"] },
    annotations: { title: "Open a ticket", destructiveHint: false },
  },
  { name: "close_ticket", description: "Closes a ticket", inputSchema: { type: "object" } },
  { name: "seen_headers", description: "The headers of the request", inputSchema: { type: "object" } },
];
const LISTS: Readonly<Record<string, unknown>> = {
  "tools/list": { tools: TOOLS },
  "resources/list": {
    resources: [{ uri: "ticket://formats", name: "formats", mimeType: "text/plain", description: "Formats" }],
  },
  "resources/templates/list": { resourceTemplates: [{ uriTemplate: "ticket://{id}", name: "ticket" }] },
  "prompts/list": {
    prompts: [{ name: "greet", description: "Greets", arguments: [{ name: "who", required: true }] }],
  },
};

export class GuardedUpstream implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly #credentials: readonly [name: string, value: string];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param credentials the header that each request must have; a name with "?" in front is a parameter of the query */
  constructor(credentials: readonly [name: string, value: string], port = 0) {
    this.#credentials = credentials;
    this.#server = serveOnLoopback((request) => this.#serve(request), port);
    this.port = this.#server.addr.port;
    this.url = `http://127.0.0.1:${this.port}/mcp`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const [name, value] = this.#credentials;
    const sent = name.startsWith("?")
      ? new URL(request.url).searchParams.get(name.slice(1))
      : request.headers.get(name);
    if (sent !== value) return new Response("who are you?", { status: 401 });
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    return Response.json({ jsonrpc: "2.0", id, result: resultOf(method, params, request.headers) });
  }
}

// deno-lint-ignore no-explicit-any -- parameters of any method
function resultOf(method: string, params: any, headers: Headers): unknown {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: "2025-06-18",
        capabilities: {
          tools: { listChanged: true },
          resources: { listChanged: true },
          prompts: { listChanged: true },
        },
        serverInfo: { name: "guarded", version: "1" },
      };
    case "tools/call": {
      const text = params.name === "seen_headers"
        ? JSON.stringify({ tenant: headers.get("x-tenant-id"), trace: headers.get("x-trace-id") })
        : `${params.name} ${JSON.stringify(params.arguments ?? {})}`;
      return { content: [{ type: "text", text }], isError: false };
    }
    case "resources/read":
      return { contents: [{ uri: params.uri, mimeType: "text/plain", text: `read ${params.uri}` }] };
    case "prompts/get":
      return {
        description: "Greets",
        messages: [{ role: "user", content: { type: "text", text: `Hello ${params.arguments?.who}` } }],
      };
    default:
      return LISTS[method] ?? {};
  }
}
