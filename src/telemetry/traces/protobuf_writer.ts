// Writes messages of protobuf (https://protobuf.dev/programming-guides/encoding/).

/** Of protobuf: varints, 8 bytes, bytes behind their length, 4 bytes. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const encoder = new TextEncoder();

/** Writes the fields of messages one behind the other. */
export class ProtobufWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /** @param capacity bytes that are expected */
  constructor(capacity = 4_096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Takes the first bytes away. @param length default: all */
  take(length = this.#length): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, length);
    this.#bytes.copyWithin(0, length, this.#length);
    this.#length -= length;
    return taken;
  }

  /** Forgets what was written after the first bytes. */
  cut(length: number): void {
    this.#length = length;
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
    const bytes = this.#bytes;
    let end = this.#length;
    for (let at = 0; at < digits.length; at += 2) {
      bytes[end++] = NIBBLES[digits.charCodeAt(at)]! << 4 | NIBBLES[digits.charCodeAt(at + 1)]!;
    }
    this.#length = end;
  }

  /** Bytes that stand here already. */
  again(start: number, end: number): void {
    this.#reserve(end - start);
    this.#bytes.copyWithin(this.#length, start, end);
    this.#length += end - start;
  }

  /** Begins a message. @returns what `end()` takes */
  begin(field: number): number {
    this.#tag(field, WIRE.bytes);
    this.#reserve(1);
    return ++this.#length;
  }

  /**
   * Writes the length of what stands from `start` on into the byte before it, and makes room if it takes more of them.
   * @returns where the message stands now
   */
  end(start: number): number {
    const length = this.#length - start;
    const more = varintLength(length) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(start + more, start, this.#length);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
    return start + more;
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

/** The values of hexadecimal digits, by their codes. */
const NIBBLES = new Uint8Array(128);
for (let value = 0; value < 16; value++) NIBBLES[value.toString(16).charCodeAt(0)] = value;

function varintLength(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
