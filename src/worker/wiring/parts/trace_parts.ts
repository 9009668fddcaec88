// Makes the tracer of a worker, and the way of its spans to a collector.
import { readAuthorities } from "../../../base/authorities.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Config } from "../../../config/schema.ts";
import { traceOptionsOf } from "../../../config/trace_options.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";
import type { Tracer } from "../../../telemetry/traces/tracer.ts";
import { VERSION } from "../../../version.ts";

export interface Traces {
  readonly tracer: Tracer;
  /** Exports what has ended, within a few seconds. */
  close(): Promise<void>;
}

export interface TracesDeps {
  readonly worker: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** @returns null: OTEL_ENABLE_OBSERVABILITY=false, and no module of traces is loaded. @throws {SluiceError} SETTINGS_INVALID */
export async function createTraces(
  config: Config,
  { worker, clock, log, metrics }: TracesDeps,
): Promise<Traces | null> {
  const read = traceOptionsOf(config);
  if (read === null) return null;
  const { options } = read;
  const [{ Tracer }, { samplerOf }, { SpanQueue }, { OtlpHttp }, { keepExemplars }] = await Promise.all([
    import("../../../telemetry/traces/tracer.ts"),
    import("../../../telemetry/traces/sampler.ts"),
    import("../../../telemetry/traces/span_queue.ts"),
    import("../../../telemetry/traces/otlp_http.ts"),
    import("../../../telemetry/traces/trace_exemplars.ts"),
  ]);
  const { otelExporterOtlpCertificate: certificate } = config;
  const lost = metrics.counterBy("sluice_trace_spans_lost_total");
  const countLost = (reason: string, spans: number) => void (lost(reason)[0]! += spans);
  const sent = metrics.counterBy("sluice_trace_spans_exported_total")();
  const receiver = options.url === null ? null : new OtlpHttp({
    ...options,
    url: options.url,
    authorities: certificate === null
      ? undefined
      : readAuthorities("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate),
    resource: {
      "service.version": VERSION,
      "service.instance.id": `${Deno.hostname()}:${Deno.pid}:${worker}`,
      "telemetry.sdk.name": "sluice",
      "telemetry.sdk.language": "webjs",
      "telemetry.sdk.version": VERSION,
      ...options.resource,
    },
    version: VERSION,
  });
  const queue = receiver === null ? null : new SpanQueue({
    ...options,
    ...{ clock, log, countLost },
    taken: (first) => keepExemplars(first, metrics),
    post: (batch) => receiver.post(batch),
    countSent: (spans) => void (sent[0]! += spans),
  });
  const tracer = new Tracer({
    sampler: samplerOf(options.sampler, options.ratio),
    slowMs: config.traceSlowCallsMs === 0 ? Infinity : config.traceSlowCallsMs,
    keepsFailed: config.traceFailedCalls,
    maxOpenSpans: config.traceMaxOpenSpans,
    export: (first, count) => queue?.add(first, count),
    countLost,
  });
  metrics.gauge("sluice_trace_spans_open", () => tracer.openSpans);
  metrics.gauge("sluice_trace_spans_waiting", () => queue?.length ?? 0);
  return {
    tracer,
    close: async () => {
      await queue?.close();
      receiver?.close();
    },
  };
}
