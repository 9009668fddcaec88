// A text while it arrives: a request's body, or an upstream's answer. The part that has arrived counts as memory of its caller.
import { SluiceError } from "./errors.ts";
import type { Holding, MemoryOwner } from "./sharing/client_memory.ts";

/**
 * Smaller texts are not counted, bytes. MAX_CALLS_PER_CALLER bounds their number, and most calls have no larger one.
 */
export const UNCOUNTED_BYTES = 64 * 1024;

export class Arrival {
  readonly #owner: MemoryOwner | undefined;
  readonly #onShed: () => void;
  #counted: Holding | undefined;

  /**
   * @param owner undefined: nothing is counted
   * @param onShed called if memory is short, and what arrives is to be given up
   */
  constructor(owner: MemoryOwner | undefined, onShed: () => void = () => {}) {
    this.#owner = owner;
    this.#onShed = onShed;
  }

  /** @param bytes of the text that have arrived and are kept. @throws {SluiceError} CLIENT_MEMORY_FULL */
  keeps(bytes: number): void {
    const counted = bytes <= UNCOUNTED_BYTES ? 0 : bytes;
    if (this.#counted === undefined) {
      if (counted === 0 || this.#owner === undefined) return;
      this.#counted = this.#owner.hold({ end: this.#onShed });
    }
    const by = counted - this.#counted.chars;
    if (by <= 0) this.#counted.grow(by);
    else if (!this.#counted.tryGrow(by)) throw new SluiceError("CLIENT_MEMORY_FULL");
  }

  /** The text is not kept any more. */
  end(): void {
    this.#counted?.close();
    this.#counted = undefined;
  }
}

/** Bytes that arrive in pieces. They are copied: a piece may be a small view into a large buffer, and a peer may send a byte at a time. */
export class GatheredBytes {
  #bytes: Uint8Array;
  #length = 0;

  /** @param capacity bytes that are expected */
  constructor(capacity = 0) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** A view that is valid until the next piece. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  add(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      larger.set(this.bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }
}
