// An upstream with sessions that offers what a test says, speaks outside calls, and notes what it is told.
import { serveOnLoopback } from "./loopback_server.ts";

/** A message that reached the upstream, besides handshakes and lists. */
export interface Told {
  readonly method: string;
  // deno-lint-ignore no-explicit-any -- params of every shape; what is read is asserted
  readonly params: any;
  readonly session: string;
  /** Aborted when the gateway has given the request up. */
  readonly signal: AbortSignal;
}

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** A call of the tool `hold` answers when the test lets it go, on a stream that is open until then. */
export class TalkingUpstream implements AsyncDisposable {
  readonly url: string;
  tools: readonly string[] = [];
  prompts: readonly string[] = [];
  resources: readonly string[] = [];
  templates: readonly string[] = [];
  readonly told: Told[] = [];
  /** What clients answered to questions of the upstream. */
  readonly answers: Message[] = [];
  readonly #sessions = new Set<string>();
  /** The open GET streams by session. */
  readonly #streams = new Map<string, ReadableStreamDefaultController<Uint8Array>>();
  /** The streams of calls that are held. */
  readonly #held = new Set<(message: unknown, isLast: boolean) => void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = serveOnLoopback((request) => this.#serve(request));
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  /** Sessions that were opened and not ended. */
  get sessions(): number {
    return this.#sessions.size;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Calls of `hold` that wait. */
  get held(): number {
    return this.#held.size;
  }

  /** Sends a message on every GET stream. */
  say(message: Record<string, unknown>): void {
    for (const stream of this.#streams.values()) stream.enqueue(event({ jsonrpc: "2.0", ...message }));
  }

  /** Sends a message on the stream of every held call. */
  sayDuringCalls(message: Record<string, unknown>): void {
    for (const send of this.#held) send({ jsonrpc: "2.0", ...message }, false);
  }

  /** The names that calls of a method had, oldest first. */
  called(method: string): string[] {
    return this.told.filter((each) => each.method === method).map(({ params }) => params.name ?? params.uri);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const send of this.#held) send({ jsonrpc: "2.0", method: "notifications/bye" }, true);
    for (const stream of this.#streams.values()) stream.close();
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const session = request.headers.get("mcp-session-id") ?? "";
    if (request.method === "GET") return this.#listen(session);
    if (request.method === "DELETE") {
      this.#sessions.delete(session);
      this.#streams.get(session)?.close();
      this.#streams.delete(session);
      return new Response(null, { status: 204 });
    }
    const { id, method, params, ...more }: Message = await request.json();
    const answer = (result: unknown, headers = {}) =>
      Response.json({ jsonrpc: "2.0", id, result }, { headers });
    if (method === undefined) {
      this.answers.push({ id, ...more });
      return new Response(null, { status: 202 });
    }
    switch (method) {
      case "initialize": {
        const opened = crypto.randomUUID();
        this.#sessions.add(opened);
        return answer({
          protocolVersion: "2025-11-25",
          capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, logging: {} },
          serverInfo: { name: "talking", version: "1" },
        }, { "mcp-session-id": opened });
      }
      case "tools/list":
        return answer({ tools: this.tools.map((name) => ({ name, inputSchema: { type: "object" } })) });
      case "prompts/list":
        return answer({ prompts: this.prompts.map((name) => ({ name })) });
      case "resources/list":
        return answer({ resources: this.resources.map((uri) => ({ uri, name: uri })) });
      case "resources/templates/list":
        return answer({
          resourceTemplates: this.templates.map((uriTemplate) => ({ uriTemplate, name: uriTemplate })),
        });
      case "server/discover":
        return Response.json({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } });
      case "notifications/initialized":
        return new Response(null, { status: 202 });
    }
    const said: Told = { method, params, session, signal: request.signal };
    this.told.push(said);
    if (id === undefined) return new Response(null, { status: 202 });
    switch (method) {
      case "tools/call":
        return said.params.name === "hold" ? this.#hold(id) : answer({ content: [] });
      case "resources/read":
        return answer({ contents: [{ uri: said.params.uri, text: "" }] });
      case "prompts/get":
        return answer({ messages: [] });
      default:
        return answer({});
    }
  }

  #listen(session: string): Response {
    let own: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        this.#streams.set(session, controller);
        controller.enqueue(new TextEncoder().encode(": here\n\n"));
      },
      cancel: () => {
        if (this.#streams.get(session) === own) this.#streams.delete(session);
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }

  #hold(id: unknown): Response {
    let send: (message: unknown, isLast: boolean) => void;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode(": here\n\n"));
        send = (message, isLast) => {
          controller.enqueue(event(message));
          if (!isLast) return;
          controller.enqueue(event({ jsonrpc: "2.0", id, result: { content: [] } }));
          controller.close();
          this.#held.delete(send);
        };
        this.#held.add(send);
      },
      cancel: () => void this.#held.delete(send),
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }
}

function event(message: unknown): Uint8Array {
  return new TextEncoder().encode(`data: ${JSON.stringify(message)}\n\n`);
}
