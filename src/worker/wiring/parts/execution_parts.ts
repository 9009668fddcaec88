// Makes what counts executions in a worker, and what writes them to the database.
import type { Clock } from "../../../base/clock.ts";
import type { Config } from "../../../config/schema.ts";
import { ExecutionWriter } from "../../../store/executions/execution_writer.ts";
import type { Registry } from "../../../store/registry/registry.ts";
import { ExecutionMeter } from "../../../telemetry/executions.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";
import type { SharedNumbers } from "../../../telemetry/shared_numbers.ts";
import type { SupervisorLink } from "../../protocol/supervisor_link.ts";

const HOURS_OF_DAY = 24;

export interface ExecutionParts {
  readonly meter: ExecutionMeter;
  readonly writer: ExecutionWriter;
  /** Deletes old executions. */
  sweep(): Promise<unknown>;
}

/** @returns null: DB_METRICS_RECORDING_ENABLED=false */
export function executionParts(
  config: Config,
  { worker, registry, counters, link, clock, log, metrics }: {
    readonly worker: number;
    readonly registry: Pick<Registry, "executions">;
    readonly counters: SharedNumbers;
    readonly link: Pick<SupervisorLink, "askAll">;
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Metrics;
  },
): ExecutionParts | null {
  const countLost = metrics.counter("sluice_executions_lost_total");
  if (!config.dbMetricsRecordingEnabled) return null;
  const store = registry.executions;
  const { metricsRetentionDays, metricsRollupRetentionDays: days } = config;
  return {
    meter: new ExecutionMeter(counters, countLost),
    writer: new ExecutionWriter({
      ...{ store, clock, log },
      next: async () => (await link.askAll({ type: "execution_batch" }))[0] ?? null,
      written: (sequence) => link.askAll({ type: "executions_written", sequence }),
      everyMs: worker === 0 ? config.metricsBufferFlushIntervalMs : null,
    }),
    sweep: () => store.sweep(clock.now(), { hours: metricsRetentionDays * HOURS_OF_DAY, days }),
  };
}
