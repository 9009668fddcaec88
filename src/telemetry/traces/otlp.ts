// Encodes spans for OTLP, as protobuf (https://github.com/open-telemetry/opentelemetry-proto, trace/v1/trace.proto): the format that every
// receiver takes. Numbers of fields are those of the messages there.
import { ProtobufWriter } from "./protobuf_writer.ts";
import type { AttributeSink, AttributeValue, Part, Span, SpanKind, Trace } from "./span.ts";
import { newSpanId, type TraceContext } from "./trace_context.ts";

const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 };

const ERROR_STATUS = 2;

/** The flags of a span or link: those of its `traceparent`, and whether its parent is known to be of another process. */
const FLAGS = { sampled: 0x1, knowsParent: 0x100, parentIsRemote: 0x200 } as const;

/** Longer texts are cut: clients and upstreams choose them. */
const MAX_TEXT_CHARS = 256;

/** The spans of one request. */
export interface Batch {
  /** Each span is a field `spans` of a ScopeSpans. */
  readonly spans: Uint8Array<ArrayBuffer>;
  /** The number of spans. */
  readonly count: number;
}

/** Encodes traces one after the other, until a batch of them is taken. */
export class BatchEncoder {
  readonly #writer = new ProtobufWriter();
  #count = 0;
  /** Bytes and spans before the last trace. */
  #before = { bytes: 0, count: 0 };

  /** The number of spans. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#writer.length;
  }

  /** The number of spans without the last trace. */
  get countBefore(): number {
    return this.#before.count;
  }

  /** Encodes a trace. @param first of its spans; the others follow it. @returns the number of its spans, and of parts of spans */
  add(first: Span): number {
    this.#before = { bytes: this.#writer.length, count: this.#count };
    this.#count += encodeTrace(this.#writer, first);
    return this.#count - this.#before.count;
  }

  /** Forgets the last trace. */
  undo(): void {
    this.#writer.cut(this.#before.bytes);
    this.#count = this.#before.count;
  }

  /** Takes all traces but the last, which begins the next batch. */
  takeBefore(): Batch {
    return this.#take(this.#before.bytes, this.#before.count);
  }

  take(): Batch {
    return this.#take(this.#writer.length, this.#count);
  }

  #take(bytes: number, count: number): Batch {
    this.#count -= count;
    this.#before = { bytes: 0, count: 0 };
    return { spans: this.#writer.take(bytes), count };
  }
}

function encodeTrace(writer: ProtobufWriter, first: Span): number {
  const drift = Date.now() - performance.timeOrigin - performance.now();
  // The system's clock may have been set since the worker began. Below two milliseconds it is only less exact.
  const origin = performance.timeOrigin + (Math.abs(drift) < 2 ? 0 : drift);
  const encoder = new TraceEncoder(writer, first.trace, origin);
  let count = 0;
  for (let span: Span | undefined = first; span !== undefined; span = span.following) {
    encoder.span(span);
    count++;
    const parts = span.subject?.parts?.(span) ?? [];
    for (const part of parts) encoder.part(part, span);
    count += parts.length;
  }
  return count;
}

/** The body of a request: an ExportTraceServiceRequest. */
export function encodeRequest(
  { resource, version }: { readonly resource: Readonly<Record<string, string>>; readonly version: string },
  { spans }: Pick<Batch, "spans">,
): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter(spans.length + 1_024);
  const resourceSpans = writer.begin(1);
  const described = writer.begin(1);
  for (const name in resource) writeAttribute(writer, 1, name, resource[name]);
  writer.end(described);
  const scopeSpans = writer.begin(2);
  const scope = writer.begin(1);
  writer.text(1, "sluice");
  writer.text(2, version);
  writer.end(scope);
  writer.bytes(spans);
  writer.end(scopeSpans);
  writer.end(resourceSpans);
  return writer.take();
}

/** Of the field, with its tag and its length. */
const TRACE_ID_BYTES = 18;

