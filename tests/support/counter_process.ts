// The counter upstream as a process of its own, which can be killed and started again at the same port.
import { CounterUpstream } from "./counter_upstream.ts";
import { endChild } from "./end_child.ts";
import { freePort } from "./free_port.ts";
import { waitFor } from "./wait_for.ts";

export interface CounterProcessOptions {
  readonly handshakeDelayMs?: number;
  readonly jsonReplies?: boolean;
}

/** What the process tells of itself. */
export interface CounterState {
  readonly liveSessions: number;
  readonly maxRunningInOneSession: number;
  readonly seen: CounterUpstream["seen"];
}

export class CounterProcess implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #controlPort: number;
  readonly #options: CounterProcessOptions;
  #child: Deno.ChildProcess | undefined;

  private constructor(options: CounterProcessOptions) {
    this.#options = options;
    this.#port = freePort();
    this.#controlPort = freePort();
    this.url = `http://127.0.0.1:${this.#port}/mcp`;
  }

  static async start(options: CounterProcessOptions = {}): Promise<CounterProcess> {
    const process = new CounterProcess(options);
    await process.start();
    return process;
  }

  /** Starts it (again): it knows no session then. Resolves once it answers. */
  async start(): Promise<void> {
    const settings = { port: this.#port, controlPort: this.#controlPort, ...this.#options };
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", import.meta.filename!, JSON.stringify(settings)],
      cwd: new URL("../../", import.meta.url).pathname,
      stdin: "null",
      stdout: "null",
    }).spawn();
    await waitFor(() => this.state(), { what: "the counter upstream" });
  }

  async state(): Promise<CounterState> {
    return await (await fetch(`http://127.0.0.1:${this.#controlPort}/`)).json();
  }

  /** Has it forget every session, as `CounterUpstream.expireSessions` does. */
  async expireSessions(): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#controlPort}/`, { method: "DELETE" });
    await response.body?.cancel();
  }

  /** SIGKILL: nobody is told. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await endChild(this.#child, "SIGKILL");
    this.#child = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

if (import.meta.main) {
  const { controlPort, ...options } = JSON.parse(Deno.args[0]!);
  const upstream = CounterUpstream.start(options);
  Deno.serve({ hostname: "127.0.0.1", port: controlPort, onListen: () => {} }, async ({ method }) => {
    if (method === "DELETE") await upstream.expireSessions();
    const { liveSessions, maxRunningInOneSession, seen } = upstream;
    return Response.json({ liveSessions, maxRunningInOneSession, seen });
  });
}
