// The messages of an event stream that a bridge receives.
import { SseDecoder } from "../../mcp/sse.ts";

export class MessageStream {
  readonly #body: ReadableStream<Uint8Array>;
  // The gateway bounds what it sends (MAX_UPSTREAM_RESPONSE_BYTES).
  readonly #decoder = new SseDecoder(Infinity);

  constructor(body: ReadableStream<Uint8Array>) {
    this.#body = body;
  }

  /** null: the response is no event stream. */
  static in(response: Response): MessageStream | null {
    const isStream = /^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "");
    return isStream && response.body !== null ? new MessageStream(response.body) : null;
  }

  /** The id to resume from; null: the stream cannot be resumed. */
  get lastEventId(): string | null {
    return this.#decoder.lastEventId;
  }

  /** The pause before resuming, ms, as the gateway asked. */
  get retryMs(): number | null {
    return this.#decoder.retryMs;
  }

  /** Ends without an error also where the connection breaks. */
  async *messages(): AsyncGenerator<string> {
    try {
      for await (const chunk of this.#body) {
        for (const { event, data } of this.#decoder.push(chunk)) {
          if (event === "message" && data !== "") yield data;
        }
      }
    } catch {
      // The caller knows what is missing.
    }
  }
}
