// Room `http_client`: HTTP requests to upstreams, under the limits of the HTTP_CLIENT_* settings. Transports send requests by
// `HttpClient`, and open WebSockets by `ConnectSocket`. This file has these interfaces; `Http1Client` and `FetchClient` implement them.

import type { CancelSignal } from "../../base/cancellation.ts";
import type { Socket } from "../dial/socket.ts";
import type { Span } from "../../telemetry/traces/span.ts";
import type { Headers } from "../http1/request_head.ts";
import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import type { Deadline } from "../resilience/deadline.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE" | "PUT" | "PATCH" | "HEAD" | "OPTIONS";
  readonly url: URL;
  readonly headers: Headers;
  readonly body?: string;
  readonly signal?: CancelSignal;
  /**
   * Longest wait for the response, and longest pause between the pieces of `chunks()`, ms; the upstream computes meanwhile.
   * Default: HTTP_CLIENT_READ_TIMEOUT, which always limits the pauses within `text()`.
   */
  readonly readTimeoutMs?: number;
  /** The end of the whole exchange; checked coarsely. A later exchange fails with UPSTREAM_TIMEOUT. */
  readonly deadline?: Deadline;
  /** The response is an event stream that stays open for hours. The limits of calls do not count its connection. */
  readonly longLived?: boolean;
  /** HTTP/1.1 sends it over a new connection: the server may be about to close an idle one, and the request must not come twice. */
  readonly fresh?: boolean;
  /** The caller that the connection counts for; undefined: nobody in particular. */
  readonly holder?: ConnectionHolder;
  /** PEM certificates of authorities for this upstream, besides the system's. */
  readonly caCertificate?: string;
  /** The upstream's name, for error texts. */
  readonly upstream: string;
  /** The span of the request: its headers are sent besides `headers`, and the wait for a connection is a part of it. */
  readonly trace?: Span;
}

/** The part of a response that tells its kind. */
export interface AnswerHead {
  readonly status: number;
  /** @param name in lower case @returns the value, with repeated headers joined by ", "; null without the header */
  header(name: string): string | null;
}

/**
 * A response whose head has arrived. The caller calls exactly one of `text`, `chunks` and `discard`, once. The connection returns
 * to its pool after the whole body has been read, and is closed otherwise.
 */
export interface HttpResponse extends AnswerHead {
  /** Reads the whole body. @throws {SluiceError} UPSTREAM_RESPONSE_TOO_LARGE, UPSTREAM_CLOSED, UPSTREAM_TIMEOUT */
  text(maxBytes: number): Promise<string>;
  /** The pieces of the body as they arrive. Leaving the loop early closes the connection. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Drops the body: reads the rest if it is short, or closes the connection. */
  discard(): void;
}

export interface HttpClient {
  /**
   * @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_TIMEOUT, HTTP_POOL_TIMEOUT,
   *  UPSTREAM_PROTOCOL_ERROR, EGRESS_DENIED; UPSTREAM_CLOSED if no byte of a response has arrived, with `params.sent` 0 if the
   *  request has certainly not reached the upstream; the signal's reason
   */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/**
 * Opens a connection for another protocol than HTTP, with the same proxies, limits and checks.
 * @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_TIMEOUT, EGRESS_DENIED,
 *  TOO_MANY_STREAMS_OF_CALLER; the signal's reason
 */
export type ConnectSocket = (
  url: URL,
  request: Pick<HttpRequest, "upstream" | "signal" | "caCertificate" | "holder">,
) => Promise<Socket>;
