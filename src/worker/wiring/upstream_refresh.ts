// Makes the refresh of upstreams: it reads their lists again, saves them, and tells the other workers.
import type { Clock } from "../../base/clock.ts";
import type { Holds } from "../../catalog/holds.ts";
import { CatalogSync } from "../../catalog/catalog_sync.ts";
import type { Naming } from "../../store/registry/save_discovery.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Discover } from "./discovery.ts";
import type { Outbound } from "./outbound.ts";

export interface CatalogSyncParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly registry: Registry;
  readonly outbound: Outbound;
  readonly discover: Discover;
  readonly naming: Naming;
  readonly catalogChanged: () => Promise<void>;
  readonly holds: Holds;
}

export function createCatalogSync(parts: CatalogSyncParts): CatalogSync {
  const { clock, log, metrics, registry, discover, catalogChanged } = parts;
  const { check, targetOf } = parts.outbound;
  return new CatalogSync({
    registry,
    clock,
    log,
    naming: parts.naming,
    discover: async (row) => {
      const target = await targetOf(row, { isOwn: true });
      await check(new URL(row.url), target.isOwn);
      return await discover(target, row, { isTransportOpen: row.registration?.isTransportOpen });
    },
    catalogChanged,
    onHeld: (upstream, holding) => parts.holds.report(upstream, holding),
    countRefresh: metrics.counter("sluice_upstream_refreshes_total"),
  });
}
