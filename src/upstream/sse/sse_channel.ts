// Room `sse`: a channel of the HTTP+SSE transport (MCP 2024-11-05, transports). Messages are sent as POST and received on one
// event stream. `Transports` opens it.
import { type Clock, MAX_TIMER_MS } from "../../base/clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { mergeHeaders } from "../transport/merge_headers.ts";
import type { MemoryOwner } from "../../base/sharing/client_memory.ts";
import type { ConnectOptions, ExchangeOptions, HeaderList } from "../transport/transport.ts";
import { type Channel, type OpenChannel, ownerOf, type Receiver } from "../duplex/duplex_channel.ts";
import { withoutSecretsOf } from "../transport/without_secrets.ts";
import { inTime } from "../resilience/deadline.ts";
import { kindOf, seenAnswer } from "../http_client/answer_words.ts";
import { EventReader } from "../http_client/event_reader.ts";
import { failedAnswer, FAILURE_TEXT_BYTES } from "../http_client/failed_answer.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http_client/http_client.ts";
import { Address } from "../http_client/redirects.ts";

export interface SseTarget {
  readonly upstream: string;
  /** The URL of the event stream. */
  readonly url: URL;
  readonly headers: HeaderList;
  readonly caCertificate?: string;
  /** Has the headers that the client adds. Upstreams may repeat them in their answers. */
  readonly authorization?: { secretsOf(headers: HeaderList): HeaderList };
}

interface SseOptions {
  readonly client: HttpClient;
  /** Headers of every request, unless the target or a caller brings its own. */
  readonly agentHeaders: HeaderList;
  /** Where redirects of the event stream lead. */
  readonly address: Address;
  readonly maxResponseBytes: number;
  readonly clock: Clock;
}

/** The stream may be silent. Pings find out whether the server has gone. */
const ANY_SILENCE_MS = MAX_TIMER_MS;

/** Limit of the address for POSTs that the upstream names. */
const MAX_ENDPOINT_CHARS = 8_192;

export function openSseChannel(target: SseTarget, options: SseOptions): OpenChannel {
  return async (passed, receiver, exchange) => {
    const headers = mergeHeaders(options.agentHeaders, target.headers, passed);
    const channel = new SseChannel({ ...target, headers }, options, receiver);
    await channel.open(exchange);
    return channel;
  };
}

class SseChannel implements Channel {
  readonly #target: SseTarget;
  readonly #options: SseOptions;
  readonly #receiver: Receiver;
  readonly #stop = new AbortController();
  #endpoint: Address | undefined;

  constructor(target: SseTarget, options: SseOptions, receiver: Receiver) {
    this.#target = target;
    this.#options = options;
    this.#receiver = receiver;
  }

  /**
   * Opens the stream and waits for its first event, which names the endpoint for POSTs. @throws {SluiceError} UPSTREAM_*; the
   * signal's reason
   */
  async open(exchange: ConnectOptions): Promise<void> {
    const { deadline, signal } = exchange;
    const { upstream } = this.#target;
    const { clock, address } = this.#options;
    const work = { upstream, phase: "open an event stream", signal, clock };
    await inTime(deadline, work, async (giveUp) => {
      giveUp.throwIfAborted();
      giveUp.addEventListener("abort", () => this.#stop.abort(giveUp.reason), { once: true });
      try {
        const response = await this.#sendTo(address, {
          method: "GET",
          headers: [["accept", "text/event-stream"], ...this.#target.headers],
          signal: this.#stop.signal,
          readTimeoutMs: ANY_SILENCE_MS,
          longLived: true,
          holder: exchange.isShared ? undefined : exchange.caller,
        });
        await this.#requireStream(response);
        await new Promise<void>((resolve, reject) => {
          this.#stop.signal.addEventListener("abort", () => reject(this.#stop.signal.reason), { once: true });
          this.#read(response, ownerOf(exchange), resolve).then(
            () => reject(this.#broken("the event stream ended before it named an endpoint")),
            reject,
          );
        });
      } catch (error) {
        this.#stop.abort(error);
        throw error;
      }
    });
  }

