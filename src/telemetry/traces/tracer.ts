// Room `traces`: what happens to a call, as spans for OpenTelemetry. Nothing of it is loaded while OTEL_ENABLE_OBSERVABILITY is off.
// This file begins traces, bounds what those under way keep, and decides at their end which are exported.
import type { Sampler } from "./sampler.ts";
import { type Span, Trace, type TraceOwner } from "./span.ts";
import { readContext, type TraceContext, TRACEPARENT, TRACESTATE } from "./trace_context.ts";

export interface TracerOptions {
  readonly sampler: Sampler;
  /** TRACE_SLOW_CALLS: a trace that takes longer is exported whatever the sampler says, ms; Infinity: none is for that reason. */
  readonly slowMs: number;
  /** TRACE_FAILED_CALLS: the same for traces with a failed call. */
  readonly keepsFailed: boolean;
  /** TRACE_MAX_OPEN_SPANS: spans that traces under way keep. A trace that would keep one more loses its spans. */
  readonly maxOpenSpans: number;
  /** Takes the spans of an ended trace that is to be exported. @param first the others follow it. @param count of the spans */
  readonly export: (first: Span, count: number) => void;
  /** Counts spans that are lost, by reason. */
  readonly countLost: (reason: "too_many_open", spans: number) => void;
}

/** Spans of one trace, so that one long batch does not displace all other traces. */
const MAX_SPANS_PER_TRACE = 500;

export class Tracer implements TraceOwner {
  readonly #options: TracerOptions;
  readonly sampler: Sampler;
  /** Spans that traces under way keep. */
  #spans = 0;

  constructor(options: TracerOptions) {
    this.#options = options;
    this.sampler = options.sampler;
  }

  /** Spans of traces under way. */
  get openSpans(): number {
    return this.#spans;
  }

  /** @param context of the request; null: it names none */
  begin(context: TraceContext | null): Trace {
    return new Trace(this, context);
  }

  /** Begins the trace of a request. @param headers null: it has none of its own */
  beginFor(headers: { get(name: string): string | null } | null): Trace {
    const traceparent = headers?.get(TRACEPARENT) ?? null;
    return this.begin(traceparent === null ? null : readContext(traceparent, headers!.get(TRACESTATE)));
  }

  opened(trace: Trace): boolean {
    const { maxOpenSpans, countLost } = this.#options;
    const mayKeep = !trace.isForgotten && trace.size < MAX_SPANS_PER_TRACE;
    if (mayKeep && this.#spans < maxOpenSpans) {
      this.#spans++;
      return true;
    }
    if (mayKeep) this.#forget(trace);
    countLost("too_many_open", 1);
    return false;
  }

  ended(trace: Trace, endedAt: number): void {
    const { first, size } = trace;
    const isWanted = this.wants(trace, endedAt);
    this.#spans -= size;
    trace.clear();
    if (isWanted) this.#options.export(first!, size);
  }

  wants({ first, hasFailed, isSampled }: Trace, endedAt: number): boolean {
    if (first === undefined) return false;
    const { slowMs, keepsFailed } = this.#options;
    return isSampled || hasFailed && keepsFailed || endedAt - first.startedAt >= slowMs;
  }

  #forget(trace: Trace): void {
    if (trace.size > 0) this.#options.countLost("too_many_open", trace.size);
    this.#spans -= trace.size;
    trace.clear();
    trace.isForgotten = true;
  }
}
