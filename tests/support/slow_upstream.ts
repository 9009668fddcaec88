// An upstream that takes its time and little else: stateless, and with as few answers at once as it is told. For load.
import { endChild } from "./end_child.ts";
import { serveOnLoopback } from "./loopback_server.ts";
import { freePort } from "./free_port.ts";
import { waitFor } from "./wait_for.ts";

export interface SlowOptions {
  readonly port?: number;
  /** What a call of `slow` takes, ms; Infinity: until `release()`. */
  readonly delayMs: number;
  /** Calls that it serves at once; the others wait their turn. Default: all. */
  readonly slots?: number;
}

type Message = {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { name?: string };
};

/** Its tools: `slow`, and `talk`, which sends a notification, and its result when `hangUp()` is called or its caller leaves. */
export class SlowUpstream implements AsyncDisposable {
  readonly url: string;
  /** Calls of `slow` that have come. */
  calls = 0;
  /** Those whose caller left before the answer. */
  abandoned = 0;
  /** Calls of `talk` under way. */
  talking = 0;
  readonly #options: SlowOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #waiting: (() => void)[] = [];
  #hangUp = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  #free: number;

  private constructor(options: SlowOptions) {
    this.#options = options;
    this.#free = options.slots ?? Infinity;
    this.#server = serveOnLoopback((request) => this.#serve(request), options.port);
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  static start(options: SlowOptions): SlowUpstream {
    return new SlowUpstream(options);
  }

  /** Every `talk` under way gives its result. */
  hangUp(): void {
    this.#hangUp.resolve();
    this.#hangUp = Promise.withResolvers();
  }

  /** Calls of `slow` that take for ever are answered, and so are later ones. */
  release(): void {
    this.#released.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    this.release();
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params }: Message = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    switch (method) {
      case "initialize":
        return answer(id, {
          protocolVersion: "2025-11-25",
          capabilities: { tools: {}, logging: {} },
          serverInfo: { name: "slow", version: "1.0.0" },
        });
      case "tools/list":
        return answer(id, {
          tools: ["slow", "talk"].map((name) => ({ name, inputSchema: { type: "object" } })),
        });
      case "tools/call":
        if (params?.name === "talk") return this.#talk(id);
        this.calls++;
        request.signal.addEventListener("abort", () => this.abandoned++, { once: true });
        await this.#turn();
        return answer(id, DONE);
      default:
        return answer(id, {});
    }
  }

  async #turn(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const { delayMs } = this.#options;
    if (delayMs === Infinity) await this.#released.promise;
    else await new Promise((resolve) => setTimeout(resolve, delayMs));
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }

  #talk(id: string | number): Response {
    const encoder = new TextEncoder();
    const event = (message: unknown) => encoder.encode(`data: ${JSON.stringify(message)}\n\n`);
    let isOpen = true;
    this.talking++;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const params = { level: "info", data: "hello" };
        controller.enqueue(event({ jsonrpc: "2.0", method: "notifications/message", params }));
        void this.#hangUp.promise.then(() => {
          if (!isOpen) return;
          controller.enqueue(event({ jsonrpc: "2.0", id, result: DONE }));
          controller.close();
          this.talking--;
        });
      },
      cancel: () => {
        isOpen = false;
        this.talking--;
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }
}

const DONE = { content: [{ type: "text", text: "done" }] };

function answer(id: string | number, result: unknown): Response {
  return Response.json({ jsonrpc: "2.0", id, result });
}

/** As a process of its own, so that it takes no time from whoever measures. Resolves once it answers. */
export async function startSlowProcess(
  options: Omit<SlowOptions, "port">,
): Promise<AsyncDisposable & { readonly url: string }> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}/mcp`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", import.meta.filename!, JSON.stringify({ port, ...options })],
    cwd: new URL("../../", import.meta.url).pathname,
    stdin: "null",
    stdout: "null",
  }).spawn();
  const stop = async () => {
    await endChild(child, "SIGKILL");
  };
  try {
    await waitFor(async () => (await (await fetch(url)).body?.cancel(), true), { what: "the slow upstream" });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, [Symbol.asyncDispose]: stop };
}

if (import.meta.main) SlowUpstream.start(JSON.parse(Deno.args[0]!));
