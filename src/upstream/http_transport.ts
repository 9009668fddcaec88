// One upstream's streamable HTTP endpoint: a JSON-RPC message out by POST, the answer back as JSON or from an event stream
// (MCP 2025-11-25, transports, "Streamable HTTP"). Knows no session state; the session passes its headers in.
import type { CancelSignal } from "../base/cancellation.ts";
import { SluiceError } from "../base/errors.ts";
import { isObject, type JsonObject } from "../mcp/json_rpc.ts";
import { SseDecoder } from "../mcp/sse.ts";
import type { HttpClient, HttpResponse } from "./http_client.ts";

/** Where an upstream is, and what is always sent there. */
export interface UpstreamTarget {
  /** The name that error texts and logs use. */
  readonly upstream: string;
  readonly url: URL;
  /** Credentials among them: never logged. */
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly caCertificate?: string;
}

export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>;

export interface ExchangeOptions {
  /** All headers of the request, see `headersFor`. */
  readonly headers: HeaderList;
  readonly timeoutMs: number;
  /** The setting that `timeoutMs` comes from, for the error text. */
  readonly timeoutSetting: string;
  readonly signal?: CancelSignal;
}

export interface RequestOptions extends ExchangeOptions {
  /** A notification or a request that the server sends on this call's stream before the response. */
  readonly onMessage?: (value: JsonObject, text: string) => void;
}

/** A JSON-RPC response, as value and as text, and the session id that came with it. */
export interface Reply {
  readonly value: JsonObject;
  readonly text: string;
  readonly sessionId: string | null;
}

const FAILURE_TEXT_BYTES = 65_536;

export class HttpTransport {
  readonly target: UpstreamTarget;
  readonly #client: HttpClient;
  readonly #maxResponseBytes: number;

  constructor(client: HttpClient, target: UpstreamTarget, maxResponseBytes: number) {
    this.#client = client;
    this.target = target;
    this.#maxResponseBytes = maxResponseBytes;
  }

  /**
   * The standing headers of a session's requests; made once a session, so that the client can recognise the list.
   * @param passed the caller's headers that the session is opened with; they win over the target's own of the same name
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

  /** Send a request and await its response. @throws {SluiceError} UPSTREAM_* */
  async request(id: number, body: string, options: RequestOptions): Promise<Reply> {
    const response = await this.#send("POST", body, options);
    const sessionId = response.header("mcp-session-id");
    if (response.status < 200 || response.status > 299) {
      const answer = await this.#failure(response, options, id);
      return { ...answer, sessionId };
    }
    const type = (response.header("content-type") ?? "").toLowerCase();
    if (type.startsWith("text/event-stream")) {
      return { ...await this.#readStream(id, response, options), sessionId };
    }
    if (response.status === 202 || response.status === 204) {
      response.discard();
      throw this.#broken(`HTTP ${response.status} in answer to a request`);
    }
    const text = await response.text(this.#maxResponseBytes);
    const value = this.#parse(text);
    if (!isResponseTo(value, id)) throw this.#broken("the answer is no response to our request");
    return { value, text, sessionId };
  }

  /** Send a notification or a response; the server answers 202. @throws {SluiceError} UPSTREAM_* */
  async notify(body: string, options: ExchangeOptions): Promise<void> {
    const response = await this.#send("POST", body, options);
    if (response.status < 200 || response.status > 299) await this.#failure(response, options, null);
    else response.discard();
  }

  /** End a session. 405 means that the server does not let clients end it: fine. */
  async terminate(options: ExchangeOptions): Promise<void> {
    const response = await this.#send("DELETE", undefined, options);
    response.discard();
  }

  #send(
    method: "POST" | "DELETE",
    body: string | undefined,
    options: ExchangeOptions,
  ): Promise<HttpResponse> {
    const { url, upstream, caCertificate } = this.target;
    return this.#client.send({
      method,
      url,
      headers: options.headers,
      body,
      signal: options.signal,
      readTimeoutMs: options.timeoutMs,
      deadlineAt: Date.now() + options.timeoutMs,
      deadlineMs: options.timeoutMs,
      deadlineSetting: options.timeoutSetting,
      caCertificate,
      upstream,
    });
  }

  async #readStream(
    id: number,
    response: HttpResponse,
    options: RequestOptions,
  ): Promise<{ value: JsonObject; text: string }> {
    const decoder = new SseDecoder(this.#maxResponseBytes);
    for await (const chunk of response.chunks()) {
      for (const event of this.#decode(decoder, chunk)) {
        // An empty event only carries an id to resume from (2025-11-25, "priming event").
        if (event.event !== "message" || event.data === "") continue;
        const value = this.#parse(event.data);
        if (isResponseTo(value, id)) return { value, text: event.data };
        if (typeof value.method === "string") options.onMessage?.(value, event.data);
      }
    }
    throw new SluiceError("UPSTREAM_CLOSED", { upstream: this.target.upstream, sent: 1 });
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

  #parse(text: string): JsonObject {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.#broken("the answer is not JSON");
    }
    if (!isObject(value)) throw this.#broken("the answer is no JSON-RPC message");
    return value;
  }

  /** An HTTP status that is no success: thrown as what it means, unless the body answers our request properly. */
  async #failure(
    response: HttpResponse,
    { headers }: ExchangeOptions,
    id: number | null,
  ): Promise<{ value: JsonObject; text: string }> {
    const { status } = response;
    const { upstream } = this.target;
    const text = await response.text(FAILURE_TEXT_BYTES).catch(() => "");
    if (status === 401 || status === 403) throw new SluiceError("UPSTREAM_AUTH_FAILED", { upstream, status });
    const value = errorIn(text);
    const reason = describe(value, text);
    const inSession = headers.some(([name]) => name === "mcp-session-id");
    // 404 is the spec's answer for an ended session; several servers say 400 in words instead.
    if (inSession && (status === 404 || (status === 400 && /session/i.test(reason)))) {
      throw new SluiceError("UPSTREAM_SESSION_EXPIRED", { upstream });
    }
    if (value !== null && id !== null && value.id === id) return { value, text };
    throw new SluiceError("UPSTREAM_HTTP_ERROR", { upstream, status, reason });
  }

  #broken(reason: string): SluiceError {
    return new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream: this.target.upstream, reason });
  }
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

/** A short, one-line account of a failure's body. */
function describe(value: JsonObject | null, text: string): string {
  const message = value !== null && isObject(value.error) ? value.error.message : undefined;
  const words = (typeof message === "string" ? message : text).replace(/\s+/g, " ").trim();
  return words === "" ? "no explanation" : words.slice(0, 200);
}
