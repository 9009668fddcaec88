// A server over each transport that answers `initialize` and `tools/call` only while a test lets it. Run as a program, it serves on
// standard input and output. The gates are files, so that processes see them too.
import { serveOnLoopback } from "./loopback_server.ts";
import { processesWith } from "./stdio_upstream.ts";
import { waitFor } from "./wait_for.ts";

export type Gate = "initialize" | "call";

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string };
}

/** How it is registered, by the name of the upstream. */
const TRANSPORTS = {
  http: "STREAMABLEHTTP",
  plain: "STREAMABLEHTTP",
  sse: "SSE",
  socket: "WEBSOCKET",
  process: "STDIO",
} as const;

export type GatedName = keyof typeof TRANSPORTS;
export const GATED_NAMES = Object.keys(TRANSPORTS) as GatedName[];

export class GatedUpstreams implements AsyncDisposable {
  readonly #folder: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** Sessions and connections that are open, by name. Processes are looked for. */
  readonly #open: Record<GatedName, number> = { http: 0, plain: 0, sse: 0, socket: 0, process: 0 };
  readonly #streams = new Map<string, (message: unknown) => void>();

  private constructor(folder: string) {
    this.#folder = folder;
    this.#server = serveOnLoopback((request) => this.#serve(request));
  }

  /** Starts with open gates. */
  static async start(): Promise<GatedUpstreams> {
    const upstreams = new GatedUpstreams(await Deno.makeTempDir({ prefix: "sluice_gates_" }));
    for (const gate of ["initialize", "call"] as const) upstreams.open(gate);
    return upstreams;
  }

  /** The body that registers it. */
  registration(name: GatedName): Record<string, unknown> {
    const transport = TRANSPORTS[name];
    if (transport !== "STDIO") {
      const scheme = name === "socket" ? "ws" : "http";
      return { name, transport, url: `${scheme}://127.0.0.1:${this.#server.addr.port}/${name}` };
    }
    const args = ["run", "-A", "--quiet", "--no-check", import.meta.filename!, this.#folder];
    return { name, transport, command: Deno.execPath(), args };
  }

  open(gate: Gate): void {
    Deno.writeTextFileSync(`${this.#folder}/${gate}`, "");
  }

  close(gate: Gate): void {
    Deno.removeSync(`${this.#folder}/${gate}`);
  }

  /** How many messages of this method have arrived. */
  async count(name: GatedName, method: string): Promise<number> {
    const lines = (await Deno.readTextFile(`${this.#folder}/log`)).split("\n");
    return lines.filter((line) => line === `${name} ${method}`).length;
  }

  /** The sessions, connections and processes that are open. */
  get live(): number {
    return Object.values(this.#open).reduce((sum, n) => sum + n, 0) + processesWith(this.#folder).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gate of ["initialize", "call"] as const) this.open(gate);
    await this.#server.shutdown();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #serve(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const name = pathname.slice(1) as GatedName;
    if (name === "socket") return this.#serveSocket(request);
    if (name === "sse") {
      if (request.method === "GET") return this.#openStream();
      const say = this.#streams.get(searchParams.get("stream")!)!;
      void answerTo(this.#folder, name, await request.json()).then(say);
      return new Response(null, { status: 202 });
    }
    if (request.method === "DELETE") {
      this.#open[name]--;
      return new Response(null, { status: 204 });
    }
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const message: Message = await request.json();
    const answer = await answerTo(this.#folder, name, message);
    if (answer === null) return new Response(null, { status: 202 });
    const isOpened = name === "http" && message.method === "initialize";
    if (isOpened) this.#open[name]++;
    return Response.json(answer, isOpened ? { headers: { "mcp-session-id": crypto.randomUUID() } } : {});
  }

  #openStream(): Response {
    const id = crypto.randomUUID();
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#open.sse++;
        const say = (event: string, data: string) =>
          controller.enqueue(encoder.encode(`event: ${event}\ndata: ${data}\n\n`));
        this.#streams.set(id, (answer) => {
          if (answer !== null) say("message", JSON.stringify(answer));
        });
        say("endpoint", `/sse?stream=${id}`);
      },
      cancel: () => {
        this.#open.sse--;
        this.#streams.set(id, () => {});
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  #serveSocket(request: Request): Response {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.onopen = () => void this.#open.socket++;
    socket.onclose = () => void this.#open.socket--;
    socket.onmessage = async ({ data }) => {
      const answer = await answerTo(this.#folder, "socket", JSON.parse(data));
      if (answer !== null && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(answer));
    };
    return response;
  }
}

/** @returns null: the message is no request */
async function answerTo(
  folder: string,
  name: GatedName,
  { id, method, params }: Message,
): Promise<unknown> {
  await Deno.writeTextFile(`${folder}/log`, `${name} ${method}\n`, { append: true });
  if (id === undefined) return null;
  const answer = (result: unknown) => ({ jsonrpc: "2.0", id, result });
  switch (method) {
    case "initialize":
      await passes(folder, "initialize");
      return answer({
        protocolVersion: params!.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name, version: "1" },
      });
    case "tools/list":
      return answer({ tools: [{ name: "work", inputSchema: { type: "object" } }] });
    case "tools/call":
      await passes(folder, "call");
      return answer({ content: [{ type: "text", text: "done" }] });
    case "ping":
      return answer({});
    default:
      return { jsonrpc: "2.0", id, error: { code: -32601, message: "unknown method" } };
  }
}

async function passes(folder: string, gate: Gate): Promise<void> {
  await waitFor(() => Deno.stat(`${folder}/${gate}`), { what: `the gate ${gate}` });
}

if (import.meta.main) {
  const folder = Deno.args[0]!;
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      void answerTo(folder, "process", JSON.parse(line)).then((answer) => {
        if (answer !== null) Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
      });
    }
  }
  // Its input is closed: the session has ended.
  Deno.exit();
}