/** What the spans of one trace have in common. */
class TraceEncoder implements AttributeSink {
  readonly #writer: ProtobufWriter;
  readonly #origin: number;
  readonly #parent: TraceContext | null;
  readonly #flags: number;
  readonly #traceId: string;
  /** Where the message of the last span stands, which begins with the trace's id; undefined: no span is written. */
  #last: number | undefined;

  /** @param origin what performance.now() counts from, milliseconds since 1970 */
  constructor(writer: ProtobufWriter, { id, parent, isSampled }: Trace, origin: number) {
    this.#writer = writer;
    this.#origin = origin;
    this.#parent = parent;
    this.#flags = flagsOf(isSampled) | FLAGS.knowsParent;
    this.#traceId = id;
  }

  span(span: Span): void {
    const writer = this.#writer;
    const { parent, errorType, subject, link } = span;
    const parentId = parent?.id ?? this.#parent?.spanId;
    const start = this.#begin(span.id, parentId);
    this.#describe(subject?.name ?? span.name, KINDS[span.kind], span);
    subject?.describe(this);
    if (link !== null) writeLink(writer, link.context);
    const isRemote = parent === null && parentId !== undefined;
    this.#end(start, errorType, isRemote ? FLAGS.parentIsRemote : 0);
  }

  attribute(name: string, value: AttributeValue): void {
    writeAttribute(this.#writer, 9, name, value);
  }

  part(part: Part, parent: Span): void {
    const start = this.#begin(newSpanId(), parent.id);
    this.#describe(part.name, KINDS.internal, part);
    this.#end(start, part.errorType, 0);
  }

  #begin(id: string, parentId: string | undefined): number {
    const writer = this.#writer;
    const state = this.#parent?.state ?? null;
    const start = writer.begin(2);
    if (this.#last === undefined) writer.id(1, this.#traceId);
    else writer.again(this.#last, this.#last + TRACE_ID_BYTES);
    writer.id(2, id);
    if (state !== null) writer.text(3, state);
    if (parentId !== undefined) writer.id(4, parentId);
    return start;
  }

  #describe(name: string, kind: number, { startedAt, endedAt }: Pick<Part, "startedAt" | "endedAt">): void {
    const writer = this.#writer;
    writer.text(5, bounded(name));
    writer.varint(6, kind);
    writer.nanoseconds(7, this.#origin + startedAt);
    writer.nanoseconds(8, this.#origin + endedAt);
  }

  #end(start: number, errorType: string, flags: number): void {
    const writer = this.#writer;
    if (errorType !== "") {
      this.attribute("error.type", errorType);
      const status = writer.begin(15);
      writer.varint(3, ERROR_STATUS);
      writer.end(status);
    }
    writer.fixed32(16, this.#flags | flags);
    this.#last = writer.end(start);
  }
}

function writeLink(writer: ProtobufWriter, { traceId, spanId, isSampled, state }: TraceContext): void {
  const start = writer.begin(13);
  writer.id(1, traceId);
  writer.id(2, spanId);
  if (state !== null) writer.text(3, state);
  writer.fixed32(6, flagsOf(isSampled));
  writer.end(start);
}

function writeAttribute(writer: ProtobufWriter, field: number, name: string, value: AttributeValue): void {
  if (value === undefined) return;
  if (typeof value === "string" && writer.shortAttribute(field, name, value)) return;
  const attribute = writer.begin(field);
  writer.text(1, name);
  const given = writer.begin(2);
  if (typeof value === "string") writer.text(1, bounded(value));
  else if (typeof value === "boolean") writer.varint(2, value ? 1 : 0);
  else if (Number.isSafeInteger(value)) writer.varint(3, value);
  else writer.double(4, value);
  writer.end(given);
  writer.end(attribute);
}

function flagsOf(isSampled: boolean): number {
  return isSampled ? FLAGS.sampled : 0;
}

function bounded(text: string): string {
  return text.length > MAX_TEXT_CHARS ? text.slice(0, MAX_TEXT_CHARS) : text;
}
