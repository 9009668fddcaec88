// Encodes spans for OTLP, as protobuf (https://github.com/open-telemetry/opentelemetry-proto, trace/v1/trace.proto): the format that every
// receiver takes. Numbers of fields are those of the messages there.
import { type Attributes, Span, type SpanKind, type Trace } from "./span.ts";
import type { TraceContext } from "./trace_context.ts";

const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 };

const ERROR_STATUS = 2;

/** The flags of a span or link: those of its `traceparent`, and whether its parent is known to be of another process. */
const FLAGS = { sampled: 0x1, knowsParent: 0x100, parentIsRemote: 0x200 } as const;

/** Longer texts are cut: clients and upstreams choose them. */
const MAX_TEXT_CHARS = 256;

/** Of protobuf: varints, 8 bytes, bytes behind their length, 4 bytes. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const encoder = new TextEncoder();

class Writer {
  #bytes = new Uint8Array(2_048);
  #length = 0;

  /** What was written since the last call. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  varint(field: number, value: number): void {
    this.#tag(field, WIRE.varint);
    this.#varint(value);
  }

  double(field: number, value: number): void {
    this.#tag(field, WIRE.fixed64);
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, WIRE.fixed32);
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setUint32(this.#length, value, true);
    this.#length += 4;
  }

  fixed64(field: number, value: bigint): void {
    this.#tag(field, WIRE.fixed64);
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setBigUint64(this.#length, value, true);
    this.#length += 8;
  }

  text(field: number, text: string): void {
    this.#tag(field, WIRE.bytes);
    // Nearly all texts are short and ASCII: their length takes one byte.
    this.#reserve(1 + text.length * 3);
    const start = ++this.#length;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    this.#length += written;
    this.#lengthBefore(start);
  }

  /** An id, given in hexadecimal digits. */
  id(field: number, digits: string): void {
    this.#tag(field, WIRE.bytes);
    this.#varint(digits.length / 2);
    this.#reserve(digits.length / 2);
    for (let at = 0; at < digits.length; at += 2) {
      this.#bytes[this.#length++] = parseInt(digits.slice(at, at + 2), 16);
    }
  }

  message(field: number, write: () => void): void {
    this.#tag(field, WIRE.bytes);
    this.#reserve(1);
    const start = ++this.#length;
    write();
    this.#lengthBefore(start);
  }

  /** Writes the length of what stands from `start` on into the byte before it, and makes room if it takes more of them. */
  #lengthBefore(start: number): void {
    const length = this.#length - start;
    const more = varintLength(length) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(start + more, start, this.#length);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
  }

  /** Bytes that are encoded already. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #varint(value: number): void {
    this.#reserve(10);
    if (value < 0) return this.#negative(value);
    let rest = value;
    // Above 31 bits the operators of bits do not work.
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = rest % 128 | 128;
    this.#bytes[this.#length++] = rest;
  }

  /** Negative numbers have the ten bytes of their two's complement. */
  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 127n) | 128;
    this.#bytes[this.#length++] = Number(rest);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#length + more, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

function varintLength(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

const writer = new Writer();

/** Each span as the field `spans` of a ScopeSpans. */
export function encodeSpans(trace: Trace): Uint8Array<ArrayBuffer>[] {
  const drift = Date.now() - performance.timeOrigin - performance.now();
  // The system's clock may have been set since the worker began. Below two milliseconds it is only less exact.
  const origin = performance.timeOrigin + (Math.abs(drift) < 2 ? 0 : drift);
  return trace.spans.flatMap((span) => [span, ...partsOf(span)]).map((span) => {
    writer.message(2, () => writeSpan(span, origin));
    return writer.take();
  });
}

function partsOf(span: Span): Span[] {
  return (span.subject?.parts ?? []).map(({ name, startedAt, endedAt, errorType }) => {
    const part = new Span(span.trace, span, name, "internal", startedAt);
    part.endedAt = endedAt;
    part.errorType = errorType;
    return part;
  });
}

/** The body of a request: an ExportTraceServiceRequest. */
export function encodeRequest(
  { resource, version }: { readonly resource: Attributes; readonly version: string },
  spans: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  writer.message(1, () => {
    writer.message(1, () => writeAttributes(1, resource));
    writer.message(2, () => {
      writer.message(1, () => {
        writer.text(1, "sluice");
        writer.text(2, version);
      });
      for (const span of spans) writer.bytes(span);
    });
  });
  return writer.take();
}

function writeSpan(span: Span, origin: number): void {
  const { trace, parent, errorType } = span;
  const { state = null } = trace.parent ?? {};
  const parentId = parent?.id ?? trace.parent?.spanId;
  writer.id(1, trace.id);
  writer.id(2, span.id);
  if (state !== null) writer.text(3, state);
  if (parentId !== undefined) writer.id(4, parentId);
  writer.text(5, bounded(span.subject?.name ?? span.name));
  writer.varint(6, KINDS[span.kind]);
  writer.fixed64(7, nanoseconds(origin + span.startedAt));
  writer.fixed64(8, nanoseconds(origin + span.endedAt));
  if (span.subject !== undefined) writeAttributes(9, span.subject.attributes);
  if (errorType !== "") writeAttributes(9, { "error.type": errorType });
  if (span.link !== null) {
    const { context } = span.link;
    writer.message(13, () => writeLink(context));
  }
  if (errorType !== "") writer.message(15, () => writer.varint(3, ERROR_STATUS));
  const isRemote = parent === null && parentId !== undefined;
  writer.fixed32(16, flagsOf(trace.isSampled) | FLAGS.knowsParent | (isRemote ? FLAGS.parentIsRemote : 0));
}

function writeLink({ traceId, spanId, isSampled, state }: TraceContext): void {
  writer.id(1, traceId);
  writer.id(2, spanId);
  if (state !== null) writer.text(3, state);
  writer.fixed32(6, flagsOf(isSampled));
}

function writeAttributes(field: number, attributes: Attributes): void {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    writer.message(field, () => {
      writer.text(1, key);
      writer.message(2, () => {
        if (typeof value === "string") writer.text(1, bounded(value));
        else if (typeof value === "boolean") writer.varint(2, value ? 1 : 0);
        else if (Number.isSafeInteger(value)) writer.varint(3, value);
        else writer.double(4, value);
      });
    });
  }
}

function flagsOf(isSampled: boolean): number {
  return isSampled ? FLAGS.sampled : 0;
}

function bounded(text: string): string {
  return text.length > MAX_TEXT_CHARS ? text.slice(0, MAX_TEXT_CHARS) : text;
}

function nanoseconds(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
}
