// The HTTP client for HTTP/2 and for client certificates, by `fetch`. `fetch` opens its connections through a relay of this process, so
// that each leads to a checked address.

import { type Clock, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { decoded } from "./content_coding.ts";
import { textOf } from "./arriving_text.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "./http_client.ts";
import { StreamPlaces } from "./stream_places.ts";
import { SocksRelay, type SocksRelayOptions } from "../dial/socks_relay.ts";
import { type Target, targetOf } from "../dial/target.ts";
import { alertReason, tlsReason } from "../dial/tls.ts";
import { checkHeaders } from "../http1/request_head.ts";

export interface FetchClientOptions extends SocksRelayOptions {
  /** Limit of idle connections for each host; HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS. */
  readonly maxKeepaliveConnections: number;
  readonly keepaliveExpiryMs: number;
  /** The limit for connection and response together, because `fetch` does not tell them apart. */
  readonly readTimeoutMs: number;
  /** Default: as many as are asked for. */
  readonly streamPlaces?: StreamPlaces;
  /** Offers HTTP/2 besides HTTP/1.1; default: yes. */
  readonly http2?: boolean;
  /** Certificate and key in PEM, for servers that want one of their clients. Default: none. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** Shared with other clients, and closed by its maker. Default: one of its own. */
  readonly relay?: SocksRelay;
}

/** Redirects are returned like any other response. HTTP_CLIENT_MAX_CONNECTIONS has no effect on `fetch`. */
export class FetchClient implements HttpClient {
  readonly #options: FetchClientOptions;
  readonly #clock: Clock;
  readonly #relay: SocksRelay;
  readonly #streamPlaces: StreamPlaces;
  /** Connections by private CA. Upstreams with different authorities share no connection. */
  readonly #pools = new Map<string, Deno.HttpClient>();
  readonly #exchanges = new Set<Exchange>();
  #isClosed = false;

  constructor(options: FetchClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#relay = options.relay ?? new SocksRelay(options);
    this.#streamPlaces = options.streamPlaces ?? new StreamPlaces();
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, method, body, signal, upstream, caCertificate, trace } = request;
    const headers = trace === undefined ? request.headers : [...request.headers, ...trace.headers];
    if (this.#isClosed) throw new SluiceError("SHUTTING_DOWN");
    if (signal?.aborted) throw signal.reason;
    const target = targetOf(url, caCertificate);
    checkHeaders(headers);
    const leave = request.longLived === true ? this.#streamPlaces.take(request) : undefined;
    const exchange = new Exchange(request, this.#options.readTimeoutMs, this.#clock, () => {
      this.#exchanges.delete(exchange);
      leave?.();
    });
    this.#exchanges.add(exchange);
    try {
      const sent = fetch(url, {
        method,
        headers: headers.map(([name, value]): [string, string] => [name, value]),
        body,
        redirect: "manual",
        signal: exchange.signal,
        client: this.#pool(caCertificate),
      });
      const response = new FetchResponse(await exchange.waitFor(sent, "answer"), exchange, request);
      // `fetch` has decoded gzip and br, and removed their header.
      const coding = response.header("content-encoding");
      return coding === null ? response : decoded(response, coding, request);
    } catch (error) {
      exchange.end();
      throw exchange.signal.aborted ? exchange.signal.reason : this.#failureOf(error, upstream, target);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const exchange of [...this.#exchanges]) exchange.abort(new SluiceError("SHUTTING_DOWN"));
    this.release();
    if (this.#options.relay === undefined) this.#relay.close();
  }

  /** Closes idle connections. Requests under way go on, and a further one opens connections anew. */
  release(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #pool(caCertificate: string | undefined): Deno.HttpClient {
    const key = caCertificate ?? "";
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const { http2 = true, certificate } = this.#options;
      pool = Deno.createHttpClient({
        ...certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key },
        caCerts: caCertificate === undefined ? [] : [caCertificate],
        poolMaxIdlePerHost: this.#options.maxKeepaliveConnections,
        poolIdleTimeout: this.#options.keepaliveExpiryMs,
        http2,
        proxy: this.#relay.proxy,
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Classifies an error of `fetch` by its message. The message contains the URL with its query, so it is only the cause. */
  #failureOf(error: unknown, upstream: string, { hostname, port }: Target): SluiceError {
    const inner = error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : "";
    const message = `${reasonOf(error)} ${inner}`;
    const options = { cause: error };
    if (/Requests to port \d+ are blocked/.test(message)) {
      return new SluiceError(
        "EGRESS_DENIED",
        { reason: "The URL's port is one that HTTP clients refuse" },
        options,
      );
    }
    const alert = alertReason(message);
    if (alert !== null) return new SluiceError("UPSTREAM_TLS_FAILED", { upstream, reason: alert }, options);
    const detail = /client error \(Connect\): (.*)$/s.exec(message)?.[1].trim();
    if (detail === undefined) return new SluiceError("UPSTREAM_CLOSED", { upstream, sent: 1 }, options);
    if (/SOCKS/i.test(detail)) {
      const failure = this.#relay.failureOf(hostname, port);
      // The relay does not know the upstream's name.
      if (failure !== undefined) {
        return new SluiceError(failure.code, { ...failure.params, upstream }, options);
      }
    }
    if (/certificate|fatal alert|corrupt message/.test(detail)) {
      const reason = tlsReason(detail, hostname) ?? detail;
      return new SluiceError("UPSTREAM_TLS_FAILED", { upstream, reason }, options);
    }
    return new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: detail }, options);
  }
}

/** The time limits and the signal of one request. */
class Exchange {
  readonly #abort = new AbortController();
  readonly #request: HttpRequest;
  /** HTTP_CLIENT_READ_TIMEOUT. */
  readonly #silenceMs: number;
  #readTimeoutMs: number;
  #isStallLimited: boolean;
  readonly #clock: Clock;
  readonly #onEnd: () => void;

  constructor(request: HttpRequest, readTimeoutMs: number, clock: Clock, onEnd: () => void) {
    this.#request = request;
    this.#silenceMs = readTimeoutMs;
    this.#readTimeoutMs = request.readTimeoutMs ?? readTimeoutMs;
    this.#isStallLimited = request.readTimeoutMs === undefined;
    this.#clock = clock;
    this.#onEnd = onEnd;
    request.signal?.addEventListener("abort", this.#onAbort);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Limits pauses by HTTP_CLIENT_READ_TIMEOUT, after the first bytes of a body. */
  limitStalls(): void {
    if (this.#readTimeoutMs <= this.#silenceMs) return;
    this.#readTimeoutMs = this.#silenceMs;
    this.#isStallLimited = true;
  }

  /** Waits for `promise`, until the read timeout, the deadline or the signal ends the exchange. */
  async waitFor<V>(promise: Promise<V>, phase: string): Promise<V> {
    const { upstream, deadline } = this.#request;
    let timer = 0;
    const arm = () => {
      const leftMs = (deadline?.at ?? Infinity) - this.#clock.now();
      timer = this.#clock.setTimeout(expire, Math.max(0, Math.min(leftMs, this.#readTimeoutMs)));
    };
    const expire = () => {
      // The peer waits for an answer of the client, so its silence is no fault.
      if (deadline?.isHeld) timer = this.#clock.setTimeout(expire, this.#readTimeoutMs);
      else this.abort(new SluiceError("UPSTREAM_TIMEOUT", { upstream, phase, ...this.#passedLimit() }));
    };
    arm();
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.signal.reason);
      if (this.signal.aborted) onAbort();
      this.signal.addEventListener("abort", onAbort);
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      this.#clock.clearTimeout(timer);
      this.signal.removeEventListener("abort", onAbort);
    }
  }

  #passedLimit(): { timeoutMs: number; setting: string } {
    const { deadline } = this.#request;
    if (deadline !== undefined && deadline.at <= this.#clock.now()) {
      return { timeoutMs: deadline.ms, setting: deadline.setting };
    }
    return {
      timeoutMs: this.#readTimeoutMs,
      setting: this.#isStallLimited
        ? "HTTP_CLIENT_READ_TIMEOUT"
        : deadline?.setting ?? "the limit of this call",
    };
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  end(): void {
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
    this.#onEnd();
  }

  readonly #onAbort = () => this.abort(this.#request.signal!.reason);
}

class FetchResponse implements HttpResponse {
  readonly status: number;
  readonly #response: Response;
  readonly #exchange: Exchange;
  readonly #request: HttpRequest;

  constructor(response: Response, exchange: Exchange, request: HttpRequest) {
    this.#response = response;
    this.#exchange = exchange;
    this.#request = request;
    this.status = response.status;
    if (response.body === null) exchange.end();
  }

  header(name: string): string | null {
    return this.#response.headers.get(name);
  }

  text(maxBytes: number): Promise<string> {
    return textOf(this.#withoutStalls(), maxBytes, this.#request);
  }

  async *#withoutStalls(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.chunks()) {
      this.#exchange.limitStalls();
      yield chunk;
    }
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = this.#response.body?.getReader();
    if (reader === undefined) return;
    let isWhole = false;
    try {
      for (;;) {
        const { done, value } = await this.#exchange.waitFor(reader.read(), "continue its answer");
        if (done) break;
        yield value;
      }
      isWhole = true;
    } catch (error) {
      if (this.#exchange.signal.aborted) throw this.#exchange.signal.reason;
      throw new SluiceError("UPSTREAM_CLOSED", { upstream: this.#request.upstream, sent: 1 }, {
        cause: error,
      });
    } finally {
      // A failed or aborted body cannot be cancelled, and need not be.
      if (!isWhole) await reader.cancel().catch(() => {});
      this.#exchange.end();
    }
  }

  discard(): void {
    this.#response.body?.cancel().catch(() => {});
    this.#exchange.end();
  }
}
