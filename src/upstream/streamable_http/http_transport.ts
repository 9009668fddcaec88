// Room `streamable_http`: the Streamable HTTP transport (MCP 2025-11-25, transports, "Streamable HTTP"). `Transports` creates it.
// This file is the endpoint of one upstream. It sends a JSON-RPC message by POST, and receives the response as JSON or from an event
// stream. It has no session state: the session gives the headers.
import { isError, SluiceError } from "../../base/errors.ts";
import { isObject, type JsonObject, piecesOf } from "../../mcp/json_rpc.ts";
import { SseDecoder } from "../../mcp/sse.ts";
import type {
  ExchangeOptions,
  HeaderList,
  OnMessage,
  Reply,
  RequestOptions,
  UpstreamConnection,
  UpstreamTransport,
} from "../transport/transport.ts";
import { withoutSecretsOf } from "../transport/without_secrets.ts";
import { HttpConnection, type ListenOptions } from "./http_connection.ts";
import type { HttpClient, HttpResponse } from "../http_client/http_client.ts";
import { listenTo } from "./get_stream.ts";
import { pauseBeforeResume } from "../transport/stream_reopening.ts";

/** The address of an upstream, and the headers of every request to it. */
export interface UpstreamTarget {
  /** The name for error texts and logs. */
  readonly upstream: string;
  readonly url: URL;
  /** These include credentials, so they are never logged. */
  readonly headers: HeaderList;
  readonly caCertificate?: string;
}

const FAILURE_TEXT_BYTES = 65_536;

/** Limit of resumes in a row without a new event. An upstream that closes the stream more often has lost the call. */
const MAX_FRUITLESS_RESUMES = 5;

export class HttpTransport implements UpstreamTransport {
  readonly kind = "streamable-http";
  readonly target: UpstreamTarget;
  readonly #client: HttpClient;
  readonly #maxResponseBytes: number;

  constructor(client: HttpClient, target: UpstreamTarget, maxResponseBytes: number) {
    this.#client = client;
    this.target = target;
    this.#maxResponseBytes = maxResponseBytes;
  }

  get upstream(): string {
    return this.target.upstream;
  }

  get address(): string {
    return this.target.url.href;
  }

  connect(passed: HeaderList, onMessage: OnMessage): Promise<UpstreamConnection> {
    return Promise.resolve(new HttpConnection(this, passed, onMessage));
  }

  resume(
    { sessionId, protocolVersion, passed }: {
      readonly sessionId: string;
      readonly protocolVersion: string;
      readonly passed: HeaderList;
    },
    onMessage: OnMessage,
  ): UpstreamConnection {
    const connection = new HttpConnection(this, passed, onMessage);
    connection.established(sessionId, protocolVersion);
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
    const replaced = new Set(passed.map(([name]) => name));
    const standing = this.target.headers.filter(([name]) => !replaced.has(name));
    return Object.freeze([...headers, ...standing, ...passed]);
  }

  /** Sends a request and waits for its response. @throws {SluiceError} UPSTREAM_* */
  async request(id: number, body: string, headers: HeaderList, options: RequestOptions): Promise<Reply> {
    const response = await this.#send("POST", body, headers, options);
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
    const answer = this.#take(await response.text(this.#maxResponseBytes), id, options.onMessage);
    if (answer === null) throw this.#broken("the body is no response to the request");
    return { ...answer, sessionId };
  }

  /** Sends a notification or a response; the server answers 202. @throws {SluiceError} UPSTREAM_* */
  async notify(body: string, headers: HeaderList, options: ExchangeOptions): Promise<void> {
    const response = await this.#send("POST", body, headers, options);
    if (response.status < 200 || response.status > 299) await this.#failure(response, headers, null);
    else response.discard();
  }

  /** Ends a session. Any status is accepted: 405 means that the server does not let clients end sessions. */
  async terminate(headers: HeaderList, options: ExchangeOptions): Promise<void> {
    const response = await this.#send("DELETE", undefined, headers, options);
    response.discard();
  }

