// `sluice demo`: the demo upstream alone, to try the gateway on.

import { startTimeServer } from "../demo/time_server.ts";
import { findFreePort } from "../supervisor/kernel/free_port.ts";
import { stopSignal } from "./command_line/stop_signal.ts";

/** Runs the demo upstream until SIGINT or SIGTERM. Port 0 takes a free port. @returns the exit code. @throws {SluiceError} CANNOT_LISTEN */
export async function demo({ port, host = "127.0.0.1" }: { port: number; host?: string }): Promise<number> {
  const server = startTimeServer({ hostname: host, port: findFreePort(host, port) });
  console.log(`MCP time server: ${server.url} (streamable HTTP; Ctrl+C ends it)`);
  await stopSignal();
  await server.close();
  return 0;
}
