// A session's connection over streamable HTTP. It has no socket of its own: the headers make a request part of the session.
import type { Caller } from "../../base/sharing/caller.ts";
import { Deadline } from "../resilience/deadline.ts";
import type {
  ExchangeOptions,
  HeaderList,
  OnMessage,
  Reply,
  RequestOptions,
  UpstreamConnection,
} from "../transport/transport.ts";

/** Time limit for telling the upstream that a session has ended, ms. */
const CLOSE_TIMEOUT_MS = 5_000;

export interface ListenOptions {
  /** The caller that the stream counts for; undefined: nobody in particular. */
  readonly caller: Caller | undefined;
  readonly signal: AbortSignal;
  /** Another worker opened the session. */
  readonly isResumed: boolean;
  /** Called when the first stream is open, or could not be opened. */
  readonly onOpened: () => void;
  /** See `UpstreamConnection.listen`. */
  readonly onGone: (isCertain: boolean) => void;
}

/** The requests of a connection, as `HttpTransport` sends them. The connection gives all headers. */
export interface HttpExchanges {
  headersFor(sessionId: string | null, protocolVersion: string | null, passed?: HeaderList): HeaderList;
  request(id: number, body: string, headers: HeaderList, options: RequestOptions): Promise<Reply>;
  notify(body: string, headers: HeaderList, options: ExchangeOptions): Promise<void>;
  terminate(headers: HeaderList, options: ExchangeOptions): Promise<void>;
  listen(headers: HeaderList, onMessage: OnMessage, options: ListenOptions): Promise<void>;
}

export class HttpConnection implements UpstreamConnection {
  sessionId: string | null = null;
  readonly closed = false;
  #protocolVersion: string | null = null;
  #headers: HeaderList;
  /** Complete lists of headers by the mirrored headers in them. */
  #withMirrored = new WeakMap<HeaderList, HeaderList>();
  #listening: { readonly stop: AbortController; readonly opened: Promise<void> } | null = null;
  readonly #transport: HttpExchanges;
  readonly #passed: HeaderList;
  readonly #onMessage: OnMessage;
  readonly #caller: Caller | undefined;
  #isResumed = false;

  /** @param caller who the connection's event stream counts for; undefined: nobody in particular */
  constructor(transport: HttpExchanges, passed: HeaderList, onMessage: OnMessage, caller?: Caller) {
    this.#caller = caller;
    this.#transport = transport;
    this.#passed = passed;
    this.#onMessage = onMessage;
    this.#headers = transport.headersFor(null, null, passed);
  }

  get isStateful(): boolean {
    return this.sessionId !== null;
  }

  established(sessionId: string | null, protocolVersion: string): void {
    this.sessionId = sessionId;
    this.#protocolVersion = protocolVersion;
    this.#headers = this.#transport.headersFor(sessionId, protocolVersion, this.#passed);
    this.#withMirrored = new WeakMap();
  }

  /** Continues a session that another worker opened. */
  resumed(sessionId: string, protocolVersion: string): void {
    this.established(sessionId, protocolVersion);
    this.#isResumed = true;
  }

  request(id: number, body: string, options: RequestOptions): Promise<Reply> {
    return this.#transport.request(id, body, this.#headersFor(options), options);
  }

  notify(body: string, options: ExchangeOptions): Promise<void> {
    return this.#transport.notify(body, this.#headersFor(options), options);
  }

  listen(onGone: (isCertain: boolean) => void): Promise<void> {
    if (this.sessionId === null) return Promise.resolve();
    if (this.#listening === null) {
      const { promise: opened, resolve } = Promise.withResolvers<void>();
      const stop = new AbortController();
      this.#listening = { stop, opened };
      const { signal } = stop;
      const options = { signal, onOpened: resolve, onGone, caller: this.#caller, isResumed: this.#isResumed };
      void this.#transport.listen(this.#headers, this.#onMessage, options);
    }
    return this.#listening.opened;
  }

  stopListening(): void {
    this.#listening ??= { stop: new AbortController(), opened: Promise.resolve() };
    this.#listening.stop.abort(new DOMException("another worker listens", "AbortError"));
  }

  async close(): Promise<void> {
    this.#listening?.stop.abort(new DOMException("the session has ended", "AbortError"));
    if (this.sessionId === null) return;
    const deadline = new Deadline(CLOSE_TIMEOUT_MS, "a fixed limit");
    await this.#transport.terminate(this.#headers, { deadline }).catch(() => {});
  }

  #headersFor({ passed = NONE, mirrored, paramHeaders = NONE }: ExchangeOptions): HeaderList {
    if (passed.length > 0 || paramHeaders.length > 0) {
      const all = [...(mirrored ?? NONE), ...passed, ...paramHeaders];
      return this.#transport.headersFor(this.sessionId, this.#protocolVersion, all);
    }
    return mirrored === undefined ? this.#headers : this.#mirroring(mirrored);
  }

  #mirroring(mirrored: HeaderList): HeaderList {
    let headers = this.#withMirrored.get(mirrored);
    if (headers === undefined) {
      headers = Object.freeze([...this.#headers, ...mirrored]);
      this.#withMirrored.set(mirrored, headers);
    }
    return headers;
  }
}

const NONE: HeaderList = Object.freeze([]);
