// Makes the quotas of a worker. All workers of a process count in the same memory.
import { Quotas, type SharedQuotaCounters } from "../../../auth/quotas/quotas.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";
import type { ToWorker } from "../../protocol/messages.ts";

export interface QuotaParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** null: Redis is not used. */
  readonly shared: SharedQuotaCounters | null;
}

export function createQuotas(
  { config, quotaMemory, worker }: Extract<ToWorker, { type: "start" }>,
  { clock, log, metrics, shared }: QuotaParts,
): Quotas {
  const quotas = new Quotas({
    defaults: {
      user: config.quotaUser,
      team: config.quotaTeam,
      token: config.quotaToken,
      tool: config.quotaTool,
    },
    memory: quotaMemory,
    ...{ shared, clock, log },
    countRefused: metrics.counter("sluice_quota_refusals_total"),
    countDropped: metrics.counter("sluice_quota_counters_dropped_total"),
    countAlone: metrics.counter("sluice_quota_calls_counted_alone_total"),
  });
  // The sum over all workers is that of the one memory.
  metrics.gauge("sluice_quota_counters", () => worker === 0 ? quotas.size : 0);
  return quotas;
}
