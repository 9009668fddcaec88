// Finds the body of a response in the bytes after its head: by content-length, in chunks, or up to the end of the stream.

import { ProtocolFault } from "./protocol_fault.ts";
import type { ResponseHead } from "./response_head.ts";

/** Received bytes that are not yet consumed: `bytes[start, end)`. */
export interface ByteWindow {
  bytes: Uint8Array;
  start: number;
  end: number;
}

export interface BodyReader {
  /** Whether the whole body has been taken. */
  readonly done: boolean;
  /** Whether the end of the stream is the end of the body. The connection carries no further response then. */
  readonly endsWithStream: boolean;
  /** The number of bytes still to come; -1 if it is unknown. */
  readonly remaining: number;
  /**
   * Takes the next bytes of the body, and moves the window past them.
   * @returns a view into the window; null if more input is needed, or if the body is complete
   * @throws {ProtocolFault}
   */
  take(window: ByteWindow): Uint8Array | null;
}

/** Limit of trailers in bytes. Trailers are read and dropped. */
const MAX_TRAILER_BYTES = 16_384;
/** Limit of chunk extensions in bytes, beyond the bytes of data. No honest peer sends more. */
const MAX_EXTENSION_BYTES = 16_384;

/** The reader for the body after `head`; null if the response has no body (RFC 9112, section 6.3). */
export function bodyReader(head: ResponseHead, method: string): BodyReader | null {
  if (method === "HEAD" || head.status === 204 || head.status === 304) return null;
  if (head.chunked) return new ChunkedBody();
  if (head.contentLength === 0) return null;
  return head.contentLength > 0 ? new FixedBody(head.contentLength) : new UntilCloseBody();
}

export class FixedBody implements BodyReader {
  readonly endsWithStream = false;
  remaining: number;

  constructor(length: number) {
    this.remaining = length;
  }

  get done(): boolean {
    return this.remaining === 0;
  }

  take(window: ByteWindow): Uint8Array | null {
    const length = Math.min(this.remaining, window.end - window.start);
    if (length === 0) return null;
    this.remaining -= length;
    return view(window, length);
  }
}

export class UntilCloseBody implements BodyReader {
  readonly done = false;
  readonly endsWithStream = true;
  readonly remaining = -1;

  take(window: ByteWindow): Uint8Array | null {
    return window.start === window.end ? null : view(window, window.end - window.start);
  }
}

const enum At {
  SizeStart,
  Size,
  Blank,
  Extension,
  SizeLf,
  Data,
  DataCr,
  DataLf,
  TrailerStart,
  Trailer,
  TrailerLf,
  LastLf,
  Done,
}

const CR = 13, LF = 10, SPACE = 32, TAB = 9, SEMICOLON = 59;

/** `transfer-encoding: chunked`. Each place in the grammar is one state, so that the input may be split anywhere. */
export class ChunkedBody implements BodyReader {
  readonly endsWithStream = false;
  readonly remaining = -1;
  #at: At = At.SizeStart;
  #left = 0;
  #size = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;

  get done(): boolean {
    return this.#at === At.Done;
  }

  take(window: ByteWindow): Uint8Array | null {
    while (this.#at !== At.Done && window.start < window.end) {
      if (this.#at === At.Data) {
        const length = Math.min(this.#left, window.end - window.start);
        this.#left -= length;
        if (this.#left === 0) this.#at = At.DataCr;
        return view(window, length);
      }
      this.#step(window.bytes[window.start++]);
    }
    return null;
  }

  #step(byte: number): void {
    switch (this.#at) {
      case At.SizeStart:
      case At.Size:
        return this.#sizeByte(byte);
      case At.Blank:
        if (byte === SEMICOLON) this.#at = At.Extension;
        else if (byte !== SPACE && byte !== TAB) throw badSize();
        return this.#countExtension();
      case At.Extension:
        if (byte === CR) this.#at = At.SizeLf;
        else if (isControl(byte)) throw new ProtocolFault("a chunk extension holds a control character");
        return this.#countExtension();
      case At.SizeLf:
        if (byte !== LF) throw badSize();
        this.#left = this.#size;
        this.#extensionBytes = Math.max(0, this.#extensionBytes - this.#size);
        this.#at = this.#size === 0 ? At.TrailerStart : At.Data;
        this.#size = this.#sizeDigits = 0;
        return;
      case At.DataCr:
        return this.#expect(byte, CR, At.DataLf);
      case At.DataLf:
        return this.#expect(byte, LF, At.SizeStart);
      case At.LastLf:
        return this.#expect(byte, LF, At.Done);
      default:
        return this.#trailerByte(byte);
    }
  }

  #sizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      // A number holds 12 hexadecimal digits exactly.
      if (++this.#sizeDigits > 12) throw badSize();
      this.#size = this.#size * 16 + digit;
      this.#at = At.Size;
    } else if (this.#at === At.SizeStart) throw badSize();
    else if (byte === CR) this.#at = At.SizeLf;
    else if (byte === SEMICOLON) this.#at = At.Extension;
    else if (byte === SPACE || byte === TAB) this.#at = At.Blank;
    else throw badSize();
  }

  #trailerByte(byte: number): void {
    if (++this.#trailerBytes > MAX_TRAILER_BYTES) throw new ProtocolFault("trailers too long");
    if (this.#at === At.TrailerLf) return this.#expect(byte, LF, At.TrailerStart);
    if (byte === CR) this.#at = this.#at === At.TrailerStart ? At.LastLf : At.TrailerLf;
    else if (isControl(byte)) throw new ProtocolFault("a trailer holds a control character");
    else this.#at = At.Trailer;
  }

  #countExtension(): void {
    if (++this.#extensionBytes > MAX_EXTENSION_BYTES) throw new ProtocolFault("chunk extensions too long");
  }

  #expect(byte: number, wanted: number, next: At): void {
    if (byte !== wanted) throw new ProtocolFault("a chunk is not as long as it says");
    this.#at = next;
  }
}

function view(window: ByteWindow, length: number): Uint8Array {
  const from = window.start;
  window.start = from + length;
  return window.bytes.subarray(from, window.start);
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function isControl(byte: number): boolean {
  return (byte < SPACE && byte !== TAB) || byte === 127;
}

function badSize(): ProtocolFault {
  return new ProtocolFault("an invalid chunk size");
}
