// Writes a request as the bytes that go out in one write: head and body side by side.
import { SluiceError } from "../../base/errors.ts";

/** Names in lower case; `host`, `content-length` and `connection` are the client's own business. */
export type Headers = ReadonlyArray<readonly [name: string, value: string]>;

/** What a request line and the first header are made of. */
export interface RequestTarget {
  /** Path and query; the whole URL where a proxy reads the request. */
  readonly requestTarget: string;
  /** The `Host` header. */
  readonly host: string;
  /** The value of `proxy-authorization`; null: no such header. */
  readonly proxyAuthorization: string | null;
}

/** Headers that frame the message or belong to the connection: from a caller they would let two readers disagree. */
const OWN_HEADERS = new Set([
  "host",
  "content-length",
  "connection",
  "transfer-encoding",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "upgrade",
  "expect",
  "te",
  "trailer",
]);
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const encoder = new TextEncoder();
const LENGTH_LABEL = encoder.encode("content-length: ");
/** The label, 15 digits, and two line ends. */
const LENGTH_ROOM = LENGTH_LABEL.length + 19;

/**
 * Refuses a header list that HTTP/1.1 cannot carry unambiguously.
 * @throws {SluiceError} INVALID_REQUEST, naming the header and never its value
 */
export function checkHeaders(headers: Headers): void {
  for (const [name, value] of headers) {
    if (!NAME.test(name)) throw refused("a header name is not a lower-case token");
    if (OWN_HEADERS.has(name)) throw refused(`header "${name}" is set by the HTTP client only`);
    if (FORBIDDEN_IN_VALUE.test(value)) {
      throw refused(`the value of header "${name}" holds a character that HTTP cannot carry`);
    }
  }
}

/** Request heads up to the last given header, encoded once for each frozen list of headers. */
export class RequestHeads {
  #byHeaders = new WeakMap<Headers, { target: RequestTarget; method: string; bytes: Uint8Array }>();

  /**
   * Who freezes a header list promises not to change the pairs in it either.
   * @throws {SluiceError} INVALID_REQUEST
   */
  get(target: RequestTarget, method: string, headers: Headers): Uint8Array {
    const known = this.#byHeaders.get(headers);
    if (known !== undefined && known.target === target && known.method === method) return known.bytes;
    const bytes = encodeHead(target, method, headers);
    if (Object.isFrozen(headers)) this.#byHeaders.set(headers, { target, method, bytes });
    return bytes;
  }
}

/** @throws {SluiceError} INVALID_REQUEST */
export function encodeHead(target: RequestTarget, method: string, headers: Headers): Uint8Array {
  checkHeaders(headers);
  const { requestTarget, host, proxyAuthorization } = target;
  let text = `${method} ${requestTarget} HTTP/1.1\r\nhost: ${host}\r\n`;
  if (proxyAuthorization !== null) text += `proxy-authorization: ${proxyAuthorization}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  const utf8 = encoder.encode(text);
  // Header values are one byte per character; the two encodings agree on ASCII.
  return utf8.length === text.length ? utf8 : Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Holds one request's bytes at a time; what it returns is valid until the next `encode`. */
export class RequestBuffer {
  #bytes = new Uint8Array(4096);

  /** Head, `content-length` where there is or could be a body, and body. */
  encode(head: Uint8Array, method: string, body: string | undefined): Uint8Array {
    const bodyStart = head.length + LENGTH_ROOM;
    let bodyEnd = bodyStart;
    if (body === undefined) this.#reserve(bodyStart, 0);
    else {
      this.#reserve(bodyStart + body.length, 0);
      const first = encoder.encodeInto(body, this.#bytes.subarray(bodyStart));
      bodyEnd += first.written;
      if (first.read < body.length) {
        const rest = body.slice(first.read);
        this.#reserve(bodyEnd + rest.length * 3, bodyEnd);
        bodyEnd += encoder.encodeInto(rest, this.#bytes.subarray(bodyEnd)).written;
      }
    }
    const hasLength = body !== undefined || (method !== "GET" && method !== "HEAD" && method !== "DELETE");
    const bytes = this.#bytes;
    // The length is known only now, so the head is laid down from its end backwards.
    let at = bodyStart;
    bytes[--at] = 10;
    bytes[--at] = 13;
    if (hasLength) {
      bytes[--at] = 10;
      bytes[--at] = 13;
      let length = bodyEnd - bodyStart;
      do {
        bytes[--at] = 48 + length % 10;
        length = Math.floor(length / 10);
      } while (length > 0);
      at -= LENGTH_LABEL.length;
      bytes.set(LENGTH_LABEL, at);
    }
    at -= head.length;
    bytes.set(head, at);
    return bytes.subarray(at, bodyEnd);
  }

  /** Give back what a large request took. */
  trim(): void {
    if (this.#bytes.length > 65_536) this.#bytes = new Uint8Array(4096);
  }

  #reserve(length: number, keep: number): void {
    if (this.#bytes.length >= length) return;
    const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, keep));
    this.#bytes = larger;
  }
}

function refused(reason: string): SluiceError {
  return new SluiceError("INVALID_REQUEST", { reason });
}
