// Encodes a request for a single write: head and body in one array of bytes.
import { SluiceError } from "../../base/errors.ts";

/** Headers of a request. Names are in lower case. The client itself sets `host`, `content-length` and `connection`. */
export type Headers = ReadonlyArray<readonly [name: string, value: string]>;

/** The parts of the request line and of the first headers. */
export interface RequestTarget {
  /** Path and query, or the whole URL if a proxy forwards the request. */
  readonly requestTarget: string;
  /** The `Host` header. */
  readonly host: string;
  /** The value of `proxy-authorization`; null if the header is not sent. */
  readonly proxyAuthorization: string | null;
}

/** Headers that frame the message or belong to the connection. Sent by a caller, they could let two readers disagree. */
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
/** Room for the label, 15 digits, and two line ends. */
const LENGTH_ROOM = LENGTH_LABEL.length + 19;

/**
 * Checks that HTTP/1.1 can carry the headers without ambiguity.
 * @throws {SluiceError} INVALID_REQUEST. The text names the header, and never shows its value
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

/** Encoded request heads up to the last given header. A frozen list of headers is encoded once. */
export class RequestHeads {
  #byHeaders = new WeakMap<Headers, { target: RequestTarget; method: string; bytes: Uint8Array }>();

  /**
   * @param headers if the list is frozen, its pairs must not change either
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
  // Header values have one byte per character. For ASCII this equals UTF-8.
  return utf8.length === text.length ? utf8 : Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A reusable buffer for one request at a time. The result of `encode` is valid until the next `encode`. */
export class RequestBuffer {
  #bytes = new Uint8Array(4096);

  /**
   * Encodes head, `content-length` if the method allows a body, and body.
   * @param lines further lines of the head, in ASCII and with their line ends
   */
  encode(head: Uint8Array, method: string, body: string | undefined, lines = ""): Uint8Array {
    const bodyStart = head.length + lines.length + LENGTH_ROOM;
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
    // The length is known only now, so the head is written backwards from its end.
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
    at -= lines.length;
    for (let i = 0; i < lines.length; i++) bytes[at + i] = lines.charCodeAt(i);
    at -= head.length;
    bytes.set(head, at);
    return bytes.subarray(at, bodyEnd);
  }

  /** Frees the memory of a large request. */
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
