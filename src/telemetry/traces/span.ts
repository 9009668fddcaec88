// The spans of one trace in this worker, while it is under way. Recording must stay cheap: every call is recorded, because only its end
// tells whether it was slow or has failed. A trace that is not sampled has no ids until it is exported, or another worker serves a part
// of it.
import type { Observation } from "../metrics.ts";
import type { Sampler } from "./sampler.ts";
import {
  newSpanId,
  newTraceId,
  type TraceContext,
  TRACEPARENT,
  traceparentOf,
  TRACESTATE,
} from "./trace_context.ts";

export type SpanKind = "internal" | "server" | "client";

/** Undefined: the attribute is left out. */
export type AttributeValue = string | number | boolean | undefined;

/** Takes the attributes of a span, by the names of OpenTelemetry's conventions. */
export interface AttributeSink {
  attribute(name: string, value: AttributeValue): void;
}

/** What a span can begin under: another span, or a trace that has none yet. */
export interface Traced {
  /** @param startedAt by performance.now(); default: now */
  begin(name: string, kind: SpanKind, startedAt?: number): Span;
  /** For what another worker or program does; null: no span has begun. */
  readonly context: TraceContext | null;
  /** Where a request with this context in its `_meta` belongs. */
  under(context: TraceContext | null): Traced;
}

/** What a trace needs of the tracer that began it. */
export interface TraceOwner {
  readonly sampler: Sampler;
  /** A span begins. @returns false: too much is recorded already, and the span is not kept */
  opened(trace: Trace): boolean;
  /** No span of the trace is under way any more. @param endedAt by performance.now() */
  ended(trace: Trace, endedAt: number): void;
  /** The trace is exported if it ends now. @param endedAt by performance.now() */
  wants(trace: Trace, endedAt: number): boolean;
  /** Begins a trace of another context. */
  begin(context: TraceContext | null): Trace;
}

/** Makes what a span tells of its subject. Most spans are never exported, so that their calls must not pay for it. */
export interface Subject {
  /** The span's name, where only its end tells it. */
  readonly name?: string;
  /** Tells its attributes. */
  describe(to: AttributeSink): void;
  /** Short parts of the span, which become spans of their own if it is exported. */
  parts?(span: Span): readonly Part[];
  /** What a histogram has observed of the span; absent: nothing. */
  measuredIn?(span: Span): Observation;
}

/** Times by performance.now(). */
export interface Part {
  readonly name: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Empty: no error. */
  readonly errorType: string;
}

export class Trace implements Traced {
  /** The spans that are kept, in the order of their beginning: each names the following one. */
  first: Span | undefined = undefined;
  #last: Span | undefined = undefined;
  /** The number of spans that are kept. */
  size = 0;
  /** Spans under way. */
  open = 0;
  /** Its spans were given up, because too many were under way. */
  isForgotten = false;
  /** A call of the trace has failed. */
  hasFailed = false;
  readonly owner: TraceOwner;
  #parent: TraceContext | null;
  #id = "";
  /** Decides about the trace if it begins here. */
  readonly #random = Math.random();
  #isSampled: boolean;

  constructor(owner: TraceOwner, parent: TraceContext | null) {
    this.owner = owner;
    this.#parent = parent;
    this.#isSampled = owner.sampler(parent, this.#random);
  }

  /** The span of another program or worker that this part of the trace belongs to; null: the trace begins here. */
  get parent(): TraceContext | null {
    return this.#parent;
  }

  get context(): TraceContext | null {
    return this.#parent;
  }

