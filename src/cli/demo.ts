// `sluice demo`: the built-in MCP time server alone, to try the gateway on.

import { reasonOf } from "../base/errors.ts";
import { startDemoServer } from "../demo/demo_server.ts";
import { stopSignal } from "./command_line/stop_signal.ts";

/**
 * Runs the demo server until SIGINT or SIGTERM. Port 0 takes a free one; the address is printed.
 * @returns the exit code: 0 after a signal, 1 where it cannot listen
 */
export async function demo({ port, host = "127.0.0.1" }: { port: number; host?: string }): Promise<number> {
  let server;
  try {
    server = startDemoServer({ hostname: host, port });
  } catch (error) {
    console.error(`Cannot listen on ${host}:${port}: ${reasonOf(error)}`);
    return 1;
  }
  console.log(`MCP time server: ${server.url} (streamable HTTP; Ctrl+C ends it)`);
  await stopSignal();
  await server.close();
  return 0;
}
