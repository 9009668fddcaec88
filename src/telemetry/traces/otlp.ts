// Encodes spans for OTLP, as protobuf (https://github.com/open-telemetry/opentelemetry-proto, trace/v1/trace.proto): the format that every
// receiver takes. Numbers of fields are those of the messages there.
import { type Attributes, Span, type SpanKind } from "./span.ts";
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
  #bytes = new Uint8Array(4_096);
  #view = new DataView(this.#bytes.buffer);
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
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, WIRE.fixed32);
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** Milliseconds as nanoseconds, which are too many for a number: they are counted in two halves. */
  nanoseconds(field: number, ms: number): void {
    this.#tag(field, WIRE.fixed64);
    this.#reserve(8);
    const whole = Math.floor(ms);
    const upper = Math.floor(whole / HALF_WORD) * 1e6;
    const lower = (upper % HALF_WORD) * HALF_WORD + whole % HALF_WORD * 1e6 + Math.round((ms - whole) * 1e6);
    this.#view.setUint32(this.#length, lower % WORD, true);
    this.#view.setUint32(this.#length + 4, Math.floor(upper / HALF_WORD) + Math.floor(lower / WORD), true);
    this.#length += 8;
  }

  text(field: number, text: string): void {
    this.#tag(field, WIRE.bytes);
    // Nearly all texts are short and ASCII: their length takes one byte.
    this.#reserve(1 + text.length * 3);
    const bytes = this.#bytes;
    const start = this.#length + 1;
    let end = start;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) {
        end = start + encoder.encodeInto(text, bytes.subarray(start)).written;
        break;
      }
      bytes[end++] = code;
    }
    this.#length = end;
    this.end(start);
  }

  /**
   * An attribute whose key and value are short ASCII texts, as nearly all are: in one pass, because the parts of its two messages are known
   * beforehand.
   * @returns false: it is another one, and nothing was written
   */
  shortAttribute(field: number, key: string, value: string): boolean {
    // Each of the two texts has a tag and a length, and so has the message around the value.
    const length = 2 + key.length + 2 + 2 + value.length;
    if (length > 127) return false;
    this.#reserve(2 + length);
    const bytes = this.#bytes;
    let end = this.#length;
    bytes[end++] = field * 8 + WIRE.bytes;
    bytes[end++] = length;
    bytes[end++] = 1 * 8 + WIRE.bytes;
    bytes[end++] = key.length;
    for (let at = 0; at < key.length; at++) {
      const code = key.charCodeAt(at);
      if (code > 127) return false;
      bytes[end++] = code;
    }
    bytes[end++] = 2 * 8 + WIRE.bytes;
    bytes[end++] = 2 + value.length;
    bytes[end++] = 1 * 8 + WIRE.bytes;
    bytes[end++] = value.length;
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at);
      if (code > 127) return false;
      bytes[end++] = code;
    }
    this.#length = end;
    return true;
  }

  /** An id, given in hexadecimal digits in lower case. */
  id(field: number, digits: string): void {
    this.#tag(field, WIRE.bytes);
    this.#varint(digits.length / 2);
    this.#reserve(digits.length / 2);
    for (let at = 0; at < digits.length; at += 2) {
      this.#bytes[this.#length++] = valueOf(digits.charCodeAt(at)) << 4 | valueOf(digits.charCodeAt(at + 1));
    }
  }

  /** Begins a message. @returns what `end()` takes */
  begin(field: number): number {
    this.#tag(field, WIRE.bytes);
    this.#reserve(1);
    return ++this.#length;
  }

  /** Writes the length of what stands from `start` on into the byte before it, and makes room if it takes more of them. */
  end(start: number): void {
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
    this.#view = new DataView(larger.buffer);
  }
}

const HALF_WORD = 2 ** 16;
const WORD = 2 ** 32;

/** Of a hexadecimal digit. */
function valueOf(code: number): number {
  return code <= NINE ? code - ZERO : code - LETTER_A + 10;
}

const [ZERO, NINE, LETTER_A] = [0x30, 0x39, 0x61];

