// What the gateway asks of an HTTP client for its upstream side; `fetch` and our own HTTP/1.1 client both give it.

import type { CancelSignal } from "../../base/cancellation.ts";
import type { Socket } from "../dial/socket.ts";
import type { Headers } from "../http1/request_head.ts";
import type { Deadline } from "../resilience/deadline.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE" | "PUT" | "PATCH" | "HEAD";
  readonly url: URL;
  readonly headers: Headers;
  readonly body?: string;
  readonly signal?: CancelSignal;
  /**
   * Longest silence before the answer's body and between the pieces of `chunks()`, ms: what is asked computes meanwhile.
   * Default: the client's HTTP_CLIENT_READ_TIMEOUT, which in any case is the longest silence in the midst of `text()`.
   */
  readonly readTimeoutMs?: number;
  /** When the whole exchange must be over; checked coarsely. Passing it throws UPSTREAM_TIMEOUT. */
  readonly deadline?: Deadline;
  /** An event stream that stays open for hours: its connection is counted apart from those of calls. */
  readonly longLived?: boolean;
  /** PEM certificates that this upstream is trusted by, besides the system's. */
  readonly caCertificate?: string;
  /** The upstream's name for error texts. */
  readonly upstream: string;
}

/**
 * An answer whose head has arrived. Exactly one of `text`, `chunks` and `discard` is called, once: the connection goes
 * back to its pool when the body has been read to its end, and is closed when it has not.
 */
export interface HttpResponse {
  readonly status: number;
  /** A header's value by its lower-case name; repeated headers joined by ", ". */
  header(name: string): string | null;
  /** The whole body. @throws {SluiceError} UPSTREAM_RESPONSE_TOO_LARGE, UPSTREAM_CLOSED, UPSTREAM_TIMEOUT */
  text(maxBytes: number): Promise<string>;
  /** The body as it arrives; leaving the loop early closes the connection. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Nobody wants the body: read what little is left, or close. */
  discard(): void;
}

/** @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_CLOSED, UPSTREAM_TIMEOUT, HTTP_POOL_TIMEOUT,
 *  UPSTREAM_PROTOCOL_ERROR, EGRESS_DENIED; `signal.reason` when the signal is aborted. UPSTREAM_CLOSED means that no byte of an
 *  answer had come; its `params.sent` is 0 where the request certainly had not reached the upstream. */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/**
 * Opens a connection for something else than requests, by the same way and under the same checks.
 * @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_TIMEOUT, EGRESS_DENIED; the signal's reason
 */
export type ConnectSocket = (
  url: URL,
  request: Pick<HttpRequest, "upstream" | "signal" | "caCertificate">,
) => Promise<Socket>;
