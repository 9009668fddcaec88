// Newline-delimited messages on standard input and output (MCP, transports, "stdio").
import { type Clock, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { MAX_UNREAD_BYTES } from "../../downstream/exchange/bounded_body.ts";

const LF = 0x0a;

/** A client with MAX_UNREAD_BYTES waiting that has read nothing for this long counts as gone. A slow client reads. */
const MAX_STANDSTILL_MS = 10_000;
/** The limit for a client that reads slowly but steadily: it bounds the memory. */
const MAX_BEHIND_BYTES = 16 * MAX_UNREAD_BYTES;

/**
 * The lines of a byte stream, without empty lines. A faulty line is yielded as an error: BODY_TOO_LARGE above `maxBytes`, without
 * keeping the line in memory; PARSE_ERROR if the line is not UTF-8.
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string | SluiceError> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  const take = (piece: Uint8Array) => {
    size += piece.length;
    if (size > maxBytes) pieces = [];
    else pieces.push(piece);
  };
  const line = () => {
    const text = size > maxBytes ? new SluiceError("BODY_TOO_LARGE", { limit: maxBytes }) : decode(pieces);
    pieces = [];
    size = 0;
    return text;
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      take(chunk.subarray(start, end));
      start = end + 1;
      const text = line();
      if (text !== "") yield text;
    }
    take(chunk.subarray(start));
  }
  // A line without an end is not a message.
}

function decode(pieces: readonly Uint8Array[]): string | SluiceError {
  // Each line has its own decoder: a fault leaves a decoder in the middle of a character.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return (pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode())
      .trim();
  } catch (cause) {
    return new SluiceError("PARSE_ERROR", {}, { cause });
  }
}

/** Writes messages in order. The sender does not wait. */
export class LineWriter {
  readonly #out: { write(bytes: Uint8Array): Promise<number> };
  readonly #onFailure: (error: unknown) => void;
  readonly #clock: Clock;
  readonly #encoder = new TextEncoder();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #failed = false;
  /** The time when the client last read, or had nothing to read. */
  #tookAt = 0;
  #writing: Promise<void> | null = null;

  /** @param onFailure called once, if the client does not read or reads too slowly; later messages are dropped */
  constructor(
    out: { write(bytes: Uint8Array): Promise<number> },
    onFailure: (error: unknown) => void,
    clock: Clock = systemClock,
  ) {
    this.#out = out;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  send(message: string): void {
    if (this.#failed) return;
    // JSON of an upstream may have line breaks between its tokens, which would end the message here. Strings have none.
    const bytes = this.#encoder.encode(`${message.replace(/[\r\n]+/g, " ")}\n`);
    if (this.#waitingBytes === 0) this.#tookAt = this.#clock.now();
    else if (this.#isTooMuch(this.#waitingBytes + bytes.length)) {
      return this.#fail(new Error("the client does not read"));
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#write();
  }

  /** Resolves when every message is written, or writing has failed. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        // Taken from the end: `shift()` moves all other messages, and a slow client may leave a million.
        const batch = this.#waiting.reverse();
        this.#waiting = [];
        for (let bytes = batch.pop(); bytes !== undefined; bytes = batch.pop()) {
          for (let sent = 0; sent < bytes.length;) {
            sent += await this.#out.write(bytes.subarray(sent));
            this.#tookAt = this.#clock.now();
          }
          this.#waitingBytes -= bytes.length;
        }
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#writing = null;
  }

  #isTooMuch(bytes: number): boolean {
    const standsStill = this.#clock.now() - this.#tookAt >= MAX_STANDSTILL_MS;
    return bytes > (standsStill ? MAX_UNREAD_BYTES : MAX_BEHIND_BYTES);
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#onFailure(error);
  }
}
