// The HTTP client of the hot path: HTTP/1.1 over connections of our own, without what `fetch` spends on generality.

import { type Clock, systemClock } from "../../base/clock.ts";
import { isError } from "../../base/errors.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "./http_client.ts";
import { Connection } from "./http1_connection.ts";
import { ConnectionPool, type PoolStats } from "./connection_pool.ts";
import { DeadlineTimer } from "../../base/deadline_timer.ts";
import { type Deadline, upstreamTimeout } from "../resilience/deadline.ts";
import { dial, type DialOptions, systemResolve } from "./dial.ts";
import { RequestHeads } from "./request_head.ts";
import { receive, type ReceiveOptions } from "./http1_response.ts";
import { type Target, TargetCache } from "./target.ts";

/** Every limit is a setting; times in ms. */
export interface Http1ClientOptions {
  /** All connections, those being opened included: HTTP_CLIENT_MAX_CONNECTIONS. */
  readonly maxConnections: number;
  /** Idle connections over all upstreams: HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS. */
  readonly maxKeepaliveConnections: number;
  readonly keepaliveExpiryMs: number;
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly poolTimeoutMs: number;
  /** Longest head of an answer, status line and trailing empty line included. */
  readonly maxHeadBytes: number;
  /** Called with every address before it is connected to. @throws {SluiceError} EGRESS_DENIED */
  readonly checkAddress: DialOptions["checkAddress"];
  /** Default: the system's resolver. Not asked for literal addresses. */
  readonly resolve?: DialOptions["resolve"];
  /** Offered over TLS; default: HTTP/1.1. */
  readonly alpnProtocols?: DialOptions["alpnProtocols"];
  readonly clock?: Clock;
  /** Opens a TCP connection; default `Deno.connect`. */
  readonly connect?: DialOptions["connect"];
}

/**
 * A request is one write, and its answer normally one read. It is sent again, once and over a fresh connection, only if it
 * certainly had not left: an upstream never sees the same request twice.
 */
export class Http1Client implements HttpClient {
  readonly #options: Http1ClientOptions;
  readonly #clock: Clock;
  readonly #targets = new TargetCache();
  readonly #heads = new RequestHeads();
  readonly #pool: ConnectionPool<Target, Connection>;
  readonly #onFree: ReceiveOptions["onFree"];

  constructor(options: Http1ClientOptions) {
    this.#options = options;
    const { clock = systemClock, resolve = systemResolve } = options;
    this.#clock = clock;
    const deadlines = new DeadlineTimer(clock);
    const dialOptions: DialOptions = { ...options, clock, resolve };
    const pool = this.#pool = new ConnectionPool({
      ...options,
      deadlines,
      clock,
      dial: async (target: Target, upstream: string, signal: AbortSignal) => {
        const { socket, ip } = await dial(target, upstream, signal, dialOptions);
        const { key, tls } = target;
        return new Connection(socket, { key, tls, checkedFor: upstream, remoteIp: ip, deadlines });
      },
    });
    this.#onFree = (connection) => pool.release(connection);
  }

  get stats(): PoolStats {
    return this.#pool.stats;
  }

  /**
   * As the interface says, and INVALID_REQUEST for headers that HTTP/1.1 cannot carry, SHUTTING_DOWN after `close`. An HTTP
   * redirect is an answer like any other. A frozen `headers` array is encoded once for all the requests it serves.
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { method, signal, upstream } = request;
    if (signal?.aborted) throw signal.reason;
    const { deadline } = request;
    if (deadline !== undefined && deadline.at <= this.#clock.now()) {
      throw upstreamTimeout(upstream, "answer", deadline);
    }
    const target = this.#targets.get(request.url, request.caCertificate);
    const head = this.#heads.get(target, method, request.headers);
    if (request.longLived === true) {
      const connection = await this.#pool.openApart(target, { upstream, signal, deadline });
      return await this.#exchange(connection, target, head, request, deadline);
    }
    const idle = this.#pool.takeIdle(target.key);
    try {
      const connection = idle ?? await this.#pool.acquire(target, { upstream, signal, deadline });
      return await this.#exchange(connection, target, head, request, deadline);
    } catch (error) {
      if (!isError(error, "UPSTREAM_CLOSED") || error.params.sent !== 0) throw error;
    }
    const connection = await this.#pool.acquire(target, { upstream, signal, deadline, fresh: true });
    return await this.#exchange(connection, target, head, request, deadline);
  }

  close(): void {
    this.#pool.close();
  }

  #exchange(
    connection: Connection,
    target: Target,
    head: Uint8Array,
    request: HttpRequest,
    deadline: Deadline | undefined,
  ): Promise<HttpResponse> {
    const { upstream, method, signal, readTimeoutMs } = request;
    const { writeTimeoutMs, maxHeadBytes, readTimeoutMs: silenceMs } = this.#options;
    try {
      if (signal?.aborted) throw signal.reason;
      // The addresses that one upstream may use are not another's, even where they share a host.
      if (connection.checkedFor !== upstream) {
        this.#options.checkAddress(target.hostname, connection.remoteIp, upstream);
        connection.checkedFor = upstream;
      }
    } catch (error) {
      this.#pool.release(connection);
      throw error;
    }
    connection.send(head, method, request.body, {
      upstream,
      signal,
      deadline,
      writeTimeoutMs,
      readTimeoutMs: readTimeoutMs ?? silenceMs,
      readSetting: readTimeoutMs === undefined
        ? "HTTP_CLIENT_READ_TIMEOUT"
        : deadline?.setting ?? "the limit of this call",
    });
    const onFree = request.longLived === true ? closeConnection : this.#onFree;
    return receive(connection, { upstream, method, maxHeadBytes, readTimeoutMs: silenceMs, onFree });
  }
}

function closeConnection(connection: Connection): void {
  connection.close();
}
