// Room `streamable_http`: the Streamable HTTP transport (MCP 2025-11-25, transports, "Streamable HTTP"). `Transports` creates it.
// This file is the endpoint of one upstream. It sends a JSON-RPC message by POST, and receives the response as JSON or from an event
// stream. It has no session state: the session gives the headers.
import type { Caller } from "../../base/sharing/caller.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { isObject, type JsonObject, piecesOf } from "../../mcp/json_rpc.ts";
import type {
  ConnectOptions,
  ExchangeOptions,
  HeaderList,
  OnMessage,
  Reply,
  RequestOptions,
  UpstreamConnection,
  UpstreamTransport,
} from "../transport/transport.ts";
import { mergeHeaders } from "../transport/merge_headers.ts";
import { HttpConnection, type ListenOptions } from "./http_connection.ts";
import { seenAnswer } from "../http_client/answer_words.ts";
import { EventReader } from "../http_client/event_reader.ts";
import { errorResponseIn, failedAnswer, FAILURE_TEXT_BYTES, notJson } from "../http_client/failed_answer.ts";
import type { HttpClient, HttpResponse } from "../http_client/http_client.ts";
import { Address } from "../http_client/redirects.ts";
import { isEventStream, LISTEN_SILENCE_MS, listenTo } from "./get_stream.ts";
import { pauseBeforeResume } from "../transport/stream_reopening.ts";

/** The address of an upstream, and the headers of every request to it. */
export interface UpstreamTarget {
  /** The name for error texts and logs. */
  readonly upstream: string;
  readonly url: URL;
  /** These include credentials, so they are never logged. */
  readonly headers: HeaderList;
  readonly caCertificate?: string;
  /** Has the headers that the client adds. Upstreams may repeat them in their answers. */
  readonly authorization?: { secretsOf(headers: HeaderList): HeaderList };
}

/** Limit of resumes in a row without a new event. An upstream that closes the stream more often has lost the call. */
const MAX_FRUITLESS_RESUMES = 5;

export interface HttpTransportOptions {
  readonly client: HttpClient;
  readonly target: UpstreamTarget;
  readonly maxResponseBytes: number;
  /** Headers of every request, unless the target or a caller brings its own. Default: none. */
  readonly agentHeaders?: HeaderList;
  /** Where the upstream's redirects lead. Default: known to this transport alone. */
  readonly address?: Address;
  /** Receives the fault of a message that is dropped, for the log. */
  readonly onStray?: (what: string) => void;
  /** See `UpstreamTransport.tolerated`. */
  readonly tolerated?: (what: string) => void;
}

export class HttpTransport implements UpstreamTransport {
  readonly kind = "streamable-http";
  readonly target: UpstreamTarget;
  readonly #client: HttpClient;
  readonly #maxResponseBytes: number;
  readonly #agentHeaders: HeaderList;
  readonly #address: Address;
  readonly #onStray: (what: string) => void;
  readonly tolerated: ((what: string) => void) | undefined;

  constructor(options: HttpTransportOptions) {
    this.#client = options.client;
    this.target = options.target;
    this.#maxResponseBytes = options.maxResponseBytes;
    this.#agentHeaders = options.agentHeaders ?? [];
    this.#address = options.address ?? new Address(this.target.url);
    this.#onStray = options.onStray ?? (() => {});
    this.tolerated = options.tolerated;
  }

  get upstream(): string {
    return this.target.upstream;
  }

  get address(): string {
    return this.target.url.href;
  }

  connect(passed: HeaderList, onMessage: OnMessage, exchange: ConnectOptions): Promise<UpstreamConnection> {
    const caller = exchange.isShared ? undefined : exchange.caller;
    return Promise.resolve(new HttpConnection(this, passed, onMessage, caller));
  }

