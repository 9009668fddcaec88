// Receives one response over a connection: the head first, and the body on demand.

import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import { SluiceError } from "../../base/errors.ts";
import { Arrival, GatheredBytes, UNCOUNTED_BYTES } from "../../base/arrival.ts";
import { LARGE_BYTES, loopTurns } from "../../base/sharing/loop_turns.ts";
import { decoded } from "./content_coding.ts";
import type { HttpResponse } from "./http_client.ts";
import { type BodyReader, bodyReader } from "../http1/body_reader.ts";
import type { Connection } from "./http1_connection.ts";
import { ProtocolFault } from "../http1/protocol_fault.ts";
import { HeadScanner, parseResponseHead, type ResponseHead } from "../http1/response_head.ts";

/** Limit of interim (1xx) responses, which are skipped. */
const MAX_INTERIM_ANSWERS = 16;
/** Limits for reading an unwanted body, so that its connection can be reused: bytes, and time. */
const MAX_DISCARDED_BYTES = 65_536;
const DISCARD_MS = 1_000;

const decoder = new TextDecoder();

export interface ReceiveOptions {
  readonly upstream: string;
  readonly method: string;
  /** The caller that a large body counts for, and whose turn it has to be before it is decoded; undefined: nobody in particular. */
  readonly holder: ConnectionHolder | undefined;
  readonly maxHeadBytes: number;
  /** Longest pause within a body; HTTP_CLIENT_READ_TIMEOUT. */
  readonly readTimeoutMs: number;
  /** Called after the whole response has been read, if the connection may carry another request. */
  readonly onFree: (connection: Connection) => void;
  /**
   * A proxy forwards the request and sends the response. Its connection is reused only if the response says `keep-alive`: some
   * proxies close the connection after each response without notice, and a request sent just then would be lost.
   */
  readonly isForwarded: boolean;
}

/** Waits for the head of the response. A failure closes the connection. @throws {SluiceError} */
export async function receive(connection: Connection, options: ReceiveOptions): Promise<HttpResponse> {
  let head: ResponseHead;
  try {
    head = await receiveHead(connection, options);
  } catch (error) {
    throw fail(connection, options.upstream, error);
  }
  if (options.isForwarded) head.keepAlive &&= saysKeepAlive(head);
  const response = new Http1Response(head, bodyReader(head, options.method), connection, options);
  const { contentCoding } = head;
  return contentCoding === null ? response : decoded(response, contentCoding, options);
}

async function receiveHead(connection: Connection, options: ReceiveOptions): Promise<ResponseHead> {
  const { upstream, maxHeadBytes } = options;
  const scanner = new HeadScanner();
  let interim = 0;
  let length = -1;
  for (;;) {
    if (connection.start < connection.end) {
      length = scanner.scan(connection.bytes, connection.start, connection.end);
    }
    const received = length < 0 ? connection.end - connection.start : length;
    if (received > maxHeadBytes) {
      throw new ProtocolFault(`the head of its answer is longer than ${maxHeadBytes} bytes`);
    }
    if (length < 0) {
      if (await connection.fill()) continue;
      if (received > 0 || interim > 0) {
        throw new ProtocolFault("the connection ended inside the answer's head");
      }
      throw new SluiceError("UPSTREAM_CLOSED", { upstream, sent: 1 });
    }
    const head = parseResponseHead(connection.bytes, connection.start, connection.start + length);
    connection.start += length;
    if (head.status >= 200) return head;
    if (head.status === 101) throw new ProtocolFault("it switches protocols unasked");
    if (++interim > MAX_INTERIM_ANSWERS) throw new ProtocolFault("too many interim answers");
    scanner.reset();
    length = -1;
  }
}

class Http1Response implements HttpResponse {
  readonly status: number;
  readonly #head: ResponseHead;
  readonly #body: BodyReader | null;
  readonly #connection: Connection;
  readonly #options: ReceiveOptions;

  constructor(head: ResponseHead, body: BodyReader | null, connection: Connection, options: ReceiveOptions) {
    this.status = head.status;
    this.#head = head;
    this.#body = body;
    this.#connection = connection;
    this.#options = options;
    if (body === null) this.#finish();
  }

  header(name: string): string | null {
    return this.#head.header(name);
  }

