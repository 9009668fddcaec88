// Counts and measures the answers of the edge. On a warm request it allocates nothing.
import type { HistogramChild } from "./metric_values.ts";
import type { ChildOf, Metrics } from "./metrics.ts";

interface EndpointChildren {
  readonly time: HistogramChild;
  readonly byStatus: Map<number, Float64Array>;
}

export class AnswerMeter {
  readonly #countOf: ChildOf<Float64Array>;
  readonly #timeOf: ChildOf<HistogramChild>;
  readonly #endpoints = new Map<string, EndpointChildren>();

  constructor(metrics: Metrics) {
    this.#countOf = metrics.counterBy("sluice_http_answers_total");
    this.#timeOf = metrics.histogram("sluice_http_request_duration_seconds");
  }

  /**
   * @param startedAt by performance.now(); null: the request was refused unread
   * @param endedAt by performance.now()
   */
  answered(endpoint: string, status: number, startedAt: number | null, endedAt = performance.now()): void {
    let children = this.#endpoints.get(endpoint);
    if (children === undefined) {
      children = { time: this.#timeOf(endpoint), byStatus: new Map() };
      this.#endpoints.set(endpoint, children);
    }
    let count = children.byStatus.get(status);
    if (count === undefined) {
      children.byStatus.set(status, count = this.#countOf(endpoint, String(status)));
    }
    count[0]!++;
    if (startedAt !== null) children.time.observe((endedAt - startedAt) / 1_000);
  }
}