  resume(
    { sessionId, protocolVersion, passed }: {
      readonly sessionId: string;
      readonly protocolVersion: string;
      readonly passed: HeaderList;
    },
    onMessage: OnMessage,
    caller?: Caller,
  ): UpstreamConnection {
    const connection = new HttpConnection(this, passed, onMessage, caller);
    connection.resumed(sessionId, protocolVersion);
    return connection;
  }

  stateless(protocolVersion: string): UpstreamConnection {
    const connection = new HttpConnection(this, [], () => {});
    connection.established(null, protocolVersion);
    return connection;
  }

  /**
   * The headers of all requests of a session. The list is created once for a session, so that the HTTP client encodes it once.
   * @param passed the caller's headers of the session. They replace headers of the target with the same name
   */
  headersFor(sessionId: string | null, protocolVersion: string | null, passed: HeaderList = []): HeaderList {
    const headers: [string, string][] = [
      ["content-type", "application/json"],
      ["accept", "application/json, text/event-stream"],
    ];
    if (sessionId !== null) headers.push(["mcp-session-id", sessionId]);
    if (protocolVersion !== null) headers.push(["mcp-protocol-version", protocolVersion]);
    return Object.freeze([...headers, ...mergeHeaders(this.#agentHeaders, this.target.headers, passed)]);
  }

  /** Sends a request and waits for its response. @throws {SluiceError} UPSTREAM_* */
  async request(id: number, body: string, headers: HeaderList, options: RequestOptions): Promise<Reply> {
    const { url } = this.#address;
    let response = await this.#send(url, "POST", body, headers, options);
    if (response.status > 299) {
      const again = (to: URL) => this.#send(to, "POST", body, headers, options);
      response = await this.#address.follow(response, url, again);
    }
    const sessionId = response.header("mcp-session-id");
    if (response.status < 200 || response.status > 299) {
      const answer = await this.#failure(response, headers, id);
      return { ...answer, sessionId };
    }
    if (isEventStream(response)) {
      return { ...await this.#readStream(id, response, headers, options), sessionId };
    }
    if (response.status === 202 || response.status === 204) {
      response.discard();
      throw this.#broken(`the response to a request is HTTP ${response.status} without a body`);
    }
    const text = await response.text(this.#maxResponseBytes);
    const answer = this.#take(this.#parse(text, response, headers), text, id, options.onMessage);
    if (answer === null) throw this.#broken("the body is no response to the request");
    return { ...answer, sessionId };
  }

  /** Sends a notification or a response; the server answers 202. @throws {SluiceError} UPSTREAM_* */
  async notify(body: string, headers: HeaderList, options: ExchangeOptions): Promise<void> {
    const { url } = this.#address;
    let response = await this.#send(url, "POST", body, headers, options);
    if (response.status > 299) {
      const again = (to: URL) => this.#send(to, "POST", body, headers, options);
      response = await this.#address.follow(response, url, again);
    }
    if (response.status < 200 || response.status > 299) await this.#failure(response, headers, null);
    else response.discard();
  }

  /** Ends a session. Any status is accepted: 405 means that the server does not let clients end sessions. */
  async terminate(headers: HeaderList, options: ExchangeOptions): Promise<void> {
    const { url } = this.#address;
    const send = (to: URL) => this.#send(to, "DELETE", undefined, headers, options);
    const response = await send(url);
    (response.status > 299 ? await this.#address.follow(response, url, send) : response).discard();
  }

  /**
   * Receives the messages that the server sends outside calls (transports, "Listening for Messages from the Server"). Ends when
   * the signal is aborted, or when the server offers no such stream. Never throws.
   */
  listen(
    headers: HeaderList,
    onMessage: OnMessage,
    { signal, caller, onOpened, ...rest }: ListenOptions,
  ): Promise<void> {
    return listenTo({
      open: (lastEventId) => this.#openStream(lastEventId, headers, { signal, caller }).finally(onOpened),
      reader: () => this.#eventReader(caller),
      onEvent: (data) => void this.#takeEvent(data, null, onMessage),
      signal,
      ...rest,
    });
  }

  #send(
    url: URL,
    method: "POST" | "DELETE",
    body: string | undefined,
    headers: HeaderList,
    { deadline, signal, caller, isLongLived = false, trace }: RequestOptions,
  ): Promise<HttpResponse> {
    const { upstream, caCertificate } = this.target;
    return this.#client.send({
      method,
      url,
      headers,
      body,
      signal,
      readTimeoutMs: isLongLived ? LISTEN_SILENCE_MS : deadline.ms,
      deadline: isLongLived ? undefined : deadline,
      longLived: isLongLived,
      holder: caller,
      caCertificate,
      upstream,
      trace,
    });
  }

  /** Opens an event stream by GET, after the last event that has arrived. */
  async #openStream(
    lastEventId: string | null,
    headers: HeaderList,
    { deadline, signal, caller }: Partial<ExchangeOptions>,
  ): Promise<HttpResponse> {
    const { upstream, caCertificate } = this.target;
    const standing = headers.filter(([name]) => name !== "content-type" && name !== "accept");
    const send = (url: URL) =>
      this.#client.send({
        method: "GET",
        url,
        headers: [
          ["accept", "text/event-stream"],
          ...standing,
          ...(lastEventId === null ? [] : [["last-event-id", lastEventId]] as const),
        ],
        signal,
        readTimeoutMs: deadline?.ms ?? LISTEN_SILENCE_MS,
        deadline,
        longLived: true,
        holder: caller,
        caCertificate,
        upstream,
      });
    const from = this.#address.url;
    const response = await send(from);
    return response.status < 300 ? response : await this.#address.follow(response, from, send);
  }

