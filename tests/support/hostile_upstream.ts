// An upstream that answers rightly or as badly as the caller asks it to: the argument `as` of its tool `do` names the way.
import { CHAOS_MODES, type ChaosMode } from "./chaos_modes.ts";
import { serveOnLoopback } from "./loopback_server.ts";

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  // deno-lint-ignore no-explicit-any -- whatever the gateway sends
  readonly params?: any;
}

const SSE_TYPE = { "content-type": "text/event-stream" };
const STORM = 200;

/** Ways of the chaos upstream that end soon, or with the gateway's limits. */
const CHAOS = [
  ...["json", "sse_with_notifications", "sse_unusual", "sse_without_result", "hang_in_sse", "hang"],
  ...["disconnect_in_sse", "disconnect_in_json", "session_lost", "unauthorized", "http_500", "http_503"],
  ...["redirect", "accepted", "empty", "malformed_json", "malformed_sse", "not_rpc", "html", "wrong_id"],
  ...["wrong_id_in_sse", "rpc_error", "endless_sse"],
] as ChaosMode[];

/** Bodies in place of a result, as text: the id is put in place of ID. */
const ODD_BODIES: Readonly<Record<string, string>> = {
  null_result: '{"jsonrpc":"2.0","id":ID,"result":null}',
  text_result: '{"jsonrpc":"2.0","id":ID,"result":"done"}',
  both: '{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"x"}}',
  twice: '{"jsonrpc":"2.0","id":ID,"id":ID,"result":{"content":[]},"result":{"content":[1]}}',
  prototype: '{"jsonrpc":"2.0","id":ID,"result":{"__proto__":{"isAdmin":true},"content":[]}}',
  deep: `{"jsonrpc":"2.0","id":ID,"result":{"content":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`,
  surrogate: '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"\\ud800\\u0000"}]}}',
  huge_number:
    '{"jsonrpc":"2.0","id":ID,"result":{"content":[],"n":1e999,"m":123456789012345678901234567890}}',
  odd_error: '{"jsonrpc":"2.0","id":ID,"error":{"code":"none","message":7,"data":{"source":"internal"}}}',
  batch: '[{"jsonrpc":"2.0","id":ID,"result":{"content":[]}},{"jsonrpc":"2.0","id":ID,"result":{}}]',
  question: '{"jsonrpc":"2.0","id":ID,"method":"sampling/createMessage","params":{}}',
};

/** Every way in which it answers `tools/call`. */
export const WAYS: readonly string[] = [
  ...CHAOS,
  ...Object.keys(ODD_BODIES),
  "storm",
  "flood",
  "large",
  "repeat",
];

/** It keeps sessions, offers the tool `do`, a resource and a prompt, and notes the credentials that it is given. */
export class HostileUpstream implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #ending = Promise.withResolvers<void>();
  /** Every `Authorization` that came. */
  readonly credentials = new Set<string | null>();

  private constructor() {
    this.#server = serveOnLoopback((request) => this.#serve(request));
    this.#port = this.#server.addr.port;
    this.url = `http://127.0.0.1:${this.#port}/mcp`;
  }

  static start(): HostileUpstream {
    return new HostileUpstream();
  }

  /** Cuts all connections, and listens again. */
  async restart(): Promise<void> {
    await this.#stop();
    this.#ending = Promise.withResolvers();
    this.#server = serveOnLoopback((request) => this.#serve(request), this.#port);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }

  async #stop(): Promise<void> {
    this.#ending.resolve();
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    this.credentials.add(request.headers.get("authorization"));
    if (request.method === "DELETE") return new Response(null);
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const message: Message = await request.json();
    if (message.id === undefined) return new Response(null, { status: 202 });
    switch (message.method) {
      case "initialize":
        return result(message, {
          protocolVersion: "2025-11-25",
          capabilities: { tools: { listChanged: true }, resources: {}, prompts: {}, logging: {} },
          serverInfo: { name: "hostile", version: "1" },
        }, { "mcp-session-id": crypto.randomUUID() });
      case "tools/list":
        return result(message, { tools: [{ name: "do", inputSchema: { type: "object" } }] });
      case "resources/list":
        return result(message, { resources: [{ uri: "hostile://a", name: "a" }] });
      case "prompts/list":
        return result(message, { prompts: [{ name: "ask" }] });
      case "tools/call":
        return await this.#answer(message, request);
      default:
        return result(message, {});
    }
  }

  #answer(message: Message, request: Request): Response | Promise<Response> {
    const way = String(message.params?.arguments?.as);
    const id = JSON.stringify(message.id);
    const gone = Promise.race([
      this.#ending.promise,
      new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve())),
    ]);
    if (Object.hasOwn(ODD_BODIES, way)) {
      const body = ODD_BODIES[way]!.replaceAll("ID", id);
      return new Response(body, { headers: { "content-type": "application/json" } });
    }
    if (way === "storm") return events(message, { method: "notifications/tools/list_changed" });
    if (way === "flood") {
      const params = { level: "info", data: "x".repeat(1_000) };
      return events(message, { method: "notifications/message", params });
    }
    // As error pages do, with the address and the credential of the request.
    if (way === "repeat") {
      const words = `${request.url} ${request.headers.get("authorization")}`;
      return new Response(`Cannot serve ${words}`, { status: 500 });
    }
    if (way === "large") return result(message, { content: [{ type: "text", text: "x".repeat(2_000_000) }] });
    const mode = CHAOS.find((known) => known === way) ?? "json";
    const { progressToken } = message.params?._meta ?? {};
    return CHAOS_MODES[mode]({ id: message.id ?? null, progressToken, request, gone, left: () => {} });
  }
}

/** The notification many times, then the result. */
function events({ id }: Message, notification: Readonly<Record<string, unknown>>): Response {
  const words = `data: ${JSON.stringify({ jsonrpc: "2.0", ...notification })}\n\n`.repeat(STORM);
  const end = JSON.stringify({ jsonrpc: "2.0", id, result: { content: [] } });
  return new Response(`${words}data: ${end}\n\n`, { headers: SSE_TYPE });
}

function result({ id }: Message, value: unknown, headers?: Record<string, string>): Response {
  return Response.json({ jsonrpc: "2.0", id, result: value }, { headers });
}
