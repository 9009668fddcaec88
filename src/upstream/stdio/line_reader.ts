// Splits a byte stream into lines. Of a line that may not be kept, only both ends are.
import { Arrival, GatheredBytes } from "../../base/arrival.ts";
import type { SluiceError } from "../../base/errors.ts";
import { EDGE_CHARS, type Edges } from "../duplex/overlong_response.ts";

export interface LineReaderOptions {
  readonly maxBytes: number;
  /** Counts the line that is arriving. Default: it is not counted. */
  readonly arrival?: Arrival;
}

/** A line that has ended and was not kept. */
export interface LostLine {
  readonly edges: Edges;
  /** Undefined: it has more bytes than the limit. */
  readonly why: SluiceError | undefined;
}

export type Line = Uint8Array | LostLine;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

interface Skipped {
  readonly start: Uint8Array;
  end: Uint8Array;
  readonly why: SluiceError | undefined;
}

export class LineReader {
  readonly #options: LineReaderOptions;
  readonly #arrival: Arrival;
  readonly #decoder = new TextDecoder();
  /** The current line. */
  #gathered = new GatheredBytes();
  #skipped: Skipped | null = null;

  constructor(options: LineReaderOptions) {
    this.#options = options;
    this.#arrival = options.arrival ?? new Arrival(undefined);
  }

  /** @returns the lines that have ended, in order and without empty ones; valid until the next chunk */
  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#finish(chunk.subarray(start, end), lines);
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  /** Ends the stream. @returns the rest, which counts as a line */
  end(): Line[] {
    const lines: Line[] = [];
    this.#finish(new Uint8Array(), lines);
    return lines;
  }

  #finish(rest: Uint8Array, lines: Line[]): void {
    let line = rest;
    // A line that lies in one chunk needs no copy.
    if (this.#gathered.length > 0 || this.#skipped !== null || rest.length > this.#options.maxBytes) {
      this.#keep(rest);
      line = this.#gathered.bytes;
      this.#forget();
    }
    if (this.#skipped !== null) {
      const { start, end, why } = this.#skipped;
      this.#skipped = null;
      lines.push({ edges: { start: this.#decoder.decode(start), end: this.#decoder.decode(end) }, why });
      return;
    }
    if (line.at(-1) === CARRIAGE_RETURN) line = line.subarray(0, -1);
    if (line.length > 0) lines.push(line);
  }

  #keep(piece: Uint8Array): void {
    if (this.#skipped !== null) {
      const tail = new GatheredBytes();
      tail.add(this.#skipped.end);
      tail.add(piece.subarray(-EDGE_CHARS));
      this.#skipped.end = tail.bytes.slice(-EDGE_CHARS);
      return;
    }
    this.#gathered.add(piece);
    if (this.#gathered.length > this.#options.maxBytes) return this.#skip();
    try {
      this.#arrival.keeps(this.#gathered.length);
    } catch (error) {
      this.#skip(error as SluiceError);
    }
  }

  #skip(why?: SluiceError): void {
    const { bytes } = this.#gathered;
    this.#skipped = { start: bytes.slice(0, EDGE_CHARS), end: bytes.slice(-EDGE_CHARS), why };
    this.#forget();
  }

  #forget(): void {
    this.#gathered = new GatheredBytes();
    this.#arrival.end();
  }
}