  async text(maxBytes: number): Promise<string> {
    const body = this.#body;
    if (body === null) return "";
    let arrival: Arrival | undefined;
    try {
      // Most bodies arrive in one piece with their head. Such a piece is decoded without a copy.
      let only: Uint8Array | undefined;
      let gathered: GatheredBytes | undefined;
      let total = 0;
      if (body.remaining > maxBytes) throw this.#tooLarge(maxBytes);
      for (;;) {
        const piece = body.take(this.#connection);
        if (piece !== null) {
          total += piece.length;
          if (total > maxBytes) throw this.#tooLarge(maxBytes);
          if (total > UNCOUNTED_BYTES) (arrival ??= this.#arrival()).keeps(total);
          if (only === undefined && gathered === undefined) only = piece;
          else (gathered ??= gather(only!, body.remaining)).add(piece);
          continue;
        }
        if (body.done) break;
        gathered ??= gather(only, body.remaining);
        // Before the first byte the upstream may compute for as long as the call may take. After it, a pause is a stall.
        if (total > 0) {
          this.#connection.shortenReadTimeout(this.#options.readTimeoutMs, "HTTP_CLIENT_READ_TIMEOUT");
        }
        if (!await this.#more(body)) break;
      }
      if (total > LARGE_BYTES) await loopTurns.next(this.#options.holder);
      const text = decoder.decode(gathered?.bytes ?? only);
      this.#finish();
      return text;
    } catch (error) {
      throw fail(this.#connection, this.#options.upstream, error);
    } finally {
      arrival?.end();
    }
  }

  #arrival(): Arrival {
    const giveUp = () => this.#connection.abort(new SluiceError("CLIENT_MEMORY_FULL"));
    return new Arrival(this.#options.holder, giveUp);
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const body = this.#body;
    if (body === null) return;
    let outcome: "left" | "whole" | "failed" = "left";
    try {
      for (;;) {
        const piece = body.take(this.#connection);
        // The caller gets a copy, because the next read overwrites the buffer.
        if (piece !== null) yield piece.slice();
        else if (body.done || !await this.#more(body)) break;
      }
      outcome = "whole";
    } catch (error) {
      outcome = "failed";
      throw fail(this.#connection, this.#options.upstream, error);
    } finally {
      if (outcome === "whole") this.#finish();
      // An event stream usually ends right after the event that its reader waited for. Then the connection can be reused.
      else if (outcome === "left") this.discard();
    }
  }

  discard(): void {
    const body = this.#body;
    if (body === null) return;
    if (body.endsWithStream || body.remaining > MAX_DISCARDED_BYTES) return this.#connection.close();
    // A failure only closes the connection: the body is not wanted.
    this.#drain(body).catch(() => this.#connection.close());
  }

  async #drain(body: BodyReader): Promise<void> {
    const startedAt = performance.now();
    let total = 0;
    this.#connection.shortenReadTimeout(DISCARD_MS);
    for (;;) {
      const piece = body.take(this.#connection);
      total += piece?.length ?? 0;
      if (total > MAX_DISCARDED_BYTES || performance.now() - startedAt > DISCARD_MS) {
        return this.#connection.close();
      }
      if (piece !== null) continue;
      if (body.done || !await this.#more(body)) break;
    }
    this.#finish();
  }

  /** @returns false if the stream has ended, and its end is the end of the body */
  async #more(body: BodyReader): Promise<boolean> {
    if (await this.#connection.fill()) return true;
    if (body.endsWithStream) return false;
    throw new SluiceError("UPSTREAM_CLOSED", { upstream: this.#options.upstream, sent: 1 });
  }

  #finish(): void {
    const connection = this.#connection;
    const keepAlive = this.#head.keepAlive && !(this.#body?.endsWithStream ?? false);
    connection.keepAliveHintMs = this.#head.keepAliveHintMs;
    if (connection.finish(keepAlive && !this.#hasStrayBody())) this.#options.onFree(connection);
  }

  /** Whether a 204 announces a body. The next request on the connection would take this body for its response. */
  #hasStrayBody(): boolean {
    return this.status === 204 && (this.#head.chunked || this.#head.contentLength > 0);
  }

  #tooLarge(limit: number): SluiceError {
    return new SluiceError("UPSTREAM_RESPONSE_TOO_LARGE", { upstream: this.#options.upstream, limit });
  }
}

/** For the rest of a body. The announced length does not decide on the memory: it grows with the received bytes. */
function gather(first: Uint8Array | undefined, remaining: number): GatheredBytes {
  const gathered = new GatheredBytes((first?.length ?? 0) + Math.min(Math.max(remaining, 4096), 262_144));
  if (first !== undefined) gathered.add(first);
  return gathered;
}

function saysKeepAlive(head: ResponseHead): boolean {
  const said = head.header("connection") ?? head.header("proxy-connection") ?? "";
  return /\bkeep-alive\b/i.test(said);
}

/** Closes the connection, and converts the error to one of the catalogue. */
function fail(connection: Connection, upstream: string, error: unknown): unknown {
  connection.close();
  if (!(error instanceof ProtocolFault)) return error;
  return new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream, reason: error.message }, { cause: error });
}
