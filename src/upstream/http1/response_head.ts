// Reads the head of an HTTP/1.x response. The reader is strict wherever two parties could understand a message differently.

import { ProtocolFault } from "./protocol_fault.ts";

/** Limit of header fields. No honest response has more. */
export const MAX_HEADER_FIELDS = 128;

const CR = 13, LF = 10, SPACE = 32, TAB = 9, COLON = 58;
const TOKEN_BYTE = byteTable((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)));
const VALUE_BYTE = byteTable((byte) => byte === TAB || (byte >= SPACE && byte !== 127));

/** The head of one response. Header values have one character per byte (latin1), without surrounding blanks. */
export class ResponseHead {
  readonly status: number;
  /** Whether the connection may carry another request after the body. */
  keepAlive: boolean;
  /** The head says `connection: close`, which outweighs `keep-alive` wherever that stands. */
  closes = false;
  /** The value of `content-length`; -1 without the header. */
  contentLength = -1;
  chunked = false;
  /** The value of `content-encoding`; null without the header. */
  contentCoding: string | null = null;
  /** The value of `keep-alive: timeout=`, ms; Infinity without it. */
  keepAliveHintMs = Infinity;
  #text: string;
  #lower: string | undefined;

  constructor(text: string, status: number, keepAlive: boolean) {
    this.#text = text;
    this.status = status;
    this.keepAlive = keepAlive;
  }