  /**
   * Receives the messages that the server sends outside calls (transports, "Listening for Messages from the Server"). Ends when
   * the signal is aborted, or when the server offers no such stream. Never throws.
   */
  listen(
    headers: HeaderList,
    onMessage: OnMessage,
    { signal, onOpened, onGone }: ListenOptions,
  ): Promise<void> {
    return listenTo({
      open: (lastEventId) => this.#openStream(lastEventId, headers, { signal }).finally(onOpened),
      decoder: () => new SseDecoder(this.#maxResponseBytes),
      onEvent: (data) => void this.#take(data, null, onMessage),
      signal,
      onGone,
    });
  }

  #send(
    method: "POST" | "DELETE",
    body: string | undefined,
    headers: HeaderList,
    { deadline, signal, caller, isLongLived = false }: RequestOptions,
  ): Promise<HttpResponse> {
    const { url, upstream, caCertificate } = this.target;
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
    });
  }

  /** Opens an event stream by GET, after the last event that has arrived. */
  #openStream(
    lastEventId: string | null,
    headers: HeaderList,
    { deadline, signal }: Partial<ExchangeOptions>,
  ): Promise<HttpResponse> {
    const { url, upstream, caCertificate } = this.target;
    const standing = headers.filter(([name]) => name !== "content-type" && name !== "accept");
    return this.#client.send({
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
      caCertificate,
      upstream,
    });
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
    for (let fruitless = 0; fruitless < MAX_FRUITLESS_RESUMES; fruitless++) {
      const decoder = new SseDecoder(this.#maxResponseBytes);
      let failure: unknown = null;
      try {
        for await (const chunk of response.chunks()) {
          for (const event of this.#decode(decoder, chunk)) {
            fruitless = 0;
            // An empty event only gives an id to resume from (2025-11-25, "priming event").
            if (event.event !== "message" || event.data === "") continue;
            const answer = this.#take(event.data, id, options.onMessage);
            if (answer !== null) return answer;
          }
        }
      } catch (error) {
        if (!isError(error, "UPSTREAM_CLOSED")) throw error;
        failure = error;
      }
      lastEventId = decoder.lastEventId ?? lastEventId;
      // A stream of revision 2026-07-28 cannot be resumed. Its request has mirrored headers, and its response is lost.
      if (lastEventId === null || options.mirrored !== undefined) throw failure ?? this.#closed();
      options.onDelay?.();
      const rest = await this.#resume(lastEventId, decoder.retryMs, headers, options);
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

  #decode(decoder: SseDecoder, chunk: Uint8Array) {
    try {
      return decoder.push(chunk);
    } catch (cause) {
      throw new SluiceError("UPSTREAM_RESPONSE_TOO_LARGE", {
        upstream: this.target.upstream,
        limit: this.#maxResponseBytes,
      }, { cause });
    }
  }

  /** @returns the response to request `id`, if the text contains it; `onMessage` receives all other messages */
  #take(
    text: string,
    id: number | null,
    onMessage: OnMessage | undefined,
  ): { value: JsonObject; text: string } | null {
    let answer: { value: JsonObject; text: string } | null = null;
    for (const [value, own] of piecesOf(this.#parse(text), text)) {
      if (!isObject(value)) throw this.#broken("the body is no JSON-RPC message");
      if (id !== null && isResponseTo(value, id)) answer = { value, text: own };
      else if (typeof value.method === "string") onMessage?.(value, own);
    }
    return answer;
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw this.#broken("the body is not JSON");
    }
  }

  /** Converts a status other than 2xx to an error. @returns the response to request `id`, if the body is a valid one */
  async #failure(
    response: HttpResponse,
    headers: HeaderList,
    id: number | null,
  ): Promise<{ value: JsonObject; text: string; refusedWith: number }> {
    const { status } = response;
    const { upstream } = this.target;
    const text = await response.text(FAILURE_TEXT_BYTES).catch(() => "");
    if (status === 401 || status === 403) throw new SluiceError("UPSTREAM_AUTH_FAILED", { upstream, status });
    const value = errorIn(text);
    const reason = describe(value, text, this.target.url);
    const inSession = headers.some(([name]) => name === "mcp-session-id");
    // The specification has 404 for an ended session. Several servers answer 400 with words about the session.
    if (inSession && (status === 404 || (status === 400 && /session/i.test(reason)))) {
      throw new SluiceError("UPSTREAM_SESSION_EXPIRED", { upstream });
    }
    if (value !== null && id !== null && value.id === id) return { value, text, refusedWith: status };
    const code = isObject(value?.error) && typeof value.error.code === "number" ? value.error.code : null;
    throw new SluiceError("UPSTREAM_HTTP_ERROR", {
      upstream,
      status,
      reason,
      ...(code === null ? {} : { code }),
    });
  }

  #closed(): SluiceError {
    return new SluiceError("UPSTREAM_CLOSED", { upstream: this.target.upstream, sent: 1 });
  }

  #broken(reason: string): SluiceError {
    return new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream: this.target.upstream, reason });
  }
}

/** Silence after which a listening stream is opened again, ms. Comments count as sound. The peer may have vanished without a close. */
const LISTEN_SILENCE_MS = 5 * 60_000;

function isEventStream(response: HttpResponse): boolean {
  return (response.header("content-type") ?? "").toLowerCase().startsWith("text/event-stream");
}

function isResponseTo(value: JsonObject, id: number): boolean {
  return value.id === id && value.method === undefined && ("result" in value || "error" in value);
}

function errorIn(text: string): JsonObject | null {
  try {
    const value = JSON.parse(text);
    return isObject(value) && isObject(value.error) ? value : null;
  } catch {
    return null;
  }
}

/** The body of a failed response as one short line. */
function describe(value: JsonObject | null, text: string, url: URL): string {
  const message = value !== null && isObject(value.error) ? value.error.message : undefined;
  const said = withoutSecretsOf(url, typeof message === "string" ? message : text);
  const words = said.replace(/\s+/g, " ").trim();
  return words === "" ? "no explanation" : words.slice(0, 200);
}
