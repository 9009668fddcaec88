// The connection of one user: one request at a time over HTTP/1.1, opened anew where it is lost.
import { systemClock } from "../../base/clock.ts";
import { DeadlineTimer } from "../../base/deadline_timer.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { Deadline } from "../../upstream/resilience/deadline.ts";
import { dial } from "../../upstream/dial/dial.ts";
import { type Target, targetOf } from "../../upstream/dial/target.ts";
import { encodeHead, type Headers } from "../../upstream/http1/request_head.ts";
import { Connection } from "../../upstream/http_client/http1_connection.ts";
import { receive } from "../../upstream/http_client/http1_response.ts";
import type { HttpResponse } from "../../upstream/http_client/http_client.ts";

const MAX_HEAD_BYTES = 65_536;
const TARGET = "the target";

/** A request whose head is encoded. */
export interface EncodedRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly head: Uint8Array;
  readonly body?: string;
}

/** Opens connections to one address, directly: neither proxies nor egress rules count for a load. */
export class ConnectionSource {
  readonly target: Target;
  readonly timeoutMs: number;
  readonly #deadlines = new DeadlineTimer(systemClock);

  constructor(url: URL, timeoutMs: number) {
    this.target = targetOf(url);
    this.timeoutMs = timeoutMs;
  }

  encode(method: EncodedRequest["method"], headers: Headers): Uint8Array {
    return encodeHead(this.target, method, headers);
  }

  /** @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_TIMEOUT */
  async open(): Promise<Connection> {
    const request = { upstream: TARGET, alpnProtocols: ["http/1.1"] };
    const { socket, ip } = await dial(this.target, request, {
      connectTimeoutMs: this.timeoutMs,
      checkAddress: () => {},
      clock: systemClock,
    });
    const { key, tls } = this.target;
    return new Connection(socket, { key, tls, checkedFor: TARGET, remoteIp: ip, deadlines: this.#deadlines });
  }

  /** Without it, a timer keeps the program alive. */
  close(): void {
    this.#deadlines.stop();
  }
}

export class UserConnection {
  readonly #source: ConnectionSource;
  #connection: Connection | undefined;
  /** The last answer was read to its end, so that the connection may carry another request. */
  #isFree = false;
  #isClosed = false;

  constructor(source: ConnectionSource) {
    this.#source = source;
  }

  /** Opens it, unless it is open and free. @throws {SluiceError} see `ConnectionSource.open` */
  async ready(): Promise<Connection> {
    const kept = this.#connection;
    if (kept !== undefined && this.#isFree && !kept.isClosed) return kept;
    kept?.close();
    this.#connection = undefined;
    const opened = await this.#source.open();
    if (this.#isClosed) {
      opened.close();
      throw new SluiceError("SHUTTING_DOWN");
    }
    this.#isFree = true;
    return this.#connection = opened;
  }

  /**
   * Sends a request, and waits for the head of its answer. The caller reads the answer before the next request.
   * @param timeoutMs Infinity: the answer is an event stream
   * @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_TIMEOUT, UPSTREAM_CLOSED, UPSTREAM_PROTOCOL_ERROR
   */
  async send(request: EncodedRequest, timeoutMs = this.#source.timeoutMs): Promise<HttpResponse> {
    const until = timeoutMs === Infinity
      ? undefined
      : new Deadline(timeoutMs, "--timeout", systemClock.now());
    try {
      return await this.#exchange(await this.ready(), request, timeoutMs, until);
    } catch (error) {
      // The server has closed the kept connection before the request was sent.
      if (!isError(error, "UPSTREAM_CLOSED") || error.params.sent !== 0) throw error;
      return await this.#exchange(await this.ready(), request, timeoutMs, until);
    }
  }

  /** The answer has come, and only the end of its stream is missing. */
  answered(): void {
    this.#connection?.shortenReadTimeout(1_000);
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
  }

  #exchange(
    connection: Connection,
    { method, head, body }: EncodedRequest,
    timeoutMs: number,
    deadline: Deadline | undefined,
  ): Promise<HttpResponse> {
    this.#isFree = false;
    connection.send(head, method, body, {
      upstream: TARGET,
      writeTimeoutMs: this.#source.timeoutMs,
      readTimeoutMs: timeoutMs,
      readSetting: "--timeout",
      deadline,
      signal: undefined,
    });
    return receive(connection, {
      upstream: TARGET,
      method,
      holder: undefined,
      maxHeadBytes: MAX_HEAD_BYTES,
      readTimeoutMs: timeoutMs,
      isForwarded: false,
      onFree: (freed) => {
        this.#isFree = true;
        freed.rest();
      },
    });
  }
}
