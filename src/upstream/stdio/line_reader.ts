// Lines out of a byte stream, in whatever pieces they come; one that is too long is passed over, not kept.

export interface LineEvents {
  readonly onLine: (line: string) => void;
  /** A line had more than the limit's bytes. */
  readonly onTooLong: () => void;
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
  #isSkipping = false;

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
    if (this.#isSkipping) return;
    this.#bytes += piece.length;
    if (this.#bytes <= this.#maxBytes) return void this.#pieces.push(piece);
    this.#isSkipping = true;
    this.#pieces = [];
    this.#events.onTooLong();
  }

  #finish(): void {
    if (!this.#isSkipping && this.#bytes > 0) {
      const line = joined(this.#pieces, this.#bytes);
      const end = line[line.length - 1] === CARRIAGE_RETURN ? line.length - 1 : line.length;
      if (end > 0) this.#events.onLine(this.#decoder.decode(line.subarray(0, end)));
    }
    this.#pieces = [];
    this.#bytes = 0;
    this.#isSkipping = false;
  }
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
