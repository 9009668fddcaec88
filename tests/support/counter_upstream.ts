// A stateful upstream on the official SDK: a counter in each session, so that a test sees whose session it was given.

// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { z } from "zod";
import { addAskingTools } from "./asking_tools.ts";

export interface CounterOptions {
  readonly port?: number;
  /** Added to each step of the handshake (initialize, initialized) and to DELETE, ms. */
  readonly handshakeDelayMs?: number;
  /** Replies as JSON instead of SSE. */
  readonly jsonReplies?: boolean;
  /** Has the tools of `addAskingTools` besides. */
  readonly asks?: boolean;
}

interface Session {
  readonly server: McpServer;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly region: string | null;
  /** Calls now running in it. */
  running: number;
}

/** The counter upstream, in this process. Its tools: `increment` (by 1), `get`, and `hold` (ms), which keeps the session busy. */
export class CounterUpstream implements AsyncDisposable {
  readonly url: string;
  /** Requests seen, by kind. */
  readonly seen = { initialize: 0, initialized: 0, deleted: 0, calls: 0 };
  /** The most calls that ever ran at once in one session. */
  maxRunningInOneSession = 0;
  /** Requests whose X-Region is not that which their session was opened with. */
  inForeignRegion = 0;
  /** Headers of the latest request, and of the latest tools/call. */
  lastHeaders = new Headers();
  lastCallHeaders = new Headers();
  readonly #sessions = new Map<string, Session>();
  readonly #options: CounterOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #bearer: string | null = null;
  readonly #holding = new Set<() => void>();

  private constructor(options: CounterOptions) {
    this.#options = options;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: options.port ?? 0, onListen: () => {} },
      (request) => this.#serve(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  static start(options: CounterOptions = {}): CounterUpstream {
    return new CounterUpstream(options);
  }

  /** How many calls of `hold` are under way. One that `seen` counts may not have begun yet. */
  get holding(): number {
    return this.#holding.size;
  }

  /** Ends the calls of `hold` that are under way. */
  release(): void {
    for (const end of this.#holding) end();
    this.#holding.clear();
  }

  /** How many sessions are open. */
  get liveSessions(): number {
    return this.#sessions.size;
  }

  /** Forgets every session, as a restarted server does: their requests get 404 from now on. */
  async expireSessions(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map(({ server }) => server.close()));
  }

  /** Answers 401 to every request without this bearer token; null takes all. */
  requireBearer(token: string | null): void {
    this.#bearer = token;
  }

  async stop(): Promise<void> {
    await this.expireSessions();
    await this.#server.shutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #serve(request: Request): Promise<Response> {
    this.lastHeaders = new Headers(request.headers);
    if (this.#bearer !== null && request.headers.get("authorization") !== `Bearer ${this.#bearer}`) {
      return new Response("Unauthorized", { status: 401, headers: { "www-authenticate": "Bearer" } });
    }
    const message = request.method === "POST" ? await request.clone().json() : undefined;
    const step = request.method === "DELETE" ? "deleted" : stepOf(message);
    if (step) {
      this.seen[step]++;
      if (step === "calls") this.lastCallHeaders = this.lastHeaders;
      else if (this.#options.handshakeDelayMs) await delay(this.#options.handshakeDelayMs);
    }
    const id = request.headers.get("mcp-session-id");
    if (id === null) {
      if (step !== "initialize") return new Response("Mcp-Session-Id is missing", { status: 400 });
      return (await this.#open(request)).transport.handleRequest(request, { parsedBody: message });
    }
    const session = this.#sessions.get(id);
    if (!session) return new Response("Session not found", { status: 404 });
    if (request.headers.get("x-region") !== session.region) this.inForeignRegion++;
    return session.transport.handleRequest(request, { parsedBody: message });
  }

  async #open({ headers }: Request): Promise<Session> {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      enableJsonResponse: this.#options.jsonReplies ?? false,
      onsessioninitialized: (id) => void this.#sessions.set(id, session),
      onsessionclosed: (id) => void this.#sessions.delete(id),
    });
    const session: Session = {
      server: new McpServer({ name: "counter", version: "1.0.0" }),
      transport,
      region: headers.get("x-region"),
      running: 0,
    };
    const hold = async (ms: number) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      this.#holding.add(resolve);
      await promise;
      clearTimeout(timer);
      this.#holding.delete(resolve);
    };
    addTools(session, hold, (running) => {
      this.maxRunningInOneSession = Math.max(this.maxRunningInOneSession, running);
    });
    if (this.#options.asks) addAskingTools(session.server);
    // They never change. Promised, the gateway would listen for it in a session of its own, which tests would count.
    session.server.server.registerCapabilities({ tools: { listChanged: false } });
    await session.server.connect(transport);
    return session;
  }
}

function addTools(
  session: Session,
  hold: (ms: number) => Promise<void>,
  onRunning: (running: number) => void,
): void {
  let count = 0;
  const busy = async (holdMs: number) => {
    onRunning(++session.running);
    if (holdMs > 0) await hold(holdMs);
    session.running--;
    return { content: [{ type: "text" as const, text: String(count) }] };
  };
  const { server } = session;
  server.registerTool("increment", { description: "Adds one and tells the count", inputSchema: {} }, () => {
    count++;
    return busy(0);
  });
  server.registerTool("get", { description: "Tells the count", inputSchema: {} }, () => busy(0));
  server.registerTool(
    "hold",
    {
      description: "Keeps the session busy, then tells the count",
      inputSchema: { ms: z.number().int().min(0) },
    },
    ({ ms }) => busy(ms),
  );
}

function stepOf(message: unknown): "initialize" | "initialized" | "calls" | undefined {
  switch ((message as { method?: string } | null)?.method) {
    case "initialize":
      return "initialize";
    case "notifications/initialized":
      return "initialized";
    case "tools/call":
      return "calls";
  }
  return undefined;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