  async send(text: string, { deadline, signal, caller }: ExchangeOptions): Promise<void> {
    const { upstream, headers } = this.#target;
    const endpoint = this.#endpoint!;
    const response = await this.#sendTo(endpoint, {
      method: "POST",
      headers: [["content-type", "application/json"], ...headers],
      body: text,
      signal,
      readTimeoutMs: deadline.ms,
      deadline,
      holder: caller,
    });
    const { status } = response;
    // The specification says 202; several servers answer 200.
    if (status >= 200 && status <= 299) return response.discard();
    const said = await response.text(FAILURE_TEXT_BYTES).catch(() => "");
    const asked = { upstream, url: endpoint.url, headers: this.#sentHeaders };
    if (status === 404) {
      const cause = seenAnswer(response, said, asked);
      throw new SluiceError("UPSTREAM_SESSION_EXPIRED", { upstream }, { cause });
    }
    throw failedAnswer(response, said, asked);
  }

  withoutSecrets(text: string): string {
    return withoutSecretsOf(this.#target.url, this.#sentHeaders, text);
  }

  close(): Promise<void> {
    this.#stop.abort(new DOMException("the session has ended", "AbortError"));
    return Promise.resolve();
  }

  get #sentHeaders(): HeaderList {
    const { headers, authorization } = this.#target;
    return authorization === undefined ? headers : [...headers, ...authorization.secretsOf(headers)];
  }

  async #sendTo(
    address: Address,
    request: Omit<HttpRequest, "url" | "upstream" | "caCertificate">,
  ): Promise<HttpResponse> {
    const { upstream, caCertificate } = this.#target;
    const send = (url: URL) => this.#options.client.send({ ...request, url, upstream, caCertificate });
    const from = address.url;
    const response = await send(from);
    return response.status < 300 ? response : await address.follow(response, from, send);
  }

  async #requireStream(response: HttpResponse): Promise<void> {
    const { status } = response;
    const type = response.header("content-type")?.toLowerCase() ?? "";
    if (status === 200 && type.startsWith("text/event-stream")) return;
    const text = await response.text(FAILURE_TEXT_BYTES).catch(() => "");
    const { upstream } = this.#target;
    const asked = { upstream, url: this.#options.address.url, headers: this.#sentHeaders };
    if (status !== 200) throw failedAnswer(response, text, asked);
    const params = { upstream, reason: `expected an event stream, received ${kindOf(response, text)}` };
    throw new SluiceError("UPSTREAM_PROTOCOL_ERROR", params, { cause: seenAnswer(response, text, asked) });
  }

  /** Reads the stream to its end. @throws the fault that kept the endpoint unknown */
  async #read(response: HttpResponse, caller: MemoryOwner | undefined, onOpen: () => void): Promise<void> {
    const { upstream } = this.#target;
    const { maxResponseBytes } = this.#options;
    const reader = new EventReader({ upstream, maxResponseBytes, caller });
    try {
      for await (const chunk of response.chunks()) {
        for (const event of reader.push(chunk)) {
          const { data } = event;
          const turn = reader.turnFor(event);
          if (turn !== undefined) await turn;
          if (event.event === "message" && data !== "") this.#receiver.receive(data);
          else if (event.event === "endpoint") {
            this.#endpoint = new Address(this.#endpointIn(data));
            onOpen();
          }
        }
      }
      this.#receiver.ended("the upstream closed its event stream");
    } catch (error) {
      if (isError(error, "UPSTREAM_RESPONSE_TOO_LARGE")) this.#receiver.lost();
      else if (isError(error, "CLIENT_MEMORY_FULL")) this.#receiver.lost(undefined, error);
      this.#receiver.ended("the event stream was interrupted");
      throw error;
    } finally {
      reader.end();
    }
  }

  /** The endpoint must have the stream's origin, because it receives our credentials. The SDKs check the same. */
  #endpointIn(data: string): URL {
    const { address: { url } } = this.#options;
    if (data.length > MAX_ENDPOINT_CHARS) {
      throw this.#broken(`the endpoint is longer than ${MAX_ENDPOINT_CHARS} characters`);
    }
    const endpoint = URL.parse(data, url);
    if (endpoint === null || endpoint.origin !== url.origin) {
      throw this.#broken("the endpoint has another origin than the event stream");
    }
    // Credentials in the query are added to the endpoint.
    for (const [name, value] of url.searchParams) {
      if (!endpoint.searchParams.has(name)) endpoint.searchParams.append(name, value);
    }
    return endpoint;
  }

  #broken(reason: string): SluiceError {
    return new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream: this.#target.upstream, reason });
  }
}
