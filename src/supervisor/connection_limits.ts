// Enforces HTTP_HEADER_TIMEOUT and HTTP_IDLE_TIMEOUT for all workers from the main thread.
import { systemClock } from "../base/clock.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import { ConnectionWatch } from "./kernel/connection_watch.ts";
import type { DescriptorConfig } from "../tuning/sums.ts";
import { maxClientConnections } from "./kernel/descriptors.ts";
import { ownOpenFilesLimit } from "./kernel/libc.ts";
import { openPeerSockets } from "./kernel/peer_sockets.ts";
import type { Supervisor } from "./supervisor.ts";

/** @returns null if this system cannot list and close the workers' connections; the log says so */
export function keepConnectionLimits(
  config: Pick<Config, "port" | "httpHeaderTimeoutMs" | "httpIdleTimeoutMs"> & DescriptorConfig,
  supervisor: Pick<Supervisor, "askAll" | "onCannotAccept" | "metrics">,
  log: Log,
): ConnectionWatch | null {
  const { port, httpHeaderTimeoutMs, httpIdleTimeoutMs } = config;
  const sockets = openPeerSockets(port);
  if (sockets === null) {
    log.warning(
      "HTTP_HEADER_TIMEOUT and HTTP_IDLE_TIMEOUT need Linux with glibc, and Deno's permission --allow-ffi: not kept here",
    );
    return null;
  }
  const maxConnections = maxClientConnections(config, ownOpenFilesLimit());
  const { metrics } = supervisor;
  metrics.gauge("sluice_connections_open", () => sockets.list().length);
  if (maxConnections < Infinity) metrics.gauge("sluice_connections_limit", () => maxConnections);
  const count = metrics.counter("sluice_connections_closed_total");
  const watch = new ConnectionWatch({
    sockets,
    limits: { headerMs: httpHeaderTimeoutMs, idleMs: httpIdleTimeoutMs },
    maxConnections,
    busyPeerPorts: async () => new Set((await supervisor.askAll({ type: "busy_peers" })).flat()),
    clock: systemClock,
    onCut: (counts) => {
      for (const [reason, closed] of counts) for (let n = 0; n < closed; n++) count(reason);
      log.info("connections closed", Object.fromEntries(counts));
    },
  });
  supervisor.onCannotAccept(() => void watch.makeRoom());
  return watch;
}
