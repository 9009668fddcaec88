// Newline-delimited messages on standard input and output (MCP, transports, "stdio").
import { type Clock, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { MAX_UNREAD_BYTES } from "../../downstream/exchange/event_stream.ts";

const LF = 0x0a;

/** A client that takes nothing for so long, with MAX_UNREAD_BYTES waiting, does not read. One that is slow does. */
const MAX_STANDSTILL_MS = 10_000;
/** However steadily it reads: memory is bounded. */
const MAX_BEHIND_BYTES = 16 * MAX_UNREAD_BYTES;

/**
 * The lines of a byte stream, without empty ones. A line that cannot be taken comes as the error that says why: BODY_TOO_LARGE above
 * `maxBytes`, which are not kept in memory; PARSE_ERROR where it is not UTF-8.
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
  // The stream has ended in the middle of a line: that was no message.
}

function decode(pieces: readonly Uint8Array[]): string | SluiceError {
  // Made anew, since a fault leaves a decoder in the middle of a character.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return (pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode())
      .trim();
  } catch (cause) {
    return new SluiceError("PARSE_ERROR", {}, { cause });
  }
}

/** Writes messages in order without anybody waiting for it. */
export class LineWriter {
  readonly #out: { write(bytes: Uint8Array): Promise<number> };
  readonly #onFailure: (error: unknown) => void;
  readonly #clock: Clock;
  readonly #encoder = new TextEncoder();
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #failed = false;
  /** When the client last took something, or had nothing to take. */
  #tookAt = 0;
  #writing: Promise<void> | null = null;

  /** @param onFailure called once: nobody takes what is written, or not fast enough. What comes after is dropped */
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
    // Between the tokens of an upstream's JSON may stand line breaks, which end a message here; within strings there are none.
    const bytes = this.#encoder.encode(`${message.replace(/[\r\n]+/g, " ")}\n`);
    if (this.#waitingBytes === 0) this.#tookAt = this.#clock.now();
    else if (this.#isTooMuch(this.#waitingBytes + bytes.length)) {
      return this.#fail(new Error("the client does not read"));
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#write();
  }

  /** Resolves when everything is written, or cannot be. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      for (let bytes = this.#waiting[0]; bytes !== undefined; bytes = this.#waiting[0]) {
        for (let sent = 0; sent < bytes.length;) {
          sent += await this.#out.write(bytes.subarray(sent));
          this.#tookAt = this.#clock.now();
        }
        this.#waiting.shift();
        this.#waitingBytes -= bytes.length;
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
