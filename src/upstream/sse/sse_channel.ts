// Room `sse`: a channel of the HTTP+SSE transport (MCP 2024-11-05, transports). Messages are sent as POST and received on one
// event stream. `Transports` opens it.
import { type Clock, MAX_TIMER_MS } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { SseDecoder } from "../../mcp/sse.ts";
import { withoutSecretsOf } from "../transport/without_secrets.ts";
import type { ExchangeOptions, HeaderList } from "../transport/transport.ts";
import type { Channel, OpenChannel, Receiver } from "../duplex/duplex_channel.ts";
import { inTime } from "../resilience/deadline.ts";
import type { HttpClient, HttpResponse } from "../http_client/http_client.ts";

export interface SseTarget {
  readonly upstream: string;
  /** The URL of the event stream. */
  readonly url: URL;
  readonly headers: HeaderList;
  readonly caCertificate?: string;
}

interface SseOptions {
  readonly client: HttpClient;
  readonly maxResponseBytes: number;
  readonly clock: Clock;
}

/** The stream may be silent. Pings find out whether the server has gone. */
const ANY_SILENCE_MS = MAX_TIMER_MS;

const FAILURE_TEXT_BYTES = 4_096;

export function openSseChannel(target: SseTarget, options: SseOptions): OpenChannel {
  return async (passed, receiver, exchange) => {
    const replaced = new Set(passed.map(([name]) => name));
    const headers = [...target.headers.filter(([name]) => !replaced.has(name)), ...passed];
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
  #endpoint: URL | undefined;

  constructor(target: SseTarget, options: SseOptions, receiver: Receiver) {
    this.#target = target;
    this.#options = options;
    this.#receiver = receiver;
  }

  /**
   * Opens the stream and waits for its first event, which names the endpoint for POSTs. @throws {SluiceError} UPSTREAM_*; the
   * signal's reason
   */
  async open({ deadline, signal }: ExchangeOptions): Promise<void> {
    const { upstream, url, headers, caCertificate } = this.#target;
    const { clock, client } = this.#options;
    const work = { upstream, phase: "open an event stream", signal, clock };
    await inTime(deadline, work, async (giveUp) => {
      giveUp.throwIfAborted();
      giveUp.addEventListener("abort", () => this.#stop.abort(giveUp.reason), { once: true });
      try {
        const response = await client.send({
          method: "GET",
          url,
          headers: [["accept", "text/event-stream"], ...headers],
          signal: this.#stop.signal,
          readTimeoutMs: ANY_SILENCE_MS,
          longLived: true,
          caCertificate,
          upstream,
        });
        await this.#requireStream(response);
        await new Promise<void>((resolve, reject) => {
          this.#stop.signal.addEventListener("abort", () => reject(this.#stop.signal.reason), { once: true });
          this.#read(response, resolve).then(
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
    const { upstream, headers, caCertificate } = this.#target;
    const response = await this.#options.client.send({
      method: "POST",
      url: this.#endpoint!,
      headers: [["content-type", "application/json"], ...headers],
      body: text,
      signal,
      readTimeoutMs: deadline.ms,
      deadline,
      holder: caller,
      caCertificate,
      upstream,
    });
    const { status } = response;
    // The specification says 202; several servers answer 200.
    if (status >= 200 && status <= 299) return response.discard();
    response.discard();
    if (status === 404) throw new SluiceError("UPSTREAM_SESSION_EXPIRED", { upstream });
    throw this.#refused(status, "no explanation");
  }

  close(): Promise<void> {
    this.#stop.abort(new DOMException("the session has ended", "AbortError"));
    return Promise.resolve();
  }

  async #requireStream(response: HttpResponse): Promise<void> {
    const { status } = response;
    const type = response.header("content-type")?.toLowerCase() ?? "";
    if (status === 200 && type.startsWith("text/event-stream")) return;
    if (status === 200) {
      response.discard();
      throw this.#broken(`expected an event stream, received "${type}"`);
    }
    const text = await response.text(FAILURE_TEXT_BYTES).catch(() => "");
    const words = withoutSecretsOf(this.#target.url, text).replace(/\s+/g, " ").trim();
    throw this.#refused(status, words.slice(0, 200) || "no explanation");
  }

  /** Reads the stream to its end. @throws the fault that kept the endpoint unknown */
  async #read(response: HttpResponse, onOpen: () => void): Promise<void> {
    const decoder = new SseDecoder(this.#options.maxResponseBytes);
    try {
      for await (const chunk of response.chunks()) {
        for (const { event, data } of decoder.push(chunk)) {
          if (event === "message" && data !== "") this.#receiver.receive(data);
          else if (event === "endpoint") {
            this.#endpoint = this.#endpointIn(data);
            onOpen();
          }
        }
      }
      this.#receiver.ended("the upstream closed its event stream");
    } catch (error) {
      if (error instanceof RangeError) this.#receiver.lost();
      this.#receiver.ended("the event stream was interrupted");
      throw error;
    }
  }

  /** The endpoint must have the stream's origin, because it receives our credentials. The SDKs check the same. */
  #endpointIn(data: string): URL {
    const { url } = this.#target;
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

  #refused(status: number, reason: string): SluiceError {
    const { upstream } = this.#target;
    return status === 401 || status === 403
      ? new SluiceError("UPSTREAM_AUTH_FAILED", { upstream, status })
      : new SluiceError("UPSTREAM_HTTP_ERROR", { upstream, status, reason });
  }

  #broken(reason: string): SluiceError {
    return new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream: this.#target.upstream, reason });
  }
}
