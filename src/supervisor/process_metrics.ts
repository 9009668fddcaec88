// The metrics of the process as a whole, under the names that Prometheus' own clients use
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics), and what the process was made from.
import process from "node:process";
import type { Metrics } from "../telemetry/metrics.ts";
import { commit, VERSION } from "../version.ts";
import { ownOpenFilesLimit } from "./kernel/libc.ts";
import { countOpenFiles } from "./kernel/open_files.ts";

const MICROSECONDS = 1_000_000;

export function registerProcessMetrics(metrics: Metrics): void {
  metrics.readCounter("process_cpu_seconds_total", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / MICROSECONDS;
  });
  metrics.gauge("process_resident_memory_bytes", () => Deno.memoryUsage().rss);
  metrics.gauge("process_start_time_seconds", () => performance.timeOrigin / 1_000);
  const limit = ownOpenFilesLimit();
  if (limit !== null) metrics.gauge("process_max_fds", () => limit);
  if (countOpenFiles() !== null) metrics.gauge("process_open_fds", () => countOpenFiles() ?? 0);
  metrics.gaugeBy(
    "sluice_build_info",
    () => new Map([[[VERSION, commit(), Deno.version.deno].join("\0"), 1]]),
  );
}
