// supergateway from npm: a stdio server behind a WebSocket. The only WebSocket upstream ready to be had.
import { ChildOutput } from "./child_output.ts";
import { freePort } from "./free_port.ts";
import { npmServer } from "./npm_programs.ts";
import { waitFor } from "./wait_for.ts";

export interface Supergateway extends AsyncDisposable {
  /** ws: */
  readonly url: string;
  stop(): Promise<void>;
}

/** @param command the stdio server, for a shell */
export async function startSupergateway(command: string, port = freePort()): Promise<Supergateway> {
  const { command: node, args } = npmServer(
    "supergateway",
    ...["--stdio", command, "--outputTransport", "ws", "--port", String(port), "--messagePath", "/message"],
  );
  const child = new Deno.Command(node, {
    args,
    // Its server is a process of its own.
    detached: true,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = new ChildOutput(child.stdout, child.stderr);
  const stop = async () => {
    try {
      Deno.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.status;
    await output.ended;
  };
  try {
    await waitFor(() => output.lines.some((line) => line.includes("WebSocket endpoint")), {
      what: "supergateway to listen",
      deadlineMs: 120_000,
    });
  } catch (error) {
    await stop();
    throw new Error(`supergateway did not start:\n${output.tail()}`, { cause: error });
  }
  return { url: `ws://127.0.0.1:${port}/message`, stop, [Symbol.asyncDispose]: stop };
}
