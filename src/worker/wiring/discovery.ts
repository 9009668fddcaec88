// How this worker reads what an upstream offers, and counts what was wrong with it.
import { isError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { Discovery } from "../../store/registry/rows.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { discover } from "../../upstream/discover.ts";
import type { TransportTarget } from "../../upstream/transports.ts";
import type { Outbound } from "./outbound.ts";

/** @throws {SluiceError} UPSTREAM_* */
export type Discover = (target: TransportTarget) => Promise<Discovery>;

export function createDiscover(
  config: Config,
  metrics: Metrics,
  { clientInfo, transports }: Pick<Outbound, "clientInfo" | "transports">,
): Discover {
  const count = metrics.counter(
    "sluice_upstream_list_faults_total",
    "What was wrong with lists of upstreams: a list failed, a list was too_large, an entry was skipped or repaired",
    ["fault"],
  );
  const options = {
    clientInfo,
    timeoutMs: config.mcpSessionPoolTransportTimeoutMs,
    limits: { maxEntries: config.maxUpstreamListEntries, maxBytes: config.maxUpstreamListBytes },
  };
  return async (target) => {
    try {
      const found = await discover(transports.make(target), options);
      for (const { name } of found.warnings) count(name === null ? "failed" : "repaired");
      for (const _ of found.skipped) count("skipped");
      return found;
    } catch (error) {
      if (isError(error, "UPSTREAM_LIST_TOO_LARGE")) count("too_large");
      throw error;
    }
  };
}
