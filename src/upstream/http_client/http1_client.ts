// The HTTP client of the hot path: HTTP/1.1 over pooled connections, directly or through a proxy. It does much less work for a request
// than `fetch`.
import { type Clock, systemClock } from "../../base/clock.ts";
import { DeadlineTimer } from "../../base/deadline_timer.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { credentialsRefused, dial, type DialOptions } from "../dial/dial.ts";
import type { Proxies } from "../dial/proxies.ts";
import type { Socket } from "../dial/socket.ts";
import { type Target, TargetCache, targetOf } from "../dial/target.ts";
import { RequestHeads } from "../http1/request_head.ts";
import { upstreamTimeout } from "../resilience/deadline.ts";
import { ConnectionPool, type PoolStats } from "./connection_pool.ts";
import { Connection } from "./http1_connection.ts";
import { receive } from "./http1_response.ts";
import type { ConnectSocket, HttpClient, HttpRequest, HttpResponse } from "./http_client.ts";
import { StreamPlaces } from "./stream_places.ts";

/** Every limit is a setting. Times are in ms. */
export interface Http1ClientOptions {
  /** Limit of connections, including those that are being opened; HTTP_CLIENT_MAX_CONNECTIONS. */
  readonly maxConnections: number;
  /** Limit of idle connections to all upstreams; HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS. */
  readonly maxKeepaliveConnections: number;
  readonly keepaliveExpiryMs: number;
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly poolTimeoutMs: number;
  /** Default: as many as are asked for. */
  readonly streamPlaces?: StreamPlaces;
  /** Told of each request that has waited for a connection, when it gets one or gives up. */
  readonly onWaited?: (ms: number) => void;
  /** Limit of the head of a response, from the status line to the empty line. */
  readonly maxHeadBytes: number;
  /** The egress check, called with each address before the connection. @throws {SluiceError} EGRESS_DENIED */
  readonly checkAddress: DialOptions["checkAddress"];
  /** Default: the system's resolver. Literal addresses are not resolved. */
  readonly resolve?: DialOptions["resolve"];
  /** Default: none. */
  readonly proxies?: Proxies;
  /** The protocols to offer over TLS (ALPN); default: HTTP/1.1. */
  readonly alpnProtocols?: readonly string[];
  readonly clock?: Clock;
  /** Opens a TCP connection; default: `Deno.connect`. */
  readonly connect?: DialOptions["connect"];
}

/**
 * A request is one write, and its response is normally one read. A request is sent again, once and over a new connection, only
 * if it has certainly not been sent. An upstream therefore never receives a request twice.
 */
export class Http1Client implements HttpClient {
  readonly #options: Http1ClientOptions;
  readonly #clock: Clock;
  readonly #targets: TargetCache;
  readonly #heads = new RequestHeads();
  readonly #pool: ConnectionPool<Target, Connection>;
  readonly #streamPlaces: StreamPlaces;
  readonly #onFree: (connection: Connection) => void;