  /** @param name in lower case @returns the value, with repeated headers joined by ", "; null without the header */
  header(name: string): string | null {
    this.#lower ??= this.#text.toLowerCase();
    const mark = `\r\n${name}:`;
    let found: string | null = null;
    for (let at = this.#lower.indexOf(mark); at >= 0; at = this.#lower.indexOf(mark, at + 2)) {
      const from = at + mark.length;
      const value = trimBlanks(this.#text.slice(from, this.#text.indexOf("\r\n", from)));
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }
}

/**
 * Finds the end of a head in bytes that arrive in pieces. The scanner keeps its place, so that a head in many pieces costs no
 * more than a head in one piece.
 */
export class HeadScanner {
  #at = 0;
  #lineStart = 0;

  /** Begins a new head at the start of the window. */
  reset(): void {
    this.#at = 0;
    this.#lineStart = 0;
  }

  /**
   * @returns the index after the empty line of the head, relative to `start`; -1 if the head is incomplete
   * @throws {ProtocolFault} if the bytes are no head of HTTP/1, or if a line ends without CR
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    if (this.#lineStart === 0) refuseOtherProtocol(bytes, start, end);
    for (;;) {
      // `indexOf` would also search the buffer behind `end`, and takes longer for short lines.
      let lf = start + this.#at;
      while (lf < end && bytes[lf] !== LF) lf++;
      if (lf >= end) {
        this.#at = end - start;
        return -1;
      }
      const at = lf - start;
      if (at === 0 || bytes[lf - 1] !== CR) throw new ProtocolFault("a line of the head ends without CR");
      const isEmptyLine = at - this.#lineStart === 1;
      this.#at = at + 1;
      this.#lineStart = at + 1;
      if (isEmptyLine) return at + 1;
    }
  }
}

/**
 * Parses the head in `bytes[start, end)`, which `HeadScanner` has found complete.
 * @throws {ProtocolFault} if RFC 9112 forbids it, or if two readers could understand its framing differently
 */
export function parseResponseHead(bytes: Uint8Array, start: number, end: number): ResponseHead {
  const text = latin1(bytes, start, end);
  const lineEnd = text.indexOf("\r\n");
  const status = parseStatusLine(text, lineEnd, bytes, start);
  const isHttp11 = bytes[start + 7] === 49;
  const head = new ResponseHead(text, status, isHttp11);
  const last = end - start - 2;
  let fields = 0;
  for (let at = lineEnd + 2; at < last;) {
    if (++fields > MAX_HEADER_FIELDS) throw new ProtocolFault(`more than ${MAX_HEADER_FIELDS} header fields`);
    const nameStart = at;
    while (TOKEN_BYTE[bytes[start + at]] === 1) at++;
    const nameLength = at - nameStart;
    if (bytes[start + at] !== COLON || nameLength === 0) throw badName(bytes[start + nameStart]);
    const valueStart = ++at;
    while (VALUE_BYTE[bytes[start + at]] === 1) at++;
    // The scanner has checked that a CR precedes every LF. A CR without LF is checked here.
    if (bytes[start + at] !== CR || bytes[start + at + 1] !== LF) {
      throw new ProtocolFault("a header value holds a control character");
    }
    // Five headers frame or code a message. Other names are skipped by their length.
    if (nameLength === 14 || nameLength === 17 || nameLength === 10 || nameLength === 16) {
      const name = text.slice(nameStart, valueStart - 1).toLowerCase();
      readFraming(head, name, trimBlanks(text.slice(valueStart, at)), isHttp11);
    }
    at += 2;
  }
  if (head.chunked && head.contentLength >= 0) {
    throw new ProtocolFault("both content-length and transfer-encoding");
  }
  if (head.chunked && !isHttp11) throw new ProtocolFault("transfer-encoding in an HTTP/1.0 answer");
  if (status < 200 && (head.chunked || head.contentLength > 0)) {
    throw new ProtocolFault("an interim answer announces a body");
  }
  return head;
}

function parseStatusLine(text: string, lineEnd: number, bytes: Uint8Array, start: number): number {
  const version = text.slice(0, 8);
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    throw new ProtocolFault("not an HTTP/1.1 status line");
  }
  const status = digits(bytes, start + 9, start + 12);
  const afterCode = text.charCodeAt(12);
  const wellFormed = text.charCodeAt(8) === SPACE && lineEnd >= 12 && (lineEnd === 12 || afterCode === SPACE);
  if (!wellFormed || status < 100 || status > 599) throw new ProtocolFault("a malformed status line");
  for (let at = 12; at < lineEnd; at++) {
    if (VALUE_BYTE[bytes[start + at]] !== 1) {
      throw new ProtocolFault("the status line holds a control character");
    }
  }
  return status;
}

function readFraming(head: ResponseHead, name: string, value: string, isHttp11: boolean): void {
  switch (name) {
    case "content-length":
      if (head.contentLength >= 0) throw new ProtocolFault("content-length is given twice");
      if (!/^[0-9]{1,15}$/.test(value)) throw new ProtocolFault("an invalid content-length");
      head.contentLength = Number(value);
      break;
    case "transfer-encoding":
      if (head.chunked || value.toLowerCase() !== "chunked") {
        throw new ProtocolFault("a transfer-encoding other than chunked");
      }
      head.chunked = true;
      break;
    case "content-encoding":
      head.contentCoding = head.contentCoding === null ? value : `${head.contentCoding}, ${value}`;
      break;
    case "connection":
      if (isHttp11 && value === "keep-alive") break;
      for (const option of value.toLowerCase().split(",").map(trimBlanks)) {
        if (option === "close") head.closes = true;
        if (option === "close" || option === "keep-alive") head.keepAlive = !head.closes;
      }
      break;
    case "keep-alive": {
      const seconds = /(?:^|[,\s])timeout=([0-9]{1,6})/i.exec(value)?.[1];
      if (seconds !== undefined) head.keepAliveHintMs = Number(seconds) * 1000;
      break;
    }
  }
}

/** Refuses another protocol at once, instead of after the read timeout. */
function refuseOtherProtocol(bytes: Uint8Array, start: number, end: number): void {
  const length = Math.min(5, end - start);
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== "HTTP/".charCodeAt(i)) throw new ProtocolFault("the answer is not HTTP/1.1");
  }
}

function badName(firstByte: number): ProtocolFault {
  const isFold = firstByte === SPACE || firstByte === TAB;
  return new ProtocolFault(isFold ? "a folded header line" : "a malformed header name");
}

/** The decimal number in `bytes[from, to)`, or -1. */
function digits(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i] - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

const decoder = new TextDecoder();

/** Decodes one character per byte. The faster UTF-8 decoder gives the same result if every byte is ASCII. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  const quick = decoder.decode(bytes.subarray(start, end));
  if (quick.length === end - start && !quick.includes("\ufffd")) return quick;
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
  return text;
}

/** Removes the blanks that HTTP allows around a value. `trim()` would remove more. */
function trimBlanks(value: string): string {
  let from = 0, to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from++;
  while (to > from && isBlank(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

function byteTable(isMember: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => isMember(byte) ? 1 : 0);
}
