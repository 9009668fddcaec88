// Splits a byte stream into lines. Of an overlong line only both ends are kept.
import { EDGE_CHARS, type Edges } from "../duplex/overlong_response.ts";

export interface LineEvents {
  readonly onLine: (line: string) => void;
  /** A line with more bytes than the limit has ended. */
  readonly onTooLong: (edges: Edges) => void;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class LineReader {
  readonly #maxBytes: number;
  readonly #events: LineEvents;
  readonly #decoder = new TextDecoder();
  /** The pieces of the current line. They are joined once, because repeated joining of a long line takes quadratic time. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** Both ends of an overlong line. */
  #skipped: { readonly start: Uint8Array; end: Uint8Array } | null = null;

  constructor(maxBytes: number, events: LineEvents) {
    this.#maxBytes = maxBytes;
    this.#events = events;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** Ends the stream; the rest counts as a line. */
  end(): void {
    if (this.#bytes > 0) this.#finish();
  }

  #keep(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#skipped !== null) {
      this.#skipped.end = tailOf([this.#skipped.end, piece]);
      return;
    }
    this.#pieces.push(piece);
    if (this.#bytes <= this.#maxBytes) return;
    this.#skipped = { start: headOf(this.#pieces), end: tailOf(this.#pieces) };
    this.#pieces = [];
  }

  #finish(): void {
    if (this.#skipped !== null) {
      const [start, end] = [this.#skipped.start, this.#skipped.end].map((edge) => this.#decoder.decode(edge));
      this.#events.onTooLong({ start: start!, end: end! });
    } else if (this.#bytes > 0) {
      const line = joined(this.#pieces, this.#bytes);
      const end = line[line.length - 1] === CARRIAGE_RETURN ? line.length - 1 : line.length;
      if (end > 0) this.#events.onLine(this.#decoder.decode(line.subarray(0, end)));
    }
    this.#pieces = [];
    this.#bytes = 0;
    this.#skipped = null;
  }
}

function headOf(pieces: readonly Uint8Array[]): Uint8Array {
  return edge(pieces.map((piece) => piece.subarray(0, EDGE_CHARS))).slice(0, EDGE_CHARS);
}

function tailOf(pieces: readonly Uint8Array[]): Uint8Array {
  return edge(pieces.map((piece) => piece.subarray(-EDGE_CHARS))).slice(-EDGE_CHARS);
}

function edge(pieces: readonly Uint8Array[]): Uint8Array {
  return joined(pieces, pieces.reduce((sum, { length }) => sum + length, 0));
}

function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
