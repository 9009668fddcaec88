// The reference upstream: @modelcontextprotocol/server-everything from npm, in a process of its own.

import { ChildOutput } from "./child_output.ts";
import { freePort } from "./free_port.ts";
import { npmServer } from "./npm_programs.ts";
import { waitFor } from "./wait_for.ts";

export interface EverythingUpstream extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
  readonly pid: number;
  /** What it printed: one array that grows. */
  readonly output: readonly string[];
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1 (or on `port`). */
export async function startEverything(
  { port = freePort(), transport = "streamableHttp" }: {
    readonly port?: number;
    readonly transport?: "streamableHttp" | "sse";
  } = {},
): Promise<EverythingUpstream> {
  const { command, args } = npmServer("mcp-server-everything", transport);
  const child = new Deno.Command(command, {
    args,
    env: { PORT: String(port), NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = new ChildOutput(child.stdout, child.stderr);
  let running = true;
  const exited = child.status.then((status) => {
    running = false;
    return status;
  });
  const stop = async () => {
    if (running) child.kill("SIGKILL");
    await exited;
    await output.ended;
  };

  const url = `http://127.0.0.1:${port}/${transport === "sse" ? "sse" : "mcp"}`;
  try {
    await waitFor(async () => {
      if (!running) return true;
      // That there is nothing here is an answer.
      const response = await fetch(new URL("/", url));
      await response.body?.cancel();
      return true;
    }, { what: "server-everything to answer", deadlineMs: 120_000, everyMs: 100 });
    if (!running) throw new Error(`server-everything did not start:\n${output.tail()}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, pid: child.pid, output: output.lines, stop, [Symbol.asyncDispose]: stop };
}