function varintLength(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

const writer = new Writer();

/** The spans of a trace, as the export sends them. */
export interface EncodedSpans {
  /** Each span is a field `spans` of a ScopeSpans. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

/** What one request sends. */
export interface Batch {
  readonly traces: readonly EncodedSpans[];
  /** The number of spans. */
  readonly count: number;
}

/**
 * One array for all spans: V8 allocates the memory of each apart, and frees it late.
 * @param first of the spans of a trace; the others follow it
 */
export function encodeSpans(first: Span): EncodedSpans {
  const drift = Date.now() - performance.timeOrigin - performance.now();
  // The system's clock may have been set since the worker began. Below two milliseconds it is only less exact.
  const origin = performance.timeOrigin + (Math.abs(drift) < 2 ? 0 : drift);
  let count = 0;
  for (let span: Span | undefined = first; span !== undefined; span = span.following) {
    writeSpan(span, origin);
    const parts = partsOf(span);
    for (const part of parts) writeSpan(part, origin);
    count += 1 + parts.length;
  }
  return { bytes: writer.take(), count };
}

function partsOf(span: Span): Span[] {
  return (span.subject?.parts?.(span) ?? []).map(({ name, startedAt, endedAt, errorType }) => {
    const part = new Span(span.trace, span, name, "internal", startedAt);
    part.endedAt = endedAt;
    part.errorType = errorType;
    return part;
  });
}

/** The body of a request: an ExportTraceServiceRequest. */
export function encodeRequest(
  { resource, version }: { readonly resource: Attributes; readonly version: string },
  traces: readonly EncodedSpans[],
): Uint8Array<ArrayBuffer> {
  const resourceSpans = writer.begin(1);
  const described = writer.begin(1);
  writeAttributes(1, resource);
  writer.end(described);
  const scopeSpans = writer.begin(2);
  const scope = writer.begin(1);
  writer.text(1, "sluice");
  writer.text(2, version);
  writer.end(scope);
  for (const { bytes } of traces) writer.bytes(bytes);
  writer.end(scopeSpans);
  writer.end(resourceSpans);
  return writer.take();
}

function writeSpan(span: Span, origin: number): void {
  const start = writer.begin(2);
  const { trace, parent, errorType } = span;
  const { state = null } = trace.parent ?? {};
  const parentId = parent?.id ?? trace.parent?.spanId;
  writer.id(1, trace.id);
  writer.id(2, span.id);
  if (state !== null) writer.text(3, state);
  if (parentId !== undefined) writer.id(4, parentId);
  writer.text(5, bounded(span.subject?.name ?? span.name));
  writer.varint(6, KINDS[span.kind]);
  writer.nanoseconds(7, origin + span.startedAt);
  writer.nanoseconds(8, origin + span.endedAt);
  if (span.subject !== undefined) writeAttributes(9, span.subject.attributes);
  if (errorType !== "") writeAttributes(9, { "error.type": errorType });
  if (span.link !== null) writeLink(span.link.context);
  if (errorType !== "") {
    const status = writer.begin(15);
    writer.varint(3, ERROR_STATUS);
    writer.end(status);
  }
  const isRemote = parent === null && parentId !== undefined;
  writer.fixed32(16, flagsOf(trace.isSampled) | FLAGS.knowsParent | (isRemote ? FLAGS.parentIsRemote : 0));
  writer.end(start);
}

function writeLink({ traceId, spanId, isSampled, state }: TraceContext): void {
  const start = writer.begin(13);
  writer.id(1, traceId);
  writer.id(2, spanId);
  if (state !== null) writer.text(3, state);
  writer.fixed32(6, flagsOf(isSampled));
  writer.end(start);
}

function writeAttributes(field: number, attributes: Attributes): void {
  for (const key in attributes) {
    const value = attributes[key];
    if (value === undefined) continue;
    if (typeof value === "string" && writer.shortAttribute(field, key, value)) continue;
    const attribute = writer.begin(field);
    writer.text(1, key);
    const given = writer.begin(2);
    if (typeof value === "string") writer.text(1, bounded(value));
    else if (typeof value === "boolean") writer.varint(2, value ? 1 : 0);
    else if (Number.isSafeInteger(value)) writer.varint(3, value);
    else writer.double(4, value);
    writer.end(given);
    writer.end(attribute);
  }
}

function flagsOf(isSampled: boolean): number {
  return isSampled ? FLAGS.sampled : 0;
}

function bounded(text: string): string {
  return text.length > MAX_TEXT_CHARS ? text.slice(0, MAX_TEXT_CHARS) : text;
}
