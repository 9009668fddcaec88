// Decodes answers by their Content-Encoding (RFC 9110, section 8.4). The gateway asks for none by default, but servers and proxies
// compress without being asked. A body is decoded piece by piece, so that a small body cannot become a large one in memory.
import type { Transform } from "node:stream";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { type ArrivingText, textOf } from "./arriving_text.ts";
import type { HttpResponse } from "./http_client.ts";

/** The response with its body decoded. @param coding the value of `content-encoding` */
export function decoded(response: HttpResponse, coding: string, arriving: ArrivingText): HttpResponse {
  const name = coding.trim().toLowerCase();
  return name === "" || name === "identity" ? response : new DecodedResponse(response, name, arriving);
}

class DecodedResponse implements HttpResponse {
  readonly #coded: HttpResponse;
  readonly #coding: string;
  readonly #arriving: ArrivingText;

  constructor(coded: HttpResponse, coding: string, arriving: ArrivingText) {
    this.#coded = coded;
    this.#coding = coding;
    this.#arriving = arriving;
  }

  get status(): number {
    return this.#coded.status;
  }

  header(name: string): string | null {
    return this.#coded.header(name);
  }

  text(maxBytes: number): Promise<string> {
    return textOf(this.chunks(), maxBytes, this.#arriving);
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    let decoder: Transform | undefined;
    try {
      for await (const piece of this.#coded.chunks()) {
        decoder ??= (await this.#decoderFor(piece)).on("error", () => {});
        yield* this.#decode(decoder, (done) => decoder!.write(piece, done));
      }
      if (decoder !== undefined) yield* this.#decode(decoder, (done) => decoder!.end(done));
    } finally {
      decoder?.destroy();
    }
  }

  discard(): void {
    this.#coded.discard();
  }

  /** Gives what comes out of one step, before the next piece is read. A reader that leaves then interrupts no read. */
  async *#decode(
    decoder: Transform,
    step: (done: (error?: Error | null) => void) => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let failure: Error | null | undefined;
    let isOver = false;
    let wake = () => {};
    const onReadable = () => wake();
    const onOver = (error?: Error | null) => {
      failure ??= error;
      isOver = true;
      wake();
    };
    decoder.on("readable", onReadable);
    decoder.on("error", onOver);
    step(onOver);
    try {
      for (;;) {
        const piece: Uint8Array | null = decoder.read();
        if (piece !== null) yield piece;
        else if (isOver) break;
        else await new Promise<void>((resolve) => wake = resolve);
      }
      if (failure != null) throw this.#broken(`its answer is not valid ${this.#coding}`, failure);
    } finally {
      decoder.off("readable", onReadable);
      decoder.off("error", onOver);
    }
  }

  async #decoderFor(first: Uint8Array): Promise<Transform> {
    const { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } = await import(
      "node:zlib"
    );
    // A stream of events may end without the end of the coding.
    const lenient = { finishFlush: constants.Z_SYNC_FLUSH };
    switch (this.#coding) {
      case "gzip":
      case "x-gzip":
        return createGunzip(lenient);
      case "deflate":
        // The coding is zlib's format, but several servers send bare deflate.
        return isZlib(first) ? createInflate(lenient) : createInflateRaw(lenient);
      case "br":
        return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
      default:
        throw this.#broken(`its answer has the content coding "${this.#coding.slice(0, 50)}"`);
    }
  }

  #broken(reason: string, cause?: unknown): SluiceError {
    const options = cause === undefined ? {} : { cause: new Error(reasonOf(cause)) };
    return new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream: this.#arriving.upstream, reason }, options);
  }
}

/** Whether the bytes begin like zlib's format (RFC 1950, section 2.2). Bare deflate would begin so with a padded block only. */
function isZlib([first]: Uint8Array): boolean {
  return (first! & 15) === 8 && first! <= 0x78;
}
