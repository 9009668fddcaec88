// Leads from a histogram to the traces of calls that it has counted.
import type { Metrics } from "../metrics.ts";
import type { Span } from "./span.ts";

/** Makes the spans of an exported trace exemplars of the histograms that have measured them. @param first the others follow it */
export function keepExemplars(first: Span, metrics: Pick<Metrics, "exemplify">): void {
  const origin = Date.now() - performance.now();
  for (let span: Span | undefined = first; span !== undefined; span = span.following) {
    const measured = span.subject?.measuredIn?.(span);
    if (measured === undefined) continue;
    const { trace, id: spanId, endedAt } = span;
    metrics.exemplify(measured, { traceId: trace.id, spanId, at: origin + endedAt });
  }
}
