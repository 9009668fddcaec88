// Lines out of a byte stream, in whatever pieces they come; of one that is too long only the ends are kept.
import { EDGE_CHARS, type Edges } from "../duplex/lost_answer.ts";

export interface LineEvents {
  readonly onLine: (line: string) => void;
  /** A line that has ended had more than the limit's bytes. */
  readonly onTooLong: (edges: Edges) => void;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class LineReader {
  readonly #maxBytes: number;
  readonly #events: LineEvents;
  readonly #decoder = new TextDecoder();
  /** The pieces of a line that has not ended: joined once, at its end, so that a long line costs no quadratic copying. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** Of a line that is too long: its first bytes, and the last that have come. */
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

  /** The stream is over: what is left is a line, too. */
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