  constructor(options: Http1ClientOptions) {
    this.#options = options;
    const { clock = systemClock } = options;
    this.#clock = clock;
    this.#targets = new TargetCache(options.proxies);
    this.#streamPlaces = options.streamPlaces ?? new StreamPlaces();
    const deadlines = new DeadlineTimer(clock);
    const pool = this.#pool = new ConnectionPool<Target, Connection>({
      ...options,
      streamPlaces: this.#streamPlaces,
      deadlines,
      clock,
      dial: (target, upstream, signal) => this.#dial(target, upstream, signal, deadlines),
    });
    this.#onFree = (connection) => pool.release(connection);
  }

  get stats(): PoolStats {
    return this.#pool.stats;
  }

  /**
   * Sends a request. Redirects are returned like any other response. A frozen list of headers is encoded only once.
   * @throws {SluiceError} see `HttpClient`; also INVALID_REQUEST for headers that HTTP cannot carry, SHUTTING_DOWN after `close`
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { signal, upstream } = request;
    if (signal?.aborted) throw signal.reason;
    const { deadline, holder } = request;
    if (deadline !== undefined && deadline.at <= this.#clock.now()) {
      throw upstreamTimeout(upstream, "answer", deadline);
    }
    const target = this.#targets.get(request.url, request.caCertificate);
    const head = this.#heads.get(target, request.method, request.headers);
    if (request.longLived === true) {
      const connection = await this.#pool.openApart(target, { upstream, signal, deadline, holder });
      return await this.#exchange(connection, target, head, request);
    }
    const { fresh } = request;
    const idle = fresh === true ? undefined : this.#pool.takeIdle(target.key, holder);
    const wait = idle === undefined ? request.trace?.begin("connection", "internal") : undefined;
    try {
      const connection = idle ??
        await this.#pool.acquire(target, { upstream, signal, deadline, holder, fresh });
      wait?.end();
      return await this.#exchange(connection, target, head, request);
    } catch (error) {
      wait?.end();
      if (!isError(error, "UPSTREAM_CLOSED") || error.params.sent !== 0) throw error;
    }
    const again = request.trace?.begin("connection", "internal");
    const anew = { upstream, signal, deadline, holder, fresh: true };
    const connection = await this.#pool.acquire(target, anew).finally(() => again?.end());
    return await this.#exchange(connection, target, head, request);
  }

  /** See `ConnectSocket`; `url` may have a scheme of WebSockets. The limit of connections does not count this one. */
  async connect(
    url: URL,
    { upstream, signal, caCertificate, holder }: Parameters<ConnectSocket>[1],
  ): Promise<Socket> {
    const target = targetOf(new URL(url.href.replace(/^ws/, "http")), caCertificate, this.#options.proxies);
    const request = { upstream, signal, alpnProtocols: ["http/1.1"] };
    // A proxy can forward only HTTP requests.
    const tunnelled = { ...target, isForwarded: false };
    const leave = this.#streamPlaces.take({ holder });
    try {
      const { socket } = await dial(tunnelled, request, { ...this.#options, clock: this.#clock });
      return {
        read: (into) => socket.read(into),
        write: (bytes) => socket.write(bytes),
        close: () => {
          leave();
          socket.close();
        },
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  close(): void {
    this.#pool.close();
  }

  async #dial(
    target: Target,
    upstream: string,
    signal: AbortSignal,
    deadlines: DeadlineTimer,
  ): Promise<Connection> {
    const { alpnProtocols = ["http/1.1"] } = this.#options;
    const dialled = await dial(target, { upstream, signal, alpnProtocols }, {
      ...this.#options,
      clock: this.#clock,
    });
    const { socket, ip } = dialled;
    const { key, tls } = target;
    return new Connection(socket, { key, tls, checkedFor: upstream, remoteIp: ip, deadlines });
  }

  #exchange(
    connection: Connection,
    target: Target,
    head: Uint8Array,
    request: HttpRequest,
  ): Promise<HttpResponse> {
    const { upstream, method, body, signal, deadline, readTimeoutMs, longLived, holder, trace } = request;
    const { writeTimeoutMs, maxHeadBytes, readTimeoutMs: silenceMs } = this.#options;
    const onFree = longLived === true ? closeConnection : this.#onFree;
    try {
      if (signal?.aborted) throw signal.reason;
      // Upstreams of the same host can differ in the addresses that they may use.
      if (connection.checkedFor !== upstream && connection.remoteIp !== null) {
        this.#options.checkAddress(target.hostname, connection.remoteIp, upstream);
        connection.checkedFor = upstream;
      }
    } catch (error) {
      onFree(connection);
      throw error;
    }
    connection.send(head, method, body, {
      lines: trace?.headerLines,
      upstream,
      signal,
      deadline,
      writeTimeoutMs,
      readTimeoutMs: readTimeoutMs ?? silenceMs,
      readSetting: readTimeoutMs === undefined
        ? "HTTP_CLIENT_READ_TIMEOUT"
        : deadline?.setting ?? "the limit of this call",
    });
    const received = receive(connection, {
      upstream,
      method,
      holder,
      maxHeadBytes,
      readTimeoutMs: silenceMs,
      onFree,
      isForwarded: target.isForwarded,
    });
    return target.isForwarded
      ? received.then((response) => fromUpstream(response, target, upstream))
      : received;
  }
}

function closeConnection(connection: Connection): void {
  connection.close();
}

/** Converts the 407 of a proxy that forwards requests: it is no response of the upstream. */
function fromUpstream(response: HttpResponse, { proxy }: Target, upstream: string): HttpResponse {
  if (response.status !== 407) return response;
  response.discard();
  throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: credentialsRefused(proxy!) });
}
