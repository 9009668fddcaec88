// Leads from a histogram to the traces of calls that it has counted.
import type { Metrics } from "../metrics.ts";
import type { Trace } from "./span.ts";

/** Makes the spans of an exported trace exemplars of the histograms that have measured them. */
export function keepExemplars(trace: Trace, metrics: Pick<Metrics, "exemplify">): void {
  const at = Date.now();
  for (let span = trace.first; span !== undefined; span = span.following) {
    const measured = span.subject?.measuredIn?.(span);
    if (measured !== undefined) metrics.exemplify(measured, { traceId: trace.id, spanId: span.id, at });
  }
}
