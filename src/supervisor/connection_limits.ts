// Enforces HTTP_HEADER_TIMEOUT and HTTP_IDLE_TIMEOUT for all workers from the main thread.
import { systemClock } from "../base/clock.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import { ConnectionWatch } from "./kernel/connection_watch.ts";
import { openPeerSockets } from "./kernel/peer_sockets.ts";
import type { Supervisor } from "./supervisor.ts";

/** @returns null if this system cannot list and close the workers' connections; the log says so */
export function keepConnectionLimits(
  { port, httpHeaderTimeoutMs, httpIdleTimeoutMs }: Pick<
    Config,
    "port" | "httpHeaderTimeoutMs" | "httpIdleTimeoutMs"
  >,
  supervisor: Pick<Supervisor, "askAll">,
  log: Log,
): ConnectionWatch | null {
  const sockets = openPeerSockets(port);
  if (sockets === null) {
    log.warning("HTTP_HEADER_TIMEOUT and HTTP_IDLE_TIMEOUT need Linux with glibc: not kept here");
    return null;
  }
  return new ConnectionWatch({
    sockets,
    limits: { headerMs: httpHeaderTimeoutMs, idleMs: httpIdleTimeoutMs },
    busyPeerPorts: async () => new Set((await supervisor.askAll({ type: "busy_peers" })).flat()),
    clock: systemClock,
    onCut: (counts) => log.info("connections closed", Object.fromEntries(counts)),
  });
}