  get id(): string {
    if (this.#id === "") this.#id = this.#parent?.traceId ?? newTraceId(this.#random);
    return this.#id;
  }

  /** The decision at the beginning of the trace. */
  get isSampled(): boolean {
    return this.#isSampled;
  }

  /** Gives up the spans. */
  clear(): void {
    this.first = this.#last = undefined;
    this.size = 0;
  }

  begin(name: string, kind: SpanKind, startedAt = performance.now()): Span {
    return this.beginUnder(null, name, kind, startedAt);
  }

  under(context: TraceContext | null): Traced {
    return context === null ? this : this.owner.begin(context);
  }

  beginUnder(parent: Span | null, name: string, kind: SpanKind, startedAt: number): Span {
    const span = new Span(this, parent, name, kind, startedAt);
    if (this.owner.opened(this)) this.#keep(span);
    this.open++;
    return span;
  }

  #keep(span: Span): void {
    if (this.#last === undefined) this.first = span;
    else this.#last.following = span;
    this.#last = span;
    this.size++;
  }

  closed(endedAt: number): void {
    if (--this.open === 0) this.owner.ended(this, endedAt);
  }

  /** Whether somebody may see a span of the trace that ends now. @param endedAt by performance.now() */
  mayShow(endedAt: number): boolean {
    return this.open > 1 || this.owner.wants(this, endedAt);
  }

  /** Makes a trace that has begun here a part of the caller's. @returns false: it belongs to another one, or its id is known already */
  adopt(context: TraceContext): boolean {
    if (this.#parent === null && this.#id === "" && this.open > 0) {
      this.#parent = context;
      this.#isSampled = this.owner.sampler(context, this.#random);
    }
    return this.id === context.traceId;
  }
}

export class Span implements Traced {
  readonly trace: Trace;
  /** Null: the first span of the trace in this worker. */
  readonly parent: Span | null;
  readonly name: string;
  readonly kind: SpanKind;
  /** By performance.now(). */
  readonly startedAt: number;
  /** Zero while the span is under way. */
  endedAt = 0;
  /** What the span describes. It is asked only if the span is exported; undefined: its name says it all. */
  subject: Subject | undefined = undefined;
  /** OpenTelemetry's error.type; empty: no error. */
  errorType = "";
  /** The span of the trace that began next. */
  following: Span | undefined = undefined;
  /** A span of another trace that this one was caused by. */
  link: Span | null = null;
  #id = "";

  constructor(trace: Trace, parent: Span | null, name: string, kind: SpanKind, startedAt: number) {
    this.trace = trace;
    this.parent = parent;
    this.name = name;
    this.kind = kind;
    this.startedAt = startedAt;
  }

  get id(): string {
    if (this.#id === "") this.#id = newSpanId();
    return this.#id;
  }

  /** For whatever this span causes elsewhere. */
  get context(): TraceContext {
    const { id: traceId, isSampled, parent } = this.trace;
    return { traceId, spanId: this.id, isSampled, state: parent?.state ?? null };
  }

  /**
   * What an upstream is told: this span, if it is sampled. Otherwise the caller's own context goes on as it came, and an upstream is told
   * nothing if there is none.
   */
  get told(): TraceContext | null {
    return this.trace.isSampled ? this.context : this.trace.parent;
  }

  /** The headers of a request that this span causes. */
  get headers(): ReadonlyArray<readonly [name: string, value: string]> {
    const { told } = this;
    if (told === null) return [];
    const traceparent = [TRACEPARENT, traceparentOf(told)] as const;
    return told.state === null ? [traceparent] : [traceparent, [TRACESTATE, told.state]];
  }

  /** The same headers as lines. */
  get headerLines(): string {
    const { told } = this;
    if (told === null) return "";
    const line = `${TRACEPARENT}: ${traceparentOf(told)}\r\n`;
    return told.state === null ? line : `${line}${TRACESTATE}: ${told.state}\r\n`;
  }

  begin(name: string, kind: SpanKind, startedAt = performance.now()): Span {
    return this.trace.beginUnder(this, name, kind, startedAt);
  }

  /** In the same trace this span is nearer. Another trace is linked with this one. */
  under(context: TraceContext | null): Traced {
    if (context === null || this.trace.adopt(context)) return this;
    const other = this.trace.owner.begin(context);
    return {
      context,
      begin: (name, kind, startedAt) => {
        const span = other.begin(name, kind, startedAt);
        span.link = this;
        return span;
      },
      under: (context) => other.under(context),
    };
  }

  /** Ends the span. Only the first call counts. @param errorType empty: no error. @param endedAt by performance.now() */
  end(errorType = "", endedAt = performance.now()): void {
    if (this.endedAt !== 0) return;
    this.endedAt = endedAt;
    if (errorType !== "") {
      this.errorType = errorType;
      this.trace.hasFailed = true;
    }
    this.trace.closed(endedAt);
  }
}