  /**
   * Reads the response from the stream of a call. If the stream ends before the response and had event ids, it is resumed by GET
   * (2025-11-25, "Resumability and Redelivery"): a server may close it on purpose, so that clients poll.
   */
  async #readStream(
    id: number,
    first: HttpResponse,
    headers: HeaderList,
    options: RequestOptions,
  ): Promise<{ value: JsonObject; text: string }> {
    let response = first;
    let lastEventId: string | null = null;
    let retryMs: number | null = null;
    let garbled: Error | undefined;
    for (let fruitless = 0; fruitless < MAX_FRUITLESS_RESUMES; fruitless++) {
      const reader = this.#eventReader(options.caller);
      let failure: unknown;
      try {
        for await (const chunk of response.chunks()) {
          for (const event of reader.push(chunk)) {
            fruitless = 0;
            // An empty event only gives an id to resume from (2025-11-25, "priming event").
            if (event.event !== "message" || event.data === "") continue;
            const turn = reader.turnFor(event);
            if (turn !== undefined) await turn;
            const answer = this.#takeEvent(event.data, id, options.onMessage);
            if (answer === undefined) garbled ??= seenAnswer(response, event.data, this.#asked(headers));
            else if (answer !== null) return answer;
          }
        }
      } catch (error) {
        if (!isError(error, "UPSTREAM_CLOSED")) throw error;
        failure = error;
      } finally {
        reader.end();
      }
      lastEventId = reader.lastEventId ?? lastEventId;
      retryMs = reader.retryMs ?? retryMs;
      // A stream of revision 2026-07-28 cannot be resumed. Its request has mirrored headers, and its response is lost.
      if (lastEventId === null || options.mirrored !== undefined) {
        if (garbled) throw this.#broken("an event is no JSON-RPC message, and no other came", garbled);
        throw failure ?? this.#closed();
      }
      options.onDelay?.(failure ? null : retryMs);
      const rest = await this.#resume(lastEventId, retryMs, headers, options);
      if (rest === null) break;
      response = rest;
    }
    throw this.#closed();
  }

  /** @returns null if the upstream does not resume the stream, or cannot be reached */
  async #resume(
    lastEventId: string,
    retryMs: number | null,
    headers: HeaderList,
    options: RequestOptions,
  ): Promise<HttpResponse | null> {
    for (let tries = 0; tries < MAX_FRUITLESS_RESUMES; tries++) {
      await pauseBeforeResume(retryMs, options);
      try {
        const response = await this.#openStream(lastEventId, headers, options);
        if (response.status === 200 && isEventStream(response)) return response;
        response.discard();
        return null;
      } catch (error) {
        // The call itself has reached the upstream. Therefore this error must not become one that permits a retry.
        if (!isError(error, "UPSTREAM_CONNECT_FAILED") && !isError(error, "UPSTREAM_CLOSED")) throw error;
      }
    }
    return null;
  }

  #eventReader(caller: RequestOptions["caller"]): EventReader {
    return new EventReader({ upstream: this.upstream, maxResponseBytes: this.#maxResponseBytes, caller });
  }

  /**
   * Reads one event. An event that is no message is dropped, because the response may follow.
   * @returns the response to request `id`; null: another message, which `onMessage` has received; undefined: no message
   */
  #takeEvent(
    data: string,
    id: number | null,
    onMessage: OnMessage | undefined,
  ): { value: JsonObject; text: string } | null | undefined {
    try {
      return this.#take(JSON.parse(data), data, id, onMessage);
    } catch (error) {
      if (!(error instanceof SyntaxError) && !isError(error, "UPSTREAM_PROTOCOL_ERROR")) throw error;
      this.#onStray("an event that is no JSON-RPC message");
      return undefined;
    }
  }

  /** @returns the response to request `id`, if the value contains it; `onMessage` receives all other messages */
  #take(
    parsed: unknown,
    text: string,
    id: number | null,
    onMessage: OnMessage | undefined,
  ): { value: JsonObject; text: string } | null {
    let answer: { value: JsonObject; text: string } | null = null;
    for (const [value, own] of piecesOf(parsed, text)) {
      if (!isObject(value)) throw this.#broken("the body is no JSON-RPC message");
      if (id !== null && isResponseTo(value, id)) answer = { value, text: own };
      else if (typeof value.method === "string") onMessage?.(value, own);
    }
    return answer;
  }

  #parse(text: string, response: HttpResponse, headers: HeaderList): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw notJson(response, text, this.#asked(headers));
    }
  }

  /** Converts a status other than 2xx to an error. @returns the response to request `id`, if the body is a valid one */
  async #failure(
    response: HttpResponse,
    headers: HeaderList,
    id: number | null,
  ): Promise<{ value: JsonObject; text: string; refusedWith: number }> {
    const { status } = response;
    const text = await response.text(FAILURE_TEXT_BYTES).catch(() => "");
    const value = errorResponseIn(text);
    const error = failedAnswer(response, text, this.#asked(headers));
    const inSession = headers.some(([name]) => name === "mcp-session-id");
    // The specification has 404 for an ended session. Several servers answer 400 with words about the session.
    if (inSession && (status === 404 || (status === 400 && /session/i.test(text.slice(0, 1_000))))) {
      throw new SluiceError("UPSTREAM_SESSION_EXPIRED", { upstream: this.target.upstream }, {
        cause: error.cause,
      });
    }
    const isRefused = error.code === "UPSTREAM_AUTH_FAILED";
    if (!isRefused && value !== null && id !== null && value.id === id) {
      return { value, text, refusedWith: status };
    }
    throw error;
  }

  #asked(sent: HeaderList) {
    const { upstream, authorization } = this.target;
    return { upstream, url: this.#address.url, headers: [...sent, ...authorization?.secretsOf(sent) ?? []] };
  }

  #closed(): SluiceError {
    return new SluiceError("UPSTREAM_CLOSED", { upstream: this.target.upstream, sent: 1 });
  }

  #broken(reason: string, cause?: Error): SluiceError {
    return new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream: this.target.upstream, reason }, { cause });
  }
}

function isResponseTo(value: JsonObject, id: number): boolean {
  return value.id === id && value.method === undefined && ("result" in value || "error" in value);
}
